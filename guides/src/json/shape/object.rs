//! One alternative of an object, and what its entries cost.

use crate::automaton::cost::Cost;
use crate::automaton::marks::KEY_OF_CLASS;
use crate::json::language::strings::{Decoder, StringState, Strings};
use crate::json::shape::meeting::{KnownDemands, Meeting, Remembered};
use crate::json::shape::spacing::Spacing;
use crate::json::shape::{SchemaId, Way};
use std::sync::Arc;

/// One alternative of an object: its entries, in the order in which they are written.
#[derive(Debug)]
pub(crate) struct Object {
    /// The named properties in their order; after them come additional ones.
    pub(crate) properties: Vec<Property>,
    /// Indices of the properties, sorted by the spelling of their names.
    pub(crate) sorted: Vec<u32>,
    /// Indices of the properties, sorted by their names.
    pub(crate) by_name: Vec<u32>,
    /// Keys that are not named, by class.
    pub(crate) additional: Option<Additional>,
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// The set of demands that entries must meet between them, see [`Way`].
    pub(crate) demanded: u8,
    /// Indices of the properties whose values can meet demands.
    pub(crate) meeting: Vec<u32>,
    /// For each index the first required property from there on, or the number of properties.
    pub(crate) next_required: Vec<u32>,
    /// The required properties, a bit for each.
    pub(crate) required: Vec<u64>,
    pub(crate) spacing: Spacing,
    /// For each index the required properties from there on: how many, and their bytes with a comma each.
    pub(crate) required_from: Vec<(u32, u64)>,
    /// What meets the demands best, where it was found before.
    pub(crate) remembered: Remembered,
}

#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: Arc<str>,
    /// The name as JSON without the opening quote.
    pub(crate) spelling: Arc<[u8]>,
    pub(crate) schema: SchemaId,
    pub(crate) required: bool,
    /// The ways in which its value meets demands of the object.
    pub(crate) meets: Vec<Way>,
}

/// The keys that an object may have beside the named ones.
#[derive(Debug)]
pub(crate) struct Additional {
    pub(crate) keys: Strings,
    /// For each accepting state of `keys` the class of the key; `u32::MAX` for other states.
    pub(crate) class_of: Arc<[u32]>,
    pub(crate) classes: Vec<KeyClass>,
    /// For each state how many keys are accepted from it, as far as counted.
    pub(crate) counts: Arc<[u32]>,
}

#[derive(Debug)]
pub(crate) struct KeyClass {
    pub(crate) schema: SchemaId,
    /// Least bytes of a key of this class, without quotes.
    pub(crate) key_cost: Cost,
    /// For each state of the keys' automaton the least bytes to the end of a key of this class.
    pub(crate) costs: Arc<[Cost]>,
    /// The ways in which its value meets demands of the object.
    pub(crate) meets: Vec<Way>,
    /// How many keys are of this class, as far as counted; known where it meets demands.
    pub(crate) supply: u32,
    /// How many of the object's named properties are of this class; known where it meets demands.
    pub(crate) named: u32,
}

/// Counts of keys beyond this are as good as infinite.
pub(crate) const MANY_KEYS: u32 = 1 << 24;

/// How far the entries of an object have come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress<'a> {
    /// The first property that may still come, where properties come in their order.
    pub(crate) at: u32,
    /// The properties that were written, a bit for each, where they come in any order; `None` where they do not.
    pub(crate) written: Option<&'a [u64]>,
    /// One more property that was written.
    pub(crate) latest: Option<u32>,
    /// The demands that are met.
    pub(crate) met: u8,
    /// What meets the others where `latest` is not written.
    pub(crate) known: Option<&'a KnownDemands>,
}

/// The additional keys that were written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Others<'a> {
    pub(crate) keys: &'a [Box<[u8]>],
    /// The class of one more, which is not yet among them.
    pub(crate) next: Option<u32>,
}

impl Others<'_> {
    /// The classes of the keys that are of any.
    pub(crate) fn classes(&self, additional: &Additional) -> impl Iterator<Item = u32> {
        self.keys.iter().filter_map(|key| additional.class(key)).chain(self.next)
    }

    pub(crate) fn count(&self) -> u32 {
        self.keys.len() as u32 + u32::from(self.next.is_some())
    }
}

/// A key of which only the class is known: it counts, and equals no key, since no text has its first byte.
pub(crate) fn key_of_class(class: u32) -> Box<[u8]> {
    let [a, b, c, d] = class.to_be_bytes();
    Box::new([KEY_OF_CLASS, a, b, c, d])
}

impl<'a> Progress<'a> {
    /// Whether the property was not written, nor passed over.
    pub(crate) fn is_left(&self, index: u32) -> bool {
        match self.written {
            None => index >= self.at,
            Some(written) => {
                let left = written.get(index as usize / 64).is_none_or(|word| word >> (index % 64) & 1 == 0);
                left && self.latest != Some(index)
            }
        }
    }

    /// The properties from `word * 64` on that were written, a bit for each, where they come in any order.
    fn written_word(&self, word: usize) -> u64 {
        let written = self.written.and_then(|written| written.get(word)).copied().unwrap_or(0);
        let latest = self.latest.filter(|latest| *latest as usize / 64 == word);
        written | latest.map_or(0, |latest| 1 << (latest % 64))
    }

    /// Which of the first 128 properties may still come, a bit for each.
    pub(crate) fn left(&self) -> u128 {
        match self.written {
            None => u128::MAX.checked_shl(self.at).unwrap_or(0),
            Some(_) => !(u128::from(self.written_word(1)) << 64 | u128::from(self.written_word(0))),
        }
    }

    /// Once the named property with this index is written too.
    pub(crate) fn after(self, index: u32) -> Progress<'a> {
        match self.written {
            None => Progress { at: index + 1, ..self },
            Some(_) => Progress { latest: Some(index), ..self },
        }
    }
}

impl Object {
    /// Whether two alternatives name the same properties.
    pub(crate) fn has_same_names(&self, other: &Object) -> bool {
        let same = |(&one, &two): (&u32, &u32)| {
            let (one, two) = (&self.properties[one as usize].name, &other.properties[two as usize].name);
            Arc::ptr_eq(one, two) || one == two
        };
        self.by_name.len() == other.by_name.len() && self.by_name.iter().zip(&other.by_name).all(same)
    }

    /// The named properties whose names begin so, in order.
    pub(crate) fn named_with_prefix<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let name = |index: &u32| self.properties[*index as usize].name.as_bytes();
        let from = self.by_name.partition_point(|index| name(index) < prefix);
        self.by_name[from..].iter().map(name).take_while(move |name| name.starts_with(prefix))
    }
}

impl Property {
    /// Bytes of the entry: key, colon, the spaces that follow it, value.
    pub(crate) fn cost(&self, spacing: Spacing, costs: &impl Fn(SchemaId) -> Cost) -> Cost {
        costs(self.schema) + (self.spelling.len() as u32 + 2 + spacing.colon)
    }

    /// All the ways in which its value can be.
    pub(crate) fn ways(&self) -> impl Iterator<Item = Way> {
        std::iter::once(Way { schema: self.schema, counts: 0 }).chain(self.meets.iter().copied())
    }
}

impl KeyClass {
    /// All the ways in which the value of such a key can be.
    pub(crate) fn ways(&self) -> impl Iterator<Item = Way> {
        std::iter::once(Way { schema: self.schema, counts: 0 }).chain(self.meets.iter().copied())
    }
}

impl Additional {
    /// The class of a key, or of what stands for one ([`key_of_class`]).
    pub(crate) fn class(&self, key: &[u8]) -> Option<u32> {
        if let &[KEY_OF_CLASS, a, b, c, d] = key {
            return Some(u32::from_be_bytes([a, b, c, d]));
        }
        let dfa = &self.keys.characters.dfa;
        let state = dfa.after(dfa.start(), key);
        self.class_of.get(state as usize).copied().filter(|&class| class != u32::MAX)
    }

    /// Whether there are so many keys that no set of used ones exhausts them.
    pub(crate) fn is_endless(&self) -> bool {
        self.counts[self.keys.characters.dfa.start() as usize] >= MANY_KEYS
    }

    /// Whether after such a beginning there are so many keys, of whatever class, that no set of used ones exhausts them.
    pub(crate) fn is_endless_after(&self, at: &StringState) -> bool {
        match at.decoder {
            Decoder::Body => self.counts[at.state as usize] >= MANY_KEYS,
            // Whatever character an escape becomes.
            _ => self.keys.characters.is_universal(at.state),
        }
    }

    /// Length of key within which there are more keys than `used`.
    pub(crate) fn key_length(&self, used: u64, class: &KeyClass) -> Cost {
        if !self.is_endless() {
            // Few keys: count on the longest of them.
            return self.keys.characters.longest().map_or(class.key_cost, Cost::bytes).max(class.key_cost);
        }
        let (mut length, mut keys, mut all) = (0, 1u64, 1u64);
        while all <= used {
            keys = keys.saturating_mul(u64::from(self.keys.characters.spelled().single.clamp(1, 64)));
            all = all.saturating_add(keys);
            length += 1;
        }
        class.key_cost + length
    }

    /// Bytes of the cheapest entry with a key that is not among `used` others: key, colon, the spaces that follow it, value.
    pub(crate) fn cost(&self, used: u64, spacing: Spacing, costs: &impl Fn(SchemaId) -> Cost) -> Cost {
        Cost::least(self.classes.iter().map(|class| match class.key_cost {
            Cost::NEVER => Cost::NEVER,
            _ => costs(class.schema) + self.key_length(used, class) + (3 + spacing.colon),
        }))
    }

    /// Counts the named properties of an object by the classes that they would be of.
    pub(crate) fn count_named(&mut self, properties: &[Property]) {
        for index in 0..self.classes.len() {
            if !self.classes[index].meets.is_empty() {
                let own =
                    properties.iter().filter(|property| self.class(property.name.as_bytes()) == Some(index as u32));
                self.classes[index].named = own.count() as u32;
            }
        }
    }
}

impl Object {
    /// Fills in what follows from the properties' costs.
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

    /// Bytes of the closing brace after an entry.
    pub(crate) fn closing(&self) -> u64 {
        1 + u64::from(self.spacing.inside)
    }

    /// Bytes of a comma and of the white space that must follow it.
    pub(crate) fn comma(&self) -> u64 {
        1 + u64::from(self.spacing.comma)
    }

    /// Whether a required property is still to come.
    pub(crate) fn requires_more(&self, progress: &Progress<'_>) -> bool {
        match progress.written {
            None => self.next_required[progress.at as usize] != self.properties.len() as u32,
            Some(_) => {
                let mut words = (0..).zip(&self.required);
                words.any(|(word, &required)| required & !progress.written_word(word) != 0)
            }
        }
    }

    /// Whether the property may be the next entry, as far as the order goes.
    pub(crate) fn is_next(&self, progress: &Progress<'_>, index: u32) -> bool {
        progress.is_left(index) && (progress.written.is_some() || index <= self.next_required[progress.at as usize])
    }

    /// The properties that may still come.
    fn left<'a>(&'a self, progress: &'a Progress<'_>) -> impl Iterator<Item = &'a Property> {
        let from = if progress.written.is_none() { progress.at } else { 0 };
        let properties = (from..).zip(&self.properties[from as usize..]);
        properties.filter(|(index, _)| progress.is_left(*index)).map(|(_, property)| property)
    }

    /// Whether it can be closed whatever entries come next, once `count` are complete: nothing but required properties has to
    /// come.
    pub(crate) fn always_closes(&self, count: u32) -> bool {
        self.demanded == 0 && self.max == u32::MAX && self.min <= count
    }

    /// As [`Object::cost_to_close`] of an object that always closes: `required` are the bytes of the required properties that are
    /// left, an entry with the property of this index comes before them.
    pub(crate) fn cost_to_close_after(&self, required: u64, index: u32) -> Cost {
        let index = index as usize;
        let own = self.required_from[index].1 - self.required_from[index + 1].1;
        Cost::capped(required.saturating_sub(own) + self.closing())
    }

    /// The bytes of the required properties that are still to come, with a comma each.
    pub(crate) fn bytes_required(&self, progress: &Progress<'_>) -> u64 {
        self.required_left(progress).1
    }

    /// Least bytes to the closing brace, which is counted, when `count` entries are complete, and `others` additional ones
    /// were written. After an entry each further one takes a comma; `first` says that there is none yet.
    pub(crate) fn cost_to_close(
        &self,
        progress: &Progress<'_>,
        count: u32,
        others: Others<'_>,
        first: bool,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Cost {
        match self.cost_of_entries(progress, count, others, 0, costs) {
            None => Cost::NEVER,
            Some((0, _)) if first => Cost::bytes(1),
            Some((_, bytes)) if first => {
                Cost::capped(bytes + u64::from(self.spacing.inside) + self.closing() - self.comma())
            }
            Some((_, bytes)) => Cost::capped(bytes + self.closing()),
        }
    }

    /// As [`Object::cost_to_close`] after a comma and its spaces, when at least one more entry must follow.
    pub(crate) fn cost_after_comma(
        &self,
        progress: &Progress<'_>,
        count: u32,
        others: Others<'_>,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Cost {
        let entries = self.cost_of_entries(progress, count, others, 1, costs);
        entries.map_or(Cost::NEVER, |(_, bytes)| Cost::capped(bytes + self.closing() - self.comma()))
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

    /// The entries that must follow, at least `least`: how many, and their bytes with a comma each.
    fn cost_of_entries(
        &self,
        progress: &Progress<'_>,
        count: u32,
        others: Others<'_>,
        least: u32,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Option<(u32, u64)> {
        let (required, mut bytes) = self.required_left(progress);
        if bytes >= u64::from(Cost::NEVER)
            && self.left(progress).any(|p| p.required && p.cost(self.spacing, costs).is_never())
        {
            return None;
        }
        let Meeting { entries: extra, bytes: extra_bytes, .. } = self.met_best(progress, others, costs)?;
        bytes += extra_bytes;
        let wanted = self.min.saturating_sub(count).max(least);
        let more = wanted.saturating_sub(required + extra);
        if u64::from(count) + u64::from(required) + u64::from(extra) + u64::from(more) > u64::from(self.max) {
            return None;
        }
        if more > 0 {
            // The entries that meet demands may be among the cheapest ones: so many more must be there.
            bytes += self.cost_of_more(progress, more + extra, others.count(), costs)?;
        }
        Some((required + extra + more, bytes))
    }

    /// The cheapest `more` entries that are not required.
    fn cost_of_more(
        &self,
        progress: &Progress<'_>,
        more: u32,
        others: u32,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Option<u64> {
        let mut optional: Vec<Cost> = self
            .left(progress)
            .filter(|property| !property.required)
            .map(|property| property.cost(self.spacing, costs))
            .filter(|&cost| !cost.is_never())
            .collect();
        optional.sort_unstable();
        let additional = match &self.additional {
            None => None,
            Some(additional) => {
                let used = u64::from(others) + self.properties.len() as u64 + u64::from(more);
                let cost = additional.cost(used, self.spacing, costs);
                // Named keys may be among the countable ones.
                let keys = additional.counts[additional.keys.characters.dfa.start() as usize];
                let named = if additional.is_endless() { 0 } else { self.named_among(additional) };
                let left = keys.saturating_sub(named).saturating_sub(others);
                (!cost.is_never()).then_some((cost, if additional.is_endless() { u32::MAX } else { left }))
            }
        };
        let (each, mut available) = additional.unwrap_or((Cost::NEVER, 0));
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

    /// How many of the named properties have keys that could be additional ones.
    fn named_among(&self, additional: &Additional) -> u32 {
        self.properties.iter().filter(|property| additional.keys.contains(&property.name)).count() as u32
    }
}
