//! The pairs of alternatives of a `oneOf` that may hold for one value together.
//!
//! "Exactly one" needs the opposite of an alternative only where it may overlap with the one that holds, and opposites multiply the
//! branches of the tableau. Two alternatives whose [facts](super::facts) exclude each other never hold together.
//!
//! Comparing all pairs is quadratic. Alternatives that ask for a constant, as a value or in a required property that tells kinds of objects
//! apart, are grouped by it, so that only alternatives with the same constant are compared.

use crate::json::analysis::facts::{Facts, FactsComparison, ScalarSet, ScalarValue};
use crate::json::schema::graph::{Graph, Kinds};
use foldhash::{HashMap, HashMapExt};
use std::rc::Rc;

/// Steps of a comparison that take about a microsecond.
pub(super) const COMPARED_PER_STEP: usize = 16;

/// Steps after which a comparison of two alternatives gives up: they may overlap.
const MOST_COMPARED: usize = 20_000;

/// For each alternative the others that are not proved to be disjoint from it.
#[derive(Debug)]
pub(super) struct Overlaps {
    pub(super) others: Vec<Vec<u32>>,
}

/// Counts steps; an error ends the search.
pub(super) trait Spend<E>: FnMut(usize) -> Result<(), E> {}

impl<E, F: FnMut(usize) -> Result<(), E>> Spend<E> for F {}

impl Overlaps {
    /// Compares alternatives by their facts. `spend` counts the work, in steps of about a microsecond.
    pub(super) fn new<E>(graph: &Graph, facts: &[Rc<Facts<'_>>], mut spend: impl Spend<E>) -> Result<Overlaps, E> {
        let groups = Groups::new(facts);
        let mut others = vec![Vec::new(); facts.len()];
        for (one, own) in facts.iter().enumerate() {
            let near = groups.near(one);
            spend(near.len() / COMPARED_PER_STEP)?;
            for &two in near.iter().filter(|&&two| two as usize > one) {
                let mut comparison = FactsComparison::new(graph, MOST_COMPARED);
                let common = comparison.common(own, &facts[two as usize]);
                spend((MOST_COMPARED - comparison.left) / COMPARED_PER_STEP)?;
                if common != Kinds::NONE {
                    others[one].push(two);
                    others[two as usize].push(one as u32);
                }
            }
        }
        // Pairs were met by their first ones.
        others.iter_mut().for_each(|others| others.sort_unstable());
        Ok(Overlaps { others })
    }

    /// The number of pairs, each counted twice.
    pub(super) fn count(&self) -> usize {
        self.others.iter().map(Vec::len).sum()
    }
}

/// Alternatives by the constants that tell them apart.
struct Groups<'g> {
    /// For each alternative its constants, if it has any.
    constants: Vec<Option<ScalarSet<'g>>>,
    by_constant: HashMap<ScalarValue<'g>, Vec<u32>>,
    /// Alternatives that have none.
    without: Vec<u32>,
    all: Vec<u32>,
}

impl<'g> Groups<'g> {
    fn new(facts: &[Rc<Facts<'g>>]) -> Groups<'g> {
        let tag = most_common_tag(facts);
        let constants: Vec<_> = facts.iter().map(|facts| constants(facts, tag).cloned()).collect();
        let mut by_constant: HashMap<ScalarValue<'g>, Vec<u32>> = HashMap::new();
        for (one, constants) in (0..).zip(&constants) {
            for constant in constants.iter().flat_map(|constants| constants.iter()) {
                by_constant.entry(constant.clone()).or_default().push(one);
            }
        }
        let all = 0..facts.len() as u32;
        let without = all.clone().filter(|&one| constants[one as usize].is_none()).collect();
        Groups { constants, by_constant, without, all: all.collect() }
    }

    /// The alternatives that may overlap with one, in order.
    fn near(&self, one: usize) -> Vec<u32> {
        let Some(constants) = &self.constants[one] else { return self.all.clone() };
        let same = constants.iter().flat_map(|constant| &self.by_constant[constant]);
        let mut near: Vec<u32> = same.chain(&self.without).copied().collect();
        near.sort_unstable();
        near.dedup();
        near
    }
}

/// The property that most alternatives require with a constant; `None` where more alternatives are constants themselves.
fn most_common_tag<'f>(facts: &'f [Rc<Facts<'_>>]) -> Option<&'f str> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for facts in facts {
        for name in tags(facts) {
            *counts.entry(name).or_default() += 1;
        }
    }
    let values = facts.iter().filter(|facts| constants(facts, None).is_some()).count();
    let (name, count) = counts.into_iter().max_by_key(|&(name, count)| (count, name))?;
    (count > values).then_some(name)
}

/// The required properties that have a constant. Without a required kind of object they would tell nothing: a string has no
/// properties, and satisfies all conditions on them.
fn tags<'f>(facts: &'f Facts<'_>) -> impl Iterator<Item = &'f str> {
    let required = facts.required.iter().map(|name| &**name).filter(|_| facts.kinds == Kinds::OBJECT);
    required.filter(|name| constants(facts, Some(name)).is_some())
}

/// The constants that tell the alternative apart from others with constants: constants of one property, or of the value.
fn constants<'f, 'g>(facts: &'f Facts<'g>, tag: Option<&str>) -> Option<&'f ScalarSet<'g>> {
    let composite = Kinds::ARRAY.or(Kinds::OBJECT);
    let scalars = |facts: &'f Facts<'g>| facts.scalars.as_ref().filter(|_| !facts.kinds.has(composite));
    match tag {
        Some(tag) if facts.kinds == Kinds::OBJECT && facts.required.contains(tag) => scalars(facts.fields.get(tag)?),
        Some(_) => None,
        None => scalars(facts),
    }
}
