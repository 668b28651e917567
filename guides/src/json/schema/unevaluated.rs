//! `unevaluatedProperties` and `unevaluatedItems`, prepared in the graph (JSON Schema 2020-12 core, sections 11.2 and 11.3).
//!
//! Where a schema evaluates the same entries whatever the value, with `properties` in an `allOf` and not in an `anyOf`, the keyword is one
//! more `additionalProperties`, or one more `items`. As such it has an opposite, and its branches split no further.
//!
//! `contains` evaluates the entries that satisfy it (section 10.3.1.3). So an entry that no other keyword evaluates must satisfy
//! `unevaluatedItems` or one of the `contains` that hold in its branch. Branches are known only in the analysis, which adds no nodes, so
//! the disjunction for each set of `contains` is added here.

use crate::error::{CompileError, Place, too_big};
use crate::interrupt::passed;
use crate::json::schema::graph::{Graph, Node, NodeId, Properties, TRUE};
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

/// Replaces the `unevaluated` keywords of schemas that evaluate the same entries whatever the value.
pub(super) fn settle(graph: &mut Graph, limits: &Limits) {
    let mut left = limits.work.saturating_mul(LOOKS_PER_STEP);
    for id in (0..graph.nodes.len()).map(NodeId::new) {
        let Node::Scope { inner, properties, items } = graph.nodes[id.index()] else { continue };
        let Some(evaluated) = Evaluated::by(graph, inner, &mut left) else { continue };
        let pointer = graph.pointers[id.index()].clone();
        let mut all = vec![inner];
        let (mut more_properties, mut more_items) = (properties, items);
        if let (Some(node), Some(mut own)) = (properties, evaluated.properties) {
            // With all properties evaluated nothing is left to ask for.
            if own.additional.is_none() {
                own.additional = Some(node);
                all.push(graph.add(Node::Properties(own), pointer.clone()));
            }
            more_properties = None;
        }
        if let (Some(node), Some(evaluated)) = (items, evaluated.items) {
            if let Some(prefix) = evaluated {
                let prefix = vec![TRUE; prefix];
                all.push(graph.add(Node::Items { prefix, rest: Some(node) }, pointer.clone()));
            }
            more_items = None;
        }
        let settled = if all.len() == 1 { inner } else { graph.add(Node::All(all), pointer) };
        graph.nodes[id.index()] = match (more_properties, more_items) {
            (None, None) => Node::All(vec![settled]),
            (properties, items) => Node::Scope { inner: settled, properties, items },
        };
    }
}

/// What a schema evaluates, if it is the same for each value.
struct Evaluated {
    /// The names and patterns, with conditions that are all true; `additional` if it evaluates all.
    properties: Option<Properties>,
    /// The number of first entries; `None` within if it evaluates all.
    items: Option<Option<usize>>,
}

impl Evaluated {
    /// `None` if the steps run out.
    fn by(graph: &Graph, inner: NodeId, left: &mut usize) -> Option<Evaluated> {
        let (mut properties, mut items) = (Some(Properties::default()), Some(Some(0)));
        // Nodes of the same value, and whether each of them certainly holds.
        let mut open = vec![(inner, true)];
        let mut seen: HashSet<(NodeId, bool)> = HashSet::default();
        while let Some((node, certain)) = open.pop() {
            if !seen.insert((node, certain)) {
                continue;
            }
            if *left == 0 || passed(1) {
                return None;
            }
            *left -= 1;
            match &graph.nodes[node.index()] {
                Node::All(nodes) => open.extend(nodes.iter().map(|&node| (node, certain))),
                Node::Any(nodes) | Node::One(nodes) => open.extend(nodes.iter().map(|&node| (node, false))),
                Node::Scope { inner, properties: own, items: own_items } => {
                    open.push((*inner, certain));
                    if own.is_some() {
                        properties = None;
                    }
                    if own_items.is_some() {
                        items = None;
                    }
                }
                Node::Properties(_) if !certain => properties = None,
                Node::Properties(own) if !own.silent => {
                    if let Some(all) = &mut properties {
                        for (name, _) in &own.named {
                            if !all.named.iter().any(|(other, _)| other == name) {
                                all.named.push((name.clone(), TRUE));
                            }
                        }
                        *left = left.saturating_sub(own.named.len() * all.named.len() / 16);
                        all.patterns.extend(own.patterns.iter().map(|&(pattern, _)| (pattern, TRUE)));
                        all.additional = all.additional.or(own.additional.map(|_| TRUE));
                    }
                }
                Node::Items { .. } if !certain => items = None,
                Node::Items { prefix, rest } => {
                    items = items.map(|items| items.filter(|_| rest.is_none()).map(|most| most.max(prefix.len())));
                }
                Node::Contains { .. } => items = None,
                // Annotations of a schema under `not` are dropped.
                _ => {}
            }
        }
        Some(Evaluated { properties, items })
    }
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
