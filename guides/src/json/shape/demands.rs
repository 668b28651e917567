//! Demands of an object: conditions that some of its entries must meet, and the cheapest entries that do.
//!
//! A demand comes from a condition that no key is named for, such as `{"not": {"additionalProperties": A}}`: some entry has a value that
//! is not of A. One entry may meet several demands, so the cheapest set of entries is a cover of the demands, found by dynamic programming
//! over their subsets.

use crate::automaton::cost::Cost;
use crate::collections::cache::Cache;
use crate::json::shape::meeting::{Left, Meeting, MeetingMemo, Remembered};
use crate::json::shape::object::{KeyClass, Object, Others, Progress};
use crate::json::shape::{MOST_COUNTERS, SchemaId};

/// With more classes of keys nothing is remembered: three bits for each hardly fit a number of 64.
const MOST_SUPPLIES: usize = 24;

/// So many answers are remembered for an object.
const MOST_REMEMBERED: usize = 1024;

/// Bytes of an answer and its key.
const MEETING_BYTES: usize = 100;

impl Object {
    /// Called once the costs of schemas are settled: answers hold from now on.
    pub(crate) fn remember_demands(&mut self) {
        self.clauses.remember();
        let meeting = self.meeting.iter().try_fold(0, |bits, &index| Some(bits | 1u128.checked_shl(index)?));
        let supplies = self.supplies(Others::default());
        self.remembered = Remembered(meeting.map(|meeting| MeetingMemo {
            meeting,
            supplies,
            best: Cache::new(MOST_REMEMBERED * MEETING_BYTES),
        }));
    }

    /// The cheapest entries that meet the demands that are left; `None` if no entries do.
    ///
    /// While the next keys are looked for, each property in turn is `latest`. The cheapest entries stay the same unless the property is one
    /// of them, so that one search serves most properties.
    pub(super) fn met_best(
        &self,
        progress: &Progress<'_>,
        others: Others<'_>,
        room: u32,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Option<Meeting> {
        if self.demanded & !progress.met == 0 {
            return Some(Meeting::default());
        }
        let room = room.min(MOST_COUNTERS as u32);
        let (Some(known), Some(latest)) = (progress.known, progress.latest) else {
            return self.recall_best(progress, others, room, costs);
        };
        let mut known = known.0.borrow_mut();
        let best = match known.iter().find(|(met, _)| *met == (progress.met, room)) {
            Some((_, best)) => *best,
            None => {
                let best = self.recall_best(&Progress { latest: None, ..*progress }, others, room, costs);
                known.push(((progress.met, room), best));
                best
            }
        };
        best.filter(|best| !best.has(latest))
            .or_else(|| best.and_then(|_| self.recall_best(progress, others, room, costs)))
    }

    /// As [`Object::find_best`], remembered by everything that the answer depends on.
    fn recall_best(
        &self,
        progress: &Progress<'_>,
        others: Others<'_>,
        room: u32,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Option<Meeting> {
        let Some(known) = &self.remembered.0 else { return self.find_best(progress, others, room, costs) };
        let none_written = others.count() == 0;
        let supplies = if none_written { known.supplies } else { self.supplies(others) };
        let Some(supplies) = supplies else { return self.find_best(progress, others, room, costs) };
        let (unmet, properties) = (self.demanded & !progress.met, progress.left() & known.meeting);
        let key = Left { unmet, properties, supplies, others: others.count(), room };
        known.best.get_or_make(key, |_, _| MEETING_BYTES, || self.find_best(progress, others, room, costs))
    }

    /// How many keys are left of each class that can meet demands, three bits for each. A set of demands never takes more than
    /// [`MOST_COUNTERS`] keys, so no more are counted. `None` if there are too many classes.
    fn supplies(&self, others: Others<'_>) -> Option<u64> {
        let Some(additional) = &self.additional else { return Some(1) };
        let mut written = [0u32; MOST_SUPPLIES];
        let meeting = (0..).zip(&additional.classes).filter(|(_, class)| !class.meets.is_empty());
        // Most classes have more keys left than are counted, so that the keys that were written need no look.
        if meeting.clone().any(|(_, class)| class.keys_left(others.count()) < MOST_COUNTERS as u32) {
            for class in others.classes(additional) {
                *written.get_mut(class as usize)? += 1;
            }
        }
        let mut left = meeting.map(|(index, class): (usize, _)| Some(class.keys_left(*written.get(index)?)));
        left.try_fold(1u64, |supplies, left| Some(supplies.checked_mul(8)? + u64::from(left?)))
    }

    /// By dynamic programming over the subsets of the demands that are left, and over the number of entries, of which there is room for
    /// `room`: two cheap entries may meet what one dear entry meets. Each property, and each key of a class, is used at most once:
    /// it extends the answers from before it was considered.
    fn find_best(
        &self,
        progress: &Progress<'_>,
        others: Others<'_>,
        room: u32,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Option<Meeting> {
        let unmet = self.demanded & !progress.met;
        // As many entries as there are demands meet them wherever any entries do, so that more room makes no difference.
        let counted = room < unmet.count_ones();
        let rows = if counted { room as usize + 1 } else { 1 };
        let subsets = usize::from(unmet) + 1;
        // By subset of the demands, and by the number of entries where it matters.
        let mut best: Vec<Option<Meeting>> = vec![None; subsets * rows];
        best[0] = Some(Meeting::default());
        let mut before = best.clone();
        let table = Table { subsets, rows, counted };
        for &index in self.meeting.iter().filter(|&&index| progress.is_left(index)) {
            let property = &self.properties[index as usize];
            before.copy_from_slice(&best);
            for way in property.meets.iter().filter(|way| !costs(way.schema).is_never()) {
                let (bytes, entries) = if property.required {
                    (Cost::bytes(costs(way.schema).beyond(costs(property.schema))), 0)
                } else {
                    (
                        costs(way.schema)
                            + (property.spelling.len() as u32 + 2 + self.spacing.colon + self.spacing.separator()),
                        1,
                    )
                };
                table.offer(&mut best, &before, way.counts & unmet, entries, |met| {
                    met.with(bytes, entries, Some(index))
                });
            }
        }
        let Some(additional) = &self.additional else { return table.all_met(&best) };
        let used = u64::from(others.count()) + (self.properties.len() + MOST_COUNTERS) as u64;
        for (index, class) in (0..).zip(&additional.classes) {
            if class.key_cost.is_never() || class.meets.is_empty() {
                continue;
            }
            let written = others.classes(additional).filter(|&other| other == index).count() as u32;
            for _ in 0..unmet.count_ones().min(class.keys_left(written)) {
                before.copy_from_slice(&best);
                for way in class.meets.iter().filter(|way| !costs(way.schema).is_never()) {
                    let bytes = costs(way.schema)
                        + additional.key_length(used, class)
                        + (3 + self.spacing.colon + self.spacing.separator());
                    table.offer(&mut best, &before, way.counts & unmet, 1, |met| met.with(bytes, 1, None));
                }
            }
        }
        table.all_met(&best)
    }
}

impl KeyClass {
    /// How many keys of the class are neither named nor among the `written` ones, counted up to [`MOST_COUNTERS`].
    fn keys_left(&self, written: u32) -> u32 {
        self.supply.saturating_sub(self.named).saturating_sub(written).min(MOST_COUNTERS as u32)
    }
}

/// The answers by subset of the demands, in a row for each number of entries where it is counted.
struct Table {
    subsets: usize,
    rows: usize,
    counted: bool,
}

impl Table {
    /// Extends the answers from before an entry by the entry, which meets the demands `counts`.
    fn offer(
        &self,
        best: &mut [Option<Meeting>],
        before: &[Option<Meeting>],
        counts: u8,
        entries: u32,
        with: impl Fn(Meeting) -> Meeting,
    ) {
        let step = if self.counted { entries as usize } else { 0 };
        for row in 0..self.rows.saturating_sub(step) {
            for set in 0..self.subsets {
                if let Some(found) = before[row * self.subsets + set] {
                    let after = &mut best[(row + step) * self.subsets + (set | usize::from(counts))];
                    let offered = with(found);
                    if after.is_none_or(|after| (offered.bytes, offered.entries) < (after.bytes, after.entries)) {
                        *after = Some(offered);
                    }
                }
            }
        }
    }

    /// The cheapest answer that meets all demands.
    fn all_met(&self, best: &[Option<Meeting>]) -> Option<Meeting> {
        let rows = best.chunks(self.subsets).filter_map(|row| *row.last()?);
        rows.min_by_key(|met| (met.bytes, met.entries))
    }
}
