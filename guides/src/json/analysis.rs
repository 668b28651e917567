//! Turns the conditions of a schema into alternatives: conjunctions are worked out, contradictions fall away, and
//! for everything that remains it is known what the cheapest value costs.

use super::decimal::Decimal;
use super::node::{Graph, Kinds, Node, NodeId, Properties, TRUE};
use super::numbers::{self, NumberAtom};
use super::shape::{Additional, Array, KeyClass, MANY_KEYS, Numbers, Object, Property, Schema, SchemaId, any_strings};
use super::strings::{Characters, Escapes, Strings, with_length};
use super::text::{Value, write_string};
use crate::automaton::dfa::{Dfa, NEVER, TooManyStates};
use crate::compiler::{Limits, too_big};
use crate::error::{CompileError, Place};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A node that must hold, or must not.
type Term = (NodeId, bool);

/// The result: all schemas that can be met, and the objects and arrays that they name.
#[derive(Debug)]
pub(crate) struct Analysis {
    pub(crate) schemas: Vec<Schema>,
    pub(crate) objects: Vec<Object>,
    pub(crate) arrays: Vec<Array>,
    pub(crate) root: SchemaId,
}

/// Works out everything that is reachable from the root of the graph.
pub(crate) fn analyse(graph: &Graph, limits: &Limits) -> Result<Analysis, CompileError> {
    let too_many = |_| too_big(Place::Source, "states", limits.states, "raise the limit");
    let any = Characters::any().map_err(too_many)?;
    let any_characters = Arc::new(Characters::new(any.clone(), &any));
    let mut builder = Builder {
        graph,
        limits,
        work: 0,
        ids: HashMap::new(),
        conjunctions: Vec::new(),
        schemas: Vec::new(),
        objects: Vec::new(),
        arrays: Vec::new(),
        any,
        any_characters,
        numbers: HashMap::new(),
        strings: HashMap::new(),
    };
    let root = builder.intern(vec![(graph.root, true)]);
    while builder.schemas.len() < builder.conjunctions.len() {
        let terms = builder.conjunctions[builder.schemas.len()].clone();
        let schema = builder.alternatives(&terms)?;
        builder.schemas.push(schema);
    }
    builder.settle_costs()?;
    builder.prune();
    let Builder { schemas, objects, arrays, .. } = builder;
    if schemas[root as usize].cost == NEVER {
        return Err(CompileError::Unsatisfiable {
            pointers: vec![String::new()],
            reason: "the conditions of the schema contradict each other, or ask for values without end".into(),
        });
    }
    Ok(Analysis { schemas, objects, arrays, root })
}

struct Builder<'a> {
    graph: &'a Graph,
    limits: &'a Limits,
    work: usize,
    ids: HashMap<Vec<Term>, SchemaId>,
    /// The terms of each schema, those not yet worked out too.
    conjunctions: Vec<Vec<Term>>,
    schemas: Vec<Schema>,
    objects: Vec<Object>,
    arrays: Vec<Array>,
    any: Dfa,
    any_characters: Arc<Characters>,
    numbers: HashMap<Vec<(NumberAtom, bool)>, Arc<Numbers>>,
    strings: HashMap<StringKey, Arc<Characters>>,
}

/// What a set of strings was made from: patterns, strings left out, and bounds on the length.
type StringKey = (BTreeSet<(u32, bool)>, BTreeSet<String>, u32, u32);

/// One conjunction of conditions, sorted by the kind of value that they speak of.
#[derive(Debug, Clone)]
struct Branch {
    kinds: Kinds,
    numbers: Vec<(NumberAtom, bool)>,
    patterns: BTreeSet<(u32, bool)>,
    length: (u32, u32),
    /// The value is one of these.
    scalars: Option<Vec<Value>>,
    /// The value is none of these.
    excluded: Vec<Value>,
    /// `Properties` nodes.
    properties: Vec<NodeId>,
    required: Vec<String>,
    /// More conditions on the value of a key.
    values: Vec<(String, Term)>,
    /// Conditions on the keys.
    names: Vec<Term>,
    property_count: (u32, u32),
    /// `Items` nodes.
    items: Vec<NodeId>,
    item_count: (u32, u32),
}

impl Branch {
    fn new() -> Branch {
        Branch {
            kinds: Kinds::ALL,
            numbers: Vec::new(),
            patterns: BTreeSet::new(),
            length: (0, u32::MAX),
            scalars: None,
            excluded: Vec::new(),
            properties: Vec::new(),
            required: Vec::new(),
            values: Vec::new(),
            names: Vec::new(),
            property_count: (0, u32::MAX),
            items: Vec::new(),
            item_count: (0, u32::MAX),
        }
    }
}

fn narrow(range: &mut (u32, u32), min: u32, max: u32) {
    *range = (range.0.max(min), range.1.min(max));
}

/// The values outside `min..=max`.
fn outside(min: u32, max: u32) -> Vec<(u32, u32)> {
    let below = (min > 0).then(|| (0, min - 1));
    let above = (max < u32::MAX).then(|| (max + 1, u32::MAX));
    below.into_iter().chain(above).collect()
}

/// A range that is one of several alternatives, as an adjustment of a branch.
type Narrowing = (fn(&mut Branch) -> &mut (u32, u32), (u32, u32));

/// How the terms of a branch go on.
enum Split {
    Terms(Vec<Vec<Term>>),
    Ranges(Vec<Narrowing>),
    /// The object has one of these keys, with a value of which the term holds.
    Entries(Vec<(String, Term)>),
}

impl Builder<'_> {
    fn intern(&mut self, mut terms: Vec<Term>) -> SchemaId {
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

    fn pointer(&self, terms: &[Term]) -> Place {
        let pointer = terms.first().map_or("", |&(node, _)| &*self.graph.pointers[node as usize]);
        Place::Pointer(pointer.to_owned())
    }

    fn spend(&mut self, work: usize, terms: &[Term]) -> Result<(), CompileError> {
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

    fn too_many_states(&self, terms: &[Term]) -> CompileError {
        too_big(
            self.pointer(terms),
            "states of an automaton",
            self.limits.states,
            "use shorter lengths beside pattern or format, smaller counts of repetition, or a smaller multipleOf",
        )
    }

    /// The alternatives of a conjunction of terms.
    fn alternatives(&mut self, terms: &[Term]) -> Result<Schema, CompileError> {
        let mut gathered = Gathered::default();
        // What is to be done of each branch, last first, and what it has gathered.
        let mut open: Vec<(Vec<Term>, BTreeSet<Term>, Branch)> =
            vec![(terms.iter().rev().copied().collect(), BTreeSet::new(), Branch::new())];
        while let Some((mut todo, mut seen, mut branch)) = open.pop() {
            let mut alive = true;
            while let Some(term) = todo.pop() {
                self.spend(1, terms)?;
                if !seen.insert(term) {
                    continue;
                }
                if seen.contains(&(term.0, !term.1)) {
                    alive = false;
                    break;
                }
                match self.take(term, &mut branch, &mut todo)? {
                    None => {}
                    Some(split) => {
                        alive = false;
                        match split {
                            Split::Terms(ways) => {
                                for way in ways.into_iter().rev() {
                                    self.spend(way.len() + 10 + seen.len() / 4, terms)?;
                                    let mut todo = todo.clone();
                                    todo.extend(way.into_iter().rev());
                                    open.push((todo, seen.clone(), branch.clone()));
                                }
                            }
                            Split::Entries(ways) => {
                                for (name, term) in ways.into_iter().rev() {
                                    self.spend(1, terms)?;
                                    let mut branch = branch.clone();
                                    branch.required.push(name.clone());
                                    branch.values.push((name, term));
                                    open.push((todo.clone(), seen.clone(), branch));
                                }
                            }
                            Split::Ranges(ways) => {
                                for (field, (min, max)) in ways.into_iter().rev() {
                                    let mut branch = branch.clone();
                                    narrow(field(&mut branch), min, max);
                                    open.push((todo.clone(), seen.clone(), branch));
                                }
                            }
                        }
                        break;
                    }
                }
                if branch.kinds == Kinds::NONE {
                    alive = false;
                    break;
                }
            }
            if alive {
                self.finish(branch, &mut gathered, terms)?;
            }
        }
        self.gather(gathered, terms)
    }

    /// Adds one term to a branch. Returns the ways in which the branch goes on if there are several.
    fn take(
        &mut self,
        (id, holds): Term,
        branch: &mut Branch,
        todo: &mut Vec<Term>,
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
                todo.extend(nodes.iter().rev().map(|&node| (node, holds)));
            }
            (Node::All(nodes), false) | (Node::Any(nodes), true) => match nodes.as_slice() {
                &[node] => todo.push((node, holds)),
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
            (&Node::Not(node), _) => todo.push((node, !holds)),
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
            (Node::Properties(_), true) => branch.properties.push(id),
            (&Node::PropertyNames(names), true) => branch.names.push((names, true)),
            (Node::Items { .. }, true) => branch.items.push(id),
            (Node::Properties(properties), false)
                if properties.patterns.is_empty() && properties.additional.is_none() =>
            {
                // Some named property is there with a value that it must not have.
                only(Kinds::OBJECT);
                let entries = properties.named.iter().map(|(name, node)| (name.clone(), (*node, false)));
                return Ok(Some(Split::Entries(entries.collect())));
            }
            (Node::Properties(_) | Node::PropertyNames(_) | Node::Items { .. }, false) => {
                return Err(CompileError::Unsupported {
                    at: Place::Pointer(graph.pointers[id as usize].to_string()),
                    keyword: "not".into(),
                    reason:
                        "the opposite of this condition (from not, if, or oneOf with alternatives that overlap) is not \
                             enforced; write alternatives that exclude each other, with const or type"
                            .into(),
                });
            }
        }
        Ok(None)
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
            let strings = self.strings(&branch.patterns, &branch.excluded, branch.length, terms)?;
            if !strings.is_empty() {
                gathered.strings.push(Arc::new(strings));
            }
        }
        if branch.kinds.has(Kinds::ARRAY) {
            self.finish_array(&branch, gathered);
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
                    && branch.patterns.iter().all(|&(pattern, holds)| {
                        self.graph.patterns[pattern as usize].accepts(text.as_bytes()) == holds
                    })
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
        let numbers = match self.numbers.get(&atoms) {
            Some(numbers) => numbers.clone(),
            None => {
                let dfa = numbers::language(&atoms, self.limits.states).map_err(|_| self.too_many_states(terms))?;
                self.spend(20 + dfa.len() / 8, terms)?;
                let numbers = Arc::new(Numbers::new(dfa));
                self.numbers.insert(atoms, numbers.clone());
                numbers
            }
        };
        if !numbers.dfa.is_empty() {
            gathered.numbers.push(numbers);
        }
        Ok(())
    }

    fn strings(
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
        // The greatest length is counted where that is exact, else built into the automaton.
        let key = (patterns.clone(), excluded, min, u32::MAX);
        let open = self.characters(key.clone(), terms)?;
        if max == u32::MAX || open.plain {
            return Ok(any_strings(open, 0, max));
        }
        let closed = self.characters((key.0, key.1, min, max), terms)?;
        Ok(any_strings(closed, 0, u32::MAX))
    }

    fn characters(&mut self, key: StringKey, terms: &[Term]) -> Result<Arc<Characters>, CompileError> {
        if let Some(characters) = self.strings.get(&key) {
            return Ok(characters.clone());
        }
        let dfa = self.string_dfa(&key).map_err(|_| self.too_many_states(terms))?;
        self.spend(dfa.len() / 4, terms)?;
        let characters = Arc::new(Characters::new(dfa, &self.any));
        self.strings.insert(key, characters.clone());
        Ok(characters)
    }

    fn string_dfa(&self, (patterns, excluded, min, max): &StringKey) -> Result<Dfa, TooManyStates> {
        let limit = self.limits.states;
        let mut dfa = self.any.clone();
        let mut whole = true;
        for &(pattern, holds) in patterns {
            let pattern = &self.graph.patterns[pattern as usize];
            dfa = match (holds, whole) {
                (true, true) => pattern.clone(),
                (true, false) => dfa.intersection(pattern, limit)?,
                (false, _) => dfa.difference(pattern, limit)?,
            };
            whole = false;
        }
        if !excluded.is_empty() {
            let mut words: Vec<&[u8]> = excluded.iter().map(String::as_bytes).collect();
            words.sort_unstable();
            dfa = dfa.difference(&Dfa::words(&words, limit)?, limit)?;
        }
        if (*min, *max) == (0, u32::MAX) { Ok(dfa) } else { with_length(&dfa, *min, *max, limit) }
    }

    fn finish_array(&mut self, branch: &Branch, gathered: &mut Gathered) {
        let graph = self.graph;
        let nodes: Vec<(&Vec<NodeId>, Option<NodeId>)> = branch
            .items
            .iter()
            .filter_map(|&id| match &graph.nodes[id as usize] {
                Node::Items { prefix, rest } => Some((prefix, *rest)),
                _ => None,
            })
            .collect();
        let (min, max) = branch.item_count;
        let length = nodes.iter().map(|(prefix, _)| prefix.len()).max().unwrap_or(0).min(max as usize);
        let mut at = |index: usize| {
            let terms = nodes.iter().filter_map(|(prefix, rest)| prefix.get(index).copied().or(*rest));
            let terms = terms.map(|node| (node, true)).collect();
            self.intern(terms)
        };
        let prefix = (0..length).map(&mut at).collect();
        let rest = at(usize::MAX);
        gathered.arrays.push(self.arrays.len() as u32);
        self.arrays.push(Array { prefix, rest, min, max });
    }

    fn finish_object(&mut self, branch: &Branch, gathered: &mut Gathered, terms: &[Term]) -> Result<(), CompileError> {
        let graph = self.graph;
        let nodes: Vec<&Properties> = branch
            .properties
            .iter()
            .filter_map(|&id| match &graph.nodes[id as usize] {
                Node::Properties(properties) => Some(properties),
                _ => None,
            })
            .collect();
        let mut names: Vec<&str> = Vec::new();
        let mut known = std::collections::HashSet::new();
        let named = nodes.iter().flat_map(|properties| properties.named.iter().map(|(name, _)| name.as_str()));
        let required = branch.required.iter().map(String::as_str);
        let valued = branch.values.iter().map(|(name, _)| name.as_str());
        for name in named.chain(required).chain(valued) {
            if known.insert(name) {
                names.push(name);
            }
        }
        self.spend(names.len() * nodes.len().max(1), terms)?;
        let by_name: Vec<HashMap<&str, NodeId>> = nodes
            .iter()
            .map(|properties| properties.named.iter().map(|(name, node)| (name.as_str(), *node)).collect())
            .collect();
        let required: std::collections::HashSet<&str> = branch.required.iter().map(String::as_str).collect();
        let keys = self.key_strings(branch, terms)?;
        let mut properties = Vec::with_capacity(names.len());
        for name in names {
            let mut terms: Vec<Term> = Vec::new();
            for (node, by_name) in nodes.iter().zip(&by_name) {
                let mut beside = true;
                if let Some(&named) = by_name.get(name) {
                    terms.push((named, true));
                    beside = false;
                }
                for &(pattern, inner) in &node.patterns {
                    if graph.patterns[pattern as usize].accepts(name.as_bytes()) {
                        terms.push((inner, true));
                        beside = false;
                    }
                }
                if let (true, Some(additional)) = (beside, node.additional) {
                    terms.push((additional, true));
                }
            }
            terms.extend(branch.values.iter().filter(|(other, _)| other == name).map(|&(_, term)| term));
            if keys.as_ref().is_some_and(|keys| !keys.accepts(name.as_bytes())) {
                terms.push((TRUE, false));
            }
            let spelling = write_string(name).into_bytes().split_off(1).into();
            let schema = self.intern(terms);
            properties.push(Property { name: name.to_owned(), spelling, schema, required: required.contains(name) });
        }
        let additional = self.additional(&nodes, keys.as_ref(), terms)?;
        let mut sorted: Vec<u32> = (0..properties.len() as u32).collect();
        sorted.sort_by(|&a, &b| properties[a as usize].spelling.cmp(&properties[b as usize].spelling));
        let (min, max) = branch.property_count;
        gathered.objects.push(self.objects.len() as u32);
        self.objects.push(Object {
            properties,
            sorted,
            additional,
            min,
            max,
            next_required: Vec::new(),
            required_from: Vec::new(),
        });
        Ok(())
    }

    /// The keys that `propertyNames` allows; `None` if all.
    fn key_strings(&mut self, branch: &Branch, terms: &[Term]) -> Result<Option<Dfa>, CompileError> {
        if branch.names.is_empty() {
            return Ok(None);
        }
        // What the names allow of kinds other than strings does not matter; what is worked out for it is not kept.
        let (objects, arrays) = (self.objects.len(), self.arrays.len());
        let schema = self.alternatives(&branch.names)?;
        self.objects.truncate(objects);
        self.arrays.truncate(arrays);
        let limit = self.limits.states;
        let work = || -> Result<Dfa, TooManyStates> {
            let mut words = Vec::new();
            for literal in schema.literals.iter().filter(|literal| literal.first() == Some(&b'"')) {
                let text = std::str::from_utf8(literal).ok().and_then(|text| super::text::parse(text, 0).ok());
                if let Some(Value::String(text)) = text {
                    words.push(text.into_bytes());
                }
            }
            words.sort_unstable();
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let mut all = Dfa::words(&words, limit)?;
            for strings in &schema.strings {
                all = all.union(&with_length(&strings.characters.dfa, strings.min, strings.max, limit)?, limit)?;
            }
            Ok(all)
        };
        work().map(Some).map_err(|_| self.too_many_states(terms))
    }

    /// The keys beside the named ones: one class of keys for each set of patterns that they match.
    fn additional(
        &mut self,
        nodes: &[&Properties],
        keys: Option<&Dfa>,
        terms: &[Term],
    ) -> Result<Option<Additional>, CompileError> {
        let patterns: Vec<u32> = {
            let all: BTreeSet<u32> =
                nodes.iter().flat_map(|node| node.patterns.iter().map(|(pattern, _)| *pattern)).collect();
            all.into_iter().collect()
        };
        let graph = self.graph;
        let automata: Vec<&Dfa> = patterns.iter().map(|&pattern| &graph.patterns[pattern as usize]).collect();
        // The conditions on the value of a key that matches just these patterns.
        let conditions = |matched: &[bool]| {
            let mut terms: Vec<Term> = Vec::new();
            for node in nodes {
                let inner = node.patterns.iter().filter(|(pattern, _)| {
                    patterns.iter().position(|other| other == pattern).is_some_and(|index| matched[index])
                });
                let before = terms.len();
                terms.extend(inner.map(|&(_, node)| (node, true)));
                if let (true, Some(additional)) = (terms.len() == before, node.additional) {
                    terms.push((additional, true));
                }
            }
            terms
        };
        let never = |terms: &[Term]| terms.iter().any(|&(node, holds)| holds && self.is_false(node));
        let (dfa, states) = if automata.is_empty() && keys.is_none() {
            if never(&conditions(&[])) {
                return Ok(None);
            }
            (self.any.clone(), Vec::new())
        } else {
            let all = keys.unwrap_or(&self.any);
            let start: Vec<u32> = automata.iter().map(|dfa| dfa.start()).chain([all.start()]).collect();
            let matched = |state: &[u32]| -> Vec<bool> {
                automata.iter().zip(state).map(|(dfa, &state)| dfa.accepts_at(state)).collect()
            };
            Dfa::build_with_states(
                |byte| byte,
                256,
                start,
                self.limits.states,
                |state, byte| {
                    let next: Vec<u32> = automata
                        .iter()
                        .copied()
                        .chain([all])
                        .zip(state)
                        .map(|(dfa, &state)| dfa.next(state, byte as u8))
                        .collect();
                    (next.last() != Some(&0)).then_some(next)
                },
                |state| {
                    state.last().is_some_and(|&state| all.accepts_at(state)) && !never(&conditions(&matched(state)))
                },
            )
            .map_err(|_| self.too_many_states(terms))?
        };
        if dfa.is_empty() {
            return Ok(None);
        }
        self.spend(dfa.len() / 4, terms)?;
        let mut classes: Vec<KeyClass> = Vec::new();
        let mut class_of = vec![u32::MAX; dfa.len()];
        let mut known: HashMap<SchemaId, u32> = HashMap::new();
        for state in (1..dfa.len()).filter(|&state| dfa.accepts_at(state as u32)) {
            let matched: Vec<bool> = match states.get(state) {
                Some(Some(states)) => automata.iter().zip(states).map(|(dfa, &state)| dfa.accepts_at(state)).collect(),
                _ => Vec::new(),
            };
            let schema = self.intern(conditions(&matched));
            class_of[state] = *known.entry(schema).or_insert_with(|| {
                classes.push(KeyClass { schema, key_cost: NEVER });
                classes.len() as u32 - 1
            });
        }
        for (index, class) in (0..).zip(&mut classes) {
            class.key_cost =
                dfa.costs_to(|state| class_of[state] == index, super::strings::spelled_length)[dfa.start() as usize];
        }
        let counts = dfa.counts(MANY_KEYS);
        let characters =
            if states.is_empty() { self.any_characters.clone() } else { Arc::new(Characters::new(dfa, &self.any)) };
        let keys = Strings { characters, min: 0, max: u32::MAX, escapes: Escapes::Needed };
        Ok(Some(Additional { keys, class_of, classes, counts }))
    }

    fn is_false(&self, node: NodeId) -> bool {
        match &self.graph.nodes[node as usize] {
            Node::Any(nodes) => nodes.is_empty(),
            Node::All(nodes) => nodes
                .iter()
                .any(|&node| matches!(&self.graph.nodes[node as usize], Node::Any(inner) if inner.is_empty())),
            _ => false,
        }
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
        })
    }

    /// The least cost of every schema: the least solution of the equations between them, found by going down from
    /// "never" until nothing changes. What is never reached so has no value of finite length.
    fn settle_costs(&mut self) -> Result<(), CompileError> {
        let mut costs: Vec<u32> = vec![NEVER; self.schemas.len()];
        loop {
            let mut changed = false;
            let work: usize =
                self.schemas.len() + self.objects.iter().map(|object| object.properties.len()).sum::<usize>();
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
        Ok(())
    }

    fn cost_of(&mut self, id: usize, costs: &[u32]) -> u32 {
        let cost = |id: SchemaId| costs[id as usize];
        let mut best = scalar_cost(&self.schemas[id]);
        let objects = std::mem::take(&mut self.schemas[id].objects);
        for &object in &objects {
            let object = &mut self.objects[object as usize];
            object.sum_up(&cost);
            best = best.min(super::shape::add(object.cost_to_close(0, 0, 0, true, &cost), 1));
        }
        self.schemas[id].objects = objects;
        for &array in &self.schemas[id].arrays {
            best = best.min(super::shape::add(self.arrays[array as usize].cost_to_close(0, 0, true, &cost), 1));
        }
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
            additional.class_of = states
                .iter()
                .map(|state| state.map_or(u32::MAX, |state| additional.class_of[state as usize]))
                .collect();
            additional.counts = dfa.counts(MANY_KEYS);
            additional.keys.characters = Arc::new(Characters::new(dfa, &self.any));
        }
        let (objects, arrays) = (&self.objects, &self.arrays);
        for schema in &mut self.schemas {
            schema.objects.retain(|&id| objects[id as usize].cost_to_close(0, 0, 0, true, &cost) != NEVER);
            schema.arrays.retain(|&id| arrays[id as usize].cost_to_close(0, 0, true, &cost) != NEVER);
        }
        for array in &mut self.arrays {
            // The first entry that has no value ends the array.
            let end = array.prefix.iter().position(|&id| cost(id) == NEVER);
            let end = end.or((cost(array.rest) == NEVER).then_some(array.prefix.len()));
            if let Some(end) = end {
                array.max = array.max.min(end as u32);
            }
        }
    }
}

fn ranges(field: fn(&mut Branch) -> &mut (u32, u32), min: u32, max: u32) -> Split {
    Split::Ranges(outside(min, max).into_iter().map(|range| (field, range)).collect())
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
struct Gathered {
    literals: BTreeSet<Box<[u8]>>,
    numbers: Vec<Arc<Numbers>>,
    strings: Vec<Arc<Strings>>,
    objects: Vec<u32>,
    arrays: Vec<u32>,
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
