//! The tokens that are allowed where a value is one of some literals: found along the literals, without a state for each byte.

use super::Below;
use crate::automaton::bytes::{ByteSet, texts_along};
use crate::automaton::{Automaton, dfa::NEVER};
use crate::json::few::Few;
use crate::json::machine::JsonMachine;
use crate::json::shape;
use crate::json::state::{At, JsonState, Reader, Scalar};
use crate::mask::TokenSet;

/// A node of the trie, the literals that begin with what leads there, and how many of their bytes that are.
type Open<'a, L> = (Below<'a>, &'a [L], usize);

/// What a walk along literals of one schema is for: `depth` of their bytes were read, and `rest` is the cost after the value.
struct Walk<'a> {
    state: &'a JsonState,
    below: Below<'a>,
    depth: usize,
    rest: u32,
}

impl JsonMachine {
    /// Adds the tokens below a node that are allowed where nothing but one of the literals of one schema is being written, or is to be
    /// written; of an entry that must differ from others one of those that none of them is. Returns a bound of the cost after any of
    /// them; `None` where it is not so.
    pub(super) fn add_literals(&self, state: &JsonState, below: Below<'_>, set: &mut TokenSet) -> Option<u32> {
        let (pending, schema, (low, high, depth)) = match &state.at {
            &At::Scalar {
                ref pending,
                machines: Few::One(Scalar { schema, reader: Reader::Literal { low, high, depth } }),
            } => (pending, schema, (low, high, depth)),
            At::Value { pending: pending @ Few::One(choice), .. }
                if self.schema(choice.schema).is_finite() && self.spacing.left(&state.level, &state.at) == 0 =>
            {
                (pending, choice.schema, (0, self.schema(choice.schema).literals.len() as u32, 0))
            }
            _ => return None,
        };
        let literals = &self.schema(schema).literals[low as usize..high as usize];
        let rests = pending.iter().filter(|choice| choice.schema == schema).map(|choice| choice.next.rest);
        let walk = Walk { state, below, depth: depth as usize, rest: rests.min().unwrap_or(NEVER) };
        if state.is_clear() {
            return Some(self.walk_literals(&walk, literals, set));
        }
        let own = state.level.own_distinct()?;
        if own.outer().is_some_and(|outer| !outer.is_clear(false)) {
            return None;
        }
        Some(self.walk_literals(&walk, &own.others(literals), set))
    }

    fn walk_literals<L: AsRef<[u8]>>(&self, walk: &Walk<'_>, literals: &[L], set: &mut TokenSet) -> u32 {
        let &Walk { state, below, depth, rest } = walk;
        let mut reach = match &state.at {
            At::Value { blanks, .. } => self.add_along(state, self.blanks_after(*blanks), below, set),
            _ if literals.first().is_some_and(|literal| literal.as_ref().len() == depth) => {
                self.add_along(state, self.bytes_after_values(&state.level), below, set)
            }
            _ => 0,
        };
        let trie = below.trie();
        let mut open: Vec<Open<'_, L>> = vec![(below, literals, depth)];
        while let Some((below, literals, at)) = open.pop() {
            let mut possible = ByteSet::default();
            possible.add_each(literals.iter().map(AsRef::as_ref), at as u32);
            for node in trie.children_along(below.node, possible) {
                let along = texts_along(literals, at, trie.byte(node));
                let own = trie.own(node);
                if !own.is_empty() {
                    let left =
                        along.iter().map(|literal| (literal.as_ref().len() - at - 1) as u32).min().unwrap_or(NEVER);
                    let cost = shape::add(left, rest);
                    if cost <= below.bytes {
                        set.insert_all(own);
                        reach = reach.max(cost);
                    }
                }
                if trie.end(node) == node + 1 {
                    continue;
                }
                let below = below.at(node, 1);
                match along.first().map(AsRef::as_ref).filter(|literal| literal.len() == at + 1) {
                    None => open.push((below, along, at + 1)),
                    // What follows one that is complete is found from the state there.
                    Some(complete) => {
                        let mut bytes_left = complete[depth..].iter();
                        if let Some(next) = bytes_left.try_fold(state.clone(), |state, &byte| self.step(&state, byte)) {
                            reach = reach.max(self.add_allowed(&next, below, set));
                        }
                    }
                }
            }
        }
        reach
    }
}
