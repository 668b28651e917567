//! Entries that must differ from others: whether an entry that can become equal to another one can also become a different one, and at what
//! cost.
//!
//! For most schemas the answer needs no search: values without end always leave another one, and literals are compared one by one. In the
//! rest, such as `{"items": {"enum": [[1], [2]]}, "uniqueItems": true}`, a search looks for a state that is clear.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::machine::JsonMachine;
use crate::json::machine::state::{At, Choice, Item, JsonState, Key, KeyReader, Level, LevelKind, Reader, written};
use crate::json::shape::SchemaId;
use crate::json::shape::domain::FURTHER_AWAY;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// The bytes that the search tries first: ASCII without white space.
const TRIED: std::ops::RangeInclusive<u8> = b'!'..=b'~';

/// The most states that a search expands. It bounds the time of a byte; a way that is further away than these counts as none, which forbids
/// some outputs and allows no wrong one.
const MOST_TRIES: u32 = 500;

/// The most states that a search for the least cost expands.
const MOST_EXPANDED: u32 = 200;

impl JsonMachine {
    /// Whether the entry is known to have infinitely many completions, so that one of them differs from all entries.
    fn can_vary(&self, state: &JsonState) -> bool {
        let Some(distinct) = &state.level.distinct else { return true };
        let endless = |id: SchemaId| self.schema(id).endless && !self.cost_of(id).is_never();
        let here = match &state.at {
            At::Value { pending, .. } | At::Colon { pending, .. } => {
                pending.iter().any(|choice| endless(choice.schema))
            }
            At::Scalar { machines, .. } => machines.iter().any(|scalar| match scalar.reader {
                Reader::String { index, ref state } => {
                    self.schema(scalar.schema).strings[index as usize].goes_on(state)
                }
                _ => false,
            }),
            At::Open { items, .. } | At::Comma { items, .. } | At::After { items, .. }
                if state.level.depth > distinct.depth() =>
            {
                items.iter().all(|item| self.goes_on_endlessly(&state.level, item))
            }
            At::Key { keys, .. } => keys.iter().all(|key| self.goes_on_endlessly(&state.level, &key.item)),
            _ => false,
        };
        // Or what follows in the containers between this place and the array.
        let mut level = &state.level;
        let mut found = here;
        while let (false, Some(parent)) = (found || level.depth <= distinct.depth() + 1, &level.parent) {
            found = parent.pending.iter().all(|choice| self.goes_on_endlessly(&parent.level, &choice.next));
            level = &parent.level;
        }
        if let (false, At::Value { pending, .. } | At::Colon { pending, .. } | At::Scalar { pending, .. }) =
            (found, &state.at)
            && state.level.depth > distinct.depth()
        {
            found = pending.iter().all(|choice| self.goes_on_endlessly(&state.level, &choice.next));
        }
        found
    }

    /// Whether a required property with infinitely many values is still to come.
    fn goes_on_endlessly(&self, level: &Level, item: &Item) -> bool {
        let endless = |id: SchemaId| self.schema(id).endless && !self.cost_of(id).is_never();
        level.kind == LevelKind::Object && {
            let (object, progress) = (self.object(item.shape), item.progress());
            let mut properties = (0..).zip(&object.properties);
            properties.any(|(index, property)| property.required && progress.is_left(index) && endless(property.schema))
        }
    }

    /// Least bytes to the end of the output if the object that is being written gets one more key, which no entry has; `None` unless the
    /// object may have any key.
    fn cost_of_another(&self, state: &JsonState) -> Option<Cost> {
        let level = &state.level;
        let of_item = |item: &Item| {
            let object = self.object(item.shape);
            let additional = object.additional.as_ref().filter(|_| self.may_add(object, item))?;
            let is_free = object.always_closes(level.count + 1)
                && additional.keys.characters.is_universal(additional.keys.start().state)
                && matches!(&*additional.classes, [class] if !self.cost_of(class.schema).is_never());
            let used = object.properties.len() as u64 + u64::from(written(level).count());
            let entry = is_free.then(|| additional.cost(used, object.spacing, &|id| self.cost_of(id)))?;
            let rest = Cost::capped(object.spacing.to_close(false, object.bytes_required(&item.progress())));
            Some(entry + rest + Self::exit_cost(level, item.schema))
        };
        // The costs here do not count line breaks.
        let is_within = level.kind == LevelKind::Object
            && !self.spacing.has_lines()
            && level.distinct.as_ref().is_some_and(|distinct| level.depth > distinct.depth());
        let cost = match &state.at {
            At::Open { items, .. } | At::Comma { items, .. } if is_within => {
                let left = self.spacing.left(level, &state.at);
                items.iter().filter_map(of_item).min()? + left
            }
            At::After { items, .. } if is_within => {
                let comma = items.iter().map(|item| self.object(item.shape).spacing.separator()).max().unwrap_or(1);
                items.iter().filter_map(of_item).min()? + comma
            }
            At::Key { keys, text } => {
                let goes_on = |key: &&Key| match (&key.reader, &self.object(key.item.shape).additional) {
                    (KeyReader::Additional(at), Some(additional)) => {
                        additional.keys.goes_on(at)
                            && additional.classes.len() == 1
                            && !key.costs.of_classes().is_empty()
                    }
                    _ => false,
                };
                keys.iter().filter(goes_on).map(|key| self.key_cost(level, key, text)).min()?
            }
            _ => return None,
        };
        Some(cost + FURTHER_AWAY)
    }

    /// For a state that is not clear: whether the entry can become one that differs from all.
    pub(crate) fn has_way_apart(&self, state: &JsonState) -> bool {
        self.can_vary(state)
            || self.cost_of_another(state).is_some()
            || match self.literal_apart(state) {
                Some(cost) if !cost.is_never() => true,
                Some(_) if self.reads_literals_only(state) => false,
                _ => self.look_apart(state),
            }
    }

    /// Least bytes to the end of the output with a literal that differs from all entries, [`Cost::NEVER`] if there is none; `None` where
    /// literals do not decide, or where no entry of the array itself is being written.
    fn literal_apart(&self, state: &JsonState) -> Option<Cost> {
        let own = state.level.own_distinct()?;
        if own.outer().is_some_and(|outer| !outer.is_clear(false)) {
            return None;
        }
        let least = |schema: SchemaId, from: u32, to: u32, depth: u32| {
            let literals = &self.schema(schema).literals[from as usize..to as usize];
            literals.iter().fold(None, |least: Option<Cost>, literal| {
                let bytes = Cost::bytes(literal.len() as u32 - depth);
                if least.is_none_or(|least| bytes < least) && !own.repeats(literal) { Some(bytes) } else { least }
            })
        };
        let costs = |pending: &Few<Choice>, scalar: &dyn Fn(SchemaId) -> Option<Cost>| {
            let cost = |choice: &Choice| Some(scalar(choice.schema)? + *choice.next.rest);
            let costs = pending.iter().filter_map(cost);
            Cost::least(costs)
        };
        let cost = match &state.at {
            At::Value { pending, .. } => {
                let cost = costs(pending, &|schema| least(schema, 0, self.schema(schema).literals.len() as u32, 0));
                cost + self.spacing.left(&state.level, &state.at)
            }
            At::Scalar { pending, machines } => costs(pending, &|schema| {
                let mut literals = machines.iter().filter_map(|scalar| match scalar.reader {
                    Reader::Literal { low, high, depth } if scalar.schema == schema => Some((low, high, depth)),
                    _ => None,
                });
                let (low, high, depth) = literals.next()?;
                least(schema, low, high, depth)
            }),
            _ => return None,
        };
        Some(cost)
    }

    /// The cost of a state that is not clear: the least bytes with which the entry differs from all. Where the search for them is too long,
    /// a bound.
    pub(crate) fn cost_apart(&self, state: &JsonState) -> Cost {
        let literal = self.literal_apart(state);
        if let Some(cost) = literal
            && self.reads_literals_only(state)
        {
            return cost;
        }
        if let Some(cost) = self.find_cost_apart(state) {
            return cost;
        }
        if let Some(cost) = self.cost_of_another(state) {
            return cost;
        }
        if self.can_vary(state) {
            return self.cost_plain(state) + FURTHER_AWAY;
        }
        literal.unwrap_or(Cost::NEVER)
    }

    /// The least bytes to the end of the output through a clear state; `None` if none is found.
    ///
    /// A*: the cost as if entries could repeat is the estimate of the rest. It falls by one with each byte of a cheapest completion and is
    /// exact in a clear state, so the first clear state that comes up is on a cheapest way, and from each state on that way the same search
    /// finds the same way: costs fall byte by byte.
    fn find_cost_apart(&self, state: &JsonState) -> Option<Cost> {
        let mut states = vec![(state.clone(), 0)];
        // The estimate of the whole; of equal ones the deepest state comes first.
        let mut open = BinaryHeap::from([(Reverse(self.cost_plain(state)), 0u32, 0usize)]);
        let mut best: Option<Cost> = None;
        for _ in 0..MOST_EXPANDED {
            let Some((Reverse(estimate), depth, at)) = open.pop() else { break };
            if best.is_some_and(|best| best <= estimate) {
                break;
            }
            let state = states[at].0.clone();
            let possible = self.next_bytes(&state);
            // A character that is not ASCII differs from others no better than one that is, and costs more. White space makes no difference.
            let (mut any, lines) = (false, self.spacing.has_lines());
            for byte in TRIED.chain(0x80..=0xF4).chain([b' ', b'\n']).filter(|&byte| possible.contains(byte)) {
                if any && (byte >= 0x80 || byte == b' ' && !lines) {
                    break;
                }
                let Some(next) = self.step_recorded(&state, byte) else { continue };
                let plain = self.cost_plain(&next);
                if plain.is_never() {
                    continue;
                }
                any = true;
                let total = plain + (depth + 1);
                if next.is_clear() {
                    if total <= estimate {
                        return Some(total);
                    }
                    best = Some(best.map_or(total, |best| best.min(total)));
                } else if best.is_none_or(|best| total < best) {
                    states.push((next, depth + 1));
                    open.push((Reverse(total), depth + 1, states.len() - 1));
                }
            }
        }
        best
    }

    /// Whether the entry can be nothing but a literal.
    fn reads_literals_only(&self, state: &JsonState) -> bool {
        match &state.at {
            At::Value { pending, .. } => pending.iter().all(|choice| self.schema(choice.schema).is_finite()),
            At::Scalar { machines, .. } => {
                machines.iter().all(|scalar| matches!(scalar.reader, Reader::Literal { .. }))
            }
            _ => false,
        }
    }

    /// Breadth-first search for a clear state among those that follow.
    fn look_apart(&self, state: &JsonState) -> bool {
        let mut open = VecDeque::from([state.clone()]);
        for _ in 0..MOST_TRIES {
            let Some(state) = open.pop_front() else { return false };
            let mut any = false;
            let possible = self.next_bytes(&state);
            // White space comes last, and only where nothing else may come: it makes no difference to a value.
            for byte in TRIED.chain(0x80..=0xF4).chain([b' ', b'\n']).filter(|&byte| possible.contains(byte)) {
                if any && byte == b' ' && !self.spacing.has_lines() {
                    break;
                }
                let Some(next) = self.step_recorded(&state, byte) else { continue };
                any = true;
                if next.is_clear() {
                    return true;
                }
                open.push_back(next);
            }
        }
        false
    }
}
