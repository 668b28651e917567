//! `unevaluatedItems` beside `contains`, prepared in the graph (JSON Schema 2020-12 core, section 11.2).
//!
//! `contains` evaluates the entries that satisfy it (section 10.3.1.3). So an entry that no other keyword evaluates must satisfy
//! `unevaluatedItems` or one of the `contains` that hold in its branch. Branches are known only in the analysis, which adds no nodes, so
//! the disjunction for each set of `contains` is added here.

use crate::error::{CompileError, Place, too_big};
use crate::interrupt::passed;
use crate::json::schema::graph::{Graph, Node, NodeId};
use crate::json::text::value::Value;
use crate::options::Limits;
use foldhash::HashSet;
use std::collections::BTreeSet;

/// Schemas of `contains` in one with `unevaluatedItems`. Each set of them is a node of its own, so the nodes double with each.
const MOST_CONTAINS: usize = 4;

/// Conditions that the search for `contains` looks at for each step of the analysis that the limits allow.
const LOOKS_PER_STEP: usize = 8;

/// Whether a keyword asks anywhere in a document for entries that are not evaluated.
pub(super) fn is_mentioned(root: &Value) -> bool {
    let mut open = vec![root];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                for (name, value) in members.iter() {
                    if name.starts_with("unevaluated") {
                        return true;
                    }
                    open.push(value);
                }
            }
            Value::Array(items) => open.extend(items.iter()),
            _ => {}
        }
    }
    false
}

/// Adds the disjunction of each `unevaluatedItems` with each nonempty set of the `contains` beside it to [`Graph::either`].
pub(super) fn add_combinations(graph: &mut Graph, limits: &Limits) -> Result<(), CompileError> {
    let most = limits.work.saturating_mul(LOOKS_PER_STEP);
    // Schemas with `unevaluatedItems` may lie in each other, so that the searches together are quadratic.
    let mut left = most;
    for id in (0..graph.nodes.len()).map(NodeId::new) {
        let Node::Scope { inner, items: Some(items), .. } = graph.nodes[id.index()] else { continue };
        let pointer = graph.pointers[id.index()].clone();
        let refused = |limit, most| Err(too_big(Place::Pointer(pointer.to_string()), limit, most, "use fewer"));
        let Some(contained) = contained(graph, inner, &mut left) else {
            return refused("conditions in all schemas with unevaluatedItems", most);
        };
        if contained.len() > MOST_CONTAINS {
            return refused("schemas of contains beside unevaluatedItems", MOST_CONTAINS);
        }
        for set in 1..1u32 << contained.len() {
            let chosen = (0..).zip(&contained).filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, &node)| node);
            let mut either: Vec<NodeId> = chosen.chain([items]).collect();
            either.sort_unstable();
            either.dedup();
            let node = graph.add(Node::Any(either.clone()), pointer.clone());
            graph.either.insert(either, node);
        }
    }
    Ok(())
}

/// The nodes of all `contains` that a condition applies to the same value, in order; `None` if the steps run out.
fn contained(graph: &Graph, inner: NodeId, left: &mut usize) -> Option<BTreeSet<NodeId>> {
    let (mut contained, mut open) = (BTreeSet::new(), vec![inner]);
    let mut seen: HashSet<NodeId> = HashSet::default();
    while let Some(node) = open.pop() {
        if !seen.insert(node) {
            continue;
        }
        if *left == 0 || passed(1) {
            return None;
        }
        *left -= 1;
        match &graph.nodes[node.index()] {
            Node::All(nodes) | Node::Any(nodes) | Node::One(nodes) => open.extend(nodes),
            Node::Scope { inner, .. } => open.push(*inner),
            Node::Contains { node, .. } => {
                contained.insert(*node);
            }
            _ => {}
        }
    }
    Some(contained)
}
