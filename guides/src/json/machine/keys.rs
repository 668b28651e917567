//! The keys that may come next in an object, and what an entry with each of them costs.
//!
//! An alternative gives up to two readers: one for the names, and one for all additional keys. Both know the cost of each name or class
//! up to the closing brace before the first byte, because costs decide which tokens fit the budget.

use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::language::strings::{Decoder, StringState};
use crate::json::machine::JsonMachine;
use crate::json::machine::derived::Derived;
use crate::json::machine::state::{At, Choice, Item, Key, Level, adding, written};
use crate::json::machine::subsumption::Alternatives;
use crate::json::machine::used_keys::any_possible;
use crate::json::shape::meeting::KnownDemands;
use crate::json::shape::object::{Additional, KeyClass, Object, Others, Progress};
use crate::json::shape::{SchemaId, Way};
use std::sync::Arc;

/// The beginning of an additional key.
pub(super) struct KeyPrefix<'a> {
    /// See [`Key::costs`].
    pub(super) costs: &'a [(Cost, u32)],
    pub(super) state: &'a StringState,
    /// Its characters.
    pub(super) text: &'a [u8],
}

impl JsonMachine {
    /// The alternatives of the objects of a schema, compared with each other.
    pub(super) fn alternatives(&self, id: SchemaId) -> &Alternatives {
        self.alternatives[id.index()].get_or_init(|| {
            Alternatives::new(&self.schema(id).objects, |shape| self.object(shape), |id| self.cost_of(id))
        })
    }

    /// The choices for an entry after which the object can be completed, each with the least bytes from after its value to the closing
    /// brace. `entry` is the object before the entry and the index of its property, `next` is the object after it but for what its value
    /// decides, and `others` are its additional keys with this one.
    pub(crate) fn entries<'a>(
        &'a self,
        level: &'a Level,
        entry: (&'a Item, Option<u32>),
        next: &'a Item,
        others: Others<'a>,
        ways: impl Iterator<Item = Way> + 'a,
    ) -> impl Iterator<Item = (Choice, Cost)> + 'a {
        ways.filter_map(move |way| {
            if self.cost_of(way.schema).is_never() || !may_count(&way, next.met.set()) {
                return None;
            }
            let mut next = Item { met: next.met.with(way.counts), ..next.clone() };
            let object = self.object(next.shape);
            next.cases = object.clauses.after(&entry.0.progress(), entry.1, way.choices);
            let close = object.cost_to_close(&next.progress(), level.count + 1, others, false, &|id| self.cost_of(id));
            next.rest = Derived(close + Self::exit_cost(level, next.schema));
            (!close.is_never()).then_some((Choice { schema: way.schema, next }, close))
        })
    }

    /// Least bytes of the value of the property with this index and of what follows it up to the closing brace; [`Cost::NEVER`] where it
    /// cannot be the next entry. `required` are the bytes of the required properties of an object that always closes: then each property
    /// takes constant time.
    fn cost_of_named(
        &self,
        level: &Level,
        object: &Object,
        progress: Progress<'_>,
        index: u32,
        required: Option<u64>,
    ) -> Cost {
        let property = &object.properties[index as usize];
        if !object.is_next(&progress, index) {
            return Cost::NEVER;
        }
        if let Some(required) = required {
            return self.cost_of(property.schema) + object.cost_to_close_after(required, index);
        }
        let (before, progress) = (progress, progress.after(index));
        let costs = property.ways().filter(|way| may_count(way, progress.met)).map(|way| {
            let cases = object.clauses.after(&before, Some(index), way.choices);
            let progress = Progress { met: progress.met | way.counts, cases: cases.as_ref(), ..progress };
            let cost = |id| self.cost_of(id);
            let close = object.cost_to_close(&progress, level.count + 1, written(level), false, &cost);
            self.cost_of(way.schema) + close
        });
        Cost::least(costs)
    }

    /// The costs of all named keys ([`KeyCosts::Named`](crate::json::machine::state::KeyCosts::Named)).
    fn costs_of_named(&self, level: &Level, object: &Object, item: &Item) -> Vec<Cost> {
        let required = object.always_closes(level.count + 1).then(|| object.bytes_required(&item.progress()));
        let known = KnownDemands::default();
        let progress = Progress { known: Some(&known), ..item.progress() };
        let cost = |&index: &u32| self.cost_of_named(level, object, progress, index, required);
        object.sorted.iter().map(cost).collect()
    }

    /// The costs of additional keys ([`KeyCosts::Additional`](crate::json::machine::state::KeyCosts::Additional)).
    fn costs_of_added(&self, level: &Level, item: &Item, additional: &Additional) -> Vec<(Cost, u32)> {
        let next = self.after_added(item);
        let object = self.object(item.shape);
        let close = object
            .always_closes(level.count + 1)
            .then(|| Cost::capped(object.spacing.to_close(false, object.bytes_required(&next.progress()))));
        let cost = |(class, key): (u32, &KeyClass)| {
            if let Some(close) = close {
                let cost = self.cost_of(key.schema) + close;
                return (!cost.is_never()).then_some((cost, class));
            }
            let entries = self.entries(level, (item, None), &next, adding(level, class), key.ways());
            let cost = entries.map(|(choice, close)| self.cost_of(choice.schema) + close).min()?;
            (!cost.is_never()).then_some((cost, class))
        };
        let mut costs: Vec<_> = (0..).zip(&additional.classes).filter_map(cost).collect();
        costs.sort_unstable();
        costs
    }

    /// Whether an additional key may come next. In order it stands behind all named ones.
    pub(super) fn may_add(&self, object: &Object, item: &Item) -> bool {
        object.additional.is_some() && (self.any_order || !object.requires_more(&item.progress()))
    }

    /// The keys that can come next, after the opening quote.
    pub(super) fn keys(&self, level: &Level, items: &Few<Item>) -> Option<At> {
        let depends = |item: &Item| !self.object(item.shape).always_closes(level.count + 1);
        let keys = if items.iter().any(depends) {
            let written = (items.clone(), level.count, level.seen.clone());
            self.known.keys(written, || self.find_keys(level, items))?
        } else {
            self.find_keys(level, items)?
        };
        Some(At::Key { keys, text: Arc::from([]) })
    }

    fn find_keys(&self, level: &Level, items: &Few<Item>) -> Option<Few<Key>> {
        let mut keys = Vec::new();
        for item in items.iter() {
            let object = self.object(item.shape);
            let costs = self.costs_of_named(level, object, item);
            if costs.iter().any(|cost| !cost.is_never()) {
                keys.push(Key::named(item.clone(), object.sorted.len() as u32, costs));
            }
            if let (true, Some(additional)) = (self.may_add(object, item), &object.additional) {
                let state = StringState { decoder: Decoder::Body, ..additional.keys.start() };
                let costs = self.costs_of_added(level, item, additional);
                if Self::may_become(level, object, additional, &KeyPrefix { costs: &costs, state: &state, text: &[] }) {
                    keys.push(Key::additional(item.clone(), state, costs));
                }
            }
        }
        Few::from_vec(keys)
    }

    /// Whether a key that begins so can become an additional one that repeats none. If all classes may come and infinitely many keys begin
    /// so, some key does: no search is needed.
    pub(super) fn may_become(level: &Level, object: &Object, additional: &Additional, prefix: &KeyPrefix<'_>) -> bool {
        let &KeyPrefix { costs, state, text } = prefix;
        let classes = costs.iter().map(|(_, class)| *class as usize);
        costs.len() == additional.classes.len() && additional.is_endless_after(state)
            || any_possible(additional, object, &level.seen, state, text, classes)
    }
}

/// Whether a way is of use where these demands are met. A way that meets none but these allows nothing that the way without demands does
/// not.
fn may_count(way: &Way, met: u8) -> bool {
    way.counts == 0 || way.counts & !met != 0
}
