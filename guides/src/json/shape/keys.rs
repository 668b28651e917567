//! The keys that an object does not name: their classes, how many there are, and what they cost.
//!
//! Keys are of one class if they lead to the same schema. Under `{"patternProperties": {"^x": A}, "additionalProperties": B}` the keys that
//! begin with `x` are one class and all others another one.

use crate::automaton::cost::Cost;
use crate::automaton::marks::KEY_OF_CLASS;
use crate::json::language::strings::{Decoder, StringState};
use crate::json::shape::object::{Additional, KeyClass, MANY_KEYS, Others, Property};
use crate::json::shape::spacing::Spacing;
use crate::json::shape::{SchemaId, Way, ways};

impl Additional {
    /// The class of a key, or of its mark ([`key_of_class`]).
    pub(crate) fn class(&self, key: &[u8]) -> Option<u32> {
        if let &[KEY_OF_CLASS, a, b, c, d] = key {
            return Some(u32::from_be_bytes([a, b, c, d]));
        }
        let dfa = &self.keys.characters.dfa;
        let state = dfa.after(dfa.start(), key);
        self.class_of.get(state as usize).copied().filter(|&class| class != u32::MAX)
    }

    /// Whether there are so many keys that used ones never exhaust them.
    pub(crate) fn is_endless(&self) -> bool {
        self.counts[self.keys.characters.dfa.start() as usize] >= MANY_KEYS
    }

    /// Whether so many keys, of any class, begin so that used ones never exhaust them.
    pub(crate) fn is_endless_after(&self, at: &StringState) -> bool {
        match at.decoder {
            Decoder::Body => self.counts[at.state as usize] >= MANY_KEYS,
            // The escape may become any character, so each must lead on.
            _ => self.keys.characters.is_universal(at.state),
        }
    }

    /// Bytes within which some key of the class is none of `used` others: the least ones, and as many characters more as it takes to have
    /// more keys than these.
    pub(super) fn key_length(&self, used: u64, class: &KeyClass) -> Cost {
        if !self.is_endless() {
            // Shorter keys may all be used, so the longest is the bound.
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

    /// Bytes of the cheapest entry with a key that is none of `used` others: key, colon, the white space after it, value.
    pub(crate) fn cost(&self, used: u64, spacing: Spacing, costs: &impl Fn(SchemaId) -> Cost) -> Cost {
        Cost::least(self.classes.iter().map(|class| match class.key_cost {
            Cost::NEVER => Cost::NEVER,
            _ => costs(class.schema) + self.key_length(used, class) + (3 + spacing.colon),
        }))
    }

    /// Counts the names of an object by the classes that they would be of: as keys they are gone.
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

impl KeyClass {
    /// The ways of the value of such a key.
    pub(crate) fn ways(&self) -> impl Iterator<Item = Way> {
        ways(self.schema, &self.meets)
    }
}

impl Others<'_> {
    /// The classes of those keys that have one. A key that another alternative took may have none here.
    pub(crate) fn classes(&self, additional: &Additional) -> impl Iterator<Item = u32> {
        self.keys.iter().filter_map(|key| additional.class(key)).chain(self.next)
    }

    pub(crate) fn count(&self) -> u32 {
        self.keys.len() as u32 + u32::from(self.next.is_some())
    }
}

/// A mark for a key whose class alone is known. It counts as a key and equals none, since no text has its first byte.
pub(crate) fn key_of_class(class: u32) -> Box<[u8]> {
    let [a, b, c, d] = class.to_be_bytes();
    Box::new([KEY_OF_CLASS, a, b, c, d])
}
