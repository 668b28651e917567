//! Turns the conditions of a schema into alternatives: conjunctions are worked out, contradictions fall away, and
//! for everything that remains it is known what the cheapest value costs.

use super::apart::FURTHER_AWAY;
use super::array::Array;
use super::branch::{Branch, Counted, Demand, Keys, OneWay, ScopeId, Split, Term, narrow, outside, ranges};
use super::decimal::Decimal;
use super::few::Few;
use super::keys::{ClassedKeys, KeyAutomata, KeySet, NONE};
use super::languages::{Language, Languages, StringKey};
use super::named::KnownNames;
use super::node::{Graph, Kinds, Node, NodeId, TRUE};
use super::numbers::{self, NumberAtom};
use super::object::{Object, Others, Progress};
use super::shape::{Met, Numbers, Schema, SchemaId, Way, any_strings};
use super::spacing::Spacing;
use super::strings::{Characters, Strings, with_length};
use super::text::{Value, write_string};
use crate::automaton::dfa::{Dfa, NEVER, TooManyStates};
use crate::compiler::{Limits, Whitespace, too_big};
use crate::error::{CompileError, Place};
use foldhash::{HashMap, HashMapExt, HashSet};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The result: all schemas that can be met, and the objects and arrays that they name.
#[derive(Debug)]
pub(crate) struct Analysis {
    pub(crate) schemas: Vec<Schema>,
    pub(crate) objects: Vec<Object>,
    pub(crate) arrays: Vec<Array>,
    pub(crate) root: SchemaId,
}

/// Works out everything that is reachable from the root of the graph.
pub(crate) fn analyse(
    graph: &Graph,
    whitespace: Whitespace,
    limits: &Limits,
    languages: &Languages,
) -> Result<Analysis, CompileError> {
    let too_many = |_| too_big(Place::Source, "states", limits.states, "raise the limit");
    let any_characters = Characters::any().map_err(too_many)?;
    let any = any_characters.dfa.clone();
    let mut builder = Builder {
        graph,
        limits,
        languages,
        spacing: Spacing::of(whitespace),
        work: 0,
        counted: HashSet::default(),
        ids: HashMap::new(),
        conjunctions: Vec::new(),
        schemas: Vec::new(),
        objects: Vec::new(),
        arrays: Vec::new(),
        any,
        any_characters,
        key_sets: HashMap::new(),
        known_names: KnownNames::default(),
        key_automata: KeyAutomata::default(),
    };
    let root = builder.intern(vec![(graph.root, true)]);
    while builder.schemas.len() < builder.conjunctions.len() {
        let terms = builder.conjunctions[builder.schemas.len()].clone();
        let schema = builder.alternatives(&terms)?;
        builder.schemas.push(schema);
    }
    builder.tell_entries_apart();
    builder.settle_costs()?;
    builder.prune();
    builder.find_endless();
    let Builder { schemas, objects, arrays, .. } = builder;
    if schemas[root as usize].cost == NEVER {
        return Err(CompileError::Unsatisfiable {
            pointers: vec![String::new()],
            reason: "the conditions of the schema contradict each other, or ask for values without end".into(),
        });
    }
    Ok(Analysis { schemas, objects, arrays, root })
}

pub(super) struct Builder<'a> {
    pub(super) graph: &'a Graph,
    pub(super) limits: &'a Limits,
    pub(super) languages: &'a Languages,
    pub(super) spacing: Spacing,
    pub(super) work: usize,
    /// Automata whose work is counted, by their addresses.
    counted: HashSet<*const ()>,
    pub(super) ids: HashMap<Vec<Term>, SchemaId>,
    /// The terms of each schema, those not yet worked out too.
    pub(super) conjunctions: Vec<Vec<Term>>,
    pub(super) schemas: Vec<Schema>,
    pub(super) objects: Vec<Object>,
    pub(super) arrays: Vec<Array>,
    pub(super) any: Dfa,
    pub(super) any_characters: Arc<Characters>,
    pub(super) key_sets: HashMap<Keys, Arc<KeySet>>,
    pub(super) key_automata: KeyAutomata,
    pub(super) known_names: KnownNames,
}

/// A branch that is being worked out.
#[derive(Clone)]
struct Open {
    /// What is to be done, last first.
    todo: Vec<(Term, ScopeId)>,
    /// What leaves several ways to go on.
    later: Vec<(Term, ScopeId)>,
    seen: BTreeSet<(Term, ScopeId)>,
    so_far: Branch,
}

impl Open {
    fn new(terms: &[Term]) -> Open {
        let todo = terms.iter().rev().map(|&term| (term, 0)).collect();
        Open { todo, later: Vec::new(), seen: BTreeSet::new(), so_far: Branch::new() }
    }
}

impl Builder<'_> {
    pub(super) fn intern(&mut self, mut terms: Vec<Term>) -> SchemaId {
        terms.retain(|&term| term != (TRUE, true));
        terms.sort_unstable();
        terms.dedup();
        if let Some(&id) = self.ids.get(&terms) {
            return id;
        }
        let id = self.conjunctions.len() as SchemaId;
        self.conjunctions.push(terms.clone());
        self.ids.insert(terms, id);
        id
    }

    pub(super) fn pointer(&self, terms: &[Term]) -> Place {
        let pointer = terms.first().map_or("", |&(node, _)| &*self.graph.pointers[node as usize]);
        Place::Pointer(pointer.to_owned())
    }

    /// Work on an automaton, which costs as much whether this schema or another one was the first to want it, but only once.
    fn spend_once(&mut self, automaton: *const (), work: usize, terms: &[Term]) -> Result<(), CompileError> {
        if self.counted.insert(automaton) { self.spend(work, terms) } else { Ok(()) }
    }

    pub(super) fn spend(&mut self, work: usize, terms: &[Term]) -> Result<(), CompileError> {
        self.work += work;
        if self.work > self.limits.work {
            return Err(too_big(
                self.pointer(terms),
                "steps of the schema's analysis",
                self.limits.work,
                "use fewer alternatives, or less allOf and not around them",
            ));
        }
        Ok(())
    }

    pub(super) fn too_many_states(&self, terms: &[Term]) -> CompileError {
        too_big(
            self.pointer(terms),
            "states of an automaton",
            self.limits.states,
            "use a smaller minLength beside pattern or format, smaller counts of repetition, or a smaller multipleOf",
        )
    }

    /// The alternatives of a conjunction of terms.
    pub(super) fn alternatives(&mut self, terms: &[Term]) -> Result<Schema, CompileError> {
        let mut gathered = Gathered::default();
        // The branches that are open, the first one last.
        let mut open = vec![Open::new(terms)];
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
                self.spend(10 + branch.seen.len() / 4, terms)?;
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
    fn follow(&mut self, open: &mut Open, terms: &[Term]) -> Result<bool, CompileError> {
        while let Some((term, scope)) = open.todo.pop() {
            self.spend(1, terms)?;
            if !open.seen.insert((term, scope)) {
                continue;
            }
            let opposite = (term.0, !term.1);
            if open.seen.range((opposite, 0)..=(opposite, ScopeId::MAX)).next().is_some() {
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
    fn possible(&self, mut split: Split, open: &Open) -> Split {
        match &mut split {
            Split::Terms(ways) => ways.retain(|way| {
                way.iter().all(|&(node, holds)| {
                    let opposite = (node, !holds);
                    open.seen.range((opposite, 0)..=(opposite, ScopeId::MAX)).next().is_none()
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
    fn is_refused(&self, demand: &Demand, branch: &Branch) -> bool {
        let mut nodes = branch.properties.iter().filter_map(|&(id, _)| match &self.graph.nodes[id as usize] {
            Node::Properties(properties) => Some(properties),
            _ => None,
        });
        match demand {
            Demand::Entry(name, (node, holds)) => {
                nodes.any(|properties| match properties.named.iter().find(|(other, _)| other == name) {
                    Some((_, inner)) => inner == node && !holds || self.is_false(*inner),
                    None => {
                        let mut patterns = properties.patterns.iter();
                        let matches = patterns
                            .any(|(pattern, _)| self.graph.patterns[*pattern as usize].accepts(name.as_bytes()));
                        !matches && properties.additional.is_some_and(|node| self.is_false(node))
                    }
                })
            }
            Demand::Some(Keys::Beside(id), _) => {
                let Node::Properties(beside) = &self.graph.nodes[*id as usize] else { return false };
                nodes.any(|properties| {
                    properties.patterns.is_empty()
                        && properties.additional.is_some_and(|node| self.is_false(node))
                        && properties.named.iter().all(|(name, _)| beside.named.iter().any(|(other, _)| other == name))
                })
            }
            _ => false,
        }
    }

    /// Adds one term to a branch. Returns the ways in which the branch goes on if there are several.
    fn take(
        &mut self,
        (id, holds): Term,
        scope: ScopeId,
        branch: &mut Branch,
        todo: &mut Vec<(Term, ScopeId)>,
    ) -> Result<Option<Split>, CompileError> {
        let graph = self.graph;
        let node = &graph.nodes[id as usize];
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
                nodes if scope != 0 && holds => return self.every_way(nodes, id).map(Some),
                nodes => return Ok(Some(Split::Terms(each(nodes, holds)))),
            },
            (Node::One(nodes), true) => {
                let ways = nodes.iter().enumerate().map(|(i, &node)| {
                    let others = nodes.iter().enumerate().filter(|&(j, &other)| j != i && !self.disjoint(node, other));
                    std::iter::once((node, true)).chain(others.map(|(_, &other)| (other, false))).collect()
                });
                return Ok(Some(Split::Terms(ways.collect())));
            }
            (Node::One(nodes), false) => {
                let mut ways: Vec<Vec<Term>> = vec![nodes.iter().map(|&node| (node, false)).collect()];
                for (i, &a) in nodes.iter().enumerate() {
                    for &b in &nodes[i + 1..] {
                        if !self.disjoint(a, b) {
                            ways.push(vec![(a, true), (b, true)]);
                        }
                    }
                }
                return Ok(Some(Split::Terms(ways)));
            }
            // What is under `not` looks at nothing.
            (&Node::Not(node), _) => todo.push(((node, !holds), 0)),
            (&Node::Scope { inner, .. }, true) => {
                branch.scopes.push((id, scope));
                todo.push(((inner, true), branch.scopes.len() as ScopeId));
            }
            (&Node::Kinds(kinds), _) => {
                branch.kinds = branch.kinds.and(if holds { kinds } else { kinds.complement() });
            }
            (Node::Scalars(values), true) => {
                let kept = match branch.scalars.take() {
                    None => values.clone(),
                    Some(before) => before.into_iter().filter(|a| values.iter().any(|b| equal(a, b))).collect(),
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
                if !branch.required.contains(name) {
                    branch.required.push(name.clone());
                }
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
                if (min, max) != (0, u32::MAX) || scope != 0 {
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
                    at: Place::Pointer(graph.pointers[id as usize].to_string()),
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
    fn every_way(&self, nodes: &[NodeId], id: NodeId) -> Result<Split, CompileError> {
        if nodes.len() > 8 {
            let at = Place::Pointer(self.graph.pointers[id as usize].to_string());
            return Err(too_big(at, "alternatives beside unevaluatedProperties or unevaluatedItems", 8, "use fewer"));
        }
        let ways = (1..1u32 << nodes.len())
            .map(|set| (0..).zip(nodes).filter(|(i, _)| set >> i & 1 == 1).map(|(_, &node)| (node, true)).collect());
        Ok(Split::Terms(ways.collect()))
    }

    /// Whether what is asked for is never there.
    fn is_vain(&self, demand: &Demand) -> bool {
        let (Demand::Entry(_, term) | Demand::Some(_, term) | Demand::Item(_, term)) = demand else { return false };
        term.0 == TRUE && !term.1
            || matches!(&self.graph.nodes[term.0 as usize], Node::All(nodes) if nodes.is_empty() && !term.1)
    }

    /// Whether two nodes hold of no value together, as far as that is easily seen: they allow other kinds, or other
    /// values of a property that one of them requires.
    fn disjoint(&self, a: NodeId, b: NodeId) -> bool {
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
    fn outline(&self, id: NodeId, depth: usize) -> Outline {
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

    /// Adds what a branch allows to what the others allow.
    fn finish(&mut self, branch: Branch, gathered: &mut Gathered, terms: &[Term]) -> Result<(), CompileError> {
        if let Some(scalars) = &branch.scalars {
            for value in scalars {
                if branch.kinds.has(kind_of(value)) && self.allows_scalar(&branch, value) {
                    gathered.literals.insert(spell(value).into_bytes().into());
                    // 2.0 may be written as the integer that it is.
                    if let Value::Number(text) = value {
                        gathered.literals.extend(
                            Decimal::parse(text).and_then(|d| d.plain_integer()).map(|t| t.into_bytes().into()),
                        );
                    }
                }
            }
            return Ok(());
        }
        for (kind, values) in
            [(Kinds::NULL, vec![Value::Null]), (Kinds::BOOLEAN, vec![Value::Bool(false), Value::Bool(true)])]
        {
            if branch.kinds.has(kind) {
                let kept = values.iter().filter(|value| !branch.excluded.contains(value));
                gathered.literals.extend(kept.map(|value| spell(value).into_bytes().into_boxed_slice()));
            }
        }
        if branch.kinds.has(Kinds::NUMBER) {
            self.finish_number(&branch, gathered, terms)?;
        }
        if branch.kinds.has(Kinds::STRING) {
            let strings = self.capped_strings(&branch, terms)?;
            if !strings.is_empty() {
                gathered.strings.push(Arc::new(strings));
            }
        }
        if branch.kinds.has(Kinds::ARRAY) {
            self.finish_array(&branch, gathered, terms)?;
        }
        if branch.kinds.has(Kinds::OBJECT) {
            self.finish_object(&branch, gathered, terms)?;
        }
        Ok(())
    }

    fn allows_scalar(&self, branch: &Branch, value: &Value) -> bool {
        if branch.excluded.iter().any(|other| equal(other, value)) {
            return false;
        }
        match value {
            Value::Number(text) => {
                let Some(number) = Decimal::parse(text) else { return false };
                branch.numbers.iter().all(|(atom, holds)| atom.holds(&number) == Some(*holds))
            }
            Value::String(text) => {
                let length = text.chars().count();
                length >= branch.length.0 as usize
                    && length <= branch.length.1 as usize
                    && branch
                        .patterns
                        .iter()
                        .all(|&(pattern, holds)| self.graph.patterns[pattern as usize].certainly(text, holds))
            }
            _ => true,
        }
    }

    fn finish_number(&mut self, branch: &Branch, gathered: &mut Gathered, terms: &[Term]) -> Result<(), CompileError> {
        let mut atoms = branch.numbers.clone();
        for value in &branch.excluded {
            if let Value::Number(text) = value {
                atoms.extend(Decimal::parse(text).map(|number| (NumberAtom::Equal(number), false)));
            }
        }
        let atoms = numbers::simplified(atoms);
        let limit = self.limits.states;
        let numbers = self.languages.numbers(atoms, |atoms| numbers::language(atoms, limit));
        let numbers = numbers.map_err(|_| self.too_many_states(terms))?;
        self.spend_once(Arc::as_ptr(&numbers).cast(), 20 + numbers.dfa.len() / 8, terms)?;
        if !numbers.dfa.is_empty() {
            gathered.numbers.push(numbers);
        }
        Ok(())
    }

    pub(super) fn strings(
        &mut self,
        patterns: &BTreeSet<(u32, bool)>,
        excluded: &[Value],
        (min, max): (u32, u32),
        terms: &[Term],
    ) -> Result<Strings, CompileError> {
        let excluded: BTreeSet<String> = excluded
            .iter()
            .filter_map(|value| if let Value::String(text) = value { Some(text.clone()) } else { None })
            .collect();
        if patterns.is_empty() && excluded.is_empty() {
            return Ok(any_strings(self.any_characters.clone(), min, max));
        }
        if min > max {
            return Ok(any_strings(self.any_characters.clone(), 1, 0));
        }
        // The greatest length is counted; the least one is built into the automaton, as a count does not tell whether a text can still
        // become so long.
        Ok(any_strings(self.characters(patterns, &excluded, min, terms)?, 0, max))
    }

    fn characters(
        &mut self,
        patterns: &BTreeSet<(u32, bool)>,
        excluded: &BTreeSet<String>,
        min: u32,
        terms: &[Term],
    ) -> Result<Arc<Characters>, CompileError> {
        let languages: Vec<(&Language, bool)> =
            patterns.iter().map(|&(pattern, holds)| (&*self.graph.patterns[pattern as usize], holds)).collect();
        let ids = languages.iter().map(|(language, holds)| (language.id, *holds)).collect();
        let key: StringKey = (ids, excluded.clone(), min);
        let make = || string_dfa(&self.any, &languages, excluded, min, self.limits.states);
        let made = self.languages.strings(&key, &self.any, make);
        let (characters, states) = made.map_err(|_| self.too_many_states(terms))?;
        self.spend_once(Arc::as_ptr(&characters).cast(), states, terms)?;
        Ok(characters)
    }

    fn gather(&self, gathered: Gathered, terms: &[Term]) -> Result<Schema, CompileError> {
        let mut numbers: Vec<Arc<Numbers>> = Vec::new();
        for one in gathered.numbers {
            if !numbers.iter().any(|other| Arc::ptr_eq(other, &one)) {
                numbers.push(one);
            }
        }
        let numbers = match numbers.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            [first, rest @ ..] => {
                let limit = self.limits.states;
                let union = rest.iter().try_fold(first.dfa.clone(), |all, one| all.union(&one.dfa, limit));
                Some(Arc::new(Numbers::new(union.map_err(|_| self.too_many_states(terms))?)))
            }
        };
        let mut strings: Vec<Arc<Strings>> = Vec::new();
        for one in gathered.strings {
            let same = |other: &Arc<Strings>| {
                Arc::ptr_eq(&other.characters, &one.characters) && (other.min, other.max) == (one.min, one.max)
            };
            if !strings.iter().any(same) {
                strings.push(one);
            }
        }
        Ok(Schema {
            literals: gathered.literals.into_iter().collect(),
            numbers,
            strings,
            objects: gathered.objects,
            arrays: gathered.arrays,
            cost: NEVER,
            endless: false,
        })
    }

    /// Finds the schemas that have values without end: those with strings of any length, and what contains them.
    fn find_endless(&mut self) {
        for schema in &mut self.schemas {
            schema.endless = schema.strings.iter().any(|strings| strings.is_endless());
        }
        loop {
            let schemas = &self.schemas;
            let endless = |id: SchemaId| schemas[id as usize].endless && schemas[id as usize].cost != NEVER;
            let found: Vec<usize> = (0..schemas.len())
                .filter(|&id| !schemas[id].endless)
                .filter(|&id| {
                    let mut objects = schemas[id].objects.iter().map(|&id| &self.objects[id as usize]);
                    let mut arrays = schemas[id].arrays.iter().map(|&id| &self.arrays[id as usize]);
                    objects.any(|object| {
                        object.properties.iter().any(|property| property.required && endless(property.schema))
                    }) || arrays.any(|array| {
                        array.max > 0
                            && array.entry(0).iter().any(|way| endless(way.schema))
                            && array.counters.is_empty()
                    })
                })
                .collect();
            if found.is_empty() {
                return;
            }
            found.into_iter().for_each(|id| self.schemas[id].endless = true);
        }
    }

    /// How many bytes more than the least it may take to write an entry that differs from the others.
    fn tell_entries_apart(&mut self) {
        let schemas = &self.schemas;
        for array in self.arrays.iter_mut().filter(|array| array.distinct.is_some()) {
            let ways = array.prefix.iter().chain([&array.rest]).flat_map(|ways| ways.iter());
            let apart = ways.clone().map(|way| {
                let schema = &schemas[way.schema as usize];
                let lengths = schema.literals.iter().map(|literal| literal.len() as u32);
                let spread = lengths.clone().max().unwrap_or(0) - lengths.min().unwrap_or(0);
                if schema.is_finite() { spread } else { spread.max(FURTHER_AWAY) }
            });
            array.distinct = apart.max();
            // There are no more entries than different values.
            let rest = array.rest.iter().map(|way| &schemas[way.schema as usize]);
            let values: Option<usize> = rest.map(|schema| schema.is_finite().then_some(schema.literals.len())).sum();
            if let Some(values) = values {
                array.max = array.max.min((array.prefix.len() + values) as u32);
            }
        }
    }

    /// The least cost of every schema: the least solution of the equations between them, found by going down from
    /// "never" until nothing changes. What is never reached so has no value of finite length.
    fn settle_costs(&mut self) -> Result<(), CompileError> {
        let mut costs: Vec<u32> = vec![NEVER; self.schemas.len()];
        loop {
            let mut changed = false;
            let properties: usize = self.objects.iter().map(|object| object.properties.len()).sum();
            let tables: usize = self.arrays.iter().map(Array::table_size).sum();
            let work = self.schemas.len() + properties + tables;
            self.spend(work / 8, &[])?;
            for id in (0..self.schemas.len()).rev() {
                let cost = self.cost_of(id, &costs);
                if cost < costs[id] {
                    costs[id] = cost;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        for (schema, &cost) in self.schemas.iter_mut().zip(&costs) {
            schema.cost = cost;
        }
        for object in &mut self.objects {
            object.sum_up(&|id| costs[id as usize]);
        }
        for array in &mut self.arrays {
            array.sum_up(&|id| costs[id as usize]);
        }
        Ok(())
    }

    fn cost_of(&mut self, id: usize, costs: &[u32]) -> u32 {
        let cost = |id: SchemaId| costs[id as usize];
        let mut best = scalar_cost(&self.schemas[id]);
        let objects = std::mem::take(&mut self.schemas[id].objects);
        for &object in &objects {
            let object = &mut self.objects[object as usize];
            object.sum_up(&cost);
            best = best.min(super::shape::add(
                object.cost_to_close(&Progress::default(), 0, Others::default(), true, &cost),
                1,
            ));
        }
        self.schemas[id].objects = objects;
        let arrays = std::mem::take(&mut self.schemas[id].arrays);
        for &array in &arrays {
            let array = &mut self.arrays[array as usize];
            array.sum_up(&cost);
            best = best.min(super::shape::add(array.cost_to_close(0, 0, &Met::default(), true, &cost), 1));
        }
        self.schemas[id].arrays = arrays;
        best
    }

    /// Drops alternatives that nothing satisfies, and keys whose values nothing satisfies.
    fn prune(&mut self) {
        let costs: Vec<u32> = self.schemas.iter().map(|schema| schema.cost).collect();
        let cost = |id: SchemaId| costs[id as usize];
        for object in &mut self.objects {
            let Some(additional) = &mut object.additional else { continue };
            if additional.classes.iter().all(|class| cost(class.schema) != NEVER) {
                continue;
            }
            let (dfa, states) = additional.keys.characters.dfa.restricted(|state| {
                additional
                    .classes
                    .get(additional.class_of[state] as usize)
                    .is_some_and(|class| cost(class.schema) != NEVER)
            });
            if dfa.is_empty() {
                object.additional = None;
                continue;
            }
            let class_of = states.iter().map(|state| state.map_or(NONE, |state| additional.class_of[state as usize]));
            let (number, languages) = (additional.classes.len() as u32, self.languages);
            let kept =
                ClassedKeys::new(dfa, class_of.collect(), number, false, |dfa| languages.characters(dfa, &self.any));
            for (class, costs) in additional.classes.iter_mut().zip(kept.costs) {
                class.costs = costs;
            }
            (additional.class_of, additional.counts) = (kept.class_of, kept.counts);
            additional.keys.characters = kept.characters;
        }
        let (objects, arrays) = (&self.objects, &self.arrays);
        for schema in &mut self.schemas {
            schema.objects.retain(|&id| {
                objects[id as usize].cost_to_close(&Progress::default(), 0, Others::default(), true, &cost) != NEVER
            });
            schema.arrays.retain(|&id| arrays[id as usize].cost_to_close(0, 0, &Met::default(), true, &cost) != NEVER);
        }
        for array in &mut self.arrays {
            // The first entry that has no value ends the array.
            let never = |ways: &Few<Way>| ways.iter().all(|way| cost(way.schema) == NEVER);
            let end = array.prefix.iter().position(never);
            let end = end.or(never(&array.rest).then_some(array.prefix.len()));
            if let Some(end) = end {
                array.max = array.max.min(end as u32);
            }
        }
    }
}

/// The strings of some languages and not of others, without some, and with at least `min` characters; and the states of all
/// automata on the way.
fn string_dfa(
    any: &Dfa,
    languages: &[(&Language, bool)],
    excluded: &BTreeSet<String>,
    min: u32,
    limit: usize,
) -> Result<(Dfa, usize), TooManyStates> {
    let mut states = 0;
    let mut dfa: Option<Dfa> = None;
    for &(language, holds) in languages {
        let next = match (dfa, holds) {
            (None, true) => (**language).clone(),
            (None, false) => any.difference(language.possible(), limit)?,
            (Some(dfa), true) => dfa.intersection(language, limit)?,
            (Some(dfa), false) => dfa.difference(language.possible(), limit)?,
        };
        states += next.len();
        dfa = Some(next);
    }
    let mut dfa = dfa.unwrap_or_else(|| any.clone());
    if !excluded.is_empty() {
        let mut words: Vec<&[u8]> = excluded.iter().map(String::as_bytes).collect();
        words.sort_unstable();
        dfa = dfa.difference(&Dfa::words(&words, limit)?, limit)?;
        states += dfa.len();
    }
    if min == 0 {
        return Ok((dfa, states));
    }
    let dfa = with_length(&dfa, min, u32::MAX, limit)?;
    let states = states + dfa.len();
    Ok((dfa, states))
}

/// The least bytes of a value that is neither object nor array.
fn scalar_cost(schema: &Schema) -> u32 {
    let literals = schema.literals.iter().map(|literal| literal.len() as u32);
    let numbers = schema.numbers.iter().map(|numbers| numbers.costs[numbers.dfa.start() as usize]);
    let strings = schema.strings.iter().map(|strings| strings.cost(&strings.start()));
    literals.chain(numbers).chain(strings).min().unwrap_or(NEVER)
}

/// What the branches of one schema allow together.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) literals: BTreeSet<Box<[u8]>>,
    pub(super) numbers: Vec<Arc<Numbers>>,
    pub(super) strings: Vec<Arc<Strings>>,
    pub(super) objects: Vec<u32>,
    pub(super) arrays: Vec<u32>,
}

/// The kinds of a value, and the values if they are few.
type Surface = (Kinds, Option<Vec<Value>>);

/// What is easily seen of a node.
struct Outline {
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

fn kind_of(value: &Value) -> Kinds {
    match value {
        Value::Null => Kinds::NULL,
        Value::Bool(_) => Kinds::BOOLEAN,
        Value::Number(_) => Kinds::NUMBER,
        Value::String(_) => Kinds::STRING,
        Value::Array(_) => Kinds::ARRAY,
        Value::Object(_) => Kinds::OBJECT,
    }
}

/// Whether two scalars are the same value, however spelled.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || Decimal::parse(a) == Decimal::parse(b),
        (a, b) => a == b,
    }
}

/// A scalar as JSON: a number as the schema spells it, a string in its shortest spelling.
fn spell(value: &Value) -> String {
    match value {
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        Value::Number(text) => text.clone(),
        Value::String(text) => write_string(text),
        _ => "null".into(),
    }
}
