//! Over-approximations of nodes, by which nodes are told to exclude each other.

use crate::json::analysis::Builder;
use crate::json::analysis::finish::kind_of;
use crate::json::schema::graph::{Kinds, Node, NodeId};
use crate::json::text::value::{Value, equal};

/// The kinds of a value, and the values if they are few.
pub(crate) type Surface = (Kinds, Option<Vec<Value>>);

/// What is easily seen of a node.
pub(crate) struct Outline {
    kinds: Kinds,
    scalars: Option<Vec<Value>>,
    required: Vec<String>,
    properties: Vec<(String, Surface)>,
}

impl Default for Outline {
    fn default() -> Outline {
        Outline { kinds: Kinds::ALL, scalars: None, required: Vec::new(), properties: Vec::new() }
    }
}

impl Builder<'_> {
    /// Whether two nodes hold of no value together, as far as that is easily seen: they allow other kinds, or other
    /// values of a property that one of them requires.
    pub(crate) fn disjoint(&self, a: NodeId, b: NodeId) -> bool {
        let (a, b) = (self.outline(a, 0), self.outline(b, 0));
        if a.kinds.and(b.kinds) == Kinds::NONE {
            return true;
        }
        let apart = |a: &Option<Vec<Value>>, b: &Option<Vec<Value>>| match (a, b) {
            (Some(a), Some(b)) => !a.iter().any(|x| b.iter().any(|y| equal(x, y))),
            _ => false,
        };
        if apart(&a.scalars, &b.scalars) {
            return true;
        }
        if a.kinds.and(b.kinds) != Kinds::OBJECT {
            return false;
        }
        a.properties.iter().any(|(name, left)| {
            (a.required.contains(name) || b.required.contains(name))
                && b.properties.iter().any(|(other, right)| {
                    other == name && (left.0.and(right.0) == Kinds::NONE || apart(&left.1, &right.1))
                })
        })
    }

    /// An upper bound of what a node allows, read off its surface.
    pub(crate) fn outline(&self, id: NodeId, depth: usize) -> Outline {
        let mut outline = Outline::default();
        if depth > 6 {
            return outline;
        }
        match &self.graph.nodes[id as usize] {
            Node::All(nodes) => {
                for &node in nodes {
                    let inner = self.outline(node, depth + 1);
                    outline.kinds = outline.kinds.and(inner.kinds);
                    outline.scalars = outline.scalars.or(inner.scalars);
                    outline.required.extend(inner.required);
                    outline.properties.extend(inner.properties);
                }
            }
            Node::Any(nodes) | Node::One(nodes) => {
                let inner: Vec<Outline> = nodes.iter().map(|&node| self.outline(node, depth + 1)).collect();
                outline.kinds = inner.iter().fold(Kinds::NONE, |kinds, inner| kinds.or(inner.kinds));
                outline.scalars =
                    inner.iter().map(|inner| inner.scalars.clone()).collect::<Option<Vec<_>>>().map(|s| s.concat());
            }
            &Node::Kinds(kinds) => outline.kinds = kinds,
            Node::Scalars(values) => {
                outline.kinds = values.iter().fold(Kinds::NONE, |kinds, value| kinds.or(kind_of(value)));
                outline.scalars = Some(values.clone());
            }
            Node::Required(name) => outline.required.push(name.clone()),
            Node::Properties(properties) if depth < 3 => {
                for (name, node) in &properties.named {
                    let inner = self.outline(*node, depth + 3);
                    outline.properties.push((name.clone(), (inner.kinds, inner.scalars)));
                }
            }
            _ => {}
        }
        outline
    }
}
