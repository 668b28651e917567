//! The passes over all schemas once each has its alternatives: least costs, and removal of alternatives without a value.
//!
//! Schemas refer to each other in cycles, so costs and [`Schema::endless`] are least fixpoints. The bottom of costs is [`Cost::NEVER`]: a
//! cost starts there and only falls, each time to the length of a value; a schema that stays there has no finite value. `endless` starts
//! at false and only becomes true. So the iterations end.

use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::error::CompileError;
use crate::json::analysis::Builder;
use crate::json::analysis::keys::{ClassedKeys, NONE};
use crate::json::shape::array::Array;
use crate::json::shape::object::{Additional, KeyClass, Others, Progress};
use crate::json::shape::{Met, Schema, SchemaId, Way};

impl Builder<'_> {
    /// The least cost of every schema. Schemas are visited from the last to the first: most are interned before the schemas of their
    /// entries, so a round meets the costs of entries first, and few rounds are needed.
    pub(super) fn settle_costs(&mut self) -> Result<(), CompileError> {
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

    /// The least cost of one schema under the costs so far of the others.
    fn cost_of(&mut self, id: usize, costs: &[Cost]) -> Cost {
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
    pub(super) fn prune(&mut self) {
        let costs: Vec<Cost> = self.schemas.iter().map(|schema| schema.cost).collect();
        let cost = |id: SchemaId| costs[id.index()];
        for index in 0..self.objects.len() {
            let additional = self.objects[index].additional.take();
            self.objects[index].additional = additional.and_then(|keys| self.without_vain_keys(keys, &costs));
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
            // An array ends before the first entry without a value.
            let never = |ways: &Few<Way>| ways.iter().all(|way| cost(way.schema).is_never());
            let end = array.prefix.iter().position(never);
            let end = end.or(never(&array.rest).then_some(array.prefix.len()));
            if let Some(end) = end {
                array.max = array.max.min(end as u32);
            }
        }
    }

    /// The keys whose values have a finite cost; `None` if there are none.
    fn without_vain_keys(&self, mut additional: Additional, costs: &[Cost]) -> Option<Additional> {
        let has_value = |class: &KeyClass| !costs[class.schema.index()].is_never();
        if additional.classes.iter().all(has_value) {
            return Some(additional);
        }
        let (dfa, states) = additional.keys.characters.dfa.restricted(|state| {
            let class = additional.classes.get(additional.class_of[state] as usize);
            class.is_some_and(has_value)
        });
        if dfa.is_empty() {
            return None;
        }
        let class_of = states.iter().map(|state| state.map_or(NONE, |state| additional.class_of[state as usize]));
        let number = additional.classes.len() as u32;
        let characters = |dfa| self.languages.characters(dfa, &self.any);
        let kept = ClassedKeys::new(dfa, class_of.collect(), number, false, characters);
        for (class, costs) in additional.classes.iter_mut().zip(kept.costs) {
            class.costs = costs;
        }
        (additional.class_of, additional.counts) = (kept.class_of, kept.counts);
        additional.keys.characters = kept.characters;
        Some(additional)
    }

    /// Marks the schemas that have values of any length: schemas with strings of any length, and schemas with an alternative that always
    /// contains such a value.
    pub(super) fn find_endless(&mut self) -> Result<(), CompileError> {
        for schema in &mut self.schemas {
            schema.endless = schema.strings.iter().any(|strings| strings.is_endless());
        }
        let properties: usize = self.objects.iter().map(|object| object.properties.len()).sum();
        loop {
            self.spend((self.schemas.len() + properties) / 64, &[])?;
            let mut changed = false;
            // Schemas of entries are mostly interned after their containers.
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

/// The least cost of a value that is neither object nor array.
fn scalar_cost(schema: &Schema) -> Cost {
    let literals = schema.literals.iter().map(|literal| Cost::of(literal));
    let numbers = schema.numbers.iter().map(|numbers| numbers.cost(numbers.start()));
    let strings = schema.strings.iter().map(|strings| strings.cost(&strings.start()));
    Cost::least(literals.chain(numbers).chain(strings))
}
