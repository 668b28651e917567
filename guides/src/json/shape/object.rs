//! One alternative of an object: the properties that it names, the keys that it allows beside them, and which of them may still come.
//!
//! Properties are written in the order of the schema, unless any order is asked for. So in `{"properties": {"a": {}, "b": {}, "c": {}},
//! "required": ["b"]}` the entry after `a` is `b` and nothing else: a later one would leave the required `b` out. One index tells how far
//! an output has come, where any order takes a bit for each property.

use crate::automaton::cost::Cost;
use crate::json::language::strings::Strings;
use crate::json::shape::clauses::{Cases, Clauses};
use crate::json::shape::meeting::{KnownDemands, Remembered};
use crate::json::shape::spacing::Spacing;
use crate::json::shape::{SchemaId, Way};
use std::sync::Arc;

/// One alternative of an object.
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
    /// The demands that entries must meet between them, a bit for each, see [`Way`].
    pub(crate) demanded: u8,
    /// Conditions with several cases, kept side by side. An object with clauses has no demands.
    pub(crate) clauses: Clauses,
    /// Indices of the properties whose values can meet demands.
    pub(crate) meeting: Vec<u32>,
    /// By index the first required property from there on, or the number of properties.
    pub(crate) next_required: Vec<u32>,
    /// The required properties, a bit for each.
    pub(crate) required: Vec<u64>,
    pub(crate) spacing: Spacing,
    /// By index the required properties from there on: how many, and their bytes with a comma each.
    pub(crate) required_from: Vec<(u32, u64)>,
    /// The cheapest entries that meet demands, where they were found before.
    pub(crate) remembered: Remembered,
}

#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: Arc<str>,
    /// The name as JSON, without the opening quote and with the closing one.
    pub(crate) spelling: Arc<[u8]>,
    pub(crate) schema: SchemaId,
    pub(crate) required: bool,
    /// The ways in which its value meets demands of the object, or conditions of its clauses.
    pub(crate) meets: Vec<Way>,
    /// The conditions of clauses that each value meets; `None` where each value is of one of the ways in `meets`.
    pub(crate) choices: Option<u128>,
}

/// The keys that an object may have beside the named ones.
#[derive(Debug)]
pub(crate) struct Additional {
    pub(crate) keys: Strings,
    /// By state of `keys` the class of a key that ends there; `u32::MAX` where none ends.
    pub(crate) class_of: Arc<[u32]>,
    pub(crate) classes: Vec<KeyClass>,
    /// By state how many keys are accepted from it, counted up to [`MANY_KEYS`].
    pub(crate) counts: Arc<[u32]>,
}

/// Keys whose values have one schema.
#[derive(Debug)]
pub(crate) struct KeyClass {
    pub(crate) schema: SchemaId,
    /// Least bytes of a key of this class, without quotes.
    pub(crate) key_cost: Cost,
    /// By state of the keys' automaton the least bytes to the end of a key of this class.
    pub(crate) costs: Arc<[Cost]>,
    /// The ways in which its value meets demands of the object.
    pub(crate) meets: Vec<Way>,
    /// How many keys are of this class, counted up to [`MANY_KEYS`]. Known only where values meet demands.
    pub(crate) supply: u32,
    /// How many names of the object would be keys of this class. Known only where values meet demands.
    pub(crate) named: u32,
}

/// Counts of keys go no further: no output has so many entries, so that used keys never exhaust them.
pub(crate) const MANY_KEYS: u32 = 1 << 24;

/// How far the named entries of an object have come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress<'a> {
    /// The first property that may still come, where properties come in their order.
    pub(crate) at: u32,
    /// The properties that were written, a bit for each, where they come in any order; `None` where they do not.
    pub(crate) written: Option<&'a [u64]>,
    /// One more property that was written. It saves a copy of `written` for each property that is tried as the next one.
    pub(crate) latest: Option<u32>,
    /// The demands that are met.
    pub(crate) met: u8,
    /// The cases of the clauses that are left; `None` in an object without entries, or without clauses.
    pub(crate) cases: Option<&'a Cases>,
    /// What meets the other demands as long as `latest` is not written.
    pub(crate) known: Option<&'a KnownDemands>,
}

/// The additional keys that were written: how many entries are not named, and which keys are gone.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Others<'a> {
    pub(crate) keys: &'a [Box<[u8]>],
    /// The class of one more, which is not yet among them.
    pub(crate) next: Option<u32>,
}

impl<'a> Progress<'a> {
    /// Whether the property may still come: it was neither written nor, where properties come in order, passed over.
    pub(crate) fn is_left(&self, index: u32) -> bool {
        match self.written {
            None => index >= self.at,
            Some(written) => {
                let left = written.get(index as usize / 64).is_none_or(|word| word >> (index % 64) & 1 == 0);
                left && self.latest != Some(index)
            }
        }
    }

    /// The properties from `word * 64` on that were written, a bit for each; none where properties come in order.
    pub(super) fn written_word(&self, word: usize) -> u64 {
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

    /// Once the property with this index is written too.
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

    /// The names that begin so, in order.
    pub(crate) fn named_with_prefix<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let name = |index: &u32| self.properties[*index as usize].name.as_bytes();
        let from = self.by_name.partition_point(|index| name(index) < prefix);
        self.by_name[from..].iter().map(name).take_while(move |name| name.starts_with(prefix))
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

    /// Whether the order lets the property be the next entry: no required one is passed over.
    pub(crate) fn is_next(&self, progress: &Progress<'_>, index: u32) -> bool {
        progress.is_left(index) && (progress.written.is_some() || index <= self.next_required[progress.at as usize])
    }

    /// The properties that may still come.
    pub(super) fn left<'a>(&'a self, progress: &'a Progress<'_>) -> impl Iterator<Item = (u32, &'a Property)> {
        let from = if progress.written.is_none() { progress.at } else { 0 };
        let properties = (from..).zip(&self.properties[from as usize..]);
        properties.filter(|(index, _)| progress.is_left(*index))
    }

    /// Whether nothing but required properties has to come once `count` entries are complete. The cost is then a sum over these, whatever
    /// entries come next.
    pub(crate) fn always_closes(&self, count: u32) -> bool {
        self.demanded == 0 && self.clauses.is_empty() && self.max == u32::MAX && self.min <= count
    }
}
