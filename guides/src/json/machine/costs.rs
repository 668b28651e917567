//! The cost of a state: the least bytes that complete the output.
//!
//! It is the cost within the innermost container plus [`JsonMachine::exit_cost`], which each parent has for each of its pending schemas. So
//! no cost walks along the stack: `{"a":[[[1` takes the same time at any depth.

use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::machine::JsonMachine;
use crate::json::machine::state::{
    At, Choice, Item, JsonState, Key, KeyReader, Level, LevelKind, Reader, Scalar, written,
};
use crate::json::machine::used_keys::additional_cost;
use crate::json::shape::SchemaId;

impl JsonMachine {
    /// Least bytes that complete the output after the opening bracket, in this alternative.
    fn open_cost(&self, level: &Level, item: &Item) -> Cost {
        let cost = |id| self.cost_of(id);
        let close = match level.kind {
            LevelKind::Root => Cost::ZERO,
            LevelKind::Object => {
                self.object(item.shape).cost_to_close(&item.progress(), level.count, written(level), true, &cost)
            }
            LevelKind::Array => self.array(item.shape).cost_to_close(item.at, level.count, &item.met, true, &cost),
        };
        close + Self::exit_cost(level, item.schema)
    }

    /// Least bytes that complete the output once the container is closed as a value of this schema.
    pub(crate) fn exit_cost(level: &Level, schema: SchemaId) -> Cost {
        match &level.parent {
            None => Cost::ZERO,
            Some(parent) => parent.exits.iter().find(|(id, _)| *id == schema).map_or(Cost::NEVER, |(_, cost)| *cost),
        }
    }

    /// Least bytes of a value of a pending schema and of everything that follows it.
    fn pending_cost(&self, pending: &Few<Choice>) -> Cost {
        let costs = pending.iter().map(|choice| self.cost_of(choice.schema) + *choice.next.rest);
        Cost::least(costs)
    }

    /// Least bytes that complete a scalar.
    pub(crate) fn scalar_cost(&self, scalar: &Scalar) -> Cost {
        let schema = self.schema(scalar.schema);
        match scalar.reader {
            Reader::Literal { low, high, depth } => Cost::least(
                schema.literals[low as usize..high as usize]
                    .iter()
                    .map(|literal| Cost::bytes(literal.len() as u32 - depth)),
            ),
            Reader::Number { state } => schema.numbers.as_ref().map_or(Cost::NEVER, |numbers| numbers.cost(state)),
            Reader::String { index, ref state } => schema.strings[index as usize].cost(state),
        }
    }

    /// Least bytes that complete the output in the alternative that reads this key.
    pub(super) fn key_cost(&self, level: &Level, key: &Key, text: &[u8]) -> Cost {
        let object = self.object(key.item.shape);
        let rest = match key.reader {
            KeyReader::Named { low, high, depth } => {
                let names = low as usize..high as usize;
                let costs = object.sorted[names.clone()].iter().zip(&key.costs.of_names()[names]);
                Cost::least(costs.map(|(&index, &cost)| {
                    let spelling = &object.properties[index as usize].spelling;
                    cost + (spelling.len() as u32 - depth + 1 + self.spacing.colon)
                }))
            }
            KeyReader::Additional(ref state) => match &object.additional {
                None => Cost::NEVER,
                Some(additional) => {
                    let rest = additional_cost(additional, object, &level.seen, state, text, key.costs.of_classes());
                    rest.map_or(Cost::NEVER, |rest| rest + self.spacing.colon)
                }
            },
        };
        rest + Self::exit_cost(level, key.item.schema)
    }

    /// The cost of a state if all entries may be equal.
    pub(crate) fn cost_plain(&self, state: &JsonState) -> Cost {
        let level = &state.level;
        let least_rest = |items: &Few<Item>| Cost::least(items.iter().map(|item| *item.rest));
        let (lines, left) = (self.spacing.has_lines(), self.spacing.left(level, &state.at));
        match &state.at {
            At::Value { pending, .. } => self.pending_cost(pending) + left,
            At::Colon { pending, .. } => self.pending_cost(pending) + (1 + self.spacing.colon),
            At::Open { items, blanks: 1.. } if lines && level.kind == LevelKind::Array => {
                let choices = self.array_choices(level, items);
                choices.map_or(Cost::NEVER, |choices| self.pending_cost(&choices) + left)
            }
            At::After { items, blanks: 1.. } if lines => {
                let exits = items.iter().map(|item| Self::exit_cost(level, item.schema)).min();
                exits.unwrap_or(Cost::NEVER) + (1 + left)
            }
            At::Open { items, blanks } if *blanks == 0 || !lines => {
                Cost::least(items.iter().map(|item| self.open_cost(level, item)))
            }
            At::After { items, .. } => least_rest(items),
            At::Comma { items, .. } => least_rest(items) + left,
            At::Open { items, .. } => {
                let others = written(level);
                let costs = items.iter().map(|item| {
                    let object = self.object(item.shape);
                    let cost = object.cost_after_comma(&item.progress(), level.count, others, &|id| self.cost_of(id));
                    cost + Self::exit_cost(level, item.schema)
                });
                Cost::least(costs) + left
            }
            At::Key { keys, text } => Cost::least(keys.iter().map(|key| self.key_cost(level, key, text))),
            At::Scalar { pending, machines } => Cost::least(machines.iter().map(|scalar| {
                let rests = pending.iter().filter(|choice| choice.schema == scalar.schema);
                let rest = Cost::least(rests.map(|choice| *choice.next.rest));
                self.scalar_cost(scalar) + rest
            })),
            At::End => Cost::ZERO,
        }
    }
}
