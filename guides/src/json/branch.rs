//! One way to satisfy a conjunction of conditions, as far as it has been worked out.

use super::node::{Kinds, NodeId};
use super::numbers::NumberAtom;
use super::text::Value;
use std::collections::BTreeSet;

/// A node that must hold, or must not.
pub(super) type Term = (NodeId, bool);

/// One conjunction of conditions, sorted by the kind of value that they speak of.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) kinds: Kinds,
    pub(super) numbers: Vec<(NumberAtom, bool)>,
    pub(super) patterns: BTreeSet<(u32, bool)>,
    pub(super) length: (u32, u32),
    /// The value is one of these.
    pub(super) scalars: Option<Vec<Value>>,
    /// The value is none of these.
    pub(super) excluded: Vec<Value>,
    /// `Properties` nodes, with the scope that they stand in.
    pub(super) properties: Vec<(NodeId, ScopeId)>,
    pub(super) required: Vec<String>,
    /// More conditions on the value of a key.
    pub(super) values: Vec<(String, Term)>,
    /// Conditions on the keys.
    pub(super) names: Vec<Term>,
    pub(super) property_count: (u32, u32),
    /// Entries that the object has beside those that are required by name.
    pub(super) some: Vec<(Keys, Term)>,
    /// `Items` nodes, with the scope that they stand in.
    pub(super) items: Vec<(NodeId, ScopeId)>,
    /// More conditions on the entry with an index.
    pub(super) item_values: Vec<(u32, Term)>,
    pub(super) item_count: (u32, u32),
    /// How many entries satisfy a condition, with the scope that it stands in.
    pub(super) counted: Vec<(Counted, ScopeId)>,
    pub(super) unique: bool,
    /// The schemas with `unevaluated...` that the branch is in: their node, and the scope around.
    pub(super) scopes: Vec<(NodeId, ScopeId)>,
}

/// The schema with `unevaluated...` that a condition belongs to: an index of the branch's scopes, plus one; 0 outside of all.
pub(super) type ScopeId = u32;

/// A set of keys of which an object has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Keys {
    /// Those that a pattern of the graph matches.
    Matching(u32),
    /// Those that a `Properties` node neither names nor matches with a pattern.
    Beside(NodeId),
    /// Those that do not satisfy a node.
    Outside(NodeId),
}

/// From the entry with index `from` on, at least `min` and at most `max` satisfy the term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) from: u32,
    pub(super) term: Term,
    pub(super) min: u32,
    pub(super) max: u32,
}

impl Branch {
    pub(super) fn new() -> Branch {
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
    pub(super) fn ask(&mut self, demand: Demand) {
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
                    self.counted.push((counted, 0));
                }
            }
        }
    }
}

pub(super) fn narrow(range: &mut (u32, u32), min: u32, max: u32) {
    *range = (range.0.max(min), range.1.min(max));
}

/// The values outside `min..=max`.
pub(super) fn outside(min: u32, max: u32) -> Vec<(u32, u32)> {
    let below = (min > 0).then(|| (0, min - 1));
    let above = (max < u32::MAX).then(|| (max + 1, u32::MAX));
    below.into_iter().chain(above).collect()
}

/// A range that is one of several alternatives, as an adjustment of a branch.
pub(super) type Narrowing = (fn(&mut Branch) -> &mut (u32, u32), (u32, u32));

/// How the terms of a branch go on.
pub(super) enum Split {
    Terms(Vec<Vec<Term>>),
    Ranges(Vec<Narrowing>),
    Demands(Vec<Demand>),
}

/// One of the ways of a [`Split`].
pub(super) enum OneWay {
    Terms(Vec<Term>),
    Demand(Demand),
    Range(fn(&mut Branch) -> &mut (u32, u32), (u32, u32)),
}

impl Split {
    pub(super) fn len(&self) -> usize {
        match self {
            Split::Terms(ways) => ways.len(),
            Split::Ranges(ways) => ways.len(),
            Split::Demands(ways) => ways.len(),
        }
    }

    pub(super) fn ways(self) -> Vec<OneWay> {
        match self {
            Split::Terms(ways) => ways.into_iter().map(OneWay::Terms).collect(),
            Split::Ranges(ways) => ways.into_iter().map(|(field, range)| OneWay::Range(field, range)).collect(),
            Split::Demands(ways) => ways.into_iter().map(OneWay::Demand).collect(),
        }
    }
}

/// One thing that a branch may ask for among several.
pub(super) enum Demand {
    /// The object has this key, with a value of which the term holds.
    Entry(String, Term),
    /// The object has one of these keys, with a value of which the term holds.
    Some(Keys, Term),
    /// The array has an entry with this index, of which the term holds.
    Item(u32, Term),
    /// So many entries satisfy a condition.
    Counted(Counted),
}

pub(super) fn ranges(field: fn(&mut Branch) -> &mut (u32, u32), min: u32, max: u32) -> Split {
    Split::Ranges(outside(min, max).into_iter().map(|range| (field, range)).collect())
}
