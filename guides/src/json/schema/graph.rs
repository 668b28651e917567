//! The graph of conditions: the meaning of a schema, whatever keywords and drafts spell it.
//!
//! A condition that constrains one kind of value holds for all values of other kinds, as assertions do (JSON Schema 2020-12 core,
//! section 7.6.1).

use crate::collections::id::id;
use crate::json::language::cache::Language;
use crate::json::language::number::NumberAtom;
use crate::json::text::value::Value;
use crate::options::Digits;
use foldhash::HashMap;
use std::sync::Arc;

id! {
    /// Index of a node.
    pub(crate) struct NodeId
}

id! {
    /// Index of a set of strings, one of [`Graph::patterns`].
    pub(crate) struct PatternId
}

/// The node that every value satisfies.
pub(crate) const TRUE: NodeId = NodeId::new(0);

/// A condition on a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// All hold; without any, the node is true.
    All(Vec<NodeId>),
    /// At least one holds; without any, the node is false.
    Any(Vec<NodeId>),
    /// Exactly one holds.
    One(Vec<NodeId>),
    Not(NodeId),
    /// The value is of one of these kinds.
    Kinds(Kinds),
    /// The value equals one of these scalars.
    Scalars(Vec<Value>),
    Number(NumberAtom),
    /// The number of characters of a string.
    Length {
        min: u32,
        max: u32,
    },
    /// The string's characters are in this set.
    Pattern(PatternId),
    /// The object has this key.
    Required(String),
    /// Conditions on the values by key.
    Properties(Properties),
    /// The keys of the object satisfy the node.
    PropertyNames(NodeId),
    /// The number of entries of an object.
    PropertyCount {
        min: u32,
        max: u32,
    },
    /// Conditions on the values of an array by index.
    Items {
        prefix: Vec<NodeId>,
        rest: Option<NodeId>,
    },
    /// The number of entries of an array.
    ItemCount {
        min: u32,
        max: u32,
    },
    /// The number of entries of an array that satisfy the node.
    Contains {
        node: NodeId,
        min: u32,
        max: u32,
    },
    /// No two entries of an array are equal.
    Unique,
    /// A schema with `unevaluatedProperties` or `unevaluatedItems`: entries that nothing in `inner` evaluates satisfy these.
    Scope {
        inner: NodeId,
        properties: Option<NodeId>,
        items: Option<NodeId>,
    },
}

/// `properties`, `patternProperties` and `additionalProperties` of one schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Properties {
    pub(crate) named: Vec<(String, NodeId)>,
    pub(crate) patterns: Vec<(PatternId, NodeId)>,
    /// For keys that are neither named nor match a pattern.
    pub(crate) additional: Option<NodeId>,
    /// Comes from `const` or `enum`, which evaluate no properties for `unevaluatedProperties`.
    pub(crate) silent: bool,
}

/// A set of kinds of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kinds(pub(crate) u8);

impl Kinds {
    pub(crate) const NULL: Kinds = Kinds(1);
    pub(crate) const BOOLEAN: Kinds = Kinds(2);
    pub(crate) const NUMBER: Kinds = Kinds(4);
    pub(crate) const STRING: Kinds = Kinds(8);
    pub(crate) const ARRAY: Kinds = Kinds(16);
    pub(crate) const OBJECT: Kinds = Kinds(32);
    pub(crate) const ALL: Kinds = Kinds(63);
    pub(crate) const NONE: Kinds = Kinds(0);

    pub(crate) fn has(self, kind: Kinds) -> bool {
        self.0 & kind.0 != 0
    }

    pub(crate) fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }

    pub(crate) fn or(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    pub(crate) fn complement(self) -> Kinds {
        Kinds(63 & !self.0)
    }
}

/// The nodes of one schema document.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    /// The JSON pointer of each node.
    pub(crate) pointers: Vec<Arc<str>>,
    pub(crate) root: NodeId,
    /// The sets of strings that nodes name by a [`PatternId`].
    pub(crate) patterns: Vec<Arc<Language>>,
    /// Disjunctions of an `unevaluatedItems` and some of the `contains` beside it, by their sorted disjuncts.
    pub(crate) either: HashMap<Vec<NodeId>, NodeId>,
    /// How many digits are written.
    pub(crate) digits: Digits,
}

impl Graph {
    /// Adds a node that is read from the place at `pointer`.
    pub(super) fn add(&mut self, node: Node, pointer: Arc<str>) -> NodeId {
        self.nodes.push(node);
        self.pointers.push(pointer);
        NodeId::new(self.nodes.len() - 1)
    }
}
