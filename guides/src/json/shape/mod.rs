//! What analysis leaves of a schema: for each conjunction of conditions the alternatives that satisfy it.
//!
//! `{"anyOf": [{"type": "number"}, {"type": "object"}]}` becomes one [`Schema`] with the numbers and one [`Object`](object::Object).
//! Containers know what it costs to complete them from any place within; the machine adds what the containers around them cost.

pub(crate) mod array;
pub(crate) mod clause_search;
pub(crate) mod clauses;
pub(crate) mod demands;
pub(crate) mod domain;
pub(crate) mod keys;
pub(crate) mod meeting;
pub(crate) mod object;
mod object_costs;
pub(crate) mod shapes;
pub(crate) mod spacing;

use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::collections::id::id;
use crate::json::language::number::Numbers;
use crate::json::language::number::grammar::OF_NUMBERS;
use crate::json::language::strings::Strings;
use std::sync::Arc;

id! {
    /// Index of an analysed schema.
    pub(crate) struct SchemaId
}

id! {
    /// Index of an object or array.
    pub(crate) struct ShapeId
}

/// The alternatives that a value has.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    /// Values that are compared as texts, sorted by their bytes.
    pub(crate) literals: Arc<[Box<[u8]>]>,
    pub(crate) numbers: Option<Arc<Numbers>>,
    pub(crate) strings: Vec<Arc<Strings>>,
    pub(crate) objects: Vec<ShapeId>,
    pub(crate) arrays: Vec<ShapeId>,
    /// Least bytes of a value; [`Cost::NEVER`] if there is none.
    pub(crate) cost: Cost,
    /// Whether it is known to have infinitely many values. False may mean that it is not known.
    pub(crate) endless: bool,
}

impl Schema {
    /// Whether it has no values beside the literals.
    pub(crate) fn is_finite(&self) -> bool {
        self.numbers.is_none() && self.strings.is_empty() && self.objects.is_empty() && self.arrays.is_empty()
    }

    /// The bytes with which its values end.
    pub(crate) fn last_bytes(&self) -> ByteSet {
        let mut bytes = ByteSet::default();
        bytes.add_all(self.literals.iter().filter_map(|literal| literal.last().copied()));
        for (some, ends) in [
            (self.numbers.is_some(), &b"0123456789"[..]),
            (!self.objects.is_empty(), b"}"),
            (!self.arrays.is_empty(), b"]"),
            (!self.strings.is_empty(), b"\""),
        ] {
            bytes.add(if some { ends } else { b"" });
        }
        bytes
    }

    /// The bytes with which its values begin.
    pub(crate) fn first_bytes(&self) -> ByteSet {
        let mut bytes = ByteSet::default();
        bytes.add_each(self.literals.iter().map(|literal| &**literal), 0);
        if let Some(numbers) = &self.numbers {
            let start = numbers.start();
            bytes.add_all(OF_NUMBERS.iter().filter(|&byte| numbers.next(start, byte).is_some()));
        }
        for (some, byte) in [(&self.objects, b'{'), (&self.arrays, b'[')] {
            bytes.add_all(some.iter().map(|_| byte));
        }
        bytes.add_all(self.strings.iter().map(|_| b'"'));
        bytes
    }
}

/// A schema for an entry, and the demands or counters of the container for which a value of the schema counts, a bit for each. Under
/// `{"contains": A, "items": B}` an entry is any value of B, which counts for nothing, or a value of A and B, which counts. In an object
/// with [clauses], `choices` are the conditions of their cases on the value of this key that a value of the schema meets, a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) schema: SchemaId,
    pub(crate) counts: u8,
    pub(crate) choices: u128,
}

/// The ways of an entry: any value of its schema, which counts for nothing, and the values that count.
fn ways(schema: SchemaId, counting: &[Way]) -> impl Iterator<Item = Way> {
    std::iter::once(Way { schema, counts: 0, choices: 0 }).chain(counting.iter().copied())
}

/// The greatest number of demands or counters of one container. Costs are found for each subset of
/// them, of which there are no more than `2^6`.
pub(crate) const MOST_COUNTERS: usize = 6;

/// How often each counter of an array has counted, up to [its top](array::Counter::top); for an object 1 where a demand is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Met(pub(crate) [u16; MOST_COUNTERS]);

impl Met {
    /// The demands that are met, a bit for each.
    pub(crate) fn set(&self) -> u8 {
        (0..MOST_COUNTERS).filter(|&bit| self.0[bit] > 0).fold(0, |set, bit| set | 1 << bit)
    }

    /// With these demands met too.
    pub(crate) fn with(mut self, counts: u8) -> Met {
        (0..MOST_COUNTERS).filter(|bit| counts >> bit & 1 == 1).for_each(|bit| self.0[bit] = 1);
        self
    }
}
