//! Walking the trie of the vocabulary along an automaton.

use crate::automaton::Automaton;
use crate::vocabulary::mask::TokenSet;
use crate::vocabulary::trie::Trie;

/// Adds every token below `node` along whose remaining bytes the automaton can go from `state`. Returns the
/// greatest cost after any of them (0 if there is none).
pub(crate) fn walk<A: Automaton>(automaton: &A, trie: &Trie, node: u32, state: &A::State, set: &mut TokenSet) -> u32 {
    let mut reach = 0;
    for child in trie.children(node) {
        if let Some(next) = automaton.step(state, trie.byte(child)) {
            let own = trie.own(child);
            if !own.is_empty() {
                set.insert_all(own);
                reach = reach.max(automaton.cost(&next));
            }
            if trie.end(child) > child + 1 {
                reach = reach.max(walk(automaton, trie, child, &next, set));
            }
        }
    }
    reach
}

/// As [`walk`], but adds only tokens after which the output can be completed in `left` bytes.
pub(crate) fn walk_within<A: Automaton>(
    automaton: &A,
    trie: &Trie,
    node: u32,
    state: &A::State,
    left: u32,
    set: &mut TokenSet,
) {
    for child in trie.children(node) {
        if let Some(next) = automaton.step(state, trie.byte(child)) {
            let own = trie.own(child);
            if !own.is_empty() && automaton.cost(&next) <= left {
                set.insert_all(own);
            }
            if trie.end(child) > child + 1 {
                walk_within(automaton, trie, child, &next, left, set);
            }
        }
    }
}
