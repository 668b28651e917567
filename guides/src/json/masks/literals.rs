//! The tokens where a value is one of some literals (`enum`, `const`), found along the literals.
//!
//! A step of the machine at each byte would clone its state; sorted literals side by side with the trie need none. Only behind the last
//! byte of a literal does the machine step in. `uniqueItems` costs nothing here: a literal that an entry has is left out of the list.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::machine::JsonMachine;
use crate::json::machine::state::{At, JsonState, Reader, Scalar};
use crate::json::masks::Below;
use crate::json::masks::texts::SortedTexts;
use crate::vocabulary::mask::TokenSet;

/// A walk along literals of one schema, from `depth` bytes on. `rest` is the cost after the value.
struct Walk<'a> {
    state: &'a JsonState,
    below: Below<'a>,
    depth: usize,
    rest: Cost,
}

impl JsonMachine {
    /// Adds the allowed tokens below a node if a literal of one schema is the only value that can be here. Under `uniqueItems` only literals
    /// that no entry has count. Returns a bound of the cost after any of the tokens; `None` if other values can be here.
    pub(super) fn add_literals(&self, state: &JsonState, below: Below<'_>, set: &mut TokenSet) -> Option<Cost> {
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
        let rests = pending.iter().filter(|choice| choice.schema == schema).map(|choice| *choice.next.rest);
        let walk = Walk { state, below, depth: depth as usize, rest: Cost::least(rests) };
        if state.is_clear() {
            return Some(self.walk_literals(&walk, literals, set));
        }
        let own = state.level.own_distinct()?;
        if own.outer().is_some_and(|outer| !outer.is_clear(false)) {
            return None;
        }
        Some(self.walk_literals(&walk, &own.others(literals), set))
    }

    fn walk_literals<L: AsRef<[u8]>>(&self, walk: &Walk<'_>, literals: &[L], set: &mut TokenSet) -> Cost {
        let &Walk { state, below, depth, rest } = walk;
        let reach = match &state.at {
            At::Value { blanks, .. } => self.add_along(state, self.blanks_after(*blanks), below, set),
            _ if literals.first().is_some_and(|literal| literal.as_ref().len() == depth) => {
                self.add_along(state, self.bytes_after_values(&state.level), below, set)
            }
            _ => Cost::ZERO,
        };
        let whole = |literal: &L| {
            literal.as_ref()[depth..].iter().try_fold(state.clone(), |state, &byte| self.step(&state, byte))
        };
        reach.max(self.add_texts(SortedTexts { texts: literals, at: depth }, |_| rest, whole, below, set))
    }
}
