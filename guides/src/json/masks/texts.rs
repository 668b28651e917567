//! The tokens along a sorted list of texts, one of which is being written.
//!
//! Trie and list are walked side by side: a node of the trie meets the range of texts that begin with its bytes. Inside a text the
//! cost of a token follows from its length, so the machine steps only at the end of a text.

use crate::automaton::cost::Cost;
use crate::collections::byte_set::{ByteSet, texts_along};
use crate::json::machine::JsonMachine;
use crate::json::machine::state::JsonState;
use crate::json::masks::Below;
use crate::vocabulary::mask::TokenSet;

/// Sorted texts that agree in their first `at` bytes, which were read.
#[derive(Clone, Copy)]
pub(super) struct SortedTexts<'a, T> {
    pub(super) texts: &'a [T],
    pub(super) at: usize,
}

impl JsonMachine {
    /// Adds the tokens below a node along the texts. `cost` is that behind a text, and `whole` the state there, where the search goes on
    /// for longer tokens. Returns a bound of the cost after any of the tokens.
    pub(super) fn add_texts<T: AsRef<[u8]>>(
        &self,
        texts: SortedTexts<'_, T>,
        cost: impl Fn(&T) -> Cost,
        whole: impl Fn(&T) -> Option<JsonState>,
        below: Below<'_>,
        set: &mut TokenSet,
    ) -> Cost {
        let (trie, mut reach) = (below.trie(), Cost::ZERO);
        // Open nodes, each with the texts that begin with its bytes.
        let mut open = vec![(below, texts)];
        while let Some((below, SortedTexts { texts, at })) = open.pop() {
            let mut possible = ByteSet::default();
            possible.add_each(texts.iter().map(AsRef::as_ref), at as u32);
            for node in trie.children_along(below.node, possible) {
                let along = texts_along(texts, at, trie.byte(node));
                let own = trie.own(node);
                if !own.is_empty() {
                    let costs = along.iter().map(|text| cost(text) + (text.as_ref().len() - at - 1) as u32);
                    let cost = Cost::least(costs);
                    if cost <= below.bytes {
                        set.insert_all(own);
                        reach = reach.max(cost);
                    }
                }
                if trie.end(node) == node + 1 {
                    continue;
                }
                let below = below.at(node, 1);
                match along.first().filter(|text| text.as_ref().len() == at + 1) {
                    None => open.push((below, SortedTexts { texts: along, at: at + 1 })),
                    Some(text) => {
                        if let Some(next) = whole(text) {
                            reach = reach.max(self.add_allowed(&next, below, set));
                        }
                    }
                }
            }
        }
        reach
    }
}
