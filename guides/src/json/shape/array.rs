//! One alternative of an array, and what it costs to complete it.
//!
//! `contains` becomes a counter: `{"contains": A, "minContains": 2}` counts the entries that are values of A, and the array can be closed
//! once there are two. A prefix of few entries and few counts is a table, worked out from the end; beyond the prefix all entries are alike,
//! so a formula does.

use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::shape::domain::Domains;
use crate::json::shape::spacing::Spacing;
use crate::json::shape::{Met, SchemaId, Way};

/// So many entries that counters ask for are taken to need another value each.
const ENTRIES_THAT_COUNT: u64 = 16;

/// One alternative of an array.
#[derive(Debug)]
pub(crate) struct Array {
    /// For each of the first entries its ways.
    pub(crate) prefix: Vec<Few<Way>>,
    /// The ways for all further ones.
    pub(crate) rest: Few<Way>,
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// Where entries are distinct, the values that they may have.
    pub(crate) distinct: Option<Domains>,
    pub(crate) counters: Vec<Counter>,
    /// Where there are counters: by the number of entries, up to the length of the prefix, and by the [`Array::code`] of the counts, the
    /// least bytes of the entries that must follow, with a comma each; [`Cost::NEVER`] if no entries lead to the end.
    pub(crate) table: Vec<Cost>,
    pub(crate) spacing: Spacing,
}

/// The least and the greatest number of entries that may count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter {
    pub(crate) min: u32,
    pub(crate) max: u32,
}

impl Counter {
    /// The count beyond which further entries make no difference, or are not allowed. It keeps the number of states finite.
    pub(crate) fn top(self) -> u32 {
        if self.max == u32::MAX { self.min } else { self.max.max(self.min) }
    }
}

impl Array {
    /// The ways for the entry at an index; indices beyond the prefix are all alike.
    pub(crate) fn entry(&self, at: u32) -> &Few<Way> {
        self.prefix.get(at as usize).unwrap_or(&self.rest)
    }

    /// The counts after an entry; `None` if a counter is at its top, so that the entry would count too often, or in vain.
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

    /// Whether the array may be closed after so many entries.
    pub(crate) fn may_close(&self, count: u32, met: &Met) -> bool {
        count >= self.min && self.lacking(met).all(|lacking| lacking == 0)
    }

    /// How often each counter must still count.
    fn lacking<'a>(&'a self, met: &'a Met) -> impl Iterator<Item = u32> + 'a {
        self.counters.iter().zip(met.0).map(|(counter, met)| counter.min.saturating_sub(u32::from(met)))
    }

    /// The length of `table`.
    pub(crate) fn table_size(&self) -> usize {
        if self.counters.is_empty() { 0 } else { self.codes().saturating_mul(self.prefix.len() + 1) }
    }

    /// The number of combinations of counts.
    fn codes(&self) -> usize {
        self.counters.iter().fold(1, |codes, counter| codes.saturating_mul(counter.top() as usize + 1))
    }

    /// The counts as digits of one number, each with the base of its counter.
    fn code(&self, met: &Met) -> usize {
        self.counters
            .iter()
            .zip(met.0)
            .fold(0, |code, (counter, met)| code * (counter.top() as usize + 1) + usize::from(met))
    }

    /// The counts that have this [`Array::code`].
    fn decode(&self, mut code: usize) -> Met {
        let mut met = Met::default();
        for (bit, counter) in self.counters.iter().enumerate().rev() {
            let range = counter.top() as usize + 1;
            met.0[bit] = (code % range) as u16;
            code /= range;
        }
        met
    }

    /// Fills in the table. It follows from the costs of the entries' schemas, so it is filled in again when these fall.
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
                        Some(costs(way.schema) + self.spacing.separator() + table[(index + 1) * codes + after])
                    });
                    Cost::least(later).min(now)
                };
            }
        }
        self.table = table;
    }

    /// Least bytes to the closing bracket, which is counted, when `count` entries are complete and the next one has index `at`. `is_empty`
    /// says that no entry was written.
    pub(crate) fn cost_to_close(
        &self,
        at: u32,
        count: u32,
        met: &Met,
        is_empty: bool,
        costs: &impl Fn(SchemaId) -> Cost,
    ) -> Cost {
        if count > self.max || self.min > self.max {
            return Cost::NEVER;
        }
        let bytes = if self.counters.is_empty() {
            self.bytes_missing(at, count, costs)
        } else {
            self.bytes_to_count(count, met, costs)
        };
        bytes.map_or(Cost::NEVER, |bytes| Cost::capped(self.spacing.to_close(is_empty, bytes)))
    }

    /// Least bytes of the entries that must follow in an array without counters that has `count`, with a comma each; `None` if one of them
    /// has no value. The next one has index `at`.
    fn bytes_missing(&self, at: u32, count: u32, costs: &impl Fn(SchemaId) -> Cost) -> Option<u64> {
        let missing = self.min.saturating_sub(count);
        let mut bytes = 0u64;
        let fixed = (self.prefix.len() as u32).saturating_sub(at).min(missing);
        for index in at..at + fixed {
            let cost = match (least(self.entry(index), costs), &self.distinct) {
                (Cost::NEVER, _) => return None,
                (cost, None) => cost,
                (cost, Some(domains)) => domains.cost_at(index, cost),
            };
            bytes = bytes.saturating_add(u64::from(cost) + self.comma());
        }
        let (used, missing) = (count + fixed, missing - fixed);
        if missing > 0 {
            let rest = match (least(&self.rest, costs), &self.distinct) {
                (Cost::NEVER, _) => return None,
                (cost, None) => (u64::from(cost) + self.comma()).saturating_mul(u64::from(missing)),
                (cost, Some(domains)) => domains.rest().sum_beside(used, missing, cost, self.comma())?,
            };
            bytes = bytes.saturating_add(rest);
        }
        Some(bytes)
    }

    /// Least bytes of the entries that must follow in an array with counters, with a comma each; `None` if none do.
    fn bytes_to_count(&self, count: u32, met: &Met, costs: &impl Fn(SchemaId) -> Cost) -> Option<u64> {
        let bytes = match self.table.get(count as usize * self.codes() + self.code(met)) {
            Some(&bytes) if (count as usize) < self.prefix.len() => bytes,
            _ => self.cost_beyond(count, met, costs),
        };
        match bytes {
            Cost::ZERO => Some(0),
            Cost::NEVER => None,
            bytes => {
                // The table does not say how many entries it counts.
                let entries = u64::from(self.min.saturating_sub(count)) + ENTRIES_THAT_COUNT;
                let further = self.distinct.as_ref().map_or(0, |domains| domains.further(count + entries as u32));
                Some(u64::from(bytes) + u64::from(further) * entries)
            }
        }
    }

    /// Bytes of a comma and of the white space that must follow it.
    fn comma(&self) -> u64 {
        u64::from(self.spacing.separator())
    }

    /// Least bytes of the entries beyond the prefix that must follow when there are `count`, with a comma each.
    ///
    /// It is a bound: either each counter gets entries of its own, or the same entries serve all counters. Which mixture is the least is a
    /// knapsack problem, and a mask needs no more than a way to the end that is not far from the least.
    fn cost_beyond(&self, count: u32, met: &Met, costs: &impl Fn(SchemaId) -> Cost) -> Cost {
        if count > self.max {
            return Cost::NEVER;
        }
        let (missing, room) = (self.min.saturating_sub(count), self.max - count);
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

    /// The cheapest entries that each of `counts` counts, `times` of them: their number, their bytes with a comma each, and the counts
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

    /// Bytes of `more` entries, once all counters have enough. Greedy: the cheapest way as often as its counters allow, then the next.
    fn cost_of_more(&self, more: u64, met: &Met, costs: &impl Fn(SchemaId) -> Cost) -> Option<u64> {
        let (mut missing, mut bytes, mut met) = (more, 0u64, *met);
        let mut ways: Vec<&Way> = self.rest.iter().filter(|way| !costs(way.schema).is_never()).collect();
        ways.sort_by_key(|way| costs(way.schema));
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
