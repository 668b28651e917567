//! Passes over all schemas once each has its alternatives.

use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::error::CompileError;
use crate::json::analysis::Builder;
use crate::json::analysis::keys::{ClassedKeys, NONE};
use crate::json::shape::array::{Array, FURTHER_AWAY};
use crate::json::shape::object::{Others, Progress};
use crate::json::shape::{Met, Schema, SchemaId, Way};
use foldhash::{HashMap, HashMapExt};

impl Builder<'_> {
    /// How many bytes more than the least it may take to write an entry that differs from the others.
    pub(crate) fn tell_entries_apart(&mut self) {
        let schemas = &self.schemas;
        // Many arrays may have the same entries.
        let mut spreads: HashMap<SchemaId, u32> = HashMap::new();
        for array in self.arrays.iter_mut().filter(|array| array.distinct.is_some()) {
            let ways = array.prefix.iter().chain([&array.rest]).flat_map(|ways| ways.iter());
            let apart = ways.map(|way| {
                *spreads.entry(way.schema).or_insert_with(|| {
                    let schema = &schemas[way.schema.index()];
                    let lengths = schema.literals.iter().map(|literal| literal.len() as u32);
                    let spread = lengths.clone().max().unwrap_or(0) - lengths.min().unwrap_or(0);
                    if schema.is_finite() { spread } else { spread.max(FURTHER_AWAY) }
                })
            });
            array.distinct = apart.max();
            // There are no more entries than different values.
            let rest = array.rest.iter().map(|way| &schemas[way.schema.index()]);
            let values: Option<usize> = rest.map(|schema| schema.is_finite().then_some(schema.literals.len())).sum();
            if let Some(values) = values {
                array.max = array.max.min((array.prefix.len() + values) as u32);
            }
        }
    }

    /// The least cost of every schema: the least solution of the equations between them, found by going down from
    /// "never" until nothing changes. What is never reached so has no value of finite length.
    pub(crate) fn settle_costs(&mut self) -> Result<(), CompileError> {
        let mut costs: Vec<Cost> = vec![Cost::NEVER; self.schemas.len()];
        loop {
            let mut changed = false;
            let properties: usize = self.objects.iter().map(|object| object.properties.len()).sum();
            let tables: usize = self.arrays.iter().map(Array::table_size).sum();
            let work = self.schemas.len() + properties + tables;
            self.spend(work / 8, &[])?;
            for id in (0..self.schemas.len()).rev() {
                self.spend(0, &[])?;
                let cost = self.cost_of(id, &costs);
                if cost < costs[id] {
                    costs[id] = cost;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        for (schema, &cost) in self.schemas.iter_mut().zip(&costs) {
            schema.cost = cost;
        }
        for object in &mut self.objects {
            object.sum_up(&|id| costs[id.index()]);
        }
        for array in &mut self.arrays {
            array.sum_up(&|id| costs[id.index()]);
        }
        Ok(())
    }

    pub(crate) fn cost_of(&mut self, id: usize, costs: &[Cost]) -> Cost {
        let cost = |id: SchemaId| costs[id.index()];
        let mut best = scalar_cost(&self.schemas[id]);
        let objects = std::mem::take(&mut self.schemas[id].objects);
        for &object in &objects {
            let object = &mut self.objects[object.index()];
            object.sum_up(&cost);
            best = best.min(object.cost_to_close(&Progress::default(), 0, Others::default(), true, &cost) + 1);
        }
        self.schemas[id].objects = objects;
        let arrays = std::mem::take(&mut self.schemas[id].arrays);
        for &array in &arrays {
            let array = &mut self.arrays[array.index()];
            array.sum_up(&cost);
            best = best.min(array.cost_to_close(0, 0, &Met::default(), true, &cost) + 1);
        }
        self.schemas[id].arrays = arrays;
        best
    }

    /// Drops alternatives that nothing satisfies, and keys whose values nothing satisfies.
    pub(crate) fn prune(&mut self) {
        let costs: Vec<Cost> = self.schemas.iter().map(|schema| schema.cost).collect();
        let cost = |id: SchemaId| costs[id.index()];
        for object in &mut self.objects {
            let Some(additional) = &mut object.additional else { continue };
            if additional.classes.iter().all(|class| !cost(class.schema).is_never()) {
                continue;
            }
            let (dfa, states) = additional.keys.characters.dfa.restricted(|state| {
                additional
                    .classes
                    .get(additional.class_of[state] as usize)
                    .is_some_and(|class| !cost(class.schema).is_never())
            });
            if dfa.is_empty() {
                object.additional = None;
                continue;
            }
            let class_of = states.iter().map(|state| state.map_or(NONE, |state| additional.class_of[state as usize]));
            let (number, languages) = (additional.classes.len() as u32, self.languages);
            let kept =
                ClassedKeys::new(dfa, class_of.collect(), number, false, |dfa| languages.characters(dfa, &self.any));
            for (class, costs) in additional.classes.iter_mut().zip(kept.costs) {
                class.costs = costs;
            }
            (additional.class_of, additional.counts) = (kept.class_of, kept.counts);
            additional.keys.characters = kept.characters;
        }
        let (objects, arrays) = (&self.objects, &self.arrays);
        for schema in &mut self.schemas {
            schema.objects.retain(|&id| {
                !objects[id.index()].cost_to_close(&Progress::default(), 0, Others::default(), true, &cost).is_never()
            });
            schema
                .arrays
                .retain(|&id| !arrays[id.index()].cost_to_close(0, 0, &Met::default(), true, &cost).is_never());
        }
        for array in &mut self.arrays {
            // The first entry that has no value ends the array.
            let never = |ways: &Few<Way>| ways.iter().all(|way| cost(way.schema).is_never());
            let end = array.prefix.iter().position(never);
            let end = end.or(never(&array.rest).then_some(array.prefix.len()));
            if let Some(end) = end {
                array.max = array.max.min(end as u32);
            }
        }
    }

    /// Finds the schemas that have values without end: those with strings of any length, and what contains them.
    pub(crate) fn find_endless(&mut self) -> Result<(), CompileError> {
        for schema in &mut self.schemas {
            schema.endless = schema.strings.iter().any(|strings| strings.is_endless());
        }
        let properties: usize = self.objects.iter().map(|object| object.properties.len()).sum();
        loop {
            self.spend((self.schemas.len() + properties) / 64, &[])?;
            let mut changed = false;
            // What is in others was mostly met after them.
            for id in (0..self.schemas.len()).rev() {
                if !self.schemas[id].endless && self.holds_endless(id) {
                    self.schemas[id].endless = true;
                    changed = true;
                }
            }
            if !changed {
                return Ok(());
            }
        }
    }
}

/// The least bytes of a value that is neither object nor array.
pub(crate) fn scalar_cost(schema: &Schema) -> Cost {
    let literals = schema.literals.iter().map(|literal| Cost::of(literal));
    let numbers = schema.numbers.iter().map(|numbers| numbers.costs[numbers.dfa.start() as usize]);
    let strings = schema.strings.iter().map(|strings| strings.cost(&strings.start()));
    Cost::least(literals.chain(numbers).chain(strings))
}
