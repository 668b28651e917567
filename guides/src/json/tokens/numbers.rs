//! The tokens that lie within a number, worked out once for each state of the number's automaton.

use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::json::language::number::Numbers;
use crate::json::language::number::grammar::OF_NUMBERS;
use crate::vocabulary::mask::Tokens;
use crate::vocabulary::trie::Trie;
use std::collections::BTreeMap;

/// What can come after a value.
pub(crate) const AFTER_VALUES: ByteSet = ByteSet::of(b",]} \n\r\t");

/// The tokens below a node of the trie by what they do to a number in some state.
#[derive(Debug)]
pub(crate) struct NumberClasses {
    /// Those that end within the number, by the least bytes that complete it.
    inside: Vec<(Cost, Tokens)>,
    /// The nodes at which the number may end with more of a token to come, and the bytes from here to there.
    ends: Vec<(u32, usize)>,
}

impl NumberClasses {
    /// For the tokens below a node, in a mask of so many words.
    pub(crate) fn new(numbers: &Numbers, state: u32, node: u32, trie: &Trie, words: usize) -> NumberClasses {
        let mut inside: BTreeMap<Cost, Vec<u32>> = BTreeMap::new();
        let mut ends = Vec::new();
        // The nodes whose children are to be looked at, with the state there and the bytes that lead to them.
        let mut open = vec![(node, state, 0)];
        while let Some((node, state, depth)) = open.pop() {
            for child in trie.children_along(node, OF_NUMBERS) {
                let next = numbers.dfa.next(state, trie.byte(child));
                if next == 0 {
                    continue;
                }
                let cost = numbers.costs[next as usize];
                // Where no token goes on, none ends.
                if let (own @ [_, ..], true) = (trie.own(child), !cost.is_never()) {
                    inside.entry(cost).or_default().extend(own);
                }
                if trie.end(child) > child + 1 {
                    open.push((child, next, depth + 1));
                }
            }
            if numbers.dfa.accepts_at(state) && trie.children_along(node, AFTER_VALUES).next().is_some() {
                ends.push((node, depth));
            }
        }
        let inside = inside.into_iter().map(|(cost, tokens)| (cost, Tokens::new(tokens, words)));
        NumberClasses { inside: inside.collect(), ends }
    }

    /// Memory in bytes.
    pub(crate) fn size(&self) -> usize {
        self.inside.iter().map(|(_, tokens)| tokens.size() + 24).sum::<usize>() + self.ends.len() * 16 + 100
    }

    /// The tokens that end within the number, by the least bytes that complete it; the cheapest first.
    pub(crate) fn inside(&self) -> &[(Cost, Tokens)] {
        &self.inside
    }

    /// The nodes at which the number may end with more of a token to come, and the bytes from here to there.
    pub(crate) fn ends(&self) -> &[(u32, usize)] {
        &self.ends
    }
}
