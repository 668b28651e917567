//! Entries that meet the demands of an object, remembered.

use crate::automaton::cost::Cost;
use crate::collections::cache::Cache;
use crate::json::shape::MOST_COUNTERS;
use std::cell::RefCell;

/// The cheapest entries that meet the demands of an object that are not met, by those that are. As long as a property is not among them,
/// nothing changes once it is written: so the costs of many keys take one search.
#[derive(Debug, Default)]
pub(crate) struct KnownDemands(pub(super) RefCell<Vec<(u8, Option<Meeting>)>>);

/// Entries that meet demands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Meeting {
    /// The bytes that they add, with a comma each.
    pub(crate) bytes: u64,
    /// How many there are beside the required ones.
    pub(crate) entries: u32,
    /// The indices of those that are named, the first of them.
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

/// What meets the demands of an object best, by what is left to meet them: one mask asks for it after each of the values that a token
/// can end, and again in each alternative. Only once all costs are known, and where the first 128 properties are those that can meet
/// demands.
#[derive(Debug, Default)]
pub(crate) struct Remembered(pub(super) Option<MeetingMemo>);

#[derive(Debug)]
pub(crate) struct MeetingMemo {
    /// The properties that can meet demands, a bit for each.
    pub(super) meeting: u128,
    /// How many keys of each class there are as long as none was written, see [`Left`]; `None` if that is too much to remember.
    pub(super) supplies: Option<u64>,
    pub(super) best: Cache<Left, Option<Meeting>>,
}

/// What the best entries depend on.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Left {
    pub(super) unmet: u8,
    /// The properties that can meet demands and may still come, a bit for each.
    pub(super) properties: u128,
    /// How many keys there are of each class that can meet demands, three bits for each.
    pub(super) supplies: u64,
    /// The additional keys that were written.
    pub(super) others: u32,
}
