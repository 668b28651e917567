//! Sets of entries that meet the demands of an object, and what of them is remembered.

use crate::automaton::cost::Cost;
use crate::collections::cache::Cache;
use crate::json::shape::MOST_COUNTERS;
use std::cell::RefCell;

/// While the next keys of one state are looked for: by the demands that are met and the room for entries, the cheapest entries that meet the others.
#[derive(Debug, Default)]
pub(crate) struct KnownDemands(pub(super) RefCell<Vec<KnownMeeting>>);

/// The demands that are met and the room for entries, with the cheapest entries that meet the others.
type KnownMeeting = ((u8, u32), Option<Meeting>);

/// A set of entries that meets demands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meeting {
    /// The bytes that they add, with a comma each. A required property adds what the value that counts costs more than the cheapest one.
    pub(crate) bytes: u64,
    /// How many there are beside the required ones.
    pub(crate) entries: u32,
    /// The indices of the properties among them. Each of them meets another demand, so that there are no more than demands.
    named: [u32; MOST_COUNTERS],
    count: usize,
}

impl Meeting {
    /// With one more entry, a named one if `named`.
    pub(super) fn with(mut self, bytes: Cost, entries: u32, named: Option<u32>) -> Meeting {
        self.bytes += u64::from(bytes);
        self.entries += entries;
        if let (Some(index), Some(place)) = (named, self.named.get_mut(self.count)) {
            *place = index;
            self.count += 1;
        }
        self
    }

    pub(super) fn has(&self, index: u32) -> bool {
        self.named[..self.count].contains(&index)
    }
}

/// Answers of [`Object::met_best`](crate::json::shape::object::Object) over the life of a guide. One mask asks for them after each of the
/// values that a token can end, and again in each alternative. `None` until the costs of schemas are settled, and where a property beyond
/// the first 128 can meet demands.
#[derive(Debug, Default)]
pub(crate) struct Remembered(pub(super) Option<MeetingMemo>);

#[derive(Debug)]
pub(super) struct MeetingMemo {
    /// The properties that can meet demands, a bit for each.
    pub(super) meeting: u128,
    /// How many keys of each class there are as long as none was written, see [`Left`]; `None` if that is too much to remember.
    pub(super) supplies: Option<u64>,
    pub(super) best: Cache<Left, Option<Meeting>>,
}

/// Everything that the cheapest entries depend on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Left {
    pub(super) unmet: u8,
    /// The properties that can meet demands and may still come, a bit for each.
    pub(super) properties: u128,
    /// How many keys are left of each class that can meet demands, three bits for each.
    pub(super) supplies: u64,
    /// How many additional keys were written: the more, the longer another one may have to be.
    pub(super) others: u32,
    /// How many entries there is room for, up to the number of demands.
    pub(super) room: u32,
}
