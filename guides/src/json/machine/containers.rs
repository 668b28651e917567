//! The stack of the pushdown automaton: `{` and `[` push a level, `}` and `]` pop it, a comma goes on to the next entry.
//!
//! A level holds every alternative that the container can still be. In `[{` under `items: {anyOf: [A, B]}` the new level has an item for
//! the objects of A and one for those of B; `}` passes on to the parent which of the two schemas the object satisfies.

use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::collections::fingerprint::Fingerprint;
use crate::collections::once::Once;
use crate::json::machine::derived::Derived;
use crate::json::machine::state::{At, Choice, Item, JsonState, Level, LevelKind, Parent, written};
use crate::json::machine::unique::Distinct;
use crate::json::machine::unique_domains::may_follow;
use crate::json::machine::{FAR, JsonMachine};
use crate::json::shape::SchemaId;
use std::sync::Arc;

impl JsonMachine {
    /// Opens a container: a level with the alternatives that the pending schemas have for it.
    pub(super) fn push(&self, level: &Level, pending: &Few<Choice>, kind: LevelKind) -> Option<JsonState> {
        let (mut items, mut seen) = (Vec::new(), Once::new());
        for choice in pending.iter() {
            let shapes = match kind {
                LevelKind::Object => &self.alternatives(choice.schema).first,
                _ => &self.schema(choice.schema).arrays,
            };
            for &shape in shapes {
                if seen.before((shape, choice.schema)).is_none() {
                    let written = self.any_order.then(|| Arc::from([]));
                    let cases = (kind == LevelKind::Object).then(|| self.object(shape).clauses.all()).flatten();
                    items.push(Item { written, cases, ..Item::new(shape, choice.schema) });
                }
            }
        }
        let items = Few::from_vec(items)?;
        let (mut exits, mut seen): (Vec<(SchemaId, Cost)>, _) = (Vec::new(), Once::new());
        for choice in pending.iter() {
            let cost = *choice.next.rest;
            match seen.before(choice.schema) {
                Some(place) => exits[place].1 = cost.min(exits[place].1),
                None => exits.push((choice.schema, cost)),
            }
        }
        let mut print = Fingerprint::new();
        self.print_level(level, pending.iter().map(|choice| &choice.next), &mut print);
        print.add(pending.as_slice());
        let parent = Parent {
            level: level.clone(),
            pending: pending.clone(),
            exits: Few::from_vec(exits)?,
            fingerprint: print.value(),
        };
        let depth = level.depth + 1;
        let mut distinct = level.distinct.clone();
        if kind == LevelKind::Array && items.iter().any(|item| self.array(item.shape).distinct.is_some()) {
            let barred = self.barred(items.as_slice(), &[]);
            distinct = Some(Arc::new(Distinct::new(depth, distinct).barring(barred)));
        }
        let level = Level { kind, count: 0, seen: None, parent: Some(Arc::new(parent)), depth, distinct };
        Some(JsonState { level, at: At::Open { items, blanks: 0 } })
    }

    /// The schemas that the next entry of an array may have, and how the array goes on after it.
    pub(super) fn array_choices(&self, level: &Level, items: &Few<Item>) -> Option<Few<Choice>> {
        let mut choices = Vec::with_capacity(1);
        for item in items.iter() {
            let array = self.array(item.shape);
            if level.count >= array.max || !may_follow(level, array) {
                continue;
            }
            let at = (item.at + 1).min(array.prefix.len() as u32);
            for way in array.entry(item.at).iter().filter(|way| !self.cost_of(way.schema).is_never()) {
                let Some(met) = array.counted(&item.met, way) else { continue };
                let close = array.cost_to_close(at, level.count + 1, &met, false, &|id| self.cost_of(id));
                let rest = Derived(close + Self::exit_cost(level, item.schema));
                let choice = Choice { schema: way.schema, next: Item { at, met, rest, ..item.clone() } };
                // Without counters no entry changes what may follow, so the array can be completed after any.
                if array.counters.is_empty() || !close.is_never() {
                    choices.push(choice);
                }
            }
        }
        if choices.len() > 1 {
            let mut seen = Once::new();
            let first: Vec<bool> = choices.iter().map(|choice| seen.before(choice).is_none()).collect();
            let mut first = first.into_iter();
            choices.retain(|_| first.next().unwrap_or(true));
        }
        Few::from_vec(choices)
    }

    /// The byte after a complete entry.
    pub(super) fn step_after(&self, level: &Level, items: &Few<Item>, byte: u8) -> Option<JsonState> {
        match (level.kind, byte) {
            (LevelKind::Object, b'}') | (LevelKind::Array, b']') => self.pop(level, items),
            (LevelKind::Object, b',') => {
                let cost = |id| self.cost_of(id);
                let others = written(level);
                let items = items.filter_map(|item| {
                    let object = self.object(item.shape);
                    let rest = object.cost_after_comma(&item.progress(), level.count, others, &cost);
                    let rest = (!rest.is_never()).then(|| rest + Self::exit_cost(level, item.schema))?;
                    Some(Item { rest: Derived(rest), ..item.clone() })
                })?;
                Some(JsonState { level: level.clone(), at: At::Comma { items, blanks: 0 } })
            }
            (LevelKind::Array, b',') => {
                let pending = self.array_choices(level, items)?;
                Some(JsonState { level: level.clone(), at: At::Value { pending, blanks: 0 } })
            }
            _ => None,
        }
    }

    /// Whether the innermost container may be closed as it is.
    pub(super) fn may_close(&self, level: &Level, item: &Item) -> bool {
        match level.kind {
            LevelKind::Object => {
                let (object, progress) = (self.object(item.shape), item.progress());
                let unmet = object.demanded & !progress.met != 0;
                level.count >= object.min
                    && !unmet
                    && !object.requires_more(&progress)
                    && object.clauses.hold(&progress)
            }
            _ => self.array(item.shape).may_close(level.count, &item.met),
        }
    }

    /// Closes the innermost container in the alternatives that allow it.
    pub(super) fn pop(&self, level: &Level, items: &Few<Item>) -> Option<JsonState> {
        let parent = level.parent.as_ref()?;
        let closes = items.iter().filter(|item| self.may_close(level, item));
        let accepted: Vec<SchemaId> = closes.map(|item| item.schema).collect();
        let distinct = match level.own_distinct() {
            Some(own) => own.outer(),
            None => level.distinct.clone(),
        };
        self.value_done(&Level { distinct, ..parent.level.clone() }, &parent.pending, &accepted)
    }

    /// Adds everything about a level and the levels around it that a mask depends on to a mask key. Counts go in as distances from the
    /// bounds, so that arrays of many lengths share a mask.
    pub(crate) fn print_level<'a>(
        &self,
        level: &Level,
        items: impl ExactSizeIterator<Item = &'a Item>,
        print: &mut Fingerprint,
    ) {
        let parent = level.parent.as_ref().map(|parent| parent.fingerprint);
        print.add((level.kind, self.spacing.indentation(level), parent, items.len()));
        // Of several alternatives another one can become the cheapest as a count grows, however far the bounds are.
        let far = if items.len() == 1 { FAR } else { u32::MAX };
        for item in items {
            let (min, max) = match level.kind {
                LevelKind::Root => (0, u32::MAX),
                LevelKind::Object => (self.object(item.shape).min, self.object(item.shape).max),
                LevelKind::Array => (self.array(item.shape).min, self.array(item.shape).max),
            };
            print.add((min.saturating_sub(level.count).min(far), max.saturating_sub(level.count).min(far)));
        }
        print.add(&level.seen);
        if let Some(distinct) = &level.distinct {
            distinct.print(self.classes.whole_entries(), print);
        }
    }
}
