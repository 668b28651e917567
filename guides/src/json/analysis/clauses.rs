//! Terms that split a branch, as clauses that the object keeps: lists of cases that say something about single keys.
//!
//! Disjunctions of one branch multiply: n of two disjuncts each make 2^n branches, even where they speak of different keys. Where all values
//! of a branch are objects, a term whose disjuncts say no more than that keys are there, are missing, or have values of some kind, becomes a
//! [clause](crate::json::shape::clauses) instead. A case with one key that is missing in one case and there in another, and equal
//! otherwise, is one case in which the key may be there.

use crate::error::CompileError;
use crate::json::analysis::Builder;
use crate::json::analysis::branch::{Branch, Clausal, Demand, KeyAtom, KeyCase, NamedTerm, OUTSIDE, Scoped, Term};
use crate::json::analysis::facts::{Facts, LEVELS};
use crate::json::analysis::tableau::OpenBranch;
use crate::json::schema::graph::{Kinds, Node, NodeId, Properties};
use crate::json::shape::clauses::Presence;
use foldhash::HashMap;
use std::rc::Rc;

/// Cases of one clause.
const MOST_CASES: usize = 24;

/// Keys of which one case speaks.
const MOST_KEYS_OF_A_CASE: usize = 48;

/// Conditions on the values of one key that are not scalars or bounds on numbers: each set of them may be a way of its value.
const MOST_CONDITIONS: usize = 6;

/// Conditions on the values of one key of any kind.
const MOST_PLAIN_CONDITIONS: usize = 120;

/// Conditions inside each other that a clause looks through.
const DEEPEST_CLAUSE: usize = 24;

impl<'g> Builder<'g> {
    /// Turns the terms that split a branch of objects into clauses, if all of them can be.
    pub(super) fn clausal(&mut self, branch: &mut OpenBranch<'g>, terms: &[Term]) -> Result<Clausal, CompileError> {
        self.note_names(&branch.so_far);
        let mut clauses: Vec<Vec<KeyCase>> = Vec::new();
        let (mut decided, mut kept) = (false, None);
        let mut conditions: HashMap<Rc<str>, Vec<Vec<Term>>> = HashMap::default();
        for clause in &branch.so_far.clauses {
            note_conditions(clause, &mut conditions);
        }
        let mut index = 0;
        while index < branch.later.len() {
            let Scoped { item: term, scope } = branch.later[index];
            let cases = if scope != OUTSIDE && term.holds { None } else { self.cases(branch, term, 0)? };
            let cases = cases.map(simplified);
            self.spend(4, terms)?;
            match cases {
                Some(cases) if cases.is_empty() => return Ok(Clausal::Closed),
                Some(cases) if cases.iter().any(Vec::is_empty) => {
                    branch.later.remove(index);
                    continue;
                }
                Some(cases) if cases.len() == 1 => {
                    for atom in cases.into_iter().flatten() {
                        self.decide(branch, atom)?;
                    }
                    branch.later.remove(index);
                    decided = true;
                    continue;
                }
                Some(cases) if cases.len() <= MOST_CASES && self.fits(&cases, &mut conditions) => clauses.push(cases),
                _ => kept = kept.or(Some(index)),
            }
            index += 1;
        }
        if decided {
            return Ok(Clausal::Decided);
        }
        if let Some(index) = kept {
            return Ok(Clausal::But(index));
        }
        self.spend(clauses.len() * clauses.len() / 4, terms)?;
        branch.later.clear();
        let mut all: Vec<Vec<KeyCase>> = std::mem::take(&mut branch.so_far.clauses);
        all.extend(clauses);
        branch.so_far.clauses = strongest(all);
        Ok(Clausal::All)
    }

    /// Adds the only case of a term to a branch.
    fn decide(&mut self, branch: &mut OpenBranch<'g>, atom: KeyAtom) -> Result<(), CompileError> {
        let KeyAtom { name, presence, terms } = atom;
        let value = |term| NamedTerm { name: name.to_string(), term };
        let mut facts = Facts::open();
        for &term in &terms {
            let more = self.facts(term, LEVELS - 1)?;
            facts.meet(&more);
        }
        match presence {
            Presence::Forbidden => {
                facts.kinds = Kinds::NONE;
                branch.so_far.values.push(value(Term::FALSE));
            }
            Presence::Required if terms.is_empty() => branch.so_far.required.push(name.to_string()),
            Presence::Required => terms.iter().for_each(|&term| branch.so_far.ask(Demand::Entry(value(term)))),
            Presence::Optional => branch.so_far.values.extend(terms.iter().map(|&term| value(term))),
        }
        let required = presence == Presence::Required;
        branch.learn_facts(Facts::of_field(name.clone(), Rc::new(facts), required));
        Ok(())
    }

    /// Whether the conditions on each key stay few enough.
    fn fits(&self, cases: &[KeyCase], conditions: &mut HashMap<Rc<str>, Vec<Vec<Term>>>) -> bool {
        let mut more = conditions.clone();
        note_conditions(cases, &mut more);
        let fits = cases.iter().flatten().all(|atom| {
            more.get(&atom.name).is_none_or(|lists| {
                let plain = lists.iter().filter(|list| self.is_plain_list(list)).count();
                lists.len() - plain <= MOST_CONDITIONS && plain <= MOST_PLAIN_CONDITIONS
            })
        });
        if fits {
            *conditions = more;
        }
        fits
    }

    /// Whether a condition on values is one of scalars, types or bounds: values meet few sets of such conditions.
    pub(super) fn is_plain_list(&self, terms: &[Term]) -> bool {
        matches!(terms, &[term] if self.is_plain(term.node, DEEPEST_CLAUSE / 4))
    }

    fn is_plain(&self, node: NodeId, depth: usize) -> bool {
        match &self.graph.nodes[node.index()] {
            Node::Kinds(_) | Node::Scalars(_) | Node::Number(_) => true,
            Node::All(nodes) => {
                depth > 0 && nodes.len() <= 4 && nodes.iter().all(|&node| self.is_plain(node, depth - 1))
            }
            &Node::Not(node) => depth > 0 && self.is_plain(node, depth - 1),
            _ => false,
        }
    }

    /// The cases of a term for the objects of a branch; `None` if it says more than single keys tell.
    fn cases(
        &mut self,
        branch: &OpenBranch<'g>,
        term: Term,
        depth: usize,
    ) -> Result<Option<Vec<KeyCase>>, CompileError> {
        self.spend(1, &[term])?;
        let (always, never) = (Some(vec![Vec::new()]), Some(Vec::new()));
        // The term itself was seen when it was put off.
        if depth > 0 && branch.has_seen(term) || !self.may_hold(branch, term.opposite())? {
            return Ok(always);
        }
        if branch.has_seen(term.opposite()) || !self.may_hold(branch, term)? {
            return Ok(never);
        }
        if depth > DEEPEST_CLAUSE {
            return Ok(None);
        }
        let graph = self.graph;
        let holds = term.holds;
        let of_object = |object: bool| if object == holds { always.clone() } else { never.clone() };
        match (&graph.nodes[term.node.index()], holds) {
            (Node::All(nodes), true) | (Node::Any(nodes), false) => {
                let terms: Vec<Term> = nodes.iter().map(|&node| Term { node, holds }).collect();
                self.all_of(branch, &terms, depth)
            }
            (Node::Any(nodes), true) | (Node::All(nodes), false) => {
                let mut all = Vec::new();
                for &node in nodes {
                    let Some(cases) = self.cases(branch, Term { node, holds }, depth + 1)? else { return Ok(None) };
                    all.extend(cases);
                    if all.len() > MOST_CASES {
                        return Ok(None);
                    }
                }
                Ok(Some(all))
            }
            (Node::One(nodes), _) => {
                let split =
                    if holds { self.exactly_one(nodes, term.node)? } else { self.none_or_two(nodes, term.node)? };
                let mut all = Vec::new();
                for terms in split.terms() {
                    let Some(cases) = self.all_of(branch, &terms, depth)? else { return Ok(None) };
                    all.extend(cases);
                    if all.len() > MOST_CASES {
                        return Ok(None);
                    }
                }
                Ok(Some(all))
            }
            (&Node::Not(node), _) => self.cases(branch, Term { node, holds: !holds }, depth + 1),
            (Node::Kinds(kinds), _) => Ok(of_object(kinds.has(Kinds::OBJECT))),
            (Node::Scalars(_), _) => Ok(of_object(false)),
            (
                Node::Number(_)
                | Node::Length { .. }
                | Node::Pattern(_)
                | Node::Items { .. }
                | Node::ItemCount { .. }
                | Node::Contains { .. }
                | Node::Unique,
                _,
            ) => Ok(of_object(true)),
            (Node::Required(name), _) => {
                let presence = if holds { Presence::Required } else { Presence::Forbidden };
                Ok(Some(vec![vec![KeyAtom { name: name.as_str().into(), presence, terms: Vec::new() }]]))
            }
            (Node::Properties(properties), true) => self.kept_properties(branch, properties),
            (Node::Properties(properties), false) => self.violating_keys(branch, properties, term.node),
            (Node::PropertyNames(_) | Node::PropertyCount { .. } | Node::Scope { .. }, _) => Ok(None),
        }
    }

    /// The cases in which several terms hold.
    fn all_of(
        &mut self,
        branch: &OpenBranch<'g>,
        terms: &[Term],
        depth: usize,
    ) -> Result<Option<Vec<KeyCase>>, CompileError> {
        let mut all: Vec<KeyCase> = vec![Vec::new()];
        for &term in terms {
            let Some(cases) = self.cases(branch, term, depth + 1)? else { return Ok(None) };
            let cases = simplified(cases);
            if all.len() * cases.len() > 4 * MOST_CASES {
                return Ok(None);
            }
            self.spend(all.len() * cases.len(), terms)?;
            all = all.iter().flat_map(|one| cases.iter().filter_map(|two| both(one, two))).collect();
            if all.iter().any(|case| case.len() > MOST_KEYS_OF_A_CASE) {
                return Ok(None);
            }
        }
        Ok(Some(simplified(all)))
    }

    /// The names that a closed condition of the branch leaves to its objects, if there is one.
    pub(super) fn only_names(&self, branch: &Branch) -> Option<&'g [(String, NodeId)]> {
        let graph = self.graph;
        let closed = branch.properties.iter().filter_map(|properties| match &graph.nodes[properties.item.index()] {
            Node::Properties(properties) => Some(properties),
            _ => None,
        });
        let mut closed = closed.filter(|properties| {
            properties.patterns.is_empty() && properties.additional.is_some_and(|node| self.is_false(node))
        });
        closed.next().map(|properties| properties.named.as_slice())
    }

    /// The conditions of a node on single keys, as far as it speaks of others than it names: the keys that the branch allows beside these.
    fn conditions_beside(&self, branch: &Branch, properties: &Properties) -> Option<Vec<(Rc<str>, Vec<Term>)>> {
        if properties.patterns.is_empty() && properties.additional.is_none() {
            return Some(Vec::new());
        }
        let names = self.only_names(branch)?;
        let beside = names.iter().filter(|(name, _)| !properties.named.iter().any(|(own, _)| own == name));
        let asked = beside.map(|(name, _)| {
            let matching = properties.patterns.iter();
            let matching = matching.filter(|(p, _)| self.graph.patterns[p.index()].accepts(name.as_bytes()));
            let mut terms: Vec<Term> = matching.map(|&(_, node)| Term::of(node)).collect();
            if terms.is_empty() {
                terms.extend(properties.additional.map(Term::of));
            }
            (Rc::from(name.as_str()), terms)
        });
        Some(asked.collect())
    }

    /// The case in which a node about properties holds.
    fn kept_properties(
        &mut self,
        branch: &OpenBranch<'g>,
        properties: &Properties,
    ) -> Result<Option<Vec<KeyCase>>, CompileError> {
        let Some(mut asked) = self.conditions_beside(&branch.so_far, properties) else { return Ok(None) };
        asked.extend(properties.named.iter().map(|(name, node)| (Rc::from(name.as_str()), vec![Term::of(*node)])));
        let mut case = Vec::new();
        for (name, terms) in asked {
            let mut kept = Vec::new();
            for term in terms {
                if self.may_have(branch, &name, term.opposite())? {
                    kept.push(term);
                }
            }
            if kept.iter().any(|term| !term.holds && term.node == Term::FALSE.node || self.is_false(term.node)) {
                case.push(KeyAtom { name, presence: Presence::Forbidden, terms: Vec::new() });
            } else if !kept.is_empty() {
                kept.sort_unstable();
                case.push(KeyAtom { name, presence: Presence::Optional, terms: kept });
            }
            if case.len() > MOST_KEYS_OF_A_CASE {
                return Ok(None);
            }
        }
        case.sort_by(|one, two| one.name.cmp(&two.name));
        Ok(Some(vec![case]))
    }

    /// The cases in which a node about properties fails: some key has a value that violates it.
    fn violating_keys(
        &mut self,
        branch: &OpenBranch<'g>,
        properties: &Properties,
        id: NodeId,
    ) -> Result<Option<Vec<KeyCase>>, CompileError> {
        let mut violated: Vec<(Rc<str>, Term)> = Vec::new();
        for (name, node) in &properties.named {
            violated.push((name.as_str().into(), Term::not(*node)));
        }
        match self.conditions_beside(&branch.so_far, properties) {
            Some(beside) => {
                let beside = beside
                    .into_iter()
                    .flat_map(|(name, terms)| terms.into_iter().map(move |term| (name.clone(), term.opposite())));
                violated.extend(beside);
            }
            None => {
                let others = self.violated_properties(properties, id);
                let some = others.demands().into_iter().filter(|demand| matches!(demand, Demand::Some(_)));
                if some.into_iter().any(|demand| !self.is_refused(&demand, &branch.so_far)) {
                    return Ok(None);
                }
            }
        }
        let mut cases = Vec::new();
        for (name, term) in violated {
            if self.may_have(branch, &name, term)? {
                let terms = if self.is_certain(term) { Vec::new() } else { vec![term] };
                cases.push(vec![KeyAtom { name, presence: Presence::Required, terms }]);
            }
            if cases.len() > MOST_CASES {
                return Ok(None);
            }
        }
        Ok(Some(cases))
    }

    /// Whether a term is seen at once to hold for every value.
    fn is_certain(&self, term: Term) -> bool {
        let node = &self.graph.nodes[term.node.index()];
        if term.holds { matches!(node, Node::All(nodes) if nodes.is_empty()) } else { self.is_false(term.node) }
    }

    /// Whether an object of the branch may have a key with a value for which a term holds.
    fn may_have(&mut self, branch: &OpenBranch<'g>, name: &Rc<str>, term: Term) -> Result<bool, CompileError> {
        if term == Term::FALSE || self.is_certain(term.opposite()) {
            return Ok(false);
        }
        let demand = Demand::Entry(NamedTerm { name: name.to_string(), term });
        if self.is_refused(&demand, &branch.so_far) {
            return Ok(false);
        }
        let value = self.facts(term, LEVELS - 1)?;
        self.may_share(branch, &Facts::of_field(name.clone(), value, true))
    }
}

/// Notes the conditions on the values of each key.
fn note_conditions(cases: &[KeyCase], conditions: &mut HashMap<Rc<str>, Vec<Vec<Term>>>) {
    for atom in cases.iter().flatten().filter(|atom| !atom.terms.is_empty()) {
        let lists = conditions.entry(atom.name.clone()).or_default();
        if !lists.contains(&atom.terms) {
            lists.push(atom.terms.clone());
        }
    }
}

/// The conjunction of two cases; `None` if they contradict each other.
fn both(one: &KeyCase, two: &KeyCase) -> Option<KeyCase> {
    let mut all = one.clone();
    for atom in two {
        match all.binary_search_by(|other| other.name.cmp(&atom.name)) {
            Err(place) => all.insert(place, atom.clone()),
            Ok(place) => {
                let other = &mut all[place];
                other.presence = match (other.presence, atom.presence) {
                    (Presence::Forbidden, Presence::Required) | (Presence::Required, Presence::Forbidden) => {
                        return None;
                    }
                    (Presence::Forbidden, _) | (_, Presence::Forbidden) => Presence::Forbidden,
                    (Presence::Required, _) | (_, Presence::Required) => Presence::Required,
                    _ => Presence::Optional,
                };
                if other.presence == Presence::Forbidden {
                    other.terms.clear();
                } else {
                    other.terms.extend(&atom.terms);
                    other.terms.sort_unstable();
                    other.terms.dedup();
                    if other.terms.windows(2).any(|pair| pair[0].node == pair[1].node) {
                        // No value meets a condition and its opposite.
                        if other.presence == Presence::Required {
                            return None;
                        }
                        other.presence = Presence::Forbidden;
                        other.terms.clear();
                    }
                }
            }
        }
    }
    Some(all)
}

/// Fewer cases with the same meaning.
fn simplified(mut cases: Vec<KeyCase>) -> Vec<KeyCase> {
    'again: loop {
        for one in 0..cases.len() {
            for two in 0..cases.len() {
                if one == two {
                    continue;
                }
                if implies(&cases[two], &cases[one]) {
                    cases.remove(two);
                    continue 'again;
                }
                if let Some(merged) = merged(&cases[one], &cases[two]) {
                    cases[one] = merged;
                    cases.remove(two);
                    continue 'again;
                }
            }
        }
        return cases;
    }
}

/// Whether one case holds wherever the other one does.
fn implies(stronger: &KeyCase, weaker: &KeyCase) -> bool {
    weaker.iter().all(|atom| {
        let Ok(place) = stronger.binary_search_by(|other| other.name.cmp(&atom.name)) else { return false };
        let other = &stronger[place];
        let has_terms = || atom.terms.iter().all(|term| other.terms.contains(term));
        match atom.presence {
            Presence::Forbidden => other.presence == Presence::Forbidden,
            Presence::Required => other.presence == Presence::Required && has_terms(),
            Presence::Optional => other.presence == Presence::Forbidden || has_terms(),
        }
    })
}

/// One case for two: a key that is missing in one of them and there in the other, and nothing else differs.
fn merged(one: &KeyCase, two: &KeyCase) -> Option<KeyCase> {
    if one.len() != two.len() {
        return None;
    }
    let mut differing = one.iter().zip(two).enumerate().filter(|(_, (one, two))| one != two);
    let (place, (missing, there)) = differing.next()?;
    let fits = missing.name == there.name
        && missing.presence == Presence::Forbidden
        && there.presence != Presence::Forbidden
        && differing.next().is_none();
    fits.then(|| {
        let mut all = two.clone();
        all[place].presence = Presence::Optional;
        // Nothing is said of the key without a condition on its value.
        if all[place].terms.is_empty() {
            all.remove(place);
        }
        all
    })
}

/// The clauses that no other one implies.
fn strongest(clauses: Vec<Vec<KeyCase>>) -> Vec<Vec<KeyCase>> {
    let mut kept: Vec<Vec<KeyCase>> = Vec::new();
    let follows = |weaker: &Vec<KeyCase>, stronger: &Vec<KeyCase>| {
        stronger.iter().all(|case| weaker.iter().any(|other| implies(case, other)))
    };
    for clause in clauses {
        if kept.iter().any(|other| follows(&clause, other)) {
            continue;
        }
        kept.retain(|other| !follows(other, &clause));
        kept.push(clause);
    }
    kept
}
