//! The tokens inside a number, for one state of a number's automaton.
//!
//! Of `12`, `1.` and `3,"x`, the first two end inside the number. The third ends it: its comma belongs to the text behind the number, so
//! only the trie node after `3` is kept, and the mask walks on from there with the state of the machine. The classes are exact for every
//! output in this state, since the bytes of a number move no state but that of its automaton.
//!
//! They are computed once for each state and trie node, in one walk over the nodes of numbers, of which a vocabulary has few.

use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::json::language::number::grammar::OF_NUMBERS;
use crate::json::language::number::{NumberState, Numbers};
use crate::vocabulary::mask::Tokens;
use crate::vocabulary::trie::Trie;
use std::collections::BTreeMap;

/// The bytes that can follow a value.
const AFTER_VALUES: ByteSet = ByteSet::of(b",]} \n\r\t");

/// The tokens below a trie node by what they do to a number in one state.
#[derive(Debug)]
pub(crate) struct NumberClasses {
    /// The tokens that end inside the number, by the least bytes that complete it.
    inside: Vec<(Cost, Tokens)>,
    /// The nodes at which the number may end while tokens continue, with the bytes from the first node to them.
    ends: Vec<(u32, usize)>,
}

impl NumberClasses {
    /// The classes of the tokens below a node, for masks of so many words.
    pub(super) fn new(numbers: &Numbers, state: NumberState, node: u32, trie: &Trie, words: usize) -> NumberClasses {
        let mut inside: BTreeMap<Cost, Vec<u32>> = BTreeMap::new();
        let mut ends = Vec::new();
        // Nodes whose children are still to be visited: the state at each, and the bytes that lead to it.
        let mut open = vec![(node, state, 0)];
        while let Some((node, state, depth)) = open.pop() {
            for child in trie.children_along(node, OF_NUMBERS) {
                let Some(next) = numbers.next(state, trie.byte(child)) else { continue };
                let cost = numbers.cost(next);
                // A cost of NEVER: the vocabulary spells no completion, so no token may end here.
                if let (own @ [_, ..], true) = (trie.own(child), !cost.is_never()) {
                    inside.entry(cost).or_default().extend(own);
                }
                if trie.end(child) > child + 1 {
                    open.push((child, next, depth + 1));
                }
            }
            if numbers.accepts_at(state) && trie.children_along(node, AFTER_VALUES).next().is_some() {
                ends.push((node, depth));
            }
        }
        let inside = inside.into_iter().map(|(cost, tokens)| (cost, Tokens::new(tokens, words)));
        NumberClasses { inside: inside.collect(), ends }
    }

    /// Memory in bytes.
    pub(super) fn size(&self) -> usize {
        self.inside.iter().map(|(_, tokens)| tokens.size() + 24).sum::<usize>() + self.ends.len() * 16 + 100
    }

    /// The tokens that end inside the number, by the least bytes that complete it; the cheapest first.
    pub(crate) fn inside(&self) -> &[(Cost, Tokens)] {
        &self.inside
    }

    /// The nodes at which the number may end while tokens continue, with the bytes from the first node to them.
    pub(crate) fn ends(&self) -> &[(u32, usize)] {
        &self.ends
    }
}
