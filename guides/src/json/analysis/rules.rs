//! The expansion rules of the tableau: what each kind of node adds to a branch, and how it splits it.
//!
//! A rule expands one term. A conjunctive rule narrows the branch, or hands on the parts of the term, which are expanded in turn. A
//! disjunctive rule returns the disjuncts as a [`Split`] and changes nothing else but the kinds, so that the tableau may apply it again
//! when the branch has grown. A keyword that constrains one kind of value holds for every other kind; its opposite therefore narrows the
//! branch to that kind (JSON Schema 2020-12 core, section 7.6.1).

use crate::error::{CompileError, Place, too_big};
use crate::json::analysis::Builder;
use crate::json::analysis::branch::{
    Branch, Counted, Demand, IndexedTerm, Keys, NamedTerm, OUTSIDE, ScopeId, Scoped, SomeEntry, Split, Term, narrow,
    outside,
};
use crate::json::analysis::facts::{ScalarValue, scalars};
use crate::json::analysis::tableau::OpenBranch;
use crate::json::schema::graph::{Kinds, Node, NodeId, Properties};
use crate::json::text::value::Value;

/// Alternatives of an `anyOf` beside `unevaluatedProperties` or `unevaluatedItems`. Each nonempty set of them is a disjunct, since all
/// alternatives that hold count as having evaluated their entries; so the disjuncts double with each.
const MOST_EVALUATED: usize = 8;

impl Builder<'_> {
    /// Expands a term. Returns its disjuncts if it splits the branch.
    pub(super) fn take(
        &mut self,
        scoped: Scoped<Term>,
        open: &mut OpenBranch<'_>,
    ) -> Result<Option<Split>, CompileError> {
        let graph = self.graph;
        let Scoped { item: term, scope } = scoped;
        let node = &graph.nodes[term.node.index()];
        if let (false, Some(kind)) = (term.holds, constrained_kind(node)) {
            open.so_far.kinds = open.so_far.kinds.and(kind);
        }
        match node {
            Node::All(_) | Node::Any(_) | Node::One(_) | Node::Not(_) | Node::Scope { .. } => {
                self.take_logic(node, scoped, open)
            }
            Node::Kinds(_) | Node::Scalars(_) | Node::Number(_) | Node::Pattern(_) | Node::Length { .. } => {
                Ok(take_scalar(node, term, &mut open.so_far))
            }
            Node::Required(_) | Node::Properties(_) | Node::PropertyNames(_) | Node::PropertyCount { .. } => {
                Ok(self.take_object(node, term, scope, &mut open.so_far))
            }
            Node::Items { .. } | Node::ItemCount { .. } | Node::Contains { .. } | Node::Unique => {
                self.take_array(node, term, scope, &mut open.so_far)
            }
        }
    }

    /// The rules of logic. A conjunction hands on its parts; a disjunction splits, one disjunct for each part. Negation swaps the two by
    /// De Morgan's laws.
    fn take_logic(
        &mut self,
        node: &Node,
        Scoped { item: term, scope }: Scoped<Term>,
        open: &mut OpenBranch<'_>,
    ) -> Result<Option<Split>, CompileError> {
        let holds = term.holds;
        match (node, holds) {
            (Node::All(nodes), true) | (Node::Any(nodes), false) => {
                // The list is taken from its end.
                nodes.iter().rev().for_each(|&node| open.add(Term { node, holds }, scope));
            }
            (Node::All(nodes), false) | (Node::Any(nodes), true) => match nodes.as_slice() {
                &[node] => open.add(Term { node, holds }, scope),
                nodes if scope != OUTSIDE && holds => return self.every_way(nodes, term.node).map(Some),
                nodes => return Ok(Some(Split::Terms(nodes.iter().map(|&node| vec![Term { node, holds }]).collect()))),
            },
            (Node::One(nodes), true) => return self.exactly_one(nodes, term.node).map(Some),
            (Node::One(nodes), false) => return self.none_or_two(nodes, term.node).map(Some),
            // Annotations of a schema under `not` are dropped (core, section 7.7.1.2), so it evaluates no entries for any scope.
            (&Node::Not(node), _) => open.add(Term { node, holds: !holds }, OUTSIDE),
            (&Node::Scope { inner, .. }, true) => {
                open.so_far.scopes.push(Scoped { item: term.node, scope });
                open.add(Term::of(inner), ScopeId::new(open.so_far.scopes.len()));
            }
            // What fails `unevaluated...` alone is left out: no branch can express it.
            (&Node::Scope { inner, .. }, false) => {
                self.note_narrowed(term.node, "unevaluated...");
                open.add(Term::not(inner), OUTSIDE);
            }
            _ => {}
        }
        Ok(None)
    }

    /// `oneOf`: a disjunct for each alternative, in which the alternatives that may overlap with it fail. The others fail anyhow, so that
    /// alternatives which exclude each other split no further.
    pub(super) fn exactly_one(&mut self, nodes: &[NodeId], id: NodeId) -> Result<Split, CompileError> {
        let overlaps = self.overlaps(id, nodes)?;
        let disjuncts = nodes.iter().zip(&overlaps.others).map(|(&node, others)| {
            let others = others.iter().map(|&other| Term::not(nodes[other as usize]));
            std::iter::once(Term::of(node)).chain(others).collect()
        });
        Ok(Split::Terms(disjuncts.collect()))
    }

    /// The opposite of `oneOf`: all alternatives fail, or two of them hold. Only pairs that may overlap are disjuncts.
    pub(super) fn none_or_two(&mut self, nodes: &[NodeId], id: NodeId) -> Result<Split, CompileError> {
        let mut disjuncts: Vec<Vec<Term>> = vec![nodes.iter().map(|&node| Term::not(node)).collect()];
        let overlaps = self.overlaps(id, nodes)?;
        for (one, others) in overlaps.others.iter().enumerate() {
            // Each pair once.
            let more = others.iter().map(|&two| two as usize).filter(|&two| two > one);
            disjuncts.extend(more.map(|two| vec![Term::of(nodes[one]), Term::of(nodes[two])]));
        }
        Ok(Split::Terms(disjuncts))
    }

    /// `anyOf` in a scope: a disjunct for each nonempty set of alternatives. One for each alternative would not do, as all that hold
    /// evaluate entries (core, section 11).
    fn every_way(&self, nodes: &[NodeId], id: NodeId) -> Result<Split, CompileError> {
        if nodes.len() > MOST_EVALUATED {
            let at = Place::Pointer(self.graph.pointers[id.index()].to_string());
            let limit = "alternatives beside unevaluatedProperties or unevaluatedItems";
            return Err(too_big(at, limit, MOST_EVALUATED, "use fewer"));
        }
        let disjuncts = (1..1u32 << nodes.len()).map(|set| {
            let chosen = (0..).zip(nodes).filter(|(bit, _)| set >> bit & 1 == 1);
            chosen.map(|(_, &node)| Term::of(node)).collect()
        });
        Ok(Split::Terms(disjuncts.collect()))
    }

    /// The rules of object keywords. Each narrows the branch; the opposite of a count splits into the ranges outside it, the opposite of
    /// `properties` into the entries that may violate it.
    fn take_object(&self, node: &Node, term: Term, scope: ScopeId, branch: &mut Branch) -> Option<Split> {
        let id = term.node;
        match (node, term.holds) {
            (&Node::PropertyCount { min, max }, true) => narrow(&mut branch.property_count, min, max),
            (&Node::PropertyCount { min, max }, false) => {
                return Some(Split::outside(|branch| &mut branch.property_count, min, max));
            }
            // The tableau expands a term once in each scope, and equal nodes are one node, so that a name is not added over and over.
            (Node::Required(name), true) => branch.required.push(name.clone()),
            (Node::Required(name), false) => {
                branch.values.push(NamedTerm { name: name.clone(), term: Term::FALSE });
            }
            (Node::Properties(_), true) => branch.properties.push(Scoped { item: id, scope }),
            (Node::Properties(properties), false) => return Some(self.violated_properties(properties, id)),
            (&Node::PropertyNames(names), true) => branch.names.push(Term::of(names)),
            (&Node::PropertyNames(names), false) => {
                let term = Term::FALSE.opposite();
                branch.ask(Demand::Some(SomeEntry { keys: Keys::Outside(names), term }));
            }
            _ => {}
        }
        None
    }

    /// The opposite of `properties` and its companions: some entry violates the schema of its key.
    pub(super) fn violated_properties(&self, properties: &Properties, id: NodeId) -> Split {
        let named = properties.named.iter().map(|(name, node)| (name.clone(), Term::not(*node)));
        let named = named.map(|(name, term)| Demand::Entry(NamedTerm { name, term }));
        let matching = properties.patterns.iter().map(|&(pattern, node)| (Keys::Matching(pattern), node));
        let beside = properties.additional.map(|node| (Keys::Beside(id), node));
        let others = matching.chain(beside).map(|(keys, node)| SomeEntry { keys, term: Term::not(node) });
        Split::Demands(named.chain(others.map(Demand::Some)).filter(|demand| !self.is_vain(demand)).collect())
    }

    /// The rules of array keywords. Each narrows the branch; the opposite of a count splits into the ranges outside it, the opposite of
    /// `items` into the entries that may violate it.
    fn take_array(
        &self,
        node: &Node,
        term: Term,
        scope: ScopeId,
        branch: &mut Branch,
    ) -> Result<Option<Split>, CompileError> {
        match (node, term.holds) {
            (&Node::ItemCount { min, max }, true) => narrow(&mut branch.item_count, min, max),
            (&Node::ItemCount { min, max }, false) => {
                return Ok(Some(Split::outside(|branch| &mut branch.item_count, min, max)));
            }
            (Node::Items { .. }, true) => branch.items.push(Scoped { item: term.node, scope }),
            (Node::Items { prefix, rest }, false) => return Ok(Some(self.violated_items(prefix, *rest))),
            (&Node::Contains { node, min, max }, true) => {
                // A condition without bounds still evaluates entries for a scope.
                if (min, max) != (0, u32::MAX) || scope != OUTSIDE {
                    let item = Counted { from: 0, term: Term::of(node), min, max };
                    branch.counted.push(Scoped { item, scope });
                }
            }
            (&Node::Contains { node, min, max }, false) => {
                let counted = |(min, max)| Demand::Counted(Counted { from: 0, term: Term::of(node), min, max });
                return Ok(Some(Split::Demands(outside(min, max).into_iter().map(counted).collect())));
            }
            (Node::Unique, true) => branch.unique = true,
            _ => return Ok(Some(Split::Refused(Box::new(self.no_opposite(term.node, "uniqueItems"))))),
        }
        Ok(None)
    }

    /// The opposite of `prefixItems` and `items`: some entry violates the schema of its index.
    fn violated_items(&self, prefix: &[NodeId], rest: Option<NodeId>) -> Split {
        let at = (0..).zip(prefix).map(|(index, &node)| Demand::Item(IndexedTerm { index, term: Term::not(node) }));
        let from = prefix.len() as u32;
        let counted = |node| Demand::Counted(Counted { from, term: Term::not(node), min: 1, max: u32::MAX });
        Split::Demands(at.chain(rest.map(counted)).filter(|demand| !self.is_vain(demand)).collect())
    }

    /// Whether a demand asks for an entry with no possible value.
    fn is_vain(&self, demand: &Demand) -> bool {
        let term = match demand {
            Demand::Entry(entry) => entry.term,
            Demand::Some(entry) => entry.term,
            Demand::Item(item) => item.term,
            Demand::Counted(_) => return false,
        };
        term == Term::FALSE
            || !term.holds && matches!(&self.graph.nodes[term.node.index()], Node::All(nodes) if nodes.is_empty())
    }

    /// Notes that the analysis leaves out values that fail a keyword and nothing else. It then proves nothing where no value is left.
    pub(super) fn note_narrowed(&mut self, id: NodeId, keyword: &str) {
        if self.narrowed.is_none() {
            self.narrowed = Some(self.no_opposite(id, keyword));
        }
    }

    /// The error where a keyword fails whose opposite no branch can express.
    fn no_opposite(&self, id: NodeId, keyword: &str) -> CompileError {
        CompileError::Unsupported {
            at: Place::Pointer(self.graph.pointers[id.index()].to_string()),
            keyword: "not".into(),
            reason: format!(
                "the opposite of {keyword} (from not, if, or oneOf with alternatives that overlap) is not enforced; \
                 write alternatives that exclude each other, with const or type"
            ),
        }
    }
}

/// The rules of keywords for scalars. Each narrows the branch; only the opposite of a length splits it, into the lengths on either side.
fn take_scalar(node: &Node, term: Term, branch: &mut Branch) -> Option<Split> {
    let holds = term.holds;
    match (node, holds) {
        (&Node::Kinds(kinds), _) => branch.kinds = branch.kinds.and(if holds { kinds } else { kinds.complement() }),
        (Node::Scalars(values), true) => intersect_scalars(&mut branch.scalars, values),
        (Node::Scalars(values), false) => branch.excluded.extend(values.iter().cloned()),
        (Node::Number(atom), _) => branch.numbers.push((atom.clone(), holds)),
        (&Node::Pattern(pattern), _) => drop(branch.patterns.insert((pattern, holds))),
        (&Node::Length { min, max }, true) => narrow(&mut branch.length, min, max),
        (&Node::Length { min, max }, false) => return Some(Split::outside(|branch| &mut branch.length, min, max)),
        _ => {}
    }
    None
}

/// Keeps the scalars that are in both lists, by value and not by spelling.
fn intersect_scalars(kept: &mut Option<Vec<Value>>, values: &[Value]) {
    match kept {
        None => *kept = Some(values.to_vec()),
        Some(kept) => {
            let values = scalars(values);
            kept.retain(|value| values.contains(&ScalarValue::new(value)));
        }
    }
}

/// The only kind of value that a keyword constrains.
fn constrained_kind(node: &Node) -> Option<Kinds> {
    match node {
        Node::Number(_) => Some(Kinds::NUMBER),
        Node::Length { .. } | Node::Pattern(_) => Some(Kinds::STRING),
        Node::Required(_) | Node::Properties(_) | Node::PropertyNames(_) | Node::PropertyCount { .. } => {
            Some(Kinds::OBJECT)
        }
        Node::Items { .. } | Node::ItemCount { .. } | Node::Contains { .. } | Node::Unique => Some(Kinds::ARRAY),
        Node::All(_)
        | Node::Any(_)
        | Node::One(_)
        | Node::Not(_)
        | Node::Kinds(_)
        | Node::Scalars(_)
        | Node::Scope { .. } => None,
    }
}
