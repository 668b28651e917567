//! A branch of the tableau: one conjunction of literals, and how it may split.
//!
//! A branch collects what its terms say, sorted by the kind of value that they constrain. Terms that constrain one kind hold for all
//! others, so the fields of different kinds are independent, and each kind is finished by itself.

use crate::collections::id::id;
use crate::error::CompileError;
use crate::json::language::number::NumberAtom;
use crate::json::schema::graph::{Graph, Kinds, Node, NodeId, PatternId, TRUE};
use crate::json::shape::clauses::Presence;
use crate::json::text::value::Value;
use std::collections::BTreeSet;
use std::rc::Rc;

/// A signed formula of the tableau: a node that must hold, or must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Term {
    pub(super) node: NodeId,
    pub(super) holds: bool,
}

impl Term {
    /// No value satisfies it.
    pub(super) const FALSE: Term = Term::not(TRUE);

    pub(super) const fn of(node: NodeId) -> Term {
        Term { node, holds: true }
    }

    pub(super) const fn not(node: NodeId) -> Term {
        Term { node, holds: false }
    }

    pub(super) const fn opposite(self) -> Term {
        Term { node: self.node, holds: !self.holds }
    }
}

id! {
    /// The schema with `unevaluatedProperties` or `unevaluatedItems` that a condition belongs to: an index of [`Branch::scopes`], plus one;
    /// 0 outside of all.
    pub(super) struct ScopeId
}

/// Outside of all schemas with `unevaluatedProperties` or `unevaluatedItems`.
pub(super) const OUTSIDE: ScopeId = ScopeId::new(0);

/// A condition and its scope. Only conditions in a scope count as evaluating entries for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scoped<T> {
    pub(super) item: T,
    pub(super) scope: ScopeId,
}

/// One conjunction of conditions, sorted by the kind of value that they constrain.
#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub(super) kinds: Kinds,
    pub(super) numbers: Vec<(NumberAtom, bool)>,
    pub(super) patterns: BTreeSet<(PatternId, bool)>,
    pub(super) length: (u32, u32),
    /// The value is one of these.
    pub(super) scalars: Option<Vec<Value>>,
    /// The value is none of these.
    pub(super) excluded: Vec<Value>,
    /// `Properties` nodes.
    pub(super) properties: Vec<Scoped<NodeId>>,
    pub(super) required: Vec<String>,
    /// More conditions on the value of a key.
    pub(super) values: Vec<NamedTerm>,
    /// Terms of which one case each holds, kept side by side.
    pub(super) clauses: Vec<Vec<KeyCase>>,
    /// Conditions on the keys.
    pub(super) names: Vec<Term>,
    pub(super) property_count: (u32, u32),
    /// Entries that the object has beside the required names.
    pub(super) some: Vec<SomeEntry>,
    /// `Items` nodes.
    pub(super) items: Vec<Scoped<NodeId>>,
    /// More conditions on the entry with an index.
    pub(super) item_values: Vec<IndexedTerm>,
    pub(super) item_count: (u32, u32),
    /// Bounds on the number of entries that satisfy a condition.
    pub(super) counted: Vec<Scoped<Counted>>,
    pub(super) unique: bool,
    /// The schemas with `unevaluatedProperties` or `unevaluatedItems` that the branch is in: their nodes, each with the scope around it.
    pub(super) scopes: Vec<Scoped<NodeId>>,
}

/// A condition on the value of a key.
#[derive(Debug, Clone)]
pub(super) struct NamedTerm {
    pub(super) name: String,
    pub(super) term: Term,
}

/// A condition on the entry of an array with an index.
#[derive(Debug, Clone, Copy)]
pub(super) struct IndexedTerm {
    pub(super) index: u32,
    pub(super) term: Term,
}

/// What a case says about one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyAtom {
    pub(super) name: Rc<str>,
    pub(super) presence: Presence,
    /// Conditions on its value, sorted.
    pub(super) terms: Vec<Term>,
}

/// A conjunction about single keys, sorted by their names.
pub(super) type KeyCase = Vec<KeyAtom>;

/// The terms of a branch that split it, as far as they become clauses.
pub(super) enum Clausal {
    /// No value is left.
    Closed,
    /// The branch has changed: some terms were decided.
    Decided,
    /// All terms that split the branch are clauses now.
    All,
    /// The term at this index splits the branch and is no clause.
    But(usize),
}

/// An object has an entry with one of these keys, and the term holds for its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SomeEntry {
    pub(super) keys: Keys,
    pub(super) term: Term,
}

/// A set of keys, by the nodes and patterns that define it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Keys {
    /// A pattern of the graph matches them.
    Matching(PatternId),
    /// A `Properties` node neither names them nor matches them with a pattern.
    Beside(NodeId),
    /// They do not satisfy a node.
    Outside(NodeId),
}

/// From the entry with index `from` on, at least `min` and at most `max` entries satisfy the term.
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
            clauses: Vec::new(),
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

    /// The amount that a copy of the branch copies.
    pub(super) fn size(&self) -> usize {
        let scalars = self.scalars.as_ref().map_or(0, Vec::len);
        scalars + self.excluded.len() + self.required.len() + self.values.len() + self.numbers.len()
    }

    /// Adds a demand.
    pub(super) fn ask(&mut self, demand: Demand) {
        match demand {
            Demand::Entry(NamedTerm { name, term }) => {
                self.required.push(name.clone());
                self.values.push(NamedTerm { name, term });
            }
            Demand::Some(entry) => {
                if !self.some.contains(&entry) {
                    self.some.push(entry);
                }
            }
            Demand::Item(item) => {
                narrow(&mut self.item_count, item.index.saturating_add(1), u32::MAX);
                self.item_values.push(item);
            }
            Demand::Counted(counted) => {
                if !self.counted.iter().any(|other| other.item == counted) {
                    self.counted.push(Scoped { item: counted, scope: OUTSIDE });
                }
            }
        }
    }

    /// Whether a condition in the scope `inner` counts for the scope `outer`.
    pub(super) fn is_within(&self, inner: ScopeId, outer: ScopeId) -> bool {
        let around = |&scope: &ScopeId| scope.index().checked_sub(1).map(|index| self.scopes[index].scope);
        std::iter::successors(Some(inner), around).any(|scope| scope == outer)
    }

    /// The scopes whose schema has the keyword that `keyword` reads from a node, each with the node of the keyword's value.
    pub(super) fn scopes_with<'a>(
        &'a self,
        graph: &'a Graph,
        keyword: fn(&Node) -> Option<NodeId>,
    ) -> impl Iterator<Item = Scoped<NodeId>> + 'a {
        (1..).zip(&self.scopes).filter_map(move |(scope, around)| {
            Some(Scoped { item: keyword(&graph.nodes[around.item.index()])?, scope: ScopeId::new(scope) })
        })
    }
}

pub(super) fn narrow(range: &mut (u32, u32), min: u32, max: u32) {
    *range = (range.0.max(min), range.1.min(max));
}

/// The ranges outside `min..=max`.
pub(super) fn outside(min: u32, max: u32) -> Vec<(u32, u32)> {
    let below = (min > 0).then(|| (0, min - 1));
    let above = (max < u32::MAX).then(|| (max + 1, u32::MAX));
    below.into_iter().chain(above).collect()
}

/// The bounds of a branch on one quantity.
pub(super) type BoundsOf = fn(&mut Branch) -> &mut (u32, u32);

/// A range that is one of several alternatives, as an adjustment of a branch.
#[derive(Clone, Copy)]
pub(super) struct Narrowing {
    bounds: BoundsOf,
    min: u32,
    max: u32,
}

impl Narrowing {
    pub(super) fn apply(self, branch: &mut Branch) {
        narrow((self.bounds)(branch), self.min, self.max);
    }

    /// Whether the branch has a value in the range.
    pub(super) fn is_possible(self, branch: &mut Branch) -> bool {
        let &mut (min, max) = (self.bounds)(branch);
        min.max(self.min) <= max.min(self.max)
    }
}

/// A term that is refused counts as so many disjuncts, so that all others are decided before.
const REFUSED_DISJUNCTS: usize = 1 << 20;

/// The disjuncts of a term that splits its branch.
pub(super) enum Split {
    Terms(Vec<Vec<Term>>),
    Ranges(Vec<Narrowing>),
    Demands(Vec<Demand>),
    /// No branch can express one of the disjuncts. The term is decided last: it is refused unless the others settle it.
    Refused(Box<CompileError>),
}

/// One disjunct of a [`Split`].
pub(super) enum Disjunct {
    Terms(Vec<Term>),
    Range(Narrowing),
    Demand(Demand),
}

impl Split {
    /// The values outside `min..=max` of a quantity.
    pub(super) fn outside(bounds: BoundsOf, min: u32, max: u32) -> Split {
        Split::Ranges(outside(min, max).into_iter().map(|(min, max)| Narrowing { bounds, min, max }).collect())
    }

    /// The disjuncts of a split into terms.
    pub(super) fn terms(self) -> Vec<Vec<Term>> {
        if let Split::Terms(terms) = self { terms } else { Vec::new() }
    }

    /// The disjuncts of a split into demands.
    pub(super) fn demands(self) -> Vec<Demand> {
        if let Split::Demands(demands) = self { demands } else { Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Split::Terms(terms) => terms.len(),
            Split::Ranges(ranges) => ranges.len(),
            Split::Demands(demands) => demands.len(),
            Split::Refused(_) => REFUSED_DISJUNCTS,
        }
    }

    pub(super) fn disjuncts(self) -> Vec<Disjunct> {
        match self {
            Split::Terms(terms) => terms.into_iter().map(Disjunct::Terms).collect(),
            Split::Ranges(ranges) => ranges.into_iter().map(Disjunct::Range).collect(),
            Split::Demands(demands) => demands.into_iter().map(Disjunct::Demand).collect(),
            Split::Refused(_) => Vec::new(),
        }
    }
}

/// An entry that an object or an array must have.
pub(super) enum Demand {
    /// The object has this key, and the term holds for its value.
    Entry(NamedTerm),
    /// The object has one of these keys, and the term holds for its value.
    Some(SomeEntry),
    /// The array has an entry with this index, and the term holds for it.
    Item(IndexedTerm),
    /// A number of entries satisfy a condition.
    Counted(Counted),
}

/// The conditions on an entry, and the counters of its container that it counts for: a [`Way`](crate::json::shape::Way) whose conjunction
/// is not interned.
pub(super) struct Counting {
    pub(super) asked: Vec<Term>,
    pub(super) counts: u8,
}

impl Counting {
    pub(super) fn new(asked: Vec<Term>) -> Counting {
        Counting { asked, counts: 0 }
    }

    /// The same entry where it counts for one more counter, since the term holds.
    pub(super) fn counted(&self, term: Term, bit: usize) -> Counting {
        Counting { asked: [self.asked.as_slice(), &[term]].concat(), counts: self.counts | 1 << bit }
    }
}
