//! Finite automata over the bytes of an output.
//!
//! [`Automaton`] is what a guide follows: a state, a step by byte, and the least bytes to the end. Four kinds implement it:
//! [`regular::Regular`] and [`by_character::ByCharacter`] for regexes and choices here, and elsewhere the pushdown automaton of JSON and the machine of free text
//! around guided text. Below it stand deterministic finite
//! automata as tables, [`dfa::Dfa`], and the operations on them.
//!
//! | file | what it holds |
//! |---|---|
//! | [`dfa`] | the table, and look-ups in it |
//! | [`build`] | exploration of a step function to a table, and trimming |
//! | [`algebra`] | products: intersection, union, difference, many side by side; word lists |
//! | [`expression`] | regexes as trees |
//! | [`nfa`], [`determinize`] | a regex to states over characters: Thompson's construction, the subset construction |
//! | [`utf8`] | states over characters to states over bytes |
//! | [`by_character`] | states over characters as a guide, where the table over bytes would be too big |
//! | [`backward`], [`measure`] | least costs, lengths and counts of accepted texts |
//! | [`residual`] | which states accept every suffix, and which never reject for good |
//! | [`search`] | texts up to the first occurrence of a word |
//! | [`whole_tokens`] | costs in tokens, for a vocabulary without a token for each byte |
//! | [`regular`] | a table as a guide |
//! | [`cost`], [`marks`] | bytes to completion; bytes that no text has |
//! | [`marked_tokens`] | special tokens, each with a mark |
//!
//! # Invariants
//!
//! - A `Dfa` is trimmed: state 0 is dead, every other state reaches an accepting one. So `next != 0` means that a completion exists.
//! - Automata are not minimized. They are built once and walked often, and equal states cost memory, not correctness.
//! - Every construction has a limit and asks [`passed`](crate::interrupt::passed), so no source takes longer than its limits allow.

mod algebra;
pub(crate) mod backward;
mod build;
pub(crate) mod by_character;
pub(crate) mod cost;
pub(crate) mod determinize;
pub(crate) mod dfa;
pub(crate) mod expression;
pub(crate) mod marked_tokens;
pub(crate) mod marks;
mod measure;
pub(crate) mod nfa;
pub(crate) mod regular;
pub(crate) mod residual;
pub(crate) mod search;
mod utf8;
pub(crate) mod whole_tokens;

use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::TokenSet;
use crate::vocabulary::trie::Trie;
use std::fmt::Debug;

/// A deterministic automaton over the bytes of the output, finite or not. Every state can reach the end: `step` returns `None` instead of
/// a dead state.
pub(crate) trait Automaton: Debug + Send + Sync + 'static {
    /// The state after the output so far.
    type State: Clone + Debug + Send + Sync;

    /// The state before the first byte.
    fn start(&self) -> Self::State;

    /// The state after one more byte.
    fn step(&self, state: &Self::State, byte: u8) -> Option<Self::State>;

    /// The bytes of a completion: zero exactly if the output may end here. From every other state some byte leads to a state of lower
    /// cost, so following the cost down ends.
    fn cost(&self, state: &Self::State) -> Cost;

    /// Memory in bytes, roughly.
    fn size(&self) -> usize;

    /// Whether a token that spells these bytes may be appended in any state. If the vocabulary lacks some byte as a token, an automaton may
    /// exclude tokens by their bytes.
    fn reads(&self, _token: &[u8]) -> bool {
        true
    }

    /// The special token that a byte stands for, if it is a [mark](crate::automaton::marks) of one.
    fn special_token(&self, _mark: u8) -> Option<u32> {
        None
    }

    /// The mark of a token without bytes; `None` if it never occurs in the output.
    fn mark_of(&self, _token: u32) -> Option<u8> {
        None
    }

    /// Whether a token may end in a state. It may not if no tokens spell the bytes that must follow.
    fn may_stop(&self, _state: &Self::State) -> bool {
        true
    }

    /// The state in which the output stands once a token has ended in a state. It may give up outputs, so that states stay small, but not
    /// the cheapest one.
    fn settled(&self, state: Self::State) -> Self::State {
        state
    }

    /// A superset of the bytes that `step` takes, as small as is cheap to know.
    fn next_bytes(&self, _state: &Self::State) -> ByteSet {
        ByteSet::ALL
    }

    /// Whether no byte can follow.
    fn is_final(&self, state: &Self::State) -> bool;

    /// What a mask depends on: a cache of masks is indexed by it. States with equal keys allow the same tokens, and the cost after each
    /// token differs between them by as much as their own costs do.
    fn key(&self, state: &Self::State) -> u128;

    /// Adds the tokens that are allowed in `state` and returns the greatest cost after any of them. An automaton overrides this if it knows
    /// something faster than a walk over the trie.
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

/// Adds every token below `node` whose remaining bytes the automaton takes from `state`. Returns the greatest cost after any of them, zero
/// if there is none. A byte is stepped over once for all tokens that share the prefix, and a dead state prunes its subtree.
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

/// As [`walk`], for tokens after which the output can be completed in `left` bytes.
///
/// Costs do not prune the walk: a longer token can lead nearer to the end than its prefix.
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
