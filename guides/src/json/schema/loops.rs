//! Refuses schemas that apply themselves to the same value: no draft defines what they mean (JSON Schema 2020-12 core, section 9.4.1).
//!
//! The analysis relies on it: the expansion of a conjunction stays with nodes for the same value, and ends because they have no cycle.

use crate::error::{CompileError, Place};
use crate::json::schema::graph::{Graph, Node, NodeId};

/// The state of a node in a depth-first search.
#[derive(Clone, Copy, PartialEq)]
enum Color {
    /// Not visited.
    White,
    /// On the path that is being searched.
    Gray,
    /// Searched, and on no cycle.
    Black,
}

/// Finds a cycle by a depth-first search, with a stack of its own since the graph may be deep.
pub(super) fn refuse(graph: &Graph) -> Result<(), CompileError> {
    let mut colors = vec![Color::White; graph.nodes.len()];
    for start in (0..graph.nodes.len()).map(NodeId::new) {
        // Nodes, each with the index of the child that is next.
        let mut stack = vec![(start, 0usize)];
        while let Some((id, next)) = stack.pop() {
            if next == 0 {
                if colors[id.index()] == Color::Black {
                    continue;
                }
                colors[id.index()] = Color::Gray;
            }
            let Some(&child) = at_same_value(graph, id).get(next) else {
                colors[id.index()] = Color::Black;
                continue;
            };
            stack.push((id, next + 1));
            match colors[child.index()] {
                Color::White => stack.push((child, 0)),
                Color::Gray => return Err(loop_at(graph, child)),
                Color::Black => {}
            }
        }
    }
    Ok(())
}

/// The nodes that a node applies to the same value.
fn at_same_value(graph: &Graph, id: NodeId) -> &[NodeId] {
    match &graph.nodes[id.index()] {
        Node::All(inner) | Node::Any(inner) | Node::One(inner) => inner,
        Node::Not(inner) | Node::Scope { inner, .. } => std::slice::from_ref(inner),
        _ => &[],
    }
}

fn loop_at(graph: &Graph, id: NodeId) -> CompileError {
    CompileError::Unsupported {
        at: Place::Pointer(graph.pointers[id.index()].to_string()),
        keyword: "$ref".to_owned(),
        reason: "the schema refers to itself for the same value, so that it never says what is valid".to_owned(),
    }
}
