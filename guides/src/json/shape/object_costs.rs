//! What it costs to complete an object: the entries that must still follow, and the cheapest ones that may.
//!
//! Three conditions ask for entries: required properties, demands (entries that must meet a condition between them), and the least number
//! of entries. In `{"required": ["a"], "minProperties": 2}` the object `{` costs the entry `a` and the cheapest of all others.

use crate::automaton::cost::Cost;
use crate::json::shape::clause_search::EntryRoom;
use crate::json::shape::meeting::Meeting;
use crate::json::shape::object::{Additional, Object, Others, Progress, Property};
use crate::json::shape::spacing::Spacing;
use crate::json::shape::{SchemaId, Way};

impl Property {
    /// Bytes of the entry: key, colon, the white space after it, value.
    pub(super) fn cost(&self, spacing: Spacing, costs: &impl Fn(SchemaId) -> Cost) -> Cost {
        costs(self.schema) + (self.spelling.len() as u32 + 2 + spacing.colon)
    }

    /// The ways of its value.
    pub(crate) fn ways(&self) -> impl Iterator<Item = Way> {
        let own = self.choices.map(|choices| Way { schema: self.schema, counts: 0, choices });
        own.into_iter().chain(self.meets.iter().copied())
    }
}

impl Object {
    /// Fills in the sums over required properties. They follow from the costs of the schemas, so they are filled in again when these fall.
    /// Where properties come in order, one of the sums is all that an object's cost needs.
    pub(crate) fn sum_up(&mut self, costs: &impl Fn(SchemaId) -> Cost) {
        let count = self.properties.len();
        self.next_required = vec![count as u32; count + 1];
        self.required_from = vec![(0, 0); count + 1];
        self.required = vec![0; count.div_ceil(64)];
        for (i, property) in self.properties.iter().enumerate().rev() {
            self.next_required[i] = if property.required { i as u32 } else { self.next_required[i + 1] };
            let (number, bytes) = self.required_from[i + 1];
            self.required_from[i] = if property.required {
                self.required[i / 64] |= 1 << (i % 64);
                let cost = u64::from(property.cost(self.spacing, costs));
                (number + 1, bytes.saturating_add(cost + self.comma()))
            } else {
                (number, bytes)
            };
        }
    }

    /// Bytes of a comma and of the white space that must follow it.
    fn comma(&self) -> u64 {
        u64::from(self.spacing.separator())
    }

    /// As [`Object::cost_to_close`] after an entry with the property of this index, for an object that [always
    /// closes](Object::always_closes). `required` are the bytes of the required properties that were left before the entry. It takes the
    /// same time however many properties there are, which counts where all of them may come next.
    pub(crate) fn cost_to_close_after(&self, required: u64, index: u32) -> Cost {
        let index = index as usize;
        let own = self.required_from[index].1 - self.required_from[index + 1].1;
        Cost::capped(self.spacing.to_close(false, required.saturating_sub(own)))
    }

    /// Bytes of the required properties that are still to come, with a comma each.
    pub(crate) fn bytes_required(&self, progress: &Progress<'_>) -> u64 {
        self.required_left(progress).1
    }

    /// Least bytes to the closing brace, which is counted, when `count` entries are complete, and `others` are the additional ones among
    /// them. `is_empty` says that no entry was written.
    pub(crate) fn cost_to_close(
        &self,
        progress: &Progress<'_>,
        count: u32,
        others: Others<'_>,
        is_empty: bool,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Cost {
        let bytes = self.bytes_of_entries(progress, count, others, 0, costs);
        bytes.map_or(Cost::NEVER, |bytes| Cost::capped(self.spacing.to_close(is_empty, bytes)))
    }

    /// As [`Object::cost_to_close`] after a comma and its white space, when at least one more entry must follow.
    pub(crate) fn cost_after_comma(
        &self,
        progress: &Progress<'_>,
        count: u32,
        others: Others<'_>,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Cost {
        let bytes = self.bytes_of_entries(progress, count, others, 1, costs);
        bytes.map_or(Cost::NEVER, |bytes| Cost::capped(self.spacing.to_close(false, bytes) - self.comma()))
    }

    /// The required properties that are still to come: how many, and their bytes with a comma each.
    fn required_left(&self, progress: &Progress<'_>) -> (u32, u64) {
        if progress.written.is_none() {
            return self.required_from[progress.at as usize];
        }
        let (mut number, mut bytes) = (0, 0);
        for (word, &required) in (0..).zip(&self.required) {
            let mut left = required & !progress.written_word(word);
            number += left.count_ones();
            while left != 0 {
                let index = word * 64 + left.trailing_zeros() as usize;
                bytes += self.required_from[index].1 - self.required_from[index + 1].1;
                left &= left - 1;
            }
        }
        (number, bytes)
    }

    /// The bytes of the entries that must follow, with a comma each, and of at least `least` entries; `None` if they cannot follow.
    fn bytes_of_entries(
        &self,
        progress: &Progress<'_>,
        count: u32,
        others: Others<'_>,
        least: u32,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Option<u64> {
        let (required, mut bytes) = self.required_left(progress);
        // The sum is that great if one of the costs is NEVER, or if many costs are great.
        if bytes >= u64::from(Cost::NEVER)
            && self.left(progress).any(|(_, p)| p.required && p.cost(self.spacing, costs).is_never())
        {
            return None;
        }
        let wanted = self.min.saturating_sub(count).max(least);
        if !self.clauses.is_empty() {
            let room = EntryRoom { entries: count + required, wanted, required };
            return Some(bytes + self.clauses_met(progress, others, room, costs)?.bytes);
        }
        let room = self.max.saturating_sub(count.saturating_add(required));
        let Meeting { entries: extra, bytes: extra_bytes, .. } = self.met_best(progress, others, room, costs)?;
        bytes += extra_bytes;
        let more = wanted.saturating_sub(required + extra);
        if u64::from(count) + u64::from(required) + u64::from(extra) + u64::from(more) > u64::from(self.max) {
            return None;
        }
        if more > 0 {
            // The entries that meet demands may be among the cheapest ones, so that many more are counted.
            let cost = |_: u32, property: &Property| property.cost(self.spacing, costs);
            bytes += self.bytes_of_more(progress, more + extra, others.count(), costs, &cost)?;
        }
        Some(bytes)
    }

    /// Bytes of the cheapest `more` entries that are not required, with a comma each; `None` if there are not as many. `cost` has the cost
    /// of an entry with a property.
    pub(super) fn bytes_of_more(
        &self,
        progress: &Progress<'_>,
        more: u32,
        others: u32,
        costs: &impl Fn(SchemaId) -> Cost,
        cost: &impl Fn(u32, &Property) -> Cost,
    ) -> Option<u64> {
        let mut optional: Vec<Cost> = self
            .left(progress)
            .filter(|(_, property)| !property.required)
            .map(|(index, property)| cost(index, property))
            .filter(|&cost| !cost.is_never())
            .collect();
        optional.sort_unstable();
        let (each, mut available) = self.cost_of_additional(more, others, costs);
        let (mut sum, mut missing) = (0u64, more);
        for cost in optional {
            if missing == 0 {
                break;
            }
            if cost > each && available > 0 {
                let taken = available.min(missing);
                sum += u64::from(taken) * (u64::from(each) + self.comma());
                (missing, available) = (missing - taken, available - taken);
                if missing == 0 {
                    break;
                }
            }
            sum += u64::from(cost) + self.comma();
            missing -= 1;
        }
        if missing > available {
            return None;
        }
        if missing > 0 {
            sum += u64::from(missing) * (u64::from(each) + self.comma());
        }
        Some(sum)
    }

    /// The cost of the cheapest entry with an additional key, without its comma, and how many of them there are, at least up to `more`.
    fn cost_of_additional(&self, more: u32, others: u32, costs: &impl Fn(SchemaId) -> Cost) -> (Cost, u32) {
        let Some(additional) = &self.additional else { return (Cost::NEVER, 0) };
        let used = u64::from(others) + self.properties.len() as u64 + u64::from(more);
        let cost = additional.cost(used, self.spacing, costs);
        if cost.is_never() {
            return (Cost::NEVER, 0);
        }
        if additional.is_endless() {
            return (cost, u32::MAX);
        }
        // Names may be among the keys that the automaton counts.
        let keys = additional.counts[additional.keys.characters.dfa.start() as usize];
        (cost, keys.saturating_sub(self.named_among(additional)).saturating_sub(others))
    }

    /// Whether there may be as many entries as there must, if these schemas have values.
    pub(crate) fn has_enough_keys(&self, may: &impl Fn(SchemaId) -> bool) -> bool {
        let named = self.properties.iter().filter(|property| may(property.schema)).count() as u32;
        let Some(additional) = &self.additional else { return named >= self.min };
        let some = additional.classes.iter().any(|class| may(class.schema));
        let keys = if some { additional.counts[additional.keys.characters.dfa.start() as usize] } else { 0 };
        named.saturating_add(keys) >= self.min
    }

    /// How many of the named properties have keys that could be additional ones.
    fn named_among(&self, additional: &Additional) -> u32 {
        self.properties.iter().filter(|property| additional.keys.contains(&property.name)).count() as u32
    }
}
