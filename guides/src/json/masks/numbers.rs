//! The tokens that are allowed within numbers, and where a value begins.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::language::number::Numbers;
use crate::json::language::number::grammar::OF_NUMBERS;
use crate::json::machine::JsonMachine;
use crate::json::machine::state::{Choice, JsonState, Level};
use crate::json::masks::Below;
use crate::json::shape::SchemaId;
use crate::vocabulary::mask::TokenSet;
use std::sync::Arc;

/// Where a value is written: the container around it, and the schemas of which it may be.
#[derive(Clone, Copy)]
pub(crate) struct ValuePlace<'a> {
    pub(crate) level: &'a Level,
    pub(crate) pending: &'a Few<Choice>,
}

/// A number that is being written, and the schemas that read it so.
struct OpenNumber<'a> {
    numbers: &'a Numbers,
    state: u32,
    schemas: &'a [SchemaId],
}

impl JsonMachine {
    /// Where a value begins: numbers as a whole, the rest byte by byte.
    pub(crate) fn add_values(
        &self,
        state: &JsonState,
        pending: &Few<Choice>,
        below: Below<'_>,
        set: &mut TokenSet,
    ) -> Cost {
        let mut possible = self.next_bytes(state);
        let mut reach = Cost::ZERO;
        let begins_number = |literal: &[u8]| literal.first().is_some_and(|&byte| OF_NUMBERS.contains(byte));
        let mut literals = pending.iter().flat_map(|choice| self.schema(choice.schema).literals.iter());
        if self.spacing.left(&state.level, &state.at) == 0 && !literals.any(|text| begins_number(text)) {
            let schemas = pending.iter().filter_map(|choice| {
                let numbers = self.schema(choice.schema).numbers.as_ref()?;
                Some((choice.schema, numbers, numbers.dfa.start()))
            });
            let place = ValuePlace { level: &state.level, pending };
            reach = self.add_numbers(place, schemas.collect(), below, set);
            possible = possible.without(OF_NUMBERS);
        }
        reach.max(self.add_along(state, possible, below, set))
    }

    /// Within numbers, of these schemas and in these states: of what belongs to one each byte is a step of its automaton and nothing
    /// more.
    pub(crate) fn add_numbers(
        &self,
        place: ValuePlace<'_>,
        mut open: Vec<(SchemaId, &Arc<Numbers>, u32)>,
        below: Below<'_>,
        set: &mut TokenSet,
    ) -> Cost {
        let mut reach = Cost::ZERO;
        while let Some(&(_, numbers, state)) = open.first() {
            // However many alternatives read the same number, it is the same tokens.
            let is_same = |(_, other, at): &(SchemaId, &Arc<Numbers>, u32)| other.id == numbers.id && *at == state;
            let mut schemas = Vec::new();
            open.retain(|one| {
                let same = is_same(one);
                if same && !schemas.contains(&one.0) {
                    schemas.push(one.0);
                }
                !same
            });
            let number = OpenNumber { numbers, state, schemas: &schemas };
            reach = reach.max(self.add_number(place, &number, below, set));
        }
        reach
    }

    fn add_number(&self, place: ValuePlace<'_>, number: &OpenNumber<'_>, below: Below<'_>, set: &mut TokenSet) -> Cost {
        let ValuePlace { level, pending } = place;
        let &OpenNumber { numbers, state, schemas } = number;
        let rests = pending.iter().filter(|choice| schemas.contains(&choice.schema)).map(|choice| *choice.next.rest);
        let rest = Cost::least(rests);
        let classes = self.classes.of_number(numbers, state, below.node, below.vocabulary);
        let mut reach = Cost::ZERO;
        for (cost, tokens) in classes.inside() {
            let cost = *cost + rest;
            if cost <= below.bytes {
                tokens.add_to(set);
                reach = reach.max(cost);
            }
        }
        if classes.ends().is_empty() {
            return reach;
        }
        // However the number is spelled, the same comes after it.
        let Some(after) = self.value_done(level, pending, schemas) else { return reach };
        let (trie, possible) = (below.trie(), self.bytes_after_values(level));
        for &(end, depth) in classes.ends() {
            for node in trie.children_along(end, possible) {
                if let Some(next) = self.step(&after, trie.byte(node)) {
                    reach = reach.max(self.add_node(&next, below.at(node, depth + 1), set));
                }
            }
        }
        reach
    }
}
