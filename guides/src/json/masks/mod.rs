//! The tokens that are allowed in a state, found without a walk along all of them where the output is inside a string.

mod keys;
mod literals;
mod numbers;
mod repeating;
mod strings;
mod used_keys;

pub(super) use used_keys::may_be_escaped;

use super::few::Few;
use super::machine::JsonMachine;
use super::state::{At, JsonState, Key, KeyReader, Reader, Scalar};
use super::strings::{Decoder, StringState};
use crate::automaton::{Automaton, bytes::ByteSet};
use crate::mask::TokenSet;
use crate::vocabulary::Vocabulary;

/// Subtrees of fewer nodes are walked whatever the state.
const SMALL: u32 = 24;

/// A node of the trie, and how many bytes lead to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Below {
    node: u32,
    depth: usize,
}

impl Below {
    pub(super) const ROOT: Below = Below { node: 0, depth: 0 };

    /// One byte further, at this node.
    pub(super) fn child(self, node: u32) -> Below {
        Below { node, depth: self.depth + 1 }
    }
}

impl JsonMachine {
    /// Adds the tokens below a node along whose remaining bytes the output can go on from `state`, and after which it can be
    /// completed in `bytes`. Returns a bound of the cost after any of them.
    pub(super) fn add_allowed(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let trie = vocabulary.trie();
        if trie.end(below.node) - below.node > SMALL {
            if let Some(reach) = self.add_literals(vocabulary, state, below, bytes, set) {
                return reach;
            }
            if !state.is_clear() {
                return self.add_apart(vocabulary, state, below, bytes, set);
            }
            match &state.at {
                At::Value { pending, .. } if state.level.distinct.is_none() => {
                    return self.add_values(vocabulary, state, pending, below, bytes, set);
                }
                At::Scalar { pending, machines }
                    if state.level.distinct.is_none() && machines.iter().all(is_number) =>
                {
                    let numbers = machines.iter().filter_map(|scalar| match scalar.reader {
                        Reader::Number { state } => {
                            Some((scalar.schema, self.schema(scalar.schema).numbers.as_ref()?, state))
                        }
                        _ => None,
                    });
                    let level = &state.level;
                    return self.add_numbers(vocabulary, (level, pending), numbers.collect(), below, bytes, set);
                }
                At::Scalar { pending, machines }
                    if machines.iter().any(|scalar| is_in_string(scalar) || is_in_label(scalar)) =>
                {
                    // What one of the alternatives allows is allowed.
                    let each = machines.iter().map(|scalar| {
                        let at = At::Scalar { pending: pending.clone(), machines: Few::One(scalar.clone()) };
                        let state = JsonState { level: state.level.clone(), at };
                        if is_in_label(scalar) && state.level.distinct.is_none() {
                            return self.add_in_label(vocabulary, &state, scalar, below, bytes, set);
                        }
                        let reach = self.add_in_string(vocabulary, &state, scalar, below, bytes, set);
                        match reach {
                            Some(reach) => reach.max(self.add_beginning_labels(vocabulary, &state, scalar, bytes, set)),
                            None => self.add_each(vocabulary, &state, below, bytes, set),
                        }
                    });
                    return each.max().unwrap_or(0);
                }
                At::Key { keys, text } if keys.iter().any(is_in_key) => {
                    return self.add_in_keys(vocabulary, state, (keys, text), below, bytes, set);
                }
                _ => {}
            }
        }
        self.add_each(vocabulary, state, below, bytes, set)
    }

    /// As [`Self::add_allowed`], byte by byte.
    fn add_each(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        self.add_along(vocabulary, state, self.next_bytes(state), below, bytes, set)
    }

    /// As [`Self::add_each`], along these bytes.
    fn add_along(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        possible: ByteSet,
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let trie = vocabulary.trie();
        let mut reach = 0;
        for node in trie.children_along(below.node, possible) {
            let Some(next) = self.step(state, trie.byte(node)) else { continue };
            reach = reach.max(self.add_node(vocabulary, &next, node, below.depth + 1, bytes, set));
        }
        reach
    }

    /// As [`Self::add_allowed`], with the tokens of the node itself. `state` is that after its bytes, `depth` their number.
    fn add_node(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        node: u32,
        depth: usize,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let trie = vocabulary.trie();
        let (own, mut reach) = (trie.own(node), 0);
        if !own.is_empty() {
            let cost = self.cost(state);
            if cost <= bytes {
                set.insert_all(own);
                reach = cost;
            }
        }
        if trie.end(node) > node + 1 {
            reach = reach.max(self.add_allowed(vocabulary, state, Below { node, depth }, bytes, set));
        }
        reach
    }

    /// Adds those of the tokens along which the output can go on, looked at one by one.
    fn add_tokens(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        tokens: &[u32],
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let mut reach = 0;
        for &token in tokens {
            let rest = vocabulary.bytes(token).and_then(|bytes| bytes.get(below.depth..));
            let end = rest.and_then(|rest| rest.iter().try_fold(state.clone(), |state, &byte| self.step(&state, byte)));
            if let Some(cost) = end.map(|end| self.cost(&end)).filter(|&cost| cost <= bytes) {
                set.insert(token);
                reach = reach.max(cost);
            }
        }
        reach
    }
}

/// Whether an entry begins that must differ from the others, of which the last is not known.
fn begins_entry(state: &JsonState) -> bool {
    matches!(state.at, At::Value { .. }) && state.level.own_distinct().is_some()
}

fn is_number(scalar: &Scalar) -> bool {
    matches!(scalar.reader, Reader::Number { .. })
}

fn is_in_string(scalar: &Scalar) -> bool {
    matches!(scalar.reader, Reader::String { state: StringState { decoder: Decoder::Body, .. }, .. })
}

fn is_in_label(scalar: &Scalar) -> bool {
    matches!(scalar.reader, Reader::Label { .. })
}

fn is_in_key(key: &Key) -> bool {
    matches!(key.reader, KeyReader::Additional(StringState { decoder: Decoder::Body, .. }))
}
