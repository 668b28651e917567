//! `uniqueItems`: the mask as if entries might repeat, less the tokens along which one does.
//!
//! Few tokens repeat an entry, and they lie along the texts of the entries. To remove them takes a walk along those texts only,
//! and the token classes serve for the rest.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::json::machine::JsonMachine;
use crate::json::machine::state::JsonState;
use crate::json::masks::Below;
use crate::vocabulary::mask::TokenSet;

impl JsonMachine {
    /// As [`Self::add_allowed`], where the entry can still become equal to another one.
    pub(super) fn add_apart(&self, state: &JsonState, below: Below<'_>, set: &mut TokenSet) -> Cost {
        let mut own = TokenSet::new(below.vocabulary.mask_words());
        let reach = self.add_allowed(&state.apart(), below, &mut own);
        let reach = reach.max(self.remove_repeating(state, below, &mut own));
        set.union(own.words());
        reach
    }

    /// Removes the tokens below a node along which an entry becomes equal to another one or can no longer differ. Returns a bound of the cost
    /// after the tokens along the entries that stay: to differ can cost more than the mask without `uniqueItems` counts.
    fn remove_repeating(&self, state: &JsonState, below: Below<'_>, set: &mut TokenSet) -> Cost {
        let trie = below.trie();
        let mut reach = Cost::ZERO;
        // After any other byte the entry differs from all, so there is nothing to remove.
        let open = state.level.distinct.as_ref().map_or_else(ByteSet::default, |distinct| distinct.open_bytes());
        let possible = self.next_bytes(state).and(open);
        for child in trie.children_along(below.node, possible) {
            let byte = trie.byte(child);
            let remove = |tokens: &[u32], set: &mut TokenSet| tokens.iter().for_each(|&token| set.remove(token));
            let Some(next) = self.step_recorded(state, byte) else {
                if self.step_recorded(&state.apart(), byte).is_some() {
                    remove(trie.below(child), set);
                }
                continue;
            };
            if next.is_clear() {
                continue;
            }
            if !self.has_way_apart(&next) {
                remove(trie.below(child), set);
                continue;
            }
            let own = trie.own(child);
            if !own.is_empty() {
                match self.cost(&next) {
                    cost if cost > below.bytes => remove(own, set),
                    cost => reach = reach.max(cost),
                }
            }
            reach = reach.max(self.remove_repeating(&next, below.at(child, 1), set));
        }
        reach
    }
}
