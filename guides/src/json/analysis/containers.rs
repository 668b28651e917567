//! What a branch says of arrays and objects, worked out: the alternatives for each entry.

use crate::automaton::cost::Cost;
use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::collections::few::Few;
use crate::error::{CompileError, too_big};
use crate::json::analysis::Builder;
use crate::json::analysis::branch::{Branch, Keys, OUTSIDE, ScopeId, Term};
use crate::json::analysis::finish::Gathered;
use crate::json::analysis::keys::{KeySet, KeySets, NONE};
use crate::json::analysis::names::NamedProperty;
use crate::json::language::length::with_length;
use crate::json::language::strings::{Escapes, Strings};
use crate::json::schema::graph::{Graph, Node, NodeId, PatternId, Properties, TRUE};
use crate::json::shape::array::{Array, Counter};
use crate::json::shape::meeting::Remembered;
use crate::json::shape::object::{Additional, KeyClass, MANY_KEYS, Object, Property};
use crate::json::shape::{MOST_COUNTERS, SchemaId, ShapeId, Way};
use crate::json::text::value::Value;
use foldhash::{HashMap, HashMapExt, HashSet};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// The greatest count of `minContains` and `maxContains`: a counter has 16 bits, and needs one value more.
const MOST_COUNTED: u32 = 60_000;

/// Combinations of the counters of one array: for each it is worked out once what it costs to close the array.
const MOST_STATES_OF_COUNTERS: usize = 100_000;

/// What an object must have beside what is required by name: an entry with one of these keys, of which the term holds.
type Demanded = (Arc<KeySet>, Term);

impl Branch {
    /// Whether a condition in the scope `inner` counts for the scope `outer`.
    fn is_within(&self, inner: ScopeId, outer: ScopeId) -> bool {
        let around = |&scope: &ScopeId| scope.index().checked_sub(1).map(|index| self.scopes[index].1);
        std::iter::successors(Some(inner), around).any(|scope| scope == outer)
    }

    /// The scopes with the node that asks something of entries that are not evaluated, if there is one.
    fn scopes_with<'a>(
        &'a self,
        graph: &'a Graph,
        which: fn(&Node) -> Option<NodeId>,
    ) -> impl Iterator<Item = (ScopeId, NodeId)> + 'a {
        (1..)
            .zip(&self.scopes)
            .filter_map(move |(scope, &(node, _))| Some((ScopeId::new(scope), which(&graph.nodes[node.index()])?)))
    }
}

fn unevaluated_properties(node: &Node) -> Option<NodeId> {
    if let &Node::Scope { properties, .. } = node { properties } else { None }
}

fn unevaluated_items(node: &Node) -> Option<NodeId> {
    if let &Node::Scope { items, .. } = node { items } else { None }
}

/// Conditions on the entries of an array: by index, and for all further ones.
type Items = (Vec<NodeId>, Option<NodeId>);

// Arrays -------------------------------------------------------------------------------------------------------------

impl Builder<'_> {
    /// The schema of what the conditions ask of a property.
    fn schema_of_named(&mut self, property: &NamedProperty) -> SchemaId {
        if let Some(schema) = property.schema.get() {
            return schema;
        }
        let schema = self.intern(property.asked.clone());
        property.schema.set(Some(schema));
        schema
    }

    pub(crate) fn finish_array(
        &mut self,
        branch: &Branch,
        gathered: &mut Gathered,
        terms: &[Term],
    ) -> Result<(), CompileError> {
        let graph = self.graph;
        let mut nodes: Vec<Items> = branch.items.iter().filter_map(|&(id, _)| items_of(graph, id)).collect();
        self.spend(branch.scopes.len() * (branch.items.len() + branch.scopes.len()) / 16, terms)?;
        for (scope, node) in branch.scopes_with(graph, unevaluated_items) {
            nodes.extend(rest_of_items(graph, branch, scope, node));
        }
        let mut counted: Vec<_> = Vec::new();
        for (one, _) in &branch.counted {
            if (one.min, one.max) != (0, u32::MAX) && !counted.contains(one) {
                counted.push(*one);
            }
            if counted.len() > MOST_COUNTERS {
                break;
            }
        }
        if counted.len() > MOST_COUNTERS {
            let remedy = "use fewer of contains, and of items under not, for one array";
            return Err(too_big(
                self.pointer(terms),
                "conditions that count the entries of an array",
                MOST_COUNTERS,
                remedy,
            ));
        }
        let (min, max) = self.array_length(branch, terms)?;
        let indexed = branch.item_values.iter().map(|&(index, _)| index as usize + 1);
        let starts = counted.iter().map(|one| one.from as usize);
        let lengths = nodes.iter().map(|(prefix, _)| prefix.len()).chain(indexed).chain(starts);
        let length = lengths.max().unwrap_or(0).min(max as usize);
        self.spend(length * nodes.len().max(1), terms)?;
        let mut prefix = Vec::with_capacity(length);
        for index in 0..=length {
            let index = if index == length { usize::MAX } else { index };
            let at_index = nodes.iter().filter_map(|(prefix, rest)| prefix.get(index).copied().or(*rest));
            let mut all: Vec<Term> = at_index.map(|node| (node, true)).collect();
            all.extend(branch.item_values.iter().filter(|(at, _)| *at as usize == index).map(|&(_, term)| term));
            // Each way to count the entry or not.
            let mut ways = vec![(all, 0u8)];
            for (bit, one) in counted.iter().enumerate().filter(|(_, one)| one.from as usize <= index) {
                let (node, holds) = one.term;
                let yes = ways.iter().map(|(all, set)| ([all.as_slice(), &[(node, holds)]].concat(), set | 1 << bit));
                let yes: Vec<_> = yes.collect();
                if one.max != u32::MAX {
                    // What counts must be counted.
                    ways.iter_mut().for_each(|(all, _)| all.push((node, !holds)));
                }
                ways.extend(yes);
                self.spend(ways.len() * 4, terms)?;
            }
            let ways = ways.into_iter().map(|(all, counts)| Way { schema: self.intern(all), counts }).collect();
            prefix.extend(Few::from_vec(ways));
        }
        let Some(rest) = prefix.pop() else { return Ok(()) };
        let distinct = (branch.unique && max > 1).then_some(0);
        let counters = counted.iter().map(|one| Counter { min: one.min, max: one.max }).collect();
        let array = Array { prefix, rest, min, max, distinct, counters, table: Vec::new(), spacing: self.spacing };
        if array.counters.iter().any(|counter| counter.top() > MOST_COUNTED)
            || array.table_size() > MOST_STATES_OF_COUNTERS
        {
            return Err(too_big(
                self.pointer(terms),
                "counts of minContains and maxContains",
                MOST_COUNTED as usize,
                "use smaller ones",
            ));
        }
        gathered.arrays.push(ShapeId::new(self.arrays.len()));
        self.arrays.push(array);
        Ok(())
    }
}

fn items_of(graph: &Graph, id: NodeId) -> Option<Items> {
    match &graph.nodes[id.index()] {
        Node::Items { prefix, rest } => Some((prefix.clone(), *rest)),
        _ => None,
    }
}

/// What `unevaluatedItems` comes to in a branch; `None` if every entry is evaluated.
fn rest_of_items(graph: &Graph, branch: &Branch, scope: ScopeId, node: NodeId) -> Option<Items> {
    let mut evaluated = 0;
    for &(id, _) in branch.items.iter().filter(|(_, inner)| branch.is_within(*inner, scope)) {
        let (prefix, rest) = items_of(graph, id)?;
        if rest.is_some() {
            return None;
        }
        evaluated = evaluated.max(prefix.len());
    }
    let mut inner = branch.scopes_with(graph, unevaluated_items);
    if inner.any(|(inner, _)| inner != scope && branch.is_within(inner, scope)) {
        return None;
    }
    // Entries that `contains` asks for are evaluated by it.
    let counted = branch.counted.iter().filter(|(_, inner)| *inner != OUTSIDE && branch.is_within(*inner, scope));
    let mut either: Vec<NodeId> = counted.map(|(one, _)| one.term.0).chain([node]).collect();
    either.sort_unstable();
    either.dedup();
    let node = graph.either.get(&either).copied().unwrap_or(node);
    Some((vec![TRUE; evaluated], Some(node)))
}

// Objects ------------------------------------------------------------------------------------------------------------

impl Builder<'_> {
    pub(crate) fn finish_object(
        &mut self,
        branch: &Branch,
        gathered: &mut Gathered,
        terms: &[Term],
    ) -> Result<(), CompileError> {
        let graph = self.graph;
        let properties_of = |id: NodeId| match &graph.nodes[id.index()] {
            Node::Properties(properties) => Some(properties),
            _ => None,
        };
        let mut nodes: Vec<Cow<'_, Properties>> =
            branch.properties.iter().filter_map(|&(id, _)| properties_of(id).map(Cow::Borrowed)).collect();
        let names: usize = nodes.iter().map(|node| node.named.len() + node.patterns.len()).sum();
        self.spend(branch.scopes.len() * (names + branch.properties.len() + branch.scopes.len()) / 16, terms)?;
        for (scope, node) in branch.scopes_with(graph, unevaluated_properties) {
            let within: Vec<&Properties> = branch
                .properties
                .iter()
                .filter(|(_, inner)| branch.is_within(*inner, scope))
                .filter_map(|&(id, _)| properties_of(id).filter(|properties| !properties.silent))
                .collect();
            let mut inner = branch.scopes_with(graph, unevaluated_properties);
            let all = within.iter().any(|properties| properties.additional.is_some())
                || inner.any(|(inner, _)| inner != scope && branch.is_within(inner, scope));
            if !all {
                nodes.push(Cow::Owned(Properties {
                    named: within.iter().flat_map(|node| &node.named).map(|(name, _)| (name.clone(), TRUE)).collect(),
                    patterns: within
                        .iter()
                        .flat_map(|node| &node.patterns)
                        .map(|&(pattern, _)| (pattern, TRUE))
                        .collect(),
                    additional: Some(node),
                    silent: false,
                }));
            }
        }
        // What branches have in common is worked out once, as long as it lies in the graph.
        let shared = nodes
            .iter()
            .all(|node| matches!(node, Cow::Borrowed(_)))
            .then(|| branch.properties.iter().map(|&(id, _)| id).filter(|&id| properties_of(id).is_some()).collect());
        let nodes: Vec<&Properties> = nodes.iter().map(|node| &**node).collect();
        let demanded = self.demanded(branch, terms)?;
        let required = branch.required.iter().map(String::as_str);
        let more = required.clone().chain(branch.values.iter().map(|(name, _)| name.as_str()));
        self.check_names(&nodes, more.clone(), terms)?;
        let named = self.known_names.named(self.graph, shared, &nodes, more);
        self.spend(named.len() * nodes.len().max(1), terms)?;
        let mut is_required = vec![false; named.len()];
        required.filter_map(|name| named.place(name)).for_each(|place| is_required[place] = true);
        let mut values: Vec<Vec<Term>> = vec![Vec::new(); named.len()];
        for (name, term) in &branch.values {
            if let Some(place) = named.place(name) {
                values[place].push(*term);
            }
        }
        let keys = if branch.names.is_empty() { None } else { Some(self.key_strings(&branch.names, terms)?) };
        let mut properties = Vec::with_capacity(named.len());
        for (place, values) in values.into_iter().enumerate() {
            self.spend(0, terms)?;
            let property = named.get(place);
            let name = &property.name;
            let refused = keys.as_ref().is_some_and(|keys| !keys.accepts(name.as_bytes()))
                || self.languages.spellable().missing(&property.spelling).is_some();
            let (schema, meets) = if values.is_empty() && !refused && demanded.is_empty() {
                (self.schema_of_named(property), Vec::new())
            } else {
                let mut all = property.asked.clone();
                all.extend(values);
                if refused {
                    all.push((TRUE, false));
                }
                let meets = self.meeting(&all, &demanded, |keys| keys.accepts(name), terms)?;
                (self.intern(all), meets)
            };
            let (name, spelling) = (name.clone(), property.spelling.clone());
            properties.push(Property { name, spelling, schema, required: is_required[place], meets });
        }
        let mut additional = self.additional(&nodes, keys.as_ref(), &demanded, terms)?;
        if let Some(additional) = &mut additional {
            additional.count_named(&properties);
        }
        let meeting = (0..).zip(&properties).filter(|(_, property): &(u32, &Property)| !property.meets.is_empty());
        let meeting = meeting.map(|(index, _)| index).collect();
        let (min, max) = branch.property_count;
        gathered.objects.push(ShapeId::new(self.objects.len()));
        self.objects.push(Object {
            properties,
            sorted: named.sorted.clone(),
            by_name: named.by_name.clone(),
            additional,
            min,
            max,
            demanded: ((1u16 << demanded.len()) - 1) as u8,
            meeting,
            next_required: Vec::new(),
            required: Vec::new(),
            required_from: Vec::new(),
            remembered: Remembered::default(),
            spacing: self.spacing,
        });
        Ok(())
    }

    /// Refuses names of which it is clear beforehand that there are too many to look for each one in each node, and counts what it takes
    /// to look for them in patterns.
    fn check_names<'n>(
        &mut self,
        nodes: &[&'n Properties],
        more: impl Iterator<Item = &'n str> + Clone,
        terms: &[Term],
    ) -> Result<(), CompileError> {
        let own = nodes.iter().flat_map(|node| &node.named).map(|(name, _)| name.as_str());
        let most = nodes.iter().map(|node| node.named.len()).sum::<usize>() + more.clone().count();
        let patterns: usize = nodes.iter().map(|node| node.patterns.len()).sum();
        self.spend(most * patterns / 16, terms)?;
        let left = self.limits.work.saturating_sub(self.work);
        if most * nodes.len() > left {
            let names = own.chain(more).collect::<HashSet<&str>>().len();
            if names * nodes.len() > left {
                return self.spend(names * nodes.len(), terms);
            }
        }
        Ok(())
    }

    /// The keys and conditions of the entries that the object must have beside those that are required by name.
    fn demanded(&mut self, branch: &Branch, terms: &[Term]) -> Result<Vec<Demanded>, CompileError> {
        if branch.some.len() > MOST_COUNTERS {
            let remedy = "use fewer of not around properties of one object";
            return Err(too_big(self.pointer(terms), "conditions that some entry must meet", MOST_COUNTERS, remedy));
        }
        let (graph, limit) = (self.graph, self.limits.states);
        let mut demanded = Vec::with_capacity(branch.some.len());
        for &(keys, term) in &branch.some {
            let set = match (self.key_sets.get(&keys), keys) {
                (Some(set), _) => set.clone(),
                (None, Keys::Outside(node)) => {
                    let outside = self.key_strings(&[(node, false)], terms)?;
                    Arc::new(KeySet::new(Some(Arc::new(outside)), Vec::new()))
                }
                (None, Keys::Matching(pattern)) => {
                    let matching = (**graph.patterns[pattern.index()]).clone();
                    Arc::new(KeySet::new(Some(Arc::new(matching)), Vec::new()))
                }
                (None, Keys::Beside(id)) => match &graph.nodes[id.index()] {
                    Node::Properties(properties) => {
                        let beside = keys_beside(&self.any, properties, graph, limit);
                        Arc::new(beside.map_err(|_| self.too_many_states(terms))?)
                    }
                    _ => Arc::new(KeySet::new(None, Vec::new())),
                },
            };
            self.spend(set.size() / 4, terms)?;
            self.key_sets.insert(keys, set.clone());
            demanded.push((set, term));
        }
        Ok(demanded)
    }

    /// The ways in which an entry with these conditions meets demands: for each set of them that its key is in.
    fn meeting(
        &mut self,
        all: &[Term],
        demanded: &[Demanded],
        is_in: impl Fn(&KeySet) -> bool,
        terms: &[Term],
    ) -> Result<Vec<Way>, CompileError> {
        let mut ways: Vec<(Vec<Term>, u8)> = vec![(all.to_vec(), 0)];
        for (bit, (keys, term)) in demanded.iter().enumerate() {
            if is_in(keys) {
                let more = ways.iter().map(|(all, set)| ([all.as_slice(), &[*term]].concat(), set | 1 << bit));
                let more: Vec<_> = more.collect();
                ways.extend(more);
                self.spend(ways.len() * 4, terms)?;
            }
        }
        Ok(ways.into_iter().skip(1).map(|(all, counts)| Way { schema: self.intern(all), counts }).collect())
    }

    /// The strings of which conditions on keys hold.
    fn key_strings(&mut self, names: &[Term], terms: &[Term]) -> Result<Dfa, CompileError> {
        // What the names allow of kinds other than strings does not matter; what is worked out for it is not kept.
        let (objects, arrays) = (self.objects.len(), self.arrays.len());
        let schema = self.alternatives(names)?;
        self.objects.truncate(objects);
        self.arrays.truncate(arrays);
        let limit = self.limits.states;
        let work = || -> Result<Dfa, TooManyStates> {
            let mut words = Vec::new();
            for literal in schema.literals.iter().filter(|literal| literal.first() == Some(&b'"')) {
                let text =
                    std::str::from_utf8(literal).ok().and_then(|text| crate::json::text::value::parse(text, 0).ok());
                if let Some(Value::String(text)) = text {
                    words.push(text.into_bytes());
                }
            }
            words.sort_unstable();
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            let keys = |strings: &Strings| with_length(&strings.characters.dfa, strings.min, strings.max, limit);
            let mut sets = schema
                .strings
                .iter()
                .map(|strings| keys(strings))
                .chain((!words.is_empty()).then(|| Dfa::words(&words, limit)));
            let Some(first) = sets.next() else { return Dfa::words(&[], limit) };
            sets.try_fold(first?, |all, set| all.union(&set?, limit))
        };
        work().map_err(|_| self.too_many_states(terms))
    }

    /// The keys beside the named ones: one class of keys for each set of patterns and demands that they match.
    fn additional(
        &mut self,
        nodes: &[&Properties],
        keys: Option<&Dfa>,
        demanded: &[Demanded],
        terms: &[Term],
    ) -> Result<Option<Additional>, CompileError> {
        let patterns: Vec<PatternId> = {
            let all: BTreeSet<PatternId> =
                nodes.iter().flat_map(|node| node.patterns.iter().map(|(pattern, _)| *pattern)).collect();
            all.into_iter().collect()
        };
        let (graph, limit) = (self.graph, self.limits.states);
        let automata: Vec<&Dfa> = patterns.iter().map(|&pattern| &**graph.patterns[pattern.index()]).collect();
        let key_sets: Vec<&KeySet> = demanded.iter().map(|(set, _)| &**set).collect();
        // The conditions on the value of a key that matches just these patterns.
        let conditions = |matched: &[bool]| {
            let mut terms: Vec<Term> = Vec::new();
            for node in nodes {
                let inner = node
                    .patterns
                    .iter()
                    .filter(|(pattern, _)| patterns.binary_search(pattern).is_ok_and(|index| matched[index]));
                let before = terms.len();
                terms.extend(inner.map(|&(_, node)| (node, true)));
                if let (true, Some(additional)) = (terms.len() == before, node.additional) {
                    terms.push((additional, true));
                }
            }
            terms
        };
        let sets = match keys {
            Some(keys) => {
                let sets = KeySets::new(&automata, &key_sets, keys, limit);
                Rc::new(sets.map_err(|_| self.too_many_states(terms))?)
            }
            None => {
                let any = &self.any;
                let make = || KeySets::new(&automata, &key_sets, any, limit);
                let sets = self.key_automata.sets(&automata, &key_sets, make);
                sets.map_err(|_| self.too_many_states(terms))?
            }
        };
        self.spend(sets.len() / 2, terms)?;
        let mut classes: Vec<KeyClass> = Vec::new();
        let mut class_of = Vec::with_capacity(sets.memberships.len());
        let mut known: HashMap<(SchemaId, Vec<bool>), u32> = HashMap::new();
        for membership in &sets.memberships {
            let all = conditions(membership);
            if all.iter().any(|&(node, holds)| holds && self.is_false(node)) {
                class_of.push(NONE);
                continue;
            }
            let schema = self.intern(all.clone());
            let met = membership.get(patterns.len()..).unwrap_or_default().to_vec();
            class_of.push(match known.get(&(schema, met.clone())) {
                Some(&class) => class,
                None => {
                    let is_met =
                        |keys: &KeySet| key_sets.iter().zip(&met).any(|(&set, &met)| met && std::ptr::eq(set, keys));
                    let meets = self.meeting(&all, demanded, is_met, terms)?;
                    let costs = Arc::default();
                    classes.push(KeyClass { schema, key_cost: Cost::NEVER, costs, meets, supply: MANY_KEYS, named: 0 });
                    known.insert((schema, met), classes.len() as u32 - 1);
                    classes.len() as u32 - 1
                }
            });
        }
        if classes.is_empty() {
            return Ok(None);
        }
        self.spend(classes.len() * sets.len() / 64, terms)?;
        let all_keys = automata.is_empty() && key_sets.is_empty() && keys.is_none();
        let (languages, any, any_characters) = (self.languages, &self.any, &self.any_characters);
        let classed = sets.classed(class_of, !demanded.is_empty(), |dfa| {
            if all_keys { any_characters.clone() } else { languages.characters(dfa, any) }
        });
        for ((class, costs), &supply) in classes.iter_mut().zip(&classed.costs).zip(&classed.supplies) {
            class.costs = costs.clone();
            class.key_cost = costs[classed.characters.dfa.start() as usize];
            class.supply = supply;
        }
        let keys = Strings { characters: classed.characters.clone(), min: 0, max: u32::MAX, escapes: Escapes::Needed };
        let (class_of, counts) = (classed.class_of.clone(), classed.counts.clone());
        Ok(Some(Additional { keys, class_of, classes, counts }))
    }

    pub(crate) fn is_false(&self, node: NodeId) -> bool {
        match &self.graph.nodes[node.index()] {
            Node::Any(nodes) => nodes.is_empty(),
            Node::All(nodes) => nodes
                .iter()
                .any(|&node| matches!(&self.graph.nodes[node.index()], Node::Any(inner) if inner.is_empty())),
            _ => false,
        }
    }
}

/// The keys that a `Properties` node neither names nor matches with a pattern.
fn keys_beside(any: &Dfa, properties: &Properties, graph: &Graph, limit: usize) -> Result<KeySet, TooManyStates> {
    let mut patterns = properties.patterns.iter().map(|&(pattern, _)| &**graph.patterns[pattern.index()]);
    let beside = match patterns.next() {
        None => None,
        Some(first) => {
            let beside = any.difference(first, limit)?;
            Some(Arc::new(patterns.try_fold(beside, |beside, pattern| beside.difference(pattern, limit))?))
        }
    };
    Ok(KeySet::new(beside, properties.named.iter().map(|(name, _)| name.clone()).collect()))
}
