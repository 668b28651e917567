//! The pairs of alternatives of a `oneOf` that may hold for one value together.
//!
//! "Exactly one" needs the opposite of an alternative only where it may overlap with the one that holds, and opposites multiply the
//! branches of the tableau. Disjointness is proved on an over-approximation of each alternative, its [`Outline`]. The proof is
//! incomplete, and may be: a pair that it misses costs branches, which close later, and loses no value.
//!
//! Comparing all pairs is quadratic. Alternatives that ask for a constant, as a value or in a required property that tells kinds of objects
//! apart, are grouped by it, so that only alternatives with the same constant are compared.

use crate::json::schema::graph::{Graph, Kinds, Node, NodeId};
use crate::json::text::decimal::Decimal;
use crate::json::text::value::Value;
use foldhash::{HashMap, HashMapExt, HashSet};
use std::borrow::Borrow;
use std::rc::Rc;

/// Levels of conditions that an outline looks into. Shared nodes may make it exponential in them.
const DEEPEST_OUTLINE: usize = 6;
/// The levels that a property takes: only the surface of its value is looked at.
const PROPERTY: usize = 3;
/// Steps of the search that take about a microsecond.
const OUTLINES_PER_STEP: usize = 16;

/// For each alternative the others that are not proved to be disjoint from it.
#[derive(Debug)]
pub(super) struct Overlaps {
    pub(super) others: Vec<Vec<u32>>,
}

/// A scalar, by its value and not by its spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum ScalarValue<'g> {
    Number(Option<Decimal>),
    Other(&'g Value),
}

impl<'g> ScalarValue<'g> {
    pub(super) fn new(value: &'g Value) -> ScalarValue<'g> {
        match value {
            Value::Number(text) => ScalarValue::Number(Decimal::parse(text)),
            other => ScalarValue::Other(other),
        }
    }
}

/// The scalars of a list.
pub(super) fn scalars<'g, V: Borrow<Value>>(values: &'g [V]) -> HashSet<ScalarValue<'g>> {
    values.iter().map(|value| ScalarValue::new(value.borrow())).collect()
}

/// An over-approximation of a condition: the kinds of values, and the scalars if there is a list of them.
#[derive(Debug, Clone)]
struct Surface<'g> {
    kinds: Kinds,
    scalars: Option<Rc<HashSet<ScalarValue<'g>>>>,
}

/// An over-approximation of a condition and, for objects, of the values of its properties.
#[derive(Debug)]
struct Outline<'g> {
    value: Surface<'g>,
    required: HashSet<&'g str>,
    properties: HashMap<&'g str, Vec<Surface<'g>>>,
}

/// Counts steps; an error ends the search.
pub(super) trait Spend<E>: FnMut(usize) -> Result<(), E> {}

impl<E, F: FnMut(usize) -> Result<(), E>> Spend<E> for F {}

impl Overlaps {
    /// Compares alternatives. `spend` counts the work, in steps of about a microsecond.
    pub(super) fn new<E>(graph: &Graph, nodes: &[NodeId], mut spend: impl Spend<E>) -> Result<Overlaps, E> {
        let outlines = nodes.iter().map(|&node| Outline::new(graph, node, 0, &mut spend));
        let outlines: Vec<Outline<'_>> = outlines.collect::<Result<_, E>>()?;
        let groups = Groups::new(&outlines);
        let mut others = vec![Vec::new(); nodes.len()];
        for (one, outline) in outlines.iter().enumerate() {
            let near = groups.near(one);
            spend(near.len() / OUTLINES_PER_STEP)?;
            for &two in near.iter().filter(|&&two| two as usize > one) {
                spend(outline.cost(&outlines[two as usize]) / OUTLINES_PER_STEP)?;
                if !outline.excludes(&outlines[two as usize]) {
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
    constants: Vec<Option<Rc<HashSet<ScalarValue<'g>>>>>,
    by_constant: HashMap<ScalarValue<'g>, Vec<u32>>,
    /// Alternatives that have none.
    without: Vec<u32>,
    all: Vec<u32>,
}

impl<'g> Groups<'g> {
    fn new(outlines: &[Outline<'g>]) -> Groups<'g> {
        let tag = most_common_tag(outlines);
        let constants: Vec<_> = outlines.iter().map(|outline| outline.constants(tag).cloned()).collect();
        let mut by_constant: HashMap<ScalarValue<'g>, Vec<u32>> = HashMap::new();
        for (one, constants) in (0..).zip(&constants) {
            for constant in constants.iter().flat_map(|constants| constants.iter()) {
                by_constant.entry(constant.clone()).or_default().push(one);
            }
        }
        let all = 0..outlines.len() as u32;
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
fn most_common_tag<'g>(outlines: &[Outline<'g>]) -> Option<&'g str> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for outline in outlines {
        for name in outline.tags() {
            *counts.entry(name).or_default() += 1;
        }
    }
    let values = outlines.iter().filter(|outline| outline.value.scalars.is_some()).count();
    let (name, count) = counts.into_iter().max_by_key(|&(name, count)| (count, name))?;
    (count > values).then_some(name)
}

impl<'g> Outline<'g> {
    fn open() -> Outline<'g> {
        let value = Surface { kinds: Kinds::ALL, scalars: None };
        Outline { value, required: HashSet::default(), properties: HashMap::new() }
    }

    fn new<E>(graph: &'g Graph, id: NodeId, depth: usize, spend: &mut impl Spend<E>) -> Result<Outline<'g>, E> {
        let mut outline = Outline::open();
        if depth > DEEPEST_OUTLINE {
            return Ok(outline);
        }
        match &graph.nodes[id.index()] {
            Node::All(nodes) => {
                spend(nodes.len().div_ceil(OUTLINES_PER_STEP))?;
                for &node in nodes {
                    outline.narrow(Outline::new(graph, node, depth + 1, spend)?, spend)?;
                }
            }
            Node::Any(nodes) | Node::One(nodes) => {
                spend(nodes.len().div_ceil(OUTLINES_PER_STEP))?;
                outline.value = Outline::either(graph, nodes, depth, spend)?;
            }
            &Node::Kinds(kinds) => outline.value.kinds = kinds,
            Node::Scalars(values) => {
                spend(values.len().div_ceil(OUTLINES_PER_STEP))?;
                outline.value.kinds = values.iter().fold(Kinds::NONE, |kinds, value| kinds.or(kind_of(value)));
                outline.value.scalars = Some(Rc::new(scalars(values)));
            }
            Node::Required(name) => {
                outline.required.insert(name);
            }
            Node::Properties(properties) if depth < PROPERTY => {
                spend(properties.named.len().div_ceil(OUTLINES_PER_STEP))?;
                for (name, node) in &properties.named {
                    let inner = Outline::new(graph, *node, depth + PROPERTY, spend)?;
                    outline.properties.entry(name).or_default().push(inner.value);
                }
            }
            _ => {}
        }
        Ok(outline)
    }

    /// The union of several conditions.
    fn either<E>(
        graph: &'g Graph,
        nodes: &[NodeId],
        depth: usize,
        spend: &mut impl Spend<E>,
    ) -> Result<Surface<'g>, E> {
        let (mut kinds, mut all) = (Kinds::NONE, Some(HashSet::default()));
        for &node in nodes {
            let Surface { kinds: own, scalars } = Outline::new(graph, node, depth + 1, spend)?.value;
            kinds = kinds.or(own);
            spend(scalars.as_ref().map_or(0, |scalars| scalars.len()) / OUTLINES_PER_STEP)?;
            all = all.zip(scalars).map(|(mut all, scalars)| {
                all.extend(scalars.iter().cloned());
                all
            });
        }
        Ok(Surface { kinds, scalars: all.map(Rc::new) })
    }

    /// The intersection with one more condition. Of two lists of scalars one is kept, as either is an over-approximation.
    fn narrow<E>(&mut self, other: Outline<'g>, spend: &mut impl Spend<E>) -> Result<(), E> {
        spend((other.required.len() + other.properties.len()) / OUTLINES_PER_STEP)?;
        self.value.kinds = self.value.kinds.and(other.value.kinds);
        self.value.scalars = self.value.scalars.take().or(other.value.scalars);
        self.required.extend(other.required);
        for (name, surfaces) in other.properties {
            self.properties.entry(name).or_default().extend(surfaces);
        }
        Ok(())
    }

    /// The required properties that have a constant. Without a required kind of object they would tell nothing: a string has no
    /// properties, and satisfies all conditions on them.
    fn tags(&self) -> impl Iterator<Item = &'g str> {
        let required = self.required.iter().copied().filter(|_| self.value.kinds == Kinds::OBJECT);
        required.filter(|name| self.constants_of(name).is_some())
    }

    fn constants_of(&self, name: &str) -> Option<&Rc<HashSet<ScalarValue<'g>>>> {
        self.properties.get(name)?.iter().find_map(|surface| surface.scalars.as_ref())
    }

    /// The constants that tell the alternative apart from others with constants: constants of one property, or of the value.
    fn constants(&self, tag: Option<&str>) -> Option<&Rc<HashSet<ScalarValue<'g>>>> {
        match tag {
            Some(tag) if self.value.kinds == Kinds::OBJECT && self.required.contains(tag) => self.constants_of(tag),
            Some(_) => None,
            None => self.value.scalars.as_ref(),
        }
    }

    /// The steps of a comparison.
    fn cost(&self, other: &Outline<'_>) -> usize {
        let scalars = |surface: &Surface<'_>| surface.scalars.as_ref().map_or(0, |scalars| scalars.len());
        1 + self.required.len() + other.required.len() + scalars(&self.value).min(scalars(&other.value))
    }

    /// Whether no value satisfies both conditions for certain: they allow different kinds or scalars, or different values of a property
    /// that one of them requires.
    fn excludes(&self, other: &Outline<'_>) -> bool {
        if self.value.is_apart(&other.value) {
            return true;
        }
        if self.value.kinds.and(other.value.kinds) != Kinds::OBJECT {
            return false;
        }
        self.required.iter().chain(&other.required).any(|name| {
            let (Some(left), Some(right)) = (self.properties.get(name), other.properties.get(name)) else {
                return false;
            };
            left.iter().any(|left| right.iter().any(|right| left.is_apart(right)))
        })
    }
}

impl Surface<'_> {
    /// Whether no value is in both.
    fn is_apart(&self, other: &Surface<'_>) -> bool {
        if self.kinds.and(other.kinds) == Kinds::NONE {
            return true;
        }
        match (&self.scalars, &other.scalars) {
            (Some(few), Some(many)) => {
                let (few, many) = if few.len() < many.len() { (few, many) } else { (many, few) };
                !few.iter().any(|scalar| many.contains(scalar))
            }
            _ => false,
        }
    }
}

pub(super) fn kind_of(value: &Value) -> Kinds {
    match value {
        Value::Null => Kinds::NULL,
        Value::Bool(_) => Kinds::BOOLEAN,
        Value::Number(_) => Kinds::NUMBER,
        Value::String(_) => Kinds::STRING,
        Value::Array(_) => Kinds::ARRAY,
        Value::Object(_) => Kinds::OBJECT,
    }
}
