//! What it costs to complete an output: the least bytes from a state to the end.

use crate::automaton::dfa::NEVER;
use crate::collections::few::Few;
use crate::json::machine::JsonMachine;
use crate::json::machine::state::{
    At, Choice, Item, JsonState, Key, KeyReader, Level, LevelKind, Reader, Scalar, written,
};
use crate::json::machine::used_keys::additional_cost;
use crate::json::shape::{self, SchemaId};

impl JsonMachine {
    /// Least bytes that complete the output from the start of the innermost container in this alternative.
    fn open_cost(&self, level: &Level, item: &Item) -> u32 {
        let cost = |id| self.cost_of(id);
        let close = match level.kind {
            LevelKind::Root => 0,
            LevelKind::Object => {
                self.object(item.shape).cost_to_close(&item.progress(), level.count, written(level), true, &cost)
            }
            LevelKind::Array => self.array(item.shape).cost_to_close(item.at, level.count, &item.met, true, &cost),
        };
        shape::add(close, Self::exit_cost(level, item.schema))
    }

    /// Least bytes that complete the output once the container with this schema is closed.
    pub(crate) fn exit_cost(level: &Level, schema: SchemaId) -> u32 {
        match &level.parent {
            None => 0,
            Some(parent) => parent.exits.iter().find(|(id, _)| *id == schema).map_or(NEVER, |(_, cost)| *cost),
        }
    }

    /// Least bytes of a value for one of the schemas that are pending, and of all that follows.
    fn pending_cost(&self, pending: &Few<Choice>) -> u32 {
        let costs = pending.iter().map(|choice| shape::add(self.cost_of(choice.schema), choice.next.rest));
        costs.min().unwrap_or(NEVER)
    }

    pub(crate) fn scalar_cost(&self, scalar: &Scalar) -> u32 {
        let schema = self.schema(scalar.schema);
        match scalar.reader {
            Reader::Literal { low, high, depth } => schema.literals[low as usize..high as usize]
                .iter()
                .map(|literal| literal.len() as u32 - depth)
                .min()
                .unwrap_or(NEVER),
            Reader::Number { state } => schema.numbers.as_ref().map_or(NEVER, |numbers| numbers.costs[state as usize]),
            Reader::String { index, ref state } => schema.strings[index as usize].cost(state),
        }
    }

    pub(crate) fn key_cost(&self, level: &Level, key: &Key, text: &[u8]) -> u32 {
        let object = self.object(key.item.shape);
        let rest = match key.reader {
            KeyReader::Named { low, high, depth } => {
                let costs = key.costs[low as usize..high as usize].iter().map(|&(cost, index)| {
                    let spelling = &object.properties[index as usize].spelling;
                    shape::add(cost, spelling.len() as u32 - depth + 1 + self.spacing.colon)
                });
                costs.min().unwrap_or(NEVER)
            }
            KeyReader::Additional(ref state) => match &object.additional {
                None => NEVER,
                Some(additional) => {
                    let rest = additional_cost(additional, object, &level.seen, state, text, &key.costs);
                    rest.map_or(NEVER, |rest| shape::add(rest, self.spacing.colon))
                }
            },
        };
        shape::add(rest, Self::exit_cost(level, key.item.schema))
    }

    pub(crate) fn cost_plain(&self, state: &JsonState) -> u32 {
        let level = &state.level;
        let least_rest = |items: &Few<Item>| items.iter().map(|item| item.rest).min().unwrap_or(NEVER);
        let (lines, left) = (self.spacing.has_lines(), self.spacing.left(level, &state.at));
        match &state.at {
            At::Value { pending, .. } => shape::add(self.pending_cost(pending), left),
            At::Colon { pending, .. } => shape::add(self.pending_cost(pending), 1 + self.spacing.colon),
            At::Open { items, blanks: 1.. } if lines && level.kind == LevelKind::Array => {
                let choices = self.array_choices(level, items);
                choices.map_or(NEVER, |choices| shape::add(self.pending_cost(&choices), left))
            }
            At::After { items, blanks: 1.. } if lines => {
                let exits = items.iter().map(|item| Self::exit_cost(level, item.schema)).min();
                shape::add(exits.unwrap_or(NEVER), 1 + left)
            }
            At::Open { items, blanks } if *blanks == 0 || !lines => {
                items.iter().map(|item| self.open_cost(level, item)).min().unwrap_or(NEVER)
            }
            At::After { items, .. } => least_rest(items),
            At::Comma { items, .. } => shape::add(least_rest(items), left),
            At::Open { items, .. } => {
                let others = written(level);
                let costs = items.iter().map(|item| {
                    let object = self.object(item.shape);
                    let cost = object.cost_after_comma(&item.progress(), level.count, others, &|id| self.cost_of(id));
                    shape::add(cost, Self::exit_cost(level, item.schema))
                });
                shape::add(costs.min().unwrap_or(NEVER), left)
            }
            At::Key { keys, text } => keys.iter().map(|key| self.key_cost(level, key, text)).min().unwrap_or(NEVER),
            At::Scalar { pending, machines } => machines
                .iter()
                .map(|scalar| {
                    let rests = pending.iter().filter(|choice| choice.schema == scalar.schema);
                    let rest = rests.map(|choice| choice.next.rest).min().unwrap_or(NEVER);
                    shape::add(self.scalar_cost(scalar), rest)
                })
                .min()
                .unwrap_or(NEVER),
            At::End => 0,
        }
    }
}
