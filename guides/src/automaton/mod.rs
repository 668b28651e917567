//! What a guide is made of underneath: an automaton over bytes.

pub(crate) mod algebra;
pub(crate) mod backward;
pub(crate) mod build;
pub(crate) mod cost;
pub(crate) mod determinize;
pub(crate) mod dfa;
pub(crate) mod from_hir;
pub(crate) mod marks;
pub(crate) mod measure;
pub(crate) mod regular;
pub(crate) mod residual;
pub(crate) mod utf8;
pub(crate) mod whole_tokens;

use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::TokenSet;
use crate::vocabulary::trie::Trie;
use std::fmt::Debug;

/// A deterministic automaton over the bytes of the output. Every state can reach the end: `step` returns `None`
/// rather than a state from which nothing completes the output.
pub(crate) trait Automaton: Debug + Send + Sync + 'static {
    /// Where the output so far has led.
    type State: Clone + Debug + Send + Sync;

    /// The state before the first byte.
    fn start(&self) -> Self::State;

    /// The state after one more byte.
    fn step(&self, state: &Self::State, byte: u8) -> Option<Self::State>;

    /// The number of bytes of a completion: zero exactly where the output may end; else some byte leads to a state
    /// whose cost is less. No state without that byte, so following the cost down always ends.
    fn cost(&self, state: &Self::State) -> Cost;

    /// Memory in bytes, roughly.
    fn size(&self) -> usize;

    /// Whether a token that spells these bytes may be appended at all. Where the vocabulary does not have every byte as a token, a machine
    /// may leave out tokens with bytes that none of its texts is written with.
    fn reads(&self, _token: &[u8]) -> bool {
        true
    }

    /// Whether a token may end in a state: not where the bytes that must follow are spelled by no tokens.
    fn may_stop(&self, _state: &Self::State) -> bool {
        true
    }

    /// The bytes of which one must come next, or more where these are not cheap to name.
    fn next_bytes(&self, _state: &Self::State) -> ByteSet {
        ByteSet::ALL
    }

    /// Whether no byte can follow.
    fn is_final(&self, state: &Self::State) -> bool;

    /// What the set of allowed tokens depends on. States with equal keys allow the same tokens, and the costs after
    /// each token differ by the difference of the states' own costs.
    fn key(&self, state: &Self::State) -> u128;

    /// Adds the tokens that are allowed in `state` and returns the greatest cost after any of them. A machine
    /// overrides this where it knows something faster than a walk.
    fn allowed(&self, vocabulary: &Vocabulary, state: &Self::State, set: &mut TokenSet) -> Cost
    where
        Self: Sized,
    {
        walk(self, vocabulary.trie(), 0, state, set)
    }

    /// Adds the tokens after which the output can be completed in `left` bytes.
    fn allowed_within(&self, vocabulary: &Vocabulary, state: &Self::State, left: u32, set: &mut TokenSet)
    where
        Self: Sized,
    {
        walk_within(self, vocabulary.trie(), 0, state, left, set);
    }
}

/// Adds every token below `node` along whose remaining bytes the automaton can go from `state`. Returns the
/// greatest cost after any of them (zero if there is none).
fn walk<A: Automaton>(automaton: &A, trie: &Trie, node: u32, state: &A::State, set: &mut TokenSet) -> Cost {
    let mut reach = Cost::ZERO;
    for child in trie.children(node) {
        if let Some(next) = automaton.step(state, trie.byte(child)) {
            let own = trie.own(child);
            if !own.is_empty() && automaton.may_stop(&next) {
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
fn walk_within<A: Automaton>(automaton: &A, trie: &Trie, node: u32, state: &A::State, left: u32, set: &mut TokenSet) {
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
