//! A conjunction of terms to its alternatives.

use crate::error::{CompileError, Place, too_big};
use crate::json::analysis::Builder;
use crate::json::analysis::branch::{
    Branch, Counted, Demand, Keys, OUTSIDE, OneWay, ScopeId, Split, Term, narrow, outside, ranges,
};
use crate::json::analysis::finish::Gathered;
use crate::json::analysis::overlaps::{ScalarValue, scalars};
use crate::json::schema::graph::{Kinds, Node, NodeId, TRUE};
use crate::json::shape::Schema;
use std::collections::BTreeSet;

/// Alternatives of an `anyOf` beside `unevaluatedProperties` or `unevaluatedItems`: each set of them that may hold together is a branch,
/// since all that hold count as having evaluated their entries.
const MOST_EVALUATED: usize = 8;

/// A branch that is being worked out.
#[derive(Clone)]
pub(crate) struct OpenBranch {
    /// What is to be done, last first.
    todo: Vec<(Term, ScopeId)>,
    /// What leaves several ways to go on.
    later: Vec<(Term, ScopeId)>,
    seen: BTreeSet<(Term, ScopeId)>,
    so_far: Branch,
}

impl OpenBranch {
    fn new(terms: &[Term]) -> OpenBranch {
        let todo = terms.iter().rev().map(|&term| (term, OUTSIDE)).collect();
        OpenBranch { todo, later: Vec::new(), seen: BTreeSet::new(), so_far: Branch::new() }
    }

    /// Whether the term holds in some scope.
    fn has_seen(&self, term: Term) -> bool {
        self.seen.range((term, OUTSIDE)..).next().is_some_and(|(first, _)| *first == term)
    }
}

impl Builder<'_> {
    /// The alternatives of a conjunction of terms.
    pub(crate) fn alternatives(&mut self, terms: &[Term]) -> Result<Schema, CompileError> {
        let mut gathered = Gathered::default();
        // The branches that are open, the first one last.
        let mut open = vec![OpenBranch::new(terms)];
        while let Some(mut branch) = open.pop() {
            if !self.follow(&mut branch, terms)? {
                continue;
            }
            // What has the fewest ways to go on is decided first: with it decided, others may have fewer.
            let mut fewest: Option<(usize, Split)> = None;
            for index in 0..branch.later.len() {
                let (term, scope) = branch.later[index];
                let split = self.take(term, scope, &mut branch.so_far, &mut branch.todo)?;
                let Some(split) = split.map(|split| self.possible(split, &branch)) else { continue };
                self.spend(split.len(), terms)?;
                if fewest.as_ref().is_none_or(|(_, least)| split.len() < least.len()) {
                    let decided = split.len() < 2;
                    fewest = Some((index, split));
                    if decided {
                        break;
                    }
                }
            }
            let Some((index, split)) = fewest else {
                self.finish(branch.so_far, &mut gathered, terms)?;
                continue;
            };
            let (_, scope) = branch.later.remove(index);
            let first = open.len();
            for way in split.ways() {
                self.spend(10 + branch.seen.len() / 4 + branch.so_far.size() / 32, terms)?;
                let mut next = branch.clone();
                match way {
                    OneWay::Terms(way) => next.todo.extend(way.into_iter().rev().map(|term| (term, scope))),
                    OneWay::Demand(demand) => next.so_far.ask(demand),
                    OneWay::Range(field, (min, max)) => narrow(field(&mut next.so_far), min, max),
                }
                open.push(next);
            }
            open[first..].reverse();
        }
        self.gather(gathered, terms)
    }

    /// Adds the terms that leave one way to go on, and puts the others off. Returns false at a contradiction.
    pub(crate) fn follow(&mut self, open: &mut OpenBranch, terms: &[Term]) -> Result<bool, CompileError> {
        while let Some((term, scope)) = open.todo.pop() {
            self.spend(1, terms)?;
            if !open.seen.insert((term, scope)) {
                continue;
            }
            let opposite = (term.0, !term.1);
            if open.has_seen(opposite) {
                return Ok(false);
            }
            if self.take(term, scope, &mut open.so_far, &mut open.todo)?.is_some() {
                open.later.push((term, scope));
            }
            if open.so_far.kinds == Kinds::NONE {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Leaves out the ways that are seen at once to lead nowhere.
    pub(crate) fn possible(&mut self, mut split: Split, open: &OpenBranch) -> Split {
        let graph = self.graph;
        for &(id, _) in &open.so_far.properties {
            if let (Split::Demands(_), Node::Properties(properties)) = (&split, &graph.nodes[id.index()]) {
                let places = || properties.named.iter().map(|(name, node)| (name.as_str(), *node)).collect();
                self.named_nodes.entry(id).or_insert_with(places);
            }
        }
        match &mut split {
            Split::Terms(ways) => ways.retain(|way| {
                way.iter().all(|&(node, holds)| {
                    let opposite = (node, !holds);
                    !open.has_seen(opposite)
                })
            }),
            Split::Demands(demands) => demands.retain(|demand| !self.is_refused(demand, &open.so_far)),
            Split::Ranges(ways) => ways.retain(|(field, (min, max))| {
                let mut branch = open.so_far.clone();
                narrow(field(&mut branch), *min, *max);
                let (min, max) = field(&mut branch);
                min <= max
            }),
        }
        split
    }

    /// Whether the branch already says that there is nothing like that.
    pub(crate) fn is_refused(&self, demand: &Demand, branch: &Branch) -> bool {
        let mut nodes = branch.properties.iter().filter_map(|&(id, _)| match &self.graph.nodes[id.index()] {
            Node::Properties(properties) => Some((properties, self.named_nodes.get(&id)?)),
            _ => None,
        });
        match demand {
            Demand::Entry(name, (node, holds)) => nodes.any(|(properties, named)| match named.get(name.as_str()) {
                Some(inner) => inner == node && !holds || self.is_false(*inner),
                None => {
                    let mut patterns = properties.patterns.iter();
                    let matches =
                        patterns.any(|(pattern, _)| self.graph.patterns[pattern.index()].accepts(name.as_bytes()));
                    !matches && properties.additional.is_some_and(|node| self.is_false(node))
                }
            }),
            Demand::Some(Keys::Beside(id), _) => {
                let Node::Properties(beside) = &self.graph.nodes[id.index()] else { return false };
                nodes.any(|(properties, named)| {
                    properties.patterns.is_empty()
                        && properties.additional.is_some_and(|node| self.is_false(node))
                        && properties.named.len() <= beside.named.len()
                        && beside.named.iter().filter(|(name, _)| named.contains_key(name.as_str())).count()
                            == properties.named.len()
                })
            }
            _ => false,
        }
    }

    /// Adds one term to a branch. Returns the ways in which the branch goes on if there are several.
    pub(crate) fn take(
        &mut self,
        (id, holds): Term,
        scope: ScopeId,
        branch: &mut Branch,
        todo: &mut Vec<(Term, ScopeId)>,
    ) -> Result<Option<Split>, CompileError> {
        let graph = self.graph;
        let node = &graph.nodes[id.index()];
        let each = |nodes: &[NodeId], holds: bool| nodes.iter().map(|&node| vec![(node, holds)]).collect::<Vec<_>>();
        // A negated condition on one kind of value holds only for values of this kind.
        let mut only = |kind: Kinds| {
            if !holds {
                branch.kinds = branch.kinds.and(kind);
            }
        };
        match (node, holds) {
            (Node::All(nodes), true) | (Node::Any(nodes), false) => {
                todo.extend(nodes.iter().rev().map(|&node| ((node, holds), scope)));
            }
            (Node::All(nodes), false) | (Node::Any(nodes), true) => match nodes.as_slice() {
                &[node] => todo.push(((node, holds), scope)),
                // All that hold count as having looked at their entries, not just one.
                nodes if scope != OUTSIDE && holds => return self.every_way(nodes, id).map(Some),
                nodes => return Ok(Some(Split::Terms(each(nodes, holds)))),
            },
            (Node::One(nodes), true) => {
                let overlaps = self.overlaps(id, nodes)?;
                let ways = nodes.iter().zip(&overlaps.others).map(|(&node, others)| {
                    let others = others.iter().map(|&other| (nodes[other as usize], false));
                    std::iter::once((node, true)).chain(others).collect()
                });
                return Ok(Some(Split::Terms(ways.collect())));
            }
            (Node::One(nodes), false) => {
                let mut ways: Vec<Vec<Term>> = vec![nodes.iter().map(|&node| (node, false)).collect()];
                let overlaps = self.overlaps(id, nodes)?;
                for (one, others) in overlaps.others.iter().enumerate() {
                    let more = others.iter().map(|&two| two as usize).filter(|&two| two > one);
                    ways.extend(more.map(|two| vec![(nodes[one], true), (nodes[two], true)]));
                }
                return Ok(Some(Split::Terms(ways)));
            }
            // What is under `not` looks at nothing.
            (&Node::Not(node), _) => todo.push(((node, !holds), OUTSIDE)),
            (&Node::Scope { inner, .. }, true) => {
                branch.scopes.push((id, scope));
                todo.push(((inner, true), ScopeId::new(branch.scopes.len())));
            }
            (&Node::Kinds(kinds), _) => {
                branch.kinds = branch.kinds.and(if holds { kinds } else { kinds.complement() });
            }
            (Node::Scalars(values), true) => {
                let kept = match branch.scalars.take() {
                    None => values.clone(),
                    Some(before) => {
                        let values = scalars(values);
                        before.into_iter().filter(|value| values.contains(&ScalarValue::new(value))).collect()
                    }
                };
                branch.scalars = Some(kept);
            }
            (Node::Scalars(values), false) => branch.excluded.extend(values.iter().cloned()),
            (Node::Number(atom), _) => {
                only(Kinds::NUMBER);
                branch.numbers.push((atom.clone(), holds));
            }
            (&Node::Pattern(pattern), _) => {
                only(Kinds::STRING);
                branch.patterns.insert((pattern, holds));
            }
            (&Node::Length { min, max }, true) => narrow(&mut branch.length, min, max),
            (&Node::PropertyCount { min, max }, true) => narrow(&mut branch.property_count, min, max),
            (&Node::ItemCount { min, max }, true) => narrow(&mut branch.item_count, min, max),
            (&Node::Length { min, max }, false) => {
                only(Kinds::STRING);
                return Ok(Some(ranges(|branch| &mut branch.length, min, max)));
            }
            (&Node::PropertyCount { min, max }, false) => {
                only(Kinds::OBJECT);
                return Ok(Some(ranges(|branch| &mut branch.property_count, min, max)));
            }
            (&Node::ItemCount { min, max }, false) => {
                only(Kinds::ARRAY);
                return Ok(Some(ranges(|branch| &mut branch.item_count, min, max)));
            }
            (Node::Required(name), true) => {
                // The same name again changes nothing: a node of it is the same wherever it stands.
                branch.required.push(name.clone());
            }
            (Node::Required(name), false) => {
                only(Kinds::OBJECT);
                branch.values.push((name.clone(), (TRUE, false)));
            }
            (Node::Properties(_), true) => branch.properties.push((id, scope)),
            (&Node::PropertyNames(names), true) => branch.names.push((names, true)),
            (Node::Items { .. }, true) => branch.items.push((id, scope)),
            (Node::Properties(properties), false) => {
                // Some property is there with a value that it must not have.
                only(Kinds::OBJECT);
                let named = properties.named.iter().map(|(name, node)| Demand::Entry(name.clone(), (*node, false)));
                let matching = properties.patterns.iter().map(|&(pattern, node)| (Keys::Matching(pattern), node));
                let beside = properties.additional.map(|node| (Keys::Beside(id), node));
                let others = matching.chain(beside).map(|(keys, node)| Demand::Some(keys, (node, false)));
                return Ok(Some(Split::Demands(named.chain(others).filter(|demand| !self.is_vain(demand)).collect())));
            }
            (&Node::PropertyNames(names), false) => {
                only(Kinds::OBJECT);
                branch.ask(Demand::Some(Keys::Outside(names), (TRUE, true)));
            }
            (Node::Items { prefix, rest }, false) => {
                only(Kinds::ARRAY);
                let at = (0..).zip(prefix).map(|(index, &node)| Demand::Item(index, (node, false)));
                let from = prefix.len() as u32;
                let beyond =
                    rest.map(|node| Demand::Counted(Counted { from, term: (node, false), min: 1, max: u32::MAX }));
                return Ok(Some(Split::Demands(at.chain(beyond).filter(|demand| !self.is_vain(demand)).collect())));
            }
            (&Node::Contains { node, min, max }, true) => {
                if (min, max) != (0, u32::MAX) || scope != OUTSIDE {
                    branch.counted.push((Counted { from: 0, term: (node, true), min, max }, scope));
                }
            }
            (&Node::Contains { node, min, max }, false) => {
                only(Kinds::ARRAY);
                let counted = |(min, max)| Demand::Counted(Counted { from: 0, term: (node, true), min, max });
                return Ok(Some(Split::Demands(outside(min, max).into_iter().map(counted).collect())));
            }
            (Node::Unique, true) => branch.unique = true,
            (Node::Unique, false) | (Node::Scope { .. }, false) => {
                let keyword = if matches!(node, Node::Unique) { "uniqueItems" } else { "unevaluated..." };
                return Err(CompileError::Unsupported {
                    at: Place::Pointer(graph.pointers[id.index()].to_string()),
                    keyword: "not".into(),
                    reason: format!(
                        "the opposite of {keyword} (from not, if, or oneOf with alternatives that overlap) is not enforced; \
                         write alternatives that exclude each other, with const or type"
                    ),
                });
            }
        }
        Ok(None)
    }

    /// All ways in which at least one of the nodes holds, whatever the others do.
    pub(crate) fn every_way(&self, nodes: &[NodeId], id: NodeId) -> Result<Split, CompileError> {
        if nodes.len() > MOST_EVALUATED {
            let at = Place::Pointer(self.graph.pointers[id.index()].to_string());
            return Err(too_big(
                at,
                "alternatives beside unevaluatedProperties or unevaluatedItems",
                MOST_EVALUATED,
                "use fewer",
            ));
        }
        let ways = (1..1u32 << nodes.len())
            .map(|set| (0..).zip(nodes).filter(|(i, _)| set >> i & 1 == 1).map(|(_, &node)| (node, true)).collect());
        Ok(Split::Terms(ways.collect()))
    }

    /// Whether what is asked for is never there.
    pub(crate) fn is_vain(&self, demand: &Demand) -> bool {
        let (Demand::Entry(_, term) | Demand::Some(_, term) | Demand::Item(_, term)) = demand else { return false };
        term.0 == TRUE && !term.1
            || matches!(&self.graph.nodes[term.0.index()], Node::All(nodes) if nodes.is_empty() && !term.1)
    }
}
