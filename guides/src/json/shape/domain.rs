//! The values that the entries of an array with `uniqueItems` may have, as far as they are few or cheap.
//!
//! Distinct entries are a matching of entries to values: under `{"prefixItems": [{"enum": ["a", "b"]}, {"const": "a"}], "minItems": 2}` the
//! first entry cannot be `"a"`, since nothing is left for the second one (Hall 1935). And they cost more and more: of arrays of `null` the
//! fifth different one has four nulls. A [`Domain`] knows the cheapest values of an entry, and whether there are others.

use crate::automaton::cost::Cost;
use crate::json::text::decimal::Decimal;
use crate::json::text::escape::write_string;
use crate::json::text::value::Value;
use foldhash::{HashMap, HashMapExt};
use std::sync::Arc;

/// Bytes by which a value may have to be longer than the shortest one to differ from other entries, where there are values without end:
/// eight more bytes give more values than an output has entries.
pub(crate) const FURTHER_AWAY: u32 = 8;

/// With more entries to match no values are barred: no prefix is that long, and entries beyond it are alike.
const MOST_MATCHED: usize = 512;

/// A value of a domain.
#[derive(Debug, Clone)]
pub(crate) struct DomainValue {
    pub(crate) value: Value,
    /// The bytes of one of its spellings.
    pub(crate) cost: Cost,
}

/// Some of the values of an entry, the cheapest first.
#[derive(Debug, Default)]
pub(crate) struct Domain {
    pub(crate) values: Vec<DomainValue>,
    /// Whether there are no others.
    pub(crate) whole: bool,
    /// Within so many bytes there are more values than an output has entries.
    pub(crate) wide: Option<Cost>,
}

impl Domain {
    /// The values of several domains together.
    pub(crate) fn union<'d>(domains: impl Iterator<Item = &'d Domain>) -> Domain {
        let mut all = Domain { whole: true, ..Domain::default() };
        let mut known = HashMap::new();
        for domain in domains {
            all.whole &= domain.whole;
            all.wide = [all.wide, domain.wide].into_iter().flatten().min();
            for one in &domain.values {
                if known.insert(identity(&one.value), ()).is_none() {
                    all.values.push(one.clone());
                }
            }
        }
        all.values.sort_by_key(|one| one.cost);
        all
    }
}

/// What a value costs that differs from a number of others.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    /// The bytes of the cheapest values, the cheapest first.
    costs: Vec<Cost>,
    /// By index, the sum of the costs before it.
    sums: Vec<u64>,
    whole: bool,
    wide: Option<Cost>,
    /// By how much a value may be dearer than the one before it, beyond those that are known: as much as among the dearer half of these.
    step: u32,
}

impl Spread {
    fn new(domain: &Domain) -> Spread {
        let capped = |one: &DomainValue| domain.wide.map_or(one.cost, |wide| one.cost.min(wide));
        let costs: Vec<Cost> = domain.values.iter().map(capped).collect();
        let sums = costs.iter().scan(0u64, |sum, &cost| Some(std::mem::replace(sum, *sum + u64::from(cost)))).collect();
        let steps = costs[costs.len() / 2..].windows(2).map(|pair| pair[1].beyond(pair[0]));
        let step = steps.max().unwrap_or(FURTHER_AWAY).max(1);
        Spread { sums, whole: domain.whole, wide: domain.wide, step, costs }
    }

    /// Whether no value is dearer than the dearest one that is known.
    fn is_level(&self) -> bool {
        self.whole || self.wide.is_some() || self.costs.is_empty()
    }

    /// Bytes within which some value differs from `used` others; `least` are those of the cheapest value.
    fn cost_beside(&self, used: u32, least: Cost) -> Cost {
        let Some(&last) = self.costs.last() else {
            return if self.whole { Cost::NEVER } else { least + FURTHER_AWAY };
        };
        let beyond = (used + 1).saturating_sub(self.costs.len() as u32);
        match (self.costs.get(used as usize), self.wide) {
            (Some(&cost), _) => cost,
            (None, _) if self.whole => last,
            (None, Some(wide)) => wide,
            (None, None) => last + self.step.saturating_mul(beyond),
        }
    }

    /// The sum of [`Self::cost_beside`] over so many entries, `used` before the first of them, with `more` bytes for each.
    pub(crate) fn sum_beside(&self, used: u32, entries: u32, least: Cost, more: u64) -> Option<u64> {
        let known = (self.costs.len() as u32).saturating_sub(used).min(entries);
        let sum_before = |index: u32| match self.sums.get(index as usize) {
            Some(&sum) => sum,
            None => self.sums.last().zip(self.costs.last()).map_or(0, |(&sum, &last)| sum + u64::from(last)),
        };
        let sum = if known == 0 { 0 } else { sum_before(used + known) - sum_before(used) };
        let others = u64::from(entries - known);
        let first = match self.cost_beside(used + known, least) {
            _ if others == 0 => 0,
            Cost::NEVER => return None,
            cost => u64::from(cost),
        };
        let growth = if self.is_level() { 0 } else { u64::from(self.step) };
        // Each of the others costs as much more than the one before it.
        let growing = (others * others.saturating_sub(1) / 2).saturating_mul(growth);
        let alike = others.saturating_mul(first).saturating_add(u64::from(entries).saturating_mul(more));
        Some(sum.saturating_add(alike).saturating_add(growing))
    }
}

/// The domains of the entries of one array.
#[derive(Debug, Default)]
pub(crate) struct Domains {
    /// Of the first entries.
    prefix: Vec<Spread>,
    /// Of all further ones.
    rest: Spread,
    /// The numbers of the values, by what tells values apart, where there is a prefix and some entry has few values.
    numbers: HashMap<String, u32>,
    values: Vec<Value>,
    /// By index of an entry, the last one for all further ones: the numbers of its values; `None` if there are others.
    members: Vec<Option<Vec<u32>>>,
}

impl Domains {
    pub(crate) fn new(prefix: &[Arc<Domain>], rest: &Arc<Domain>) -> Domains {
        let spreads = prefix.iter().map(|domain| Spread::new(domain)).collect();
        let mut domains = Domains { prefix: spreads, rest: Spread::new(rest), ..Domains::default() };
        if !prefix.is_empty() && prefix.iter().chain([rest]).any(|domain| domain.whole) {
            for domain in prefix.iter().chain([rest]) {
                let numbers = domain.whole.then(|| {
                    let number = |one: &DomainValue| {
                        *domains.numbers.entry(identity(&one.value)).or_insert_with(|| {
                            domains.values.push(one.value.clone());
                            domains.values.len() as u32 - 1
                        })
                    };
                    domain.values.iter().map(number).collect()
                });
                domains.members.push(numbers);
            }
        }
        domains
    }

    fn at(&self, index: u32) -> &Spread {
        self.prefix.get(index as usize).unwrap_or(&self.rest)
    }

    pub(crate) fn rest(&self) -> &Spread {
        &self.rest
    }

    /// By how many bytes the value of an entry may exceed the least, beside so many others.
    pub(crate) fn further(&self, used: u32) -> u32 {
        let further = |spread: &Spread| {
            let least = spread.costs.first().copied().unwrap_or(Cost::ZERO);
            let cost = spread.cost_beside(used, least);
            if cost.is_never() { 0 } else { cost.beyond(least) }
        };
        self.prefix.iter().chain([&self.rest]).map(further).max().unwrap_or(0)
    }

    /// Bytes within which the entry at `index` of the prefix can have a value; the cheapest has `least`.
    pub(crate) fn cost_at(&self, index: u32, least: Cost) -> Cost {
        let spread = self.at(index);
        // Of few values the cheap ones may be left to other entries.
        let used = if spread.whole { spread.costs.len() as u32 } else { index };
        spread.cost_beside(used, least)
    }

    /// The greatest number of entries, at most `max`, that can have different values.
    pub(crate) fn longest(&self, max: u32) -> u32 {
        let rest = if self.rest.whole { self.rest.costs.len() } else { u32::MAX as usize };
        let most = max.min(self.prefix.len().saturating_add(rest).min(u32::MAX as usize) as u32);
        let mut matching = Matching::new(self.values.len());
        let last = if self.rest.whole { most } else { most.min(self.prefix.len() as u32) };
        for index in 0..last.min(MOST_MATCHED as u32) {
            if self.members_at(index).is_some_and(|members| !matching.add(members, &|_| false)) {
                return index;
            }
        }
        most
    }

    fn members_at(&self, index: u32) -> Option<&[u32]> {
        self.members.get((index as usize).min(self.members.len().saturating_sub(1)))?.as_deref()
    }

    /// Whether what the next entry is matters: whether a later one, up to the least length, has few values, and the next is not like it.
    pub(crate) fn is_tight(&self, next: u32) -> bool {
        !self.members.is_empty() && (next as usize) < self.prefix.len()
    }

    /// Whether the entries from `next` to `min` can have different values beside the `used` ones, and the next one this value.
    pub(crate) fn fits(&self, next: u32, min: u32, used: &[&Value], value: &Value) -> bool {
        let number = |value: &Value| self.numbers.get(&identity(value)).copied();
        let own = number(value);
        if self.members_at(next).is_some_and(|members| own.is_none_or(|own| !members.contains(&own))) {
            return false;
        }
        let taken: Vec<u32> = used.iter().filter_map(|value| number(value)).chain(own).collect();
        self.fits_beside(next + 1, min, &taken)
    }

    /// Whether the entries after these ones, up to `min`, can have different values.
    pub(crate) fn fits_after(&self, used: &[&Value], min: u32) -> bool {
        let taken: Vec<u32> = used.iter().filter_map(|value| self.numbers.get(&identity(value)).copied()).collect();
        self.fits_beside(used.len() as u32, min, &taken)
    }

    fn fits_beside(&self, next: u32, min: u32, taken: &[u32]) -> bool {
        let mut matching = Matching::new(self.values.len());
        let last = min.min(next.saturating_add(MOST_MATCHED as u32));
        let mut entries = (next..last).filter_map(|index| self.members_at(index));
        entries.all(|members| matching.add(members, &|value| taken.contains(&value)))
    }

    /// The values that decide about the entries from `next` to `min`.
    pub(crate) fn candidates(&self, next: u32, min: u32) -> Vec<&Value> {
        let last = min.max(next + 1).min(next + MOST_MATCHED as u32);
        let mut numbers: Vec<u32> =
            (next..last).filter_map(|index| self.members_at(index)).flatten().copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().map(|number| &self.values[number as usize]).collect()
    }

    /// Whether the entry after `used` can have a value that no other one has, with enough left for the entries up to `min`.
    pub(crate) fn may_follow(&self, used: &[&Value], min: u32) -> bool {
        let next = used.len() as u32;
        let spread = self.at(next);
        if !spread.whole {
            return true;
        }
        let entries = min.saturating_sub(next).max(1) as usize;
        let Some(members) = self.members_at(next) else { return used.len() + entries <= spread.costs.len() };
        let used_numbers: Vec<u32> =
            used.iter().filter_map(|value| self.numbers.get(&identity(value)).copied()).collect();
        let mut others = members.iter().filter(|number| !used_numbers.contains(number));
        if self.is_tight(next) {
            return others.any(|&number| self.fits(next, min, used, &self.values[number as usize]));
        }
        others.count() >= entries
    }
}

/// What tells values apart: equal values have one, however they are spelled.
fn identity(value: &Value) -> String {
    match value {
        Value::Number(text) => match Decimal::parse(text) {
            Some(number) => {
                let (digits, place) = number.significant();
                format!("{}{digits:?}{place}", if number.negative { "-" } else { "" })
            }
            None => text.clone(),
        },
        Value::String(text) => write_string(text),
        Value::Array(items) => format!("[{}]", items.iter().map(identity).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let mut members: Vec<String> =
                members.iter().map(|(key, value)| format!("{}:{}", write_string(key), identity(value))).collect();
            members.sort_unstable();
            format!("{{{}}}", members.join(","))
        }
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".to_owned(),
    }
}

/// A matching of entries to values, by augmenting paths (Kuhn 1955).
struct Matching<'m> {
    entries: Vec<&'m [u32]>,
    /// By value, the entry that has it.
    owner: Vec<Option<usize>>,
}

impl<'m> Matching<'m> {
    fn new(values: usize) -> Matching<'m> {
        Matching { entries: Vec::new(), owner: vec![None; values] }
    }

    /// Adds an entry with these values but for the `taken` ones; whether it can be matched beside the others.
    fn add(&mut self, values: &'m [u32], taken: &impl Fn(u32) -> bool) -> bool {
        self.entries.push(values);
        let mut seen = vec![false; self.owner.len()];
        self.augment(self.entries.len() - 1, taken, &mut seen)
    }

    fn augment(&mut self, entry: usize, taken: &impl Fn(u32) -> bool, seen: &mut [bool]) -> bool {
        for &value in self.entries[entry] {
            let at = value as usize;
            if taken(value) || std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let is_free = match self.owner[at] {
                None => true,
                Some(other) => self.augment(other, taken, seen),
            };
            if is_free {
                self.owner[at] = Some(entry);
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::text::value;

    fn value(text: &str) -> Value {
        value::parse(text, 9).expect("JSON")
    }

    fn domain(texts: &[&str]) -> Arc<Domain> {
        let one = |text: &&str| DomainValue { value: value(text), cost: Cost::of(text.as_bytes()) };
        Arc::new(Domain { values: texts.iter().map(one).collect(), whole: true, wide: None })
    }

    #[test]
    fn a_value_that_a_later_entry_needs_does_not_fit() {
        let domains = Domains::new(&[domain(&["1", "2", "3"]), domain(&["1", "2"])], &domain(&["1"]));
        let fitting = |used: &[&Value]| -> Vec<&str> {
            ["1", "2", "3"].into_iter().filter(|text| domains.fits(used.len() as u32, 3, used, &value(text))).collect()
        };
        assert_eq!((fitting(&[]), domains.longest(9)), (vec!["3"], 3));
        assert_eq!(fitting(&[&value("3.0")]), ["2"]);
        assert!(!domains.may_follow(&[&value("1")], 3) && !domains.fits_after(&[&value("1")], 3));
        assert!(domains.may_follow(&[&value("3"), &value("2")], 3));
    }

    #[test]
    fn the_nth_different_value_costs_what_the_nth_cheapest_does() {
        let values = domain(&["1", "22", "4444"]);
        let costs = |spread: &Spread| [0, 1, 2, 3, 4].map(|used| spread.cost_beside(used, Cost::ZERO).get());
        let more = Domain { whole: false, values: values.values.clone(), wide: None };
        let many = Domain { wide: Some(Cost::bytes(5)), whole: false, values: values.values.clone() };
        for (domain, expected) in [(&*values, [1, 2, 4, 4, 4]), (&more, [1, 2, 4, 6, 8]), (&many, [1, 2, 4, 5, 5])] {
            let spread = Spread::new(domain);
            assert_eq!(costs(&spread), expected);
            for (used, entries) in (0..5).flat_map(|used| (0..6).map(move |entries| (used, entries))) {
                let each = (used..used + entries).map(|used| u64::from(spread.cost_beside(used, Cost::ZERO)) + 10);
                assert_eq!(spread.sum_beside(used, entries, Cost::ZERO, 10), Some(each.sum()), "{used} {entries}");
            }
        }
    }

    #[test]
    fn equal_values_are_one_however_they_are_spelled() {
        assert_eq!(identity(&value(r#"{"a":[1.0,"x"],"b":-0}"#)), identity(&value(r#"{"b":0,"a":[10e-1,"\u0078"]}"#)));
        assert_ne!(identity(&value("\"1\"")), identity(&value("1")));
    }
}
