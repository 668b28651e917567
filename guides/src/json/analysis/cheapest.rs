//! The cheapest values of the entries of arrays with `uniqueItems`, see [`Domain`].
//!
//! Values are listed best first, in the manner of Dijkstra: numbers and strings along their automata, arrays and objects from the cheapest
//! values of their entries. A list that ends is whole; that is how an array finds that it has fewer values than it needs.

use crate::automaton::cost::Cost;
use crate::error::CompileError;
use crate::json::analysis::Builder;
use crate::json::language::number::Numbers;
use crate::json::language::strings::Strings;
use crate::json::shape::array::Array;
use crate::json::shape::domain::{Domain, DomainValue, Domains, FURTHER_AWAY};
use crate::json::shape::object::Object;
use crate::json::shape::{SchemaId, Way};
use crate::json::text::escape::spelled_length;
use crate::json::text::value::{self, Members, Value};
use foldhash::{HashMap, HashMapExt};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// The most values of a schema of scalars that are listed. The literals of an `enum` are listed all.
const MOST_SCALARS: usize = 256;

/// The most strings of a pattern that are listed.
const MOST_STRINGS: usize = 64;

/// The most arrays, or objects, of a schema that are listed.
const MOST_CONTAINERS: usize = 16;

/// The most steps along an automaton for one list.
const MOST_PATHS: usize = 4096;

/// How deep values are listed within each other.
const DEEPEST_LISTED: u32 = 3;

/// Optional properties, in their order, that objects are listed with.
const MOST_OPTIONAL: usize = 8;

/// Keys that are not named, that objects are listed with.
const MOST_KEYS: usize = 4;

/// The lists so far.
type KnownDomains = HashMap<(SchemaId, u32), Arc<Domain>>;

impl Builder<'_> {
    /// For each array with unique entries what they may be, and how long it can be.
    pub(super) fn tell_entries_apart(&mut self) -> Result<(), CompileError> {
        let mut known = KnownDomains::new();
        for index in 0..self.arrays.len() {
            if self.arrays[index].distinct.is_none() {
                continue;
            }
            self.spend(1, &[])?;
            let array = &self.arrays[index];
            let prefix = array.prefix.iter().map(|ways| self.domain_of(ways.as_slice(), &mut known));
            let prefix: Vec<Arc<Domain>> = prefix.collect();
            let domains = Domains::new(&prefix, &self.domain_of(array.rest.as_slice(), &mut known));
            let max = domains.longest(array.max);
            let scarce = (0..array.counters.len()).any(|bit| self.is_scarce(array, bit, &mut known));
            let array = &mut self.arrays[index];
            array.max = if scarce { 0 } else { max };
            array.min = if scarce { array.min.max(1) } else { array.min };
            array.distinct = Some(domains);
        }
        Ok(())
    }

    fn domain_of(&self, ways: &[Way], known: &mut KnownDomains) -> Arc<Domain> {
        match ways {
            [way] => self.domain(way.schema, 0, known),
            ways => {
                let domains: Vec<_> = ways.iter().map(|way| self.domain(way.schema, 0, known)).collect();
                Arc::new(Domain::union(domains.iter().map(|domain| &**domain)))
            }
        }
    }

    /// Whether fewer values count for a counter than it asks for.
    fn is_scarce(&self, array: &Array, bit: usize, known: &mut KnownDomains) -> bool {
        let all = array.prefix.iter().chain([&array.rest]).flat_map(|ways| ways.iter());
        let counting = all.filter(|way| way.counts >> bit & 1 == 1);
        let domains: Vec<_> = counting.map(|way| self.domain(way.schema, 0, known)).collect();
        let values = Domain::union(domains.iter().map(|domain| &**domain));
        values.whole && values.values.len() < array.counters[bit].min as usize
    }

    /// The cheapest values of a schema.
    fn domain(&self, id: SchemaId, depth: u32, known: &mut KnownDomains) -> Arc<Domain> {
        if depth > DEEPEST_LISTED {
            return Arc::default();
        }
        if let Some(known) = known.get(&(id, depth)) {
            return known.clone();
        }
        // A schema within itself lists nothing there.
        known.insert((id, depth), Arc::default());
        let schema = &self.schemas[id.index()];
        let literals = schema.literals.iter().filter_map(|literal| {
            let value = value::parse(std::str::from_utf8(literal).ok()?, usize::MAX).ok()?;
            Some(DomainValue { value, cost: Cost::of(literal) })
        });
        let mut parts = vec![Domain { values: literals.collect(), whole: true, wide: None }];
        parts.extend(schema.numbers.iter().map(|numbers| of_numbers(numbers)));
        parts.extend(schema.strings.iter().map(|strings| of_strings(strings)));
        for &array in &schema.arrays {
            parts.push(self.of_array(&self.arrays[array.index()], depth, known));
        }
        for &object in &schema.objects {
            parts.push(self.of_object(&self.objects[object.index()], depth, known));
        }
        let domain = Arc::new(Domain::union(parts.iter()));
        known.insert((id, depth), domain.clone());
        domain
    }

    fn of_array(&self, array: &Array, depth: u32, known: &mut KnownDomains) -> Domain {
        if !array.counters.is_empty() || array.min as usize > MOST_CONTAINERS {
            return Domain::default();
        }
        let comma = array.spacing.separator();
        let mut found: Vec<DomainValue> = Vec::new();
        let mut level: Vec<(Cost, Vec<Value>)> = vec![(Cost::ZERO, Vec::new())];
        let (mut whole, mut wide) = (true, None);
        for length in 0..=array.max {
            if length >= array.min {
                found.extend(level.iter().map(|(cost, items)| DomainValue {
                    value: Value::Array(items.clone()),
                    cost: Cost::capped(array.spacing.to_close(true, u64::from(cost.get())) + 1),
                }));
            }
            if level.is_empty() || length == array.max {
                break;
            }
            found.sort_by_key(|one| one.cost);
            let dearest = found.get(MOST_CONTAINERS - 1).map(|one| one.cost);
            if length as usize > MOST_CONTAINERS || dearest.is_some_and(|dearest| level[0].0 >= dearest) {
                whole = false;
                break;
            }
            let entry = self.domain_at(array, length, depth, known);
            whole &= entry.whole;
            if let (None, Some(each)) = (wide, entry.wide) {
                let before = level[0].0;
                let rest = self.least_of_more(array, length + 1, depth, known);
                wide = rest.map(|rest| {
                    Cost::capped(array.spacing.to_close(true, u64::from((before + each + comma + rest).get())) + 1)
                });
            }
            let mut next: Vec<(Cost, Vec<Value>)> = Vec::new();
            for (cost, items) in &level {
                for one in entry.values.iter().take(MOST_CONTAINERS + 1) {
                    if array.distinct.is_none() || !items.iter().any(|item| value::same(item, &one.value)) {
                        let items = items.iter().cloned().chain([one.value.clone()]).collect();
                        next.push((*cost + one.cost + comma, items));
                    }
                }
            }
            whole &= entry.values.len() <= MOST_CONTAINERS;
            whole &= keep_cheapest(&mut next, |(cost, _)| *cost);
            level = next;
        }
        whole &= keep_cheapest(&mut found, |one| one.cost);
        Domain { values: found, whole, wide }
    }

    /// The cheapest values of the entry at an index of an array within another value.
    fn domain_at(&self, array: &Array, index: u32, depth: u32, known: &mut KnownDomains) -> Arc<Domain> {
        let domains: Vec<_> = array.entry(index).iter().map(|way| self.domain(way.schema, depth + 1, known)).collect();
        match &*domains {
            [only] => only.clone(),
            domains => Arc::new(Domain::union(domains.iter().map(|domain| &**domain))),
        }
    }

    /// Bytes of the cheapest entries from an index on that an array must have, with a comma each.
    fn least_of_more(&self, array: &Array, from: u32, depth: u32, known: &mut KnownDomains) -> Option<Cost> {
        (from..array.min).try_fold(Cost::ZERO, |sum, index| {
            let entry = self.domain_at(array, index, depth, known);
            Some(sum + entry.values.get(index as usize).or(entry.values.last())?.cost + array.spacing.separator())
        })
    }

    fn of_object(&self, object: &Object, depth: u32, known: &mut KnownDomains) -> Domain {
        if object.demanded != 0 || object.min as usize > MOST_CONTAINERS {
            return Domain::default();
        }
        let mut whole = true;
        let mut entries: Vec<(String, u32, bool, Arc<Domain>)> = Vec::new();
        let mut optional = 0;
        for property in &object.properties {
            optional += usize::from(!property.required);
            if !property.required && optional > MOST_OPTIONAL {
                whole = false;
                continue;
            }
            let domain = self.domain(property.schema, depth + 1, known);
            entries.push((property.name.to_string(), property.spelling.len() as u32 + 1, property.required, domain));
        }
        if let Some(additional) = &object.additional {
            let keys = of_strings(&Strings { max: u32::MAX, ..additional.keys.clone() });
            whole &= keys.whole && keys.values.len() <= MOST_KEYS;
            let named = |key: &str| object.properties.iter().any(|property| &*property.name == key);
            for one in keys.values.iter().take(MOST_KEYS) {
                let Value::String(key) = &one.value else { continue };
                let class = additional.class(key.as_bytes()).and_then(|class| additional.classes.get(class as usize));
                if let Some(class) = class.filter(|_| !named(key)) {
                    let domain = self.domain(class.schema, depth + 1, known);
                    entries.push((key.clone(), one.cost.get(), false, domain));
                }
            }
        }
        let beside = object.spacing.colon + 1 + object.spacing.separator();
        // By the number of entries, up to the least one.
        type Partial = (Cost, Vec<(String, Value)>);
        let most = object.min as usize;
        let mut levels: Vec<Vec<Partial>> = vec![Vec::new(); most + 1];
        levels[0].push((Cost::ZERO, Vec::new()));
        for (key, length, required, domain) in &entries {
            whole &= domain.whole && domain.values.len() <= MOST_CONTAINERS;
            let mut next: Vec<Vec<Partial>> = vec![Vec::new(); most + 1];
            for (count, level) in levels.into_iter().enumerate() {
                for (cost, members) in level {
                    for one in domain.values.iter().take(MOST_CONTAINERS) {
                        if members.len() < object.max as usize {
                            let members = members.iter().cloned().chain([(key.clone(), one.value.clone())]).collect();
                            next[most.min(count + 1)].push((cost + one.cost + (*length + beside), members));
                        }
                    }
                    if !required {
                        next[count].push((cost, members));
                    }
                }
            }
            for level in &mut next {
                whole &= keep_cheapest(level, |(cost, _)| *cost);
            }
            levels = next;
        }
        let values = levels.pop().unwrap_or_default().into_iter().filter_map(|(cost, members)| {
            let bytes = object.spacing.to_close(true, u64::from(cost.get())) + 1;
            Some(DomainValue { value: Value::Object(Members::new(members).ok()?), cost: Cost::capped(bytes) })
        });
        let values: Vec<DomainValue> = values.collect();
        let least = values.first().map(|one| one.cost);
        // A property that is always there, or one key more, of which there are many.
        let of_required = entries
            .iter()
            .filter(|entry| entry.2)
            .filter_map(|(_, _, _, domain)| Some(least? + domain.wide?.beyond(domain.values.first()?.cost)));
        let of_key = object.additional.as_ref().filter(|_| object.max == u32::MAX).and_then(|additional| {
            let [class] = &*additional.classes else { return None };
            let keys = &additional.keys.characters;
            let value = self.domain(class.schema, depth + 1, known).values.first()?.cost;
            let is_wide = keys.is_universal(additional.keys.start().state) && keys.spelled().are_many();
            is_wide.then_some(least? + value + (2 + beside + FURTHER_AWAY))
        });
        Domain { wide: of_required.chain(of_key).min(), values, whole }
    }
}

/// Keeps the cheapest ones of a list, in order. Whether it keeps all.
fn keep_cheapest<T>(list: &mut Vec<T>, cost: impl Fn(&T) -> Cost) -> bool {
    list.sort_by_key(cost);
    let all = list.len() <= MOST_CONTAINERS;
    list.truncate(MOST_CONTAINERS);
    all
}

/// The shortest spellings without exponents, trailing zeros and the like, of which each number has one.
fn of_numbers(numbers: &Numbers) -> Domain {
    // Where a remainder is counted beside the automaton, the list would need it too.
    let Some(dfa) = numbers.automaton().filter(|dfa| dfa.len() * PLAIN_STATES <= MOST_PLAIN) else {
        return Domain::default();
    };
    // The least bytes to the end of such a spelling, by state of the product with their grammar.
    let place = |state: u32, plain: u8| state as usize * PLAIN_STATES + usize::from(plain);
    let mut before: Vec<Vec<u32>> = vec![Vec::new(); dfa.len() * PLAIN_STATES];
    let mut costs = vec![u32::MAX; dfa.len() * PLAIN_STATES];
    let mut open = std::collections::VecDeque::new();
    for state in 1..dfa.len() as u32 {
        for plain in 0..PLAIN_STATES as u8 {
            if dfa.accepts_at(state) && PLAIN_ENDS.contains(&plain) {
                costs[place(state, plain)] = 0;
                open.push_back(place(state, plain));
            }
            for byte in *b"-.0123456789" {
                if let (next @ 1.., Some(after)) = (dfa.next(state, byte), plain_after(plain, byte)) {
                    before[place(next, after)].push(place(state, plain) as u32);
                }
            }
        }
    }
    while let Some(at) = open.pop_front() {
        for &from in &before[at] {
            if costs[from as usize] == u32::MAX {
                costs[from as usize] = costs[at] + 1;
                open.push_back(from as usize);
            }
        }
    }
    let steps = |&(state, plain): &(u32, u8)| {
        b"-.0123456789".iter().filter_map(move |&byte| {
            let (next @ 1.., Some(after)) = (dfa.next(state, byte), plain_after(plain, byte)) else { return None };
            Some((byte, (next, after)))
        })
    };
    let list = Listing {
        start: (dfa.start(), 0),
        steps: |at: &(u32, u8)| steps(at).collect(),
        rest: |&(state, plain): &(u32, u8)| costs[place(state, plain)],
        ends: |&(state, plain): &(u32, u8)| dfa.accepts_at(state) && PLAIN_ENDS.contains(&plain),
        weight: |_| 1,
        most: MOST_SCALARS,
    };
    let (texts, whole) = list.cheapest();
    let values: Vec<DomainValue> = texts
        .into_iter()
        .filter_map(|(cost, text)| {
            Some(DomainValue { value: Value::Number(String::from_utf8(text).ok()?), cost: Cost::bytes(cost) })
        })
        .collect();
    let wide = (!whole && values.len() == MOST_SCALARS).then(|| values[values.len() - 1].cost + FURTHER_AWAY);
    Domain { values, whole, wide }
}

/// The most states of the product of an automaton of numbers and the grammar of plain spellings.
const MOST_PLAIN: usize = 1 << 18;

/// The states of the grammar of plain spellings: 0 at the start, 1 after a sign, 2 after a zero, 3 within digits before the point, 4 after
/// the point or a zero behind it, 5 after another digit there, 6 after `-0`.
const PLAIN_STATES: usize = 7;

/// The states in which a plain spelling may end.
const PLAIN_ENDS: [u8; 3] = [2, 3, 5];

fn plain_after(state: u8, byte: u8) -> Option<u8> {
    Some(match (state, byte) {
        (0, b'-') => 1,
        (0, b'0') => 2,
        (1, b'0') => 6,
        (0 | 1, b'1'..=b'9') | (3, b'0'..=b'9') => 3,
        (2 | 3 | 6, b'.') | (4 | 5, b'0') => 4,
        (4 | 5, b'1'..=b'9') => 5,
        _ => return None,
    })
}

fn of_strings(strings: &Strings) -> Domain {
    let characters = &*strings.characters;
    let dfa = &characters.dfa;
    let least = strings.cost(&strings.start());
    if least.is_never() {
        return Domain { whole: true, ..Domain::default() };
    }
    let is_wide = strings.is_endless() && dfa.has_many(least.get() + FURTHER_AWAY);
    let begins = |byte: u8| u32::from(byte & 0xC0 != 0x80);
    let list = Listing {
        start: (dfa.start(), 0u32),
        steps: |&(state, count): &(u32, u32)| {
            let bytes = if is_wide { b' '..=b'~' } else { 0..=255u8 };
            let step = |byte| (dfa.next(state, byte), count + begins(byte));
            let alive = |(_, (next, count)): &(u8, (u32, u32))| *next != 0 && *count <= strings.max;
            bytes.map(|byte| (byte, step(byte))).filter(alive).collect()
        },
        rest: |&(state, _): &(u32, u32)| characters.cost(state).get(),
        ends: |&(state, count): &(u32, u32)| dfa.accepts_at(state) && (strings.min..=strings.max).contains(&count),
        weight: |byte| spelled_length(byte),
        most: if is_wide { MOST_KEYS } else { MOST_STRINGS },
    };
    let (texts, whole) = list.cheapest();
    let values = texts.into_iter().filter_map(|(cost, text)| {
        Some(DomainValue { value: Value::String(String::from_utf8(text).ok()?), cost: Cost::bytes(cost + 2) })
    });
    Domain { values: values.collect(), whole, wide: is_wide.then_some(least + (1 + FURTHER_AWAY)) }
}

/// A list of the texts along an automaton, the cheapest first.
struct Listing<S, R, E, W, T> {
    start: T,
    steps: S,
    /// The least bytes to an end.
    rest: R,
    ends: E,
    weight: W,
    most: usize,
}

impl<T, S, R, E, W> Listing<S, R, E, W, T>
where
    T: Clone,
    S: Fn(&T) -> Vec<(u8, T)>,
    R: Fn(&T) -> u32,
    E: Fn(&T) -> bool,
    W: Fn(u8) -> u32,
{
    /// The texts with their bytes, and whether there are no others.
    fn cheapest(self) -> (Vec<(u32, Vec<u8>)>, bool) {
        let mut found = Vec::new();
        let mut states = vec![(0u32, self.start.clone(), Vec::new())];
        // The bytes of the whole text, whether it ends here, and the place in `states`.
        let mut open = BinaryHeap::from([Reverse(((self.rest)(&self.start), false, 0usize))]);
        for _ in 0..MOST_PATHS {
            let Some(Reverse((total, is_end, at))) = open.pop() else { return (found, true) };
            if is_end {
                if found.len() == self.most {
                    return (found, false);
                }
                found.push((total, states[at].2.clone()));
                continue;
            }
            let (spent, state, text) = states[at].clone();
            if (self.ends)(&state) {
                open.push(Reverse((spent, true, at)));
            }
            for (byte, next) in (self.steps)(&state) {
                let rest = (self.rest)(&next);
                if rest != u32::MAX {
                    let spent = spent + (self.weight)(byte);
                    let mut text = text.clone();
                    text.push(byte);
                    states.push((spent, next, text));
                    open.push(Reverse((spent + rest, false, states.len() - 1)));
                }
            }
        }
        (found, false)
    }
}
