//! The tokens inside numbers and at the start of a value, by the token classes of the numbers' automata.
//!
//! A number ends without a byte of its own, so `1,2` and `1}` end it inside a token. The classes give the trie nodes where it may end, and
//! the walk goes on below them from one state, since the spelling of the number does not matter behind it.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::language::number::grammar::OF_NUMBERS;
use crate::json::language::number::{NumberState, Numbers};
use crate::json::machine::JsonMachine;
use crate::json::machine::state::{Choice, JsonState, Level, Reader, Scalar};
use crate::json::masks::Below;
use crate::json::shape::SchemaId;
use crate::vocabulary::mask::TokenSet;
use std::sync::Arc;

/// The place of a value: the container around it, and the schemas that it may satisfy.
#[derive(Clone, Copy)]
struct ValuePlace<'a> {
    level: &'a Level,
    pending: &'a Few<Choice>,
}

/// A number in a state of its automaton, and the schemas that read it in this state.
struct OpenNumber<'a> {
    numbers: &'a Numbers,
    state: NumberState,
    schemas: &'a [SchemaId],
}

impl JsonMachine {
    /// Adds the tokens at the start of a value: those of numbers by their classes, the others by a walk. Literals that begin like a number
    /// are read side by side with it, which classes do not know, so with them all tokens are walked.
    pub(super) fn add_values(
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
                Some((choice.schema, numbers, numbers.start()))
            });
            let place = ValuePlace { level: &state.level, pending };
            reach = self.add_numbers(place, schemas.collect(), below, set);
            possible = possible.without(OF_NUMBERS);
        }
        reach.max(self.add_along(state, possible, below, set))
    }

    /// Adds the tokens inside a number that all alternatives read as one.
    pub(super) fn add_in_numbers(
        &self,
        state: &JsonState,
        pending: &Few<Choice>,
        machines: &Few<Scalar>,
        below: Below<'_>,
        set: &mut TokenSet,
    ) -> Cost {
        let numbers = machines.iter().filter_map(|scalar| match scalar.reader {
            Reader::Number { state } => Some((scalar.schema, self.schema(scalar.schema).numbers.as_ref()?, state)),
            _ => None,
        });
        let place = ValuePlace { level: &state.level, pending };
        self.add_numbers(place, numbers.collect(), below, set)
    }

    /// Adds the tokens inside numbers of these schemas, in these states of their automata.
    fn add_numbers(
        &self,
        place: ValuePlace<'_>,
        mut open: Vec<(SchemaId, &Arc<Numbers>, NumberState)>,
        below: Below<'_>,
        set: &mut TokenSet,
    ) -> Cost {
        let mut reach = Cost::ZERO;
        while let Some(&(_, numbers, state)) = open.first() {
            // Alternatives in one state of one automaton allow the same tokens.
            let is_same =
                |(_, other, at): &(SchemaId, &Arc<Numbers>, NumberState)| other.id == numbers.id && *at == state;
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
