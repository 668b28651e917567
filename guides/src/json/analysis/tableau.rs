//! The tableau: a conjunction of terms to the branches of its disjunctive normal form.
//!
//! A branch expands its conjunctive terms first and puts off each term that splits. When only such terms are left, the most constrained
//! one splits the branch: each decision drops disjuncts of the other terms, so few decisions early keep the tree small, and a term with at
//! most one disjunct leaves no choice at all. A branch closes when a term meets its opposite, or when no kind of
//! value is left. Nodes are hash-consed, so a condition and its opposite meet wherever they stand in the schema.
//!
//! Expansion ends: each rule hands on nodes inside its own, no schema contains itself at the same value, and a branch expands a term
//! once per scope. Conditions on the values of entries are not expanded here but interned as schemas of their own.
//! A branch that stays open may still be empty, since contradictions between automata show only when it is finished.

use crate::error::CompileError;
use crate::json::analysis::Builder;
use crate::json::analysis::branch::{
    Branch, Clausal, Demand, Disjunct, Keys, NamedTerm, OUTSIDE, ScopeId, Scoped, SomeEntry, Split, Term,
};
use crate::json::analysis::facts::{Facts, FactsComparison, LEVELS};
use crate::json::analysis::finish::Gathered;
use crate::json::analysis::overlaps::COMPARED_PER_STEP;
use crate::json::schema::graph::{Kinds, Node, NodeId};
use crate::json::shape::Schema;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Steps after which a comparison of a branch with a disjunct gives up: both may hold.
const STEPS_OF_A_LOOK: usize = 4_000;

/// Terms that are looked at for one that leaves fewer than two disjuncts.
const MOST_LOOKED_AT: usize = 64;

/// Names of a closed condition that are looked at one by one.
const FEW_NAMED: usize = 64;

/// Terms that make more branches together become clauses where they can.
const MOST_PRODUCT: usize = 16;

/// A branch with terms that are not expanded.
#[derive(Clone)]
pub(super) struct OpenBranch<'g> {
    /// To be expanded, last first.
    todo: Vec<Scoped<Term>>,
    /// Terms that split the branch.
    pub(super) later: Vec<Scoped<Term>>,
    seen: BTreeSet<Scoped<Term>>,
    pub(super) so_far: Branch,
    /// With so many terms that split it the branch was last tried as clauses.
    tried: usize,
    /// What certainly holds in the branch. Found when it is first split.
    facts: Rc<Facts<'g>>,
    /// What the facts do not yet say.
    news: Vec<News<'g>>,
}

/// What was decided in a branch.
#[derive(Clone)]
enum News<'g> {
    Term(Term),
    Facts(Rc<Facts<'g>>),
}

/// A term of [`OpenBranch::later`] and its disjuncts.
struct Decision {
    index: usize,
    split: Split,
    /// The branches that all terms together would make.
    product: usize,
}

impl<'g> OpenBranch<'g> {
    fn new(terms: &[Term]) -> OpenBranch<'g> {
        let todo = terms.iter().rev().map(|&item| Scoped { item, scope: OUTSIDE }).collect();
        let (facts, news) = (Rc::new(Facts::open()), Vec::new());
        OpenBranch {
            todo,
            later: Vec::new(),
            seen: BTreeSet::new(),
            so_far: Branch::new(),
            tried: usize::MAX,
            facts,
            news,
        }
    }

    /// Adds a term to be expanded next.
    pub(super) fn add(&mut self, term: Term, scope: ScopeId) {
        self.todo.push(Scoped { item: term, scope });
    }

    /// Whether the term holds in some scope.
    pub(super) fn has_seen(&self, term: Term) -> bool {
        let first = Scoped { item: term, scope: OUTSIDE };
        self.seen.range(first..).next().is_some_and(|first| first.item == term)
    }

    /// Adds to what certainly holds.
    pub(super) fn learn_facts(&mut self, facts: Facts<'g>) {
        self.news.push(News::Facts(Rc::new(facts)));
    }

    /// The branch for the values of some kinds.
    fn of_kinds(&self, kinds: Kinds) -> OpenBranch<'g> {
        let mut next = self.clone();
        next.so_far.kinds = next.so_far.kinds.and(kinds);
        next
    }

    /// The branch with one disjunct of a term that stands in `scope`.
    fn with(&self, disjunct: Disjunct, scope: ScopeId) -> OpenBranch<'g> {
        let mut next = self.clone();
        match disjunct {
            Disjunct::Terms(terms) => terms.into_iter().rev().for_each(|term| next.add(term, scope)),
            Disjunct::Demand(demand) => next.so_far.ask(demand),
            Disjunct::Range(range) => range.apply(&mut next.so_far),
        }
        next
    }
}

impl<'g> Builder<'g> {
    /// The alternatives of a conjunction of terms.
    pub(super) fn alternatives(&mut self, terms: &[Term]) -> Result<Schema, CompileError> {
        let mut gathered = Gathered::default();
        // A stack, the first branch on top: depth first, so that only the siblings along one path are kept.
        let mut open = vec![OpenBranch::new(terms)];
        while let Some(mut branch) = open.pop() {
            if !self.follow(&mut branch, terms)? {
                continue;
            }
            let Some(mut decision) = self.most_constrained(&mut branch, terms)? else {
                self.finish(branch.so_far, &mut gathered, terms)?;
                continue;
            };
            let several = decision.split.len() > 1 && branch.later.len() > 1;
            if several && decision.product > MOST_PRODUCT && branch.so_far.kinds.has(Kinds::OBJECT) {
                if branch.so_far.kinds != Kinds::OBJECT {
                    open.push(branch.of_kinds(Kinds::OBJECT));
                    open.push(branch.of_kinds(Kinds::OBJECT.complement()));
                    continue;
                }
                // A try looks at all terms, so that it waits until many of them are decided.
                let tries = branch.so_far.some.is_empty() && branch.later.len() <= branch.tried / 2;
                let clausal = if tries { self.clausal(&mut branch, terms)? } else { Clausal::But(decision.index) };
                match clausal {
                    Clausal::Closed => continue,
                    // Each round drops terms, and what it decided may leave one case of others.
                    Clausal::Decided => {
                        open.push(branch);
                        continue;
                    }
                    Clausal::All => {
                        self.finish(branch.so_far, &mut gathered, terms)?;
                        continue;
                    }
                    Clausal::But(index) => {
                        branch.tried = if tries { branch.later.len() } else { branch.tried };
                        if let Some(split) = self.take(branch.later[index], &mut branch)? {
                            decision = Decision { index, split: self.possible(split, &mut branch)?, product: 0 };
                        }
                    }
                }
            }
            let Decision { index, split, .. } = decision;
            if let Split::Refused(error) = split {
                return Err(*error);
            }
            let Scoped { item, scope } = branch.later.remove(index);
            self.splitting = Some((item.node, branch.later.len()));
            let first = open.len();
            for disjunct in split.disjuncts() {
                self.spend(10 + branch.seen.len() / 16 + branch.so_far.size() / 32, terms)?;
                let facts = match &disjunct {
                    Disjunct::Demand(demand) => self.facts_of_demand(demand)?,
                    _ => None,
                };
                let mut next = branch.with(disjunct, scope);
                next.news.extend(facts.map(|facts| News::Facts(Rc::new(facts))));
                open.push(next);
            }
            open[first..].reverse();
        }
        self.splitting = None;
        self.gather(gathered, terms)
    }

    /// Expands the terms of a branch, and puts off each that splits it. Returns false if the branch closes.
    fn follow(&mut self, open: &mut OpenBranch<'g>, terms: &[Term]) -> Result<bool, CompileError> {
        while let Some(scoped) = open.todo.pop() {
            self.spend(1, terms)?;
            if !open.seen.insert(scoped) {
                continue;
            }
            if open.has_seen(scoped.item.opposite()) {
                return Ok(false);
            }
            if self.take(scoped, open)?.is_some() {
                open.later.push(scoped);
            } else if !is_logic(&self.graph.nodes[scoped.item.node.index()]) {
                open.news.push(News::Term(scoped.item));
            }
            if open.so_far.kinds == Kinds::NONE {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The term with the fewest disjuncts that are still possible; `None` if no term splits the branch. Terms that hold already are
    /// dropped.
    fn most_constrained(
        &mut self,
        branch: &mut OpenBranch<'g>,
        terms: &[Term],
    ) -> Result<Option<Decision>, CompileError> {
        if branch.later.is_empty() {
            return Ok(None);
        }
        self.learn(branch, terms)?;
        let mut fewest: Option<Decision> = None;
        let mut index = 0;
        let mut product = 1usize;
        while index < branch.later.len() {
            let scoped = branch.later[index];
            // In a scope the term evaluates entries too.
            let evaluates = scoped.scope != OUTSIDE && scoped.item.holds;
            if !evaluates && !self.may_hold(branch, scoped.item.opposite())? {
                branch.later.remove(index);
                continue;
            }
            let Some(split) = self.take(scoped, branch)? else {
                index += 1;
                continue;
            };
            let split = self.possible(split, branch)?;
            self.spend(split.len().min(256) / 4, terms)?;
            product = product.saturating_mul(split.len());
            if fewest.as_ref().is_none_or(|least| split.len() < least.split.len()) {
                // It closes the branch, or leaves no choice.
                let decided = split.len() < 2;
                fewest = Some(Decision { index, split, product: 0 });
                if decided {
                    break;
                }
            }
            index += 1;
            // Of hundreds of terms the first ones are as good as any; the others are looked at again.
            if fewest.as_ref().is_some_and(|least| least.split.len() == 2) && index >= MOST_LOOKED_AT {
                product = product.saturating_mul(branch.later.len() - index + 1);
                break;
            }
        }
        Ok(fewest.map(|decision| Decision { product, ..decision }))
    }

    /// Adds what was decided in a branch to its facts.
    fn learn(&mut self, branch: &mut OpenBranch<'g>, terms: &[Term]) -> Result<(), CompileError> {
        if branch.news.is_empty() {
            return Ok(());
        }
        self.spend(branch.facts.size() / 16, terms)?;
        let news = std::mem::take(&mut branch.news);
        let facts = Rc::make_mut(&mut branch.facts);
        for one in news {
            let more = match one {
                News::Term(term) => self.facts(term, LEVELS)?,
                News::Facts(facts) => facts,
            };
            self.spend(more.size() / 8, terms)?;
            facts.meet(&more);
        }
        Ok(())
    }

    /// Whether a term may hold in the branch, as far as its facts tell.
    pub(super) fn may_hold(&mut self, branch: &OpenBranch<'g>, term: Term) -> Result<bool, CompileError> {
        let facts = self.facts(term, LEVELS)?;
        self.may_share(branch, &facts)
    }

    /// Whether some value of the branch may have these facts.
    pub(super) fn may_share(&mut self, branch: &OpenBranch<'g>, facts: &Facts<'g>) -> Result<bool, CompileError> {
        let mut comparison = FactsComparison::new(self.graph, STEPS_OF_A_LOOK);
        let common = comparison.common(&branch.facts, facts).and(branch.so_far.kinds);
        self.spend((STEPS_OF_A_LOOK - comparison.left) / COMPARED_PER_STEP, &[])?;
        Ok(common != Kinds::NONE)
    }

    /// Leaves out disjuncts in which entries are repeated, where there are others: no branch can express them.
    fn leave_out_repeated(&mut self, disjuncts: &mut Vec<Vec<Term>>) {
        let graph = self.graph;
        let repeats = |terms: &Vec<Term>| match terms.as_slice() {
            [term] if !term.holds => matches!(graph.nodes[term.node.index()], Node::Unique).then_some(term.node),
            _ => None,
        };
        let Some(node) = disjuncts.iter().find_map(repeats) else { return };
        if disjuncts.iter().any(|terms| repeats(terms).is_none()) {
            self.note_narrowed(node, "uniqueItems");
            disjuncts.retain(|terms| repeats(terms).is_none());
        }
    }

    /// Demands for some entry beside those of a node, by name where a closed condition of the branch leaves few names.
    fn by_name(&self, demands: Vec<Demand>, branch: &Branch) -> Vec<Demand> {
        let Some(names) = self.only_names(branch).filter(|names| names.len() <= FEW_NAMED) else { return demands };
        let mut all = Vec::with_capacity(demands.len());
        for demand in demands {
            match demand {
                Demand::Some(SomeEntry { keys: Keys::Beside(id), term }) => {
                    let Node::Properties(properties) = &self.graph.nodes[id.index()] else { continue };
                    let pattern = |name: &str| {
                        let mut patterns = properties.patterns.iter();
                        patterns.any(|(pattern, _)| self.graph.patterns[pattern.index()].accepts(name.as_bytes()))
                    };
                    let own = |name: &str| properties.named.iter().any(|(own, _)| own == name) || pattern(name);
                    let beside = names.iter().filter(|(name, _)| !own(name));
                    all.extend(beside.map(|(name, _)| Demand::Entry(NamedTerm { name: name.clone(), term })));
                }
                Demand::Some(SomeEntry { keys: Keys::Matching(pattern), term }) => {
                    let language = &self.graph.patterns[pattern.index()];
                    let matching = names.iter().filter(|(name, _)| language.accepts(name.as_bytes()));
                    all.extend(matching.map(|(name, _)| Demand::Entry(NamedTerm { name: name.clone(), term })));
                }
                other => all.push(other),
            }
        }
        all
    }

    /// Prepares the search for single names in the conditions of a branch.
    pub(super) fn note_names(&mut self, branch: &Branch) {
        let graph = self.graph;
        for &Scoped { item: id, .. } in &branch.properties {
            if let Node::Properties(properties) = &graph.nodes[id.index()] {
                let places = || properties.named.iter().map(|(name, node)| (name.as_str(), *node)).collect();
                self.named_nodes.entry(id).or_insert_with(places);
            }
        }
    }

    /// Leaves out disjuncts that contradict the branch on sight. The check is incomplete: a disjunct that it misses becomes a branch
    /// that closes, or one that is finished with no value.
    fn possible(&mut self, split: Split, open: &mut OpenBranch<'g>) -> Result<Split, CompileError> {
        if let Split::Demands(_) = &split {
            self.note_names(&open.so_far);
        }
        Ok(match split {
            Split::Terms(all) => {
                let mut kept = Vec::with_capacity(all.len());
                for terms in all {
                    let mut possible = terms.iter().all(|term| !open.has_seen(term.opposite()));
                    for &term in &terms {
                        possible = possible && self.may_hold(open, term)?;
                    }
                    kept.extend(possible.then_some(terms));
                }
                self.leave_out_repeated(&mut kept);
                Split::Terms(kept)
            }
            Split::Demands(demands) => {
                let mut kept = Vec::with_capacity(demands.len());
                for demand in self.by_name(demands, &open.so_far) {
                    let possible = !self.is_refused(&demand, &open.so_far)
                        && match self.facts_of_demand(&demand)? {
                            Some(facts) => self.may_share(open, &facts)?,
                            None => true,
                        };
                    kept.extend(possible.then_some(demand));
                }
                Split::Demands(kept)
            }
            Split::Refused(error) => Split::Refused(error),
            Split::Ranges(mut ranges) => {
                ranges.retain(|range| range.is_possible(&mut open.so_far));
                Split::Ranges(ranges)
            }
        })
    }

    /// Whether the branch rules out on sight the entry that a demand asks for.
    pub(super) fn is_refused(&self, demand: &Demand, branch: &Branch) -> bool {
        let mut nodes = branch.properties.iter().filter_map(|scoped| match &self.graph.nodes[scoped.item.index()] {
            Node::Properties(properties) => Some((properties, self.named_nodes.get(&scoped.item)?)),
            _ => None,
        });
        match demand {
            Demand::Entry(entry) => nodes.any(|(properties, named)| match named.get(entry.name.as_str()) {
                Some(&inner) => entry.term == Term::not(inner) || self.is_false(inner),
                None => {
                    let mut patterns = properties.patterns.iter();
                    let name = entry.name.as_bytes();
                    let matches = patterns.any(|(pattern, _)| self.graph.patterns[pattern.index()].accepts(name));
                    !matches && properties.additional.is_some_and(|node| self.is_false(node))
                }
            }),
            Demand::Some(entry) => {
                // A closed object whose names all stand in the other leaves no key beside them.
                let Keys::Beside(id) = entry.keys else { return false };
                let Node::Properties(beside) = &self.graph.nodes[id.index()] else { return false };
                nodes.any(|(properties, named)| {
                    properties.patterns.is_empty()
                        && properties.additional.is_some_and(|node| self.is_false(node))
                        && properties.named.len() <= beside.named.len()
                        && beside.named.iter().filter(|(name, _)| named.contains_key(name.as_str())).count()
                            == properties.named.len()
                })
            }
            Demand::Item(_) | Demand::Counted(_) => false,
        }
    }

    /// Whether a node is seen at once to hold for no value.
    pub(super) fn is_false(&self, node: NodeId) -> bool {
        match &self.graph.nodes[node.index()] {
            Node::Any(nodes) => nodes.is_empty(),
            Node::All(nodes) => nodes
                .iter()
                .any(|&node| matches!(&self.graph.nodes[node.index()], Node::Any(inner) if inner.is_empty())),
            _ => false,
        }
    }
}

/// Whether a node only passes on to others.
fn is_logic(node: &Node) -> bool {
    matches!(node, Node::All(_) | Node::Any(_) | Node::One(_) | Node::Not(_) | Node::Scope { .. })
}
