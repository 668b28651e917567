//! One alternative of an array, and what its entries cost.

use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::shape::spacing::Spacing;
use crate::json::shape::{Met, SchemaId, Way};

/// One alternative of an array.
#[derive(Debug)]
pub(crate) struct Array {
    /// For each of the first entries the ways in which it counts.
    pub(crate) prefix: Vec<Few<Way>>,
    /// The ways for all further ones.
    pub(crate) rest: Few<Way>,
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// Whether no two entries are equal, and if so how many bytes more than the least an entry may take to be another one.
    pub(crate) distinct: Option<u32>,
    pub(crate) counters: Vec<Counter>,
    /// Where there are counters: for each number of entries up to the length of the prefix, and each count that there can
    /// be, the least bytes of the entries that must follow, with a comma each; [`Cost::NEVER`] if there are none.
    pub(crate) table: Vec<Cost>,
    pub(crate) spacing: Spacing,
}

/// How many entries have to count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter {
    pub(crate) min: u32,
    pub(crate) max: u32,
}

impl Counter {
    /// The count beyond which it makes no difference, or is not allowed.
    pub(crate) fn top(self) -> u32 {
        if self.max == u32::MAX { self.min } else { self.max.max(self.min) }
    }
}

impl Array {
    /// The ways for the entry at an index; indices beyond the prefix are all alike.
    pub(crate) fn entry(&self, at: u32) -> &Few<Way> {
        self.prefix.get(at as usize).unwrap_or(&self.rest)
    }

    /// The counts after an entry; `None` if it would count too often, or in vain.
    pub(crate) fn counted(&self, met: &Met, way: &Way) -> Option<Met> {
        let mut next = *met;
        for (bit, counter) in self.counters.iter().enumerate().filter(|(bit, _)| way.counts >> bit & 1 == 1) {
            if u32::from(met.0[bit]) >= counter.top() {
                return None;
            }
            next.0[bit] += 1;
        }
        Some(next)
    }

    /// Whether the array may be closed with so many entries.
    pub(crate) fn may_close(&self, count: u32, met: &Met) -> bool {
        count >= self.min && self.lacking(met).all(|lacking| lacking == 0)
    }

    fn lacking<'a>(&'a self, met: &'a Met) -> impl Iterator<Item = u32> + 'a {
        self.counters.iter().zip(met.0).map(|(counter, met)| counter.min.saturating_sub(u32::from(met)))
    }

    /// Entries of `table`.
    pub(crate) fn table_size(&self) -> usize {
        if self.counters.is_empty() { 0 } else { self.codes().saturating_mul(self.prefix.len() + 1) }
    }

    fn codes(&self) -> usize {
        self.counters.iter().fold(1, |codes, counter| codes.saturating_mul(counter.top() as usize + 1))
    }

    fn code(&self, met: &Met) -> usize {
        self.counters
            .iter()
            .zip(met.0)
            .fold(0, |code, (counter, met)| code * (counter.top() as usize + 1) + usize::from(met))
    }

    fn decode(&self, mut code: usize) -> Met {
        let mut met = Met::default();
        for (bit, counter) in self.counters.iter().enumerate().rev() {
            let range = counter.top() as usize + 1;
            met.0[bit] = (code % range) as u16;
            code /= range;
        }
        met
    }

    /// Fills in what follows from the entries' costs.
    pub(crate) fn sum_up(&mut self, costs: &impl Fn(SchemaId) -> Cost) {
        if self.counters.is_empty() {
            return;
        }
        let (codes, length) = (self.codes(), self.prefix.len());
        let mut table = vec![Cost::NEVER; self.table_size()];
        for index in (0..=length).rev() {
            for code in 0..codes {
                let met = self.decode(code);
                table[index * codes + code] = if index == length {
                    self.cost_beyond(index as u32, &met, costs)
                } else {
                    let now = if self.may_close(index as u32, &met) { Cost::ZERO } else { Cost::NEVER };
                    let room = (index as u32) < self.max;
                    let ways = self.prefix[index].iter().filter(|_| room && now.is_never());
                    let later = ways.filter_map(|way| {
                        let after = self.code(&self.counted(&met, way)?);
                        Some(costs(way.schema) + (self.comma() as u32) + table[(index + 1) * codes + after])
                    });
                    Cost::least(later).min(now)
                };
            }
        }
        self.table = table;
    }

    /// Least bytes to the closing bracket, which is counted, when `count` entries are complete and the next one has
    /// index `at`. After an entry each further one takes a comma; `first` says that there is none yet.
    pub(crate) fn cost_to_close(
        &self,
        at: u32,
        count: u32,
        met: &Met,
        first: bool,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Cost {
        if count > self.max || self.min > self.max {
            return Cost::NEVER;
        }
        if !self.counters.is_empty() {
            let bytes = match self.table.get(count as usize * self.codes() + self.code(met)) {
                Some(&bytes) if (count as usize) < self.prefix.len() => bytes,
                _ => self.cost_beyond(count, met, costs),
            };
            return match bytes {
                Cost::ZERO => Cost::capped(self.closing(first, false)),
                Cost::NEVER => Cost::NEVER,
                bytes => {
                    let missing = u64::from(self.min.saturating_sub(count));
                    let apart = u64::from(self.distinct.unwrap_or(0)) * (missing + 16);
                    Cost::capped(
                        u64::from(bytes) + self.closing(first, true) + apart - if first { self.comma() } else { 0 },
                    )
                }
            };
        }
        let missing = self.min.saturating_sub(count);
        if missing == 0 {
            return Cost::capped(self.closing(first, false));
        }
        let mut bytes = 0u64;
        let fixed = (self.prefix.len() as u32).saturating_sub(at).min(missing);
        for index in at..at + fixed {
            match least(self.entry(index), costs) + self.distinct.unwrap_or(0) {
                Cost::NEVER => return Cost::NEVER,
                cost => bytes += u64::from(cost) + self.comma(),
            }
        }
        if missing > fixed {
            match least(&self.rest, costs) + self.distinct.unwrap_or(0) {
                Cost::NEVER => return Cost::NEVER,
                cost => {
                    bytes = bytes
                        .saturating_add((u64::from(cost) + self.comma()).saturating_mul(u64::from(missing - fixed)))
                }
            }
        }
        Cost::capped(bytes + self.closing(first, true) - if first { self.comma() } else { 0 })
    }

    /// Bytes of the closing bracket, and with `entries` of what comes with them where none is there yet.
    fn closing(&self, first: bool, entries: bool) -> u64 {
        let inside = u64::from(self.spacing.inside);
        match (first, entries) {
            (true, false) => 1,
            (true, true) => 1 + 2 * inside,
            (false, _) => 1 + inside,
        }
    }

    /// Bytes of a comma and of the white space that must follow it.
    fn comma(&self) -> u64 {
        1 + u64::from(self.spacing.comma)
    }

    /// Least bytes of the entries beyond the prefix that must follow when there are `count`, with a comma each.
    fn cost_beyond(&self, count: u32, met: &Met, costs: &impl Fn(SchemaId) -> Cost) -> Cost {
        if count > self.max {
            return Cost::NEVER;
        }
        let (missing, room) = (self.min.saturating_sub(count), self.max - count);
        // One entry for each time that a counter lacks, or entries that all the lacking counters count at once.
        let mut apart = Some((0u64, 0u64, *met));
        for bit in 0..self.counters.len() {
            let lacking = self.counters[bit].min.saturating_sub(u32::from(met.0[bit]));
            if lacking > 0 {
                apart = apart.and_then(|(entries, bytes, met)| {
                    let (number, cost, met) = self.repeated(1 << bit, lacking, &met, costs)?;
                    Some((entries + number, bytes + cost, met))
                });
            }
        }
        let all = (0..self.counters.len()).filter(|&bit| u32::from(met.0[bit]) < self.counters[bit].min);
        let all = all.fold(0u8, |set, bit| set | 1 << bit);
        let most = self.lacking(met).max().unwrap_or(0);
        let together = if all == 0 { None } else { self.repeated(all, most, met, costs) };
        Cost::least([apart, together].into_iter().flatten().filter_map(|(entries, bytes, met)| {
            let more = u64::from(missing).saturating_sub(entries);
            let more_bytes = if more == 0 { 0 } else { self.cost_of_more(more, &met, costs)? };
            (entries + more <= u64::from(room)).then(|| Cost::capped(bytes.saturating_add(more_bytes)))
        }))
    }

    /// The cheapest way to have all of `counts` counted `times` more: entries, bytes with a comma each, and the counts
    /// after them.
    fn repeated(
        &self,
        counts: u8,
        times: u32,
        met: &Met,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Option<(u64, u64, Met)> {
        let fits = |way: &&Way| {
            let mut bits = self.counters.iter().enumerate().filter(|(bit, _)| way.counts >> bit & 1 == 1);
            way.counts & counts == counts
                && bits.all(|(bit, counter)| counter.max == u32::MAX || u32::from(met.0[bit]) + times <= counter.max)
        };
        let way = self.rest.iter().filter(fits).min_by_key(|way| costs(way.schema))?;
        let cost = costs(way.schema);
        let mut after = *met;
        for (bit, counter) in self.counters.iter().enumerate().filter(|(bit, _)| way.counts >> bit & 1 == 1) {
            after.0[bit] = (u32::from(met.0[bit]) + times).min(counter.top()) as u16;
        }
        (!cost.is_never()).then(|| (u64::from(times), (u64::from(cost) + self.comma()) * u64::from(times), after))
    }

    /// Bytes of `more` entries, once all counters have enough.
    fn cost_of_more(&self, more: u64, met: &Met, costs: &impl Fn(SchemaId) -> Cost) -> Option<u64> {
        let (mut missing, mut bytes, mut met) = (more, 0u64, *met);
        let mut ways: Vec<&Way> = self.rest.iter().filter(|way| !costs(way.schema).is_never()).collect();
        ways.sort_by_key(|way| costs(way.schema));
        // The cheapest way as often as its counters allow, then the next.
        for way in ways {
            let limited = self
                .counters
                .iter()
                .enumerate()
                .filter(|(bit, counter)| way.counts >> bit & 1 == 1 && counter.max != u32::MAX);
            let times = limited.map(|(bit, counter)| u64::from(counter.max.saturating_sub(u32::from(met.0[bit]))));
            let times = times.min().unwrap_or(u64::MAX).min(missing);
            for (bit, _) in self.counters.iter().enumerate().filter(|(bit, _)| way.counts >> bit & 1 == 1) {
                met.0[bit] = met.0[bit].saturating_add(times.min(u64::from(u16::MAX)) as u16);
            }
            bytes = bytes.saturating_add((u64::from(costs(way.schema)) + self.comma()).saturating_mul(times));
            missing -= times;
            if missing == 0 {
                return Some(bytes);
            }
        }
        None
    }
}

/// Least bytes of an entry.
fn least(ways: &Few<Way>, costs: &impl Fn(SchemaId) -> Cost) -> Cost {
    Cost::least(ways.iter().map(|way| costs(way.schema)))
}

/// Bytes within which a value without end has others near it.
pub(crate) const FURTHER_AWAY: u32 = 8;
