//! Where a value begins and where it ends.
//!
//! All schemas that are pending read the value at once. When it is complete, the choices whose schemas accepted it say how the container
//! goes on.

use crate::collections::few::Few;
use crate::collections::once::Once;
use crate::json::machine::derived::Derived;
use crate::json::machine::state::{At, Choice, Item, JsonState, Level, LevelKind, Reader, Scalar, written};
use crate::json::machine::unique::Distinct;
use crate::json::machine::unique_domains::goes_on;
use crate::json::machine::{JsonMachine, subsumption};
use crate::json::shape::SchemaId;
use foldhash::{HashMap, HashSet};
use std::sync::Arc;

/// Up to this number of schemas a scan is faster than a hash table.
const FEW_SCHEMAS: usize = 16;

impl JsonMachine {
    /// The state before the first byte of a text that is a value of this schema.
    pub(crate) fn begin(&self, schema: SchemaId) -> JsonState {
        let level = Level { kind: LevelKind::Root, count: 0, seen: None, parent: None, depth: 0, distinct: None };
        let pending = Few::One(Choice { schema, next: Item::nowhere() });
        JsonState { level, at: At::Value { pending, blanks: self.most_blanks } }
    }

    /// Whether the outermost value is complete. A number that is may go on.
    pub(crate) fn is_whole(&self, state: &JsonState) -> bool {
        match state.at {
            At::End => true,
            At::Scalar { .. } => state.level.kind == LevelKind::Root && self.cost_plain(state) == 0,
            _ => false,
        }
    }

    /// The first byte of a value.
    pub(super) fn step_value(&self, level: &Level, pending: &Few<Choice>, byte: u8) -> Option<JsonState> {
        match byte {
            b'{' => self.push(level, pending, LevelKind::Object),
            b'[' => self.push(level, pending, LevelKind::Array),
            byte => {
                let (mut machines, mut seen) = (Vec::new(), Once::new());
                for choice in pending.iter() {
                    if seen.before(choice.schema).is_some() {
                        continue;
                    }
                    let schema = self.schema(choice.schema);
                    let mut add = |reader| {
                        if let Some(reader) = self.step_reader(schema, &reader, byte) {
                            machines.push(Scalar { schema: choice.schema, reader });
                        }
                    };
                    if !schema.literals.is_empty() {
                        add(Reader::Literal { low: 0, high: schema.literals.len() as u32, depth: 0 });
                    }
                    if let Some(numbers) = &schema.numbers {
                        add(Reader::Number { state: numbers.start() });
                    }
                    for (index, strings) in (0..).zip(&schema.strings) {
                        add(Reader::String { index, state: strings.start() });
                    }
                }
                let machines = Few::from_vec(machines)?;
                self.settled(JsonState { level: level.clone(), at: At::Scalar { pending: pending.clone(), machines } })
            }
        }
    }

    /// The state after a value that satisfies the `accepted` ones of the pending schemas.
    pub(crate) fn value_done(&self, level: &Level, pending: &Few<Choice>, accepted: &[SchemaId]) -> Option<JsonState> {
        if accepted.is_empty() {
            return None;
        }
        if level.kind == LevelKind::Root {
            return Some(JsonState { level: level.clone(), at: At::End });
        }
        let mut level = Level { count: level.count + 1, ..level.clone() };
        let mut repeated = false;
        let mut closed = level.own_distinct().map(Distinct::closed);
        if let Some((_, equal)) = &closed {
            repeated = *equal;
        }
        let (mut items, mut seen): (Vec<Item>, Once<&Item>) = (Vec::new(), Once::new());
        let many: Option<HashSet<SchemaId>> =
            (accepted.len() > FEW_SCHEMAS).then(|| accepted.iter().copied().collect());
        let is_accepted =
            |schema| many.as_ref().map_or_else(|| accepted.contains(schema), |many| many.contains(schema));
        for choice in pending.iter().filter(|choice| is_accepted(&choice.schema)) {
            let refused = closed.as_ref().is_some_and(|(distinct, _)| {
                let array = self.array(choice.next.shape);
                array.distinct.is_some() && repeated || !goes_on(array, distinct.entries())
            });
            if !refused && seen.before(&choice.next).is_none() {
                items.push(choice.next.clone());
            }
        }
        if let Some((distinct, _)) = closed.take() {
            let barred = self.barred(&items, distinct.entries());
            level.distinct = Some(Arc::new(distinct.barring(barred)));
        }
        // While the value was open, its schema told alternatives apart. Now nothing does but what may still come.
        if level.kind == LevelKind::Object {
            self.merge_cases(&level, &mut items);
            subsumption::leave_out(&mut items, |item| item, |_, _| true, |id| self.alternatives(id));
        }
        Some(JsonState { level, at: At::After { items: Few::from_vec(items)?, blanks: 0 } })
    }

    /// Makes one item of those that differ in the cases of clauses alone. What a value meets of one clause says nothing about another one,
    /// so that each case that is left in one of them is left, whatever is left of other clauses.
    fn merge_cases(&self, level: &Level, items: &mut Vec<Item>) {
        if items.len() < 2 {
            return;
        }
        let mut merged: Vec<Item> = Vec::with_capacity(items.len());
        let mut places: HashMap<Item, usize> = HashMap::default();
        for item in items.drain(..) {
            let Some(one) = &item.cases else {
                merged.push(item);
                continue;
            };
            let place = *places.entry(Item { cases: None, ..item.clone() }).or_insert(merged.len());
            let Some(other) = merged.get_mut(place) else {
                merged.push(item);
                continue;
            };
            let object = self.object(item.shape);
            let two = other.cases.take().unwrap_or_else(|| one.clone());
            other.cases = Some(object.clauses.union(one, &two));
            let cost = |id| self.cost_of(id);
            let close = object.cost_to_close(&other.progress(), level.count, written(level), false, &cost);
            other.rest = Derived(close + Self::exit_cost(level, other.schema));
        }
        *items = merged;
    }
}
