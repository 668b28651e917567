//! Entries that must be distinct and have few values: which of these the next entry may have, so that enough are left for later ones.

use crate::json::machine::JsonMachine;
use crate::json::machine::state::{Item, Level};
use crate::json::shape::array::Array;
use crate::json::text::value::Value;

/// Whether the entries that an array must still have can differ from these and from each other.
pub(super) fn goes_on(array: &Array, entries: &[Value]) -> bool {
    array.distinct.as_ref().is_none_or(|domains| {
        let last = (entries.len() as u32).saturating_sub(1);
        !domains.is_tight(last) || domains.fits_after(&refer(entries), array.min)
    })
}

/// Whether another entry can follow that differs from all before it.
pub(super) fn may_follow(level: &Level, array: &Array) -> bool {
    match (level.own_distinct(), &array.distinct) {
        (Some(own), Some(domains)) => domains.may_follow(&refer(own.entries()), array.min),
        _ => true,
    }
}

impl JsonMachine {
    /// The values that the entry after these must not have in any alternative, since later entries need them.
    pub(super) fn barred(&self, items: &[Item], entries: &[Value]) -> Vec<Value> {
        let next = entries.len() as u32;
        let arrays = || items.iter().map(|item| self.array(item.shape));
        if !arrays().all(|array| array.distinct.is_some()) {
            return Vec::new();
        }
        let all = || arrays().filter_map(|array| Some((array.distinct.as_ref()?, array.min)));
        if !all().any(|(domains, _)| domains.is_tight(next)) {
            return Vec::new();
        }
        let used = refer(entries);
        let fits = |value: &Value| all().any(|(domains, min)| domains.fits(next, min, &used, value));
        let mut barred: Vec<Value> = Vec::new();
        for value in all().flat_map(|(domains, min)| domains.candidates(next, min)) {
            if !barred.contains(value) && !fits(value) {
                barred.push(value.clone());
            }
        }
        barred
    }
}

fn refer(entries: &[Value]) -> Vec<&Value> {
    entries.iter().collect()
}
