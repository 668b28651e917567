//! One way to satisfy a conjunction of conditions, as far as it has been worked out.

use crate::collections::id::id;
use crate::json::language::number::NumberAtom;
use crate::json::schema::graph::{Kinds, NodeId, PatternId};
use crate::json::text::value::Value;
use std::collections::BTreeSet;

/// A node that must hold, or must not.
pub(crate) type Term = (NodeId, bool);

/// One conjunction of conditions, sorted by the kind of value that they speak of.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub(crate) kinds: Kinds,
    pub(crate) numbers: Vec<(NumberAtom, bool)>,
    pub(crate) patterns: BTreeSet<(PatternId, bool)>,
    pub(crate) length: (u32, u32),
    /// The value is one of these.
    pub(crate) scalars: Option<Vec<Value>>,
    /// The value is none of these.
    pub(crate) excluded: Vec<Value>,
    /// `Properties` nodes, with the scope that they stand in.
    pub(crate) properties: Vec<(NodeId, ScopeId)>,
    pub(crate) required: Vec<String>,
    /// More conditions on the value of a key.
    pub(crate) values: Vec<(String, Term)>,
    /// Conditions on the keys.
    pub(crate) names: Vec<Term>,
    pub(crate) property_count: (u32, u32),
    /// Entries that the object has beside those that are required by name.
    pub(crate) some: Vec<(Keys, Term)>,
    /// `Items` nodes, with the scope that they stand in.
    pub(crate) items: Vec<(NodeId, ScopeId)>,
    /// More conditions on the entry with an index.
    pub(crate) item_values: Vec<(u32, Term)>,
    pub(crate) item_count: (u32, u32),
    /// How many entries satisfy a condition, with the scope that it stands in.
    pub(crate) counted: Vec<(Counted, ScopeId)>,
    pub(crate) unique: bool,
    /// The schemas with `unevaluated...` that the branch is in: their node, and the scope around.
    pub(crate) scopes: Vec<(NodeId, ScopeId)>,
}

id! {
    /// The schema with `unevaluated...` that a condition belongs to: an index of the branch's scopes, plus one; 0 outside of all.
    pub(crate) struct ScopeId
}

/// Outside of all schemas with `unevaluated...`.
pub(crate) const OUTSIDE: ScopeId = ScopeId::new(0);

/// A set of keys of which an object has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Keys {
    /// Those that a pattern of the graph matches.
    Matching(PatternId),
    /// Those that a `Properties` node neither names nor matches with a pattern.
    Beside(NodeId),
    /// Those that do not satisfy a node.
    Outside(NodeId),
}

/// From the entry with index `from` on, at least `min` and at most `max` satisfy the term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) from: u32,
    pub(crate) term: Term,
    pub(crate) min: u32,
    pub(crate) max: u32,
}

impl Branch {
    pub(crate) fn new() -> Branch {
        Branch {
            kinds: Kinds::ALL,
            numbers: Vec::new(),
            patterns: BTreeSet::new(),
            length: (0, u32::MAX),
            scalars: None,
            excluded: Vec::new(),
            properties: Vec::new(),
            required: Vec::new(),
            values: Vec::new(),
            names: Vec::new(),
            property_count: (0, u32::MAX),
            some: Vec::new(),
            items: Vec::new(),
            item_values: Vec::new(),
            item_count: (0, u32::MAX),
            counted: Vec::new(),
            unique: false,
            scopes: Vec::new(),
        }
    }
}

impl Branch {
    /// How much there is to copy.
    pub(crate) fn size(&self) -> usize {
        let scalars = self.scalars.as_ref().map_or(0, Vec::len);
        scalars + self.excluded.len() + self.required.len() + self.values.len() + self.numbers.len()
    }

    pub(crate) fn ask(&mut self, demand: Demand) {
        match demand {
            Demand::Entry(name, term) => {
                self.required.push(name.clone());
                self.values.push((name, term));
            }
            Demand::Some(keys, term) => {
                if !self.some.contains(&(keys, term)) {
                    self.some.push((keys, term));
                }
            }
            Demand::Item(index, term) => {
                narrow(&mut self.item_count, index.saturating_add(1), u32::MAX);
                self.item_values.push((index, term));
            }
            Demand::Counted(counted) => {
                if !self.counted.iter().any(|(other, _)| *other == counted) {
                    self.counted.push((counted, OUTSIDE));
                }
            }
        }
    }
}

pub(crate) fn narrow(range: &mut (u32, u32), min: u32, max: u32) {
    *range = (range.0.max(min), range.1.min(max));
}

/// The values outside `min..=max`.
pub(crate) fn outside(min: u32, max: u32) -> Vec<(u32, u32)> {
    let below = (min > 0).then(|| (0, min - 1));
    let above = (max < u32::MAX).then(|| (max + 1, u32::MAX));
    below.into_iter().chain(above).collect()
}

/// A range that is one of several alternatives, as an adjustment of a branch.
pub(crate) type Narrowing = (fn(&mut Branch) -> &mut (u32, u32), (u32, u32));

/// How the terms of a branch go on.
pub(crate) enum Split {
    Terms(Vec<Vec<Term>>),
    Ranges(Vec<Narrowing>),
    Demands(Vec<Demand>),
}

/// One of the ways of a [`Split`].
pub(crate) enum OneWay {
    Terms(Vec<Term>),
    Demand(Demand),
    Range(fn(&mut Branch) -> &mut (u32, u32), (u32, u32)),
}

impl Split {
    pub(crate) fn len(&self) -> usize {
        match self {
            Split::Terms(ways) => ways.len(),
            Split::Ranges(ways) => ways.len(),
            Split::Demands(ways) => ways.len(),
        }
    }

    pub(crate) fn ways(self) -> Vec<OneWay> {
        match self {
            Split::Terms(ways) => ways.into_iter().map(OneWay::Terms).collect(),
            Split::Ranges(ways) => ways.into_iter().map(|(field, range)| OneWay::Range(field, range)).collect(),
            Split::Demands(ways) => ways.into_iter().map(OneWay::Demand).collect(),
        }
    }
}

/// One thing that a branch may ask for among several.
pub(crate) enum Demand {
    /// The object has this key, with a value of which the term holds.
    Entry(String, Term),
    /// The object has one of these keys, with a value of which the term holds.
    Some(Keys, Term),
    /// The array has an entry with this index, of which the term holds.
    Item(u32, Term),
    /// So many entries satisfy a condition.
    Counted(Counted),
}

pub(crate) fn ranges(field: fn(&mut Branch) -> &mut (u32, u32), min: u32, max: u32) -> Split {
    Split::Ranges(outside(min, max).into_iter().map(|range| (field, range)).collect())
}
