//! Clauses of an object: conditions with several cases each, kept side by side.
//!
//! Under `{"dependentRequired": {"a": ["b"], "c": ["d"]}}` an object lacks `a` or has `b`, and lacks `c` or has `d`. As alternatives these
//! would multiply: four here, and 2^n with n pairs. A clause keeps its cases, and an object the cases of each clause that its entries so
//! far have not ruled out. The object can be closed once each clause has a case that holds.

use crate::collections::cache::Cache;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of remembered answers.
const REMEMBERED_BYTES: usize = 1 << 20;

/// With more properties in clauses nothing is remembered.
const MOST_LINKED: usize = 128;

/// What a case says about one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Atom {
    pub(crate) presence: Presence,
    /// The conditions that the value meets, a bit of [`Way::choices`](crate::json::shape::Way) each.
    pub(crate) choices: u128,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Required,
    Forbidden,
    /// The key may be there.
    Optional,
}

/// The clauses of an object.
#[derive(Debug, Default)]
pub(crate) struct Clauses {
    /// The cases of each clause.
    pub(super) clauses: Vec<Range<usize>>,
    /// For each case what it says, by indices into `linked`.
    pub(super) cases: Vec<Vec<(usize, Atom)>>,
    /// The properties of which cases speak, in order.
    pub(super) linked: Vec<u32>,
    /// For each of them the cases that speak of it.
    pub(super) speaking: Vec<Vec<(usize, Atom)>>,
    /// The cheapest entries that were found, once costs are settled.
    pub(super) known: Option<Cache<LeftCases, Option<MetClauses>>>,
}

/// The cases that are left: a bit for each case that no entry has ruled out, and behind these a bit for each clause that holds whatever
/// comes. Such a clause has no bits of cases, so that equal rests are equal.
pub(crate) type Cases = Arc<[u64]>;

/// Everything that the cheapest entries depend on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LeftCases {
    pub(super) cases: Cases,
    /// The properties in clauses that may still come.
    pub(super) properties: u128,
}

/// Entries after which all clauses hold, beside those that are required anyhow.
#[derive(Debug, Clone, Copy)]
pub(super) struct MetClauses {
    /// Their bytes, with a comma each, and what required ones cost more.
    pub(super) bytes: u64,
    pub(super) entries: u32,
}

impl Clauses {
    /// Clauses as lists of cases, each a list of properties with what the case says about them.
    pub(crate) fn new(clauses: Vec<Vec<Vec<(u32, Atom)>>>) -> Clauses {
        let atoms = || clauses.iter().flatten().flatten();
        let mut linked: Vec<u32> = atoms().map(|&(property, _)| property).collect();
        linked.sort_unstable();
        linked.dedup();
        let place = |property: u32| linked.partition_point(|&other| other < property);
        let mut made = Clauses { speaking: vec![Vec::new(); linked.len()], ..Clauses::default() };
        for clause in &clauses {
            let from = made.cases.len();
            for case in clause {
                let case: Vec<(usize, Atom)> = case.iter().map(|&(property, atom)| (place(property), atom)).collect();
                case.iter().for_each(|&(place, atom)| made.speaking[place].push((made.cases.len(), atom)));
                made.cases.push(case);
            }
            made.clauses.push(from..made.cases.len());
        }
        made.linked = linked;
        made
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// Called once the costs of schemas are settled: answers hold from now on.
    pub(crate) fn remember(&mut self) {
        let few = !self.is_empty() && self.linked.len() <= MOST_LINKED;
        self.known = few.then(|| Cache::new(REMEMBERED_BYTES));
    }

    /// Memory in bytes, roughly.
    pub(crate) fn size(&self) -> usize {
        self.cases.iter().map(|case| 48 + case.len() * 64).sum::<usize>()
    }

    /// All cases, of an object without entries.
    pub(crate) fn all(&self) -> Option<Cases> {
        let bits = self.cases.len() + self.clauses.len();
        let mut all = vec![0u64; bits.div_ceil(64)];
        (0..self.cases.len()).for_each(|case| add(&mut all, case));
        (!self.is_empty()).then(|| all.into())
    }

    /// The cases of two objects that differ in nothing else.
    pub(crate) fn union(&self, one: &[u64], two: &[u64]) -> Cases {
        let mut all: Vec<u64> = one.iter().zip(two).map(|(one, two)| one | two).collect();
        for (clause, cases) in self.clauses.iter().enumerate() {
            if has(&all, self.cases.len() + clause) {
                cases.clone().for_each(|case| remove(&mut all, case));
            }
        }
        all.into()
    }
}

pub(super) fn has(bits: &[u64], bit: usize) -> bool {
    bits[bit / 64] >> (bit % 64) & 1 == 1
}

pub(super) fn add(bits: &mut [u64], bit: usize) {
    bits[bit / 64] |= 1 << (bit % 64);
}

pub(super) fn remove(bits: &mut [u64], bit: usize) {
    bits[bit / 64] &= !(1 << (bit % 64));
}
