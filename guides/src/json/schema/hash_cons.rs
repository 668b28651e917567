//! Hash-consing: equal conditions become one node.
//!
//! The tableau sees that a condition and its opposite contradict each other only where both are one node, and conjunctions are interned by
//! their nodes. Nodes are compared after the nodes inside them have been shared, so equality is one level deep. The first node of a cycle
//! is never replaced: equal cycles are found only by a minimization of the graph, and schemas seldom repeat a recursive one.

use crate::interrupt::passed;
use crate::json::schema::graph::{Graph, Kinds, Node, NodeId, Properties, TRUE};
use foldhash::{HashMap, HashMapExt};
use std::hash::BuildHasher;

/// Redirects every reference to the first of equal nodes. An interrupt leaves the graph half shared.
pub(crate) fn share(graph: &mut Graph) {
    let count = graph.nodes.len();
    let mut sharing = Sharing {
        shared: (0..count).map(NodeId::new).collect(),
        first: HashMap::new(),
        state: vec![Visit::New; count],
        pinned: vec![false; count],
    };
    // `TRUE` is known by its index, so no equal node may come first.
    let all = sharing.first.hasher().hash_one(&graph.nodes[TRUE.index()]);
    sharing.first.insert(all, vec![TRUE]);
    sharing.state[TRUE.index()] = Visit::Done;
    for start in (0..count).map(NodeId::new) {
        if passed(1) {
            return;
        }
        let mut stack = vec![start];
        while let Some(&id) = stack.last() {
            match sharing.state[id.index()] {
                Visit::New => {
                    sharing.state[id.index()] = Visit::Open;
                    let inner = children(&graph.nodes[id.index()]);
                    stack.extend(inner.into_iter().filter(|&child| sharing.state[child.index()] == Visit::New));
                }
                Visit::Open => {
                    stack.pop();
                    sharing.close(graph, id);
                }
                Visit::Done => {
                    stack.pop();
                }
            }
        }
    }
    graph.root = sharing.shared[graph.root.index()];
    graph.either = std::mem::take(&mut graph.either)
        .into_iter()
        .map(|(nodes, node)| {
            let mut nodes: Vec<NodeId> = nodes.into_iter().map(|node| sharing.shared[node.index()]).collect();
            nodes.sort_unstable();
            nodes.dedup();
            (nodes, sharing.shared[node.index()])
        })
        .collect();
}

#[derive(Clone, Copy, PartialEq)]
enum Visit {
    New,
    Open,
    Done,
}

struct Sharing {
    shared: Vec<NodeId>,
    /// The first of equal nodes, by their hash.
    first: HashMap<u64, Vec<NodeId>>,
    state: Vec<Visit>,
    /// First nodes of cycles: a node inside refers to them before they are compared with others.
    pinned: Vec<bool>,
}

impl Sharing {
    /// The usual spelling of a condition that holds for every value, or for none: `All` or `Any` of nothing. So `{"not": {"type": [...]}}`
    /// with all types is `false`, as the analysis expects of keys that are not allowed.
    fn plain(&self, graph: &Graph, id: NodeId) -> Option<Node> {
        let (all, none) = (Node::All(Vec::new()), Node::Any(Vec::new()));
        match &graph.nodes[id.index()] {
            Node::Kinds(Kinds::ALL) => Some(all),
            Node::Kinds(Kinds::NONE) => Some(none),
            Node::Not(inner) if graph.nodes[inner.index()] == all => Some(none),
            Node::Not(inner) if graph.nodes[inner.index()] == none => Some(all),
            _ => None,
        }
    }

    /// Shares a node when all nodes inside it are done, but for nodes that contain it.
    fn close(&mut self, graph: &mut Graph, id: NodeId) {
        self.state[id.index()] = Visit::Done;
        let node = &mut graph.nodes[id.index()];
        for child in children(node) {
            self.pinned[child.index()] |= self.state[child.index()] == Visit::Open;
        }
        redirect(node, &|child| self.shared[child.index()]);
        if self.pinned[id.index()] {
            return;
        }
        if let Some(plain) = self.plain(graph, id) {
            graph.nodes[id.index()] = plain;
        }
        let node = &graph.nodes[id.index()];
        let alike = self.first.entry(self.first.hasher().hash_one(node)).or_default();
        if let Some(&first) = alike.iter().find(|&&first| graph.nodes[first.index()] == *node) {
            self.shared[id.index()] = first;
            return;
        }
        // A conjunction of one node is that node.
        if let Node::All(inner) = node
            && let &[only] = inner.as_slice()
        {
            self.shared[id.index()] = only;
            return;
        }
        alike.push(id);
    }
}

/// The nodes directly inside a node.
fn children(node: &Node) -> Vec<NodeId> {
    match node {
        Node::All(nodes) | Node::Any(nodes) | Node::One(nodes) => nodes.clone(),
        &Node::Not(node) | &Node::PropertyNames(node) | &Node::Contains { node, .. } => vec![node],
        Node::Properties(Properties { named, patterns, additional, .. }) => {
            let named = named.iter().map(|&(_, node)| node);
            named.chain(patterns.iter().map(|&(_, node)| node)).chain(*additional).collect()
        }
        Node::Items { prefix, rest } => prefix.iter().copied().chain(*rest).collect(),
        &Node::Scope { inner, properties, items } => [inner].into_iter().chain(properties).chain(items).collect(),
        Node::Kinds(_)
        | Node::Scalars(_)
        | Node::Number(_)
        | Node::Length { .. }
        | Node::Pattern(_)
        | Node::Required(_)
        | Node::PropertyCount { .. }
        | Node::ItemCount { .. }
        | Node::Unique => Vec::new(),
    }
}

/// Replaces the nodes directly inside a node.
fn redirect(node: &mut Node, to: &impl Fn(NodeId) -> NodeId) {
    let change = |node: &mut NodeId| *node = to(*node);
    match node {
        Node::All(nodes) | Node::Any(nodes) | Node::One(nodes) => nodes.iter_mut().for_each(change),
        Node::Not(node) | Node::PropertyNames(node) | Node::Contains { node, .. } => change(node),
        Node::Properties(Properties { named, patterns, additional, .. }) => {
            named.iter_mut().for_each(|(_, node)| change(node));
            patterns.iter_mut().for_each(|(_, node)| change(node));
            additional.iter_mut().for_each(change);
        }
        Node::Items { prefix, rest } => prefix.iter_mut().chain(rest).for_each(change),
        Node::Scope { inner, properties, items } => [inner].into_iter().chain(properties).chain(items).for_each(change),
        Node::Kinds(_)
        | Node::Scalars(_)
        | Node::Number(_)
        | Node::Length { .. }
        | Node::Pattern(_)
        | Node::Required(_)
        | Node::PropertyCount { .. }
        | Node::ItemCount { .. }
        | Node::Unique => {}
    }
}
