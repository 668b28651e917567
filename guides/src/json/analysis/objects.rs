//! The objects of a branch: the alternatives for the value of each key that is named.
//!
//! A property must satisfy the conditions of every `Properties` node: its own schema, the schemas of the patterns that its name matches,
//! or else `additionalProperties` (JSON Schema 2020-12 core, section 10.3.2). Their conjunction is interned as its schema. The keys
//! beside the named ones fall into classes ([`additional`](super::additional)). `unevaluatedProperties` becomes one more `Properties`
//! node, which allows whatever the scope has evaluated (section 11.3).

use crate::automaton::dfa::Dfa;
use crate::error::CompileError;
use crate::json::analysis::Builder;
use crate::json::analysis::additional::Demanded;
use crate::json::analysis::branch::{Branch, KeyAtom, KeyCase, ScopeId, Scoped, Term};
use crate::json::analysis::choices::ChosenWays;
use crate::json::analysis::finish::Gathered;
use crate::json::analysis::names::{Named, NamedProperty};
use crate::json::schema::graph::{Graph, Node, NodeId, Properties, TRUE};
use crate::json::shape::clauses::{Atom, Clauses};
use crate::json::shape::meeting::Remembered;
use crate::json::shape::object::{Object, Property};
use crate::json::shape::{SchemaId, ShapeId};
use foldhash::{HashMap, HashSet};
use std::borrow::Cow;
use std::rc::Rc;

fn properties_of(graph: &Graph, id: NodeId) -> Option<&Properties> {
    if let Node::Properties(properties) = &graph.nodes[id.index()] { Some(properties) } else { None }
}

fn unevaluated_properties(node: &Node) -> Option<NodeId> {
    if let &Node::Scope { properties, .. } = node { properties } else { None }
}

/// The conditions of `unevaluatedProperties` on the entries that the branch does not evaluate; `None` if it evaluates all.
fn unevaluated(graph: &Graph, branch: &Branch, scope: ScopeId, node: NodeId) -> Option<Properties> {
    let within = branch.properties.iter().filter(|properties| branch.is_within(properties.scope, scope));
    let within = within.filter_map(|properties| properties_of(graph, properties.item));
    let within: Vec<&Properties> = within.filter(|properties| !properties.silent).collect();
    let mut inner = branch.scopes_with(graph, unevaluated_properties);
    if within.iter().any(|properties| properties.additional.is_some())
        || inner.any(|inner| inner.scope != scope && branch.is_within(inner.scope, scope))
    {
        return None;
    }
    let named = within.iter().flat_map(|node| &node.named).map(|(name, _)| (name.clone(), TRUE));
    let patterns = within.iter().flat_map(|node| &node.patterns).map(|&(pattern, _)| (pattern, TRUE));
    let (named, patterns) = (named.collect(), patterns.collect());
    Some(Properties { named, patterns, additional: Some(node), silent: false })
}

/// All conditions of a branch on the named properties of its objects.
struct NamedEntries<'b> {
    branch: &'b Branch,
    named: &'b Named,
    demanded: &'b [Demanded],
    /// The keys that `propertyNames` allows.
    keys: Option<&'b Dfa>,
    conditions: &'b ConditionsByKey,
}

/// The conditions of clauses on the values of each key.
type ConditionsByKey = HashMap<Rc<str>, Vec<Vec<Term>>>;

fn conditions_of(branch: &Branch) -> ConditionsByKey {
    let mut conditions = ConditionsByKey::default();
    for atom in branch.clauses.iter().flatten().flatten() {
        let lists = conditions.entry(atom.name.clone()).or_default();
        if !atom.terms.is_empty() && !lists.contains(&atom.terms) {
            lists.push(atom.terms.clone());
        }
    }
    conditions
}

/// The clauses of a branch by the places of its properties.
fn clauses_of(branch: &Branch, named: &Named, conditions: &ConditionsByKey) -> Clauses {
    let atom = |atom: &KeyAtom| {
        let lists = conditions.get(&atom.name)?;
        let bit = lists.iter().position(|list| *list == atom.terms);
        let choices = bit.map_or(0, |bit| 1 << bit);
        Some((named.place(&atom.name)? as u32, Atom { presence: atom.presence, choices }))
    };
    let case = |case: &KeyCase| case.iter().filter_map(atom).collect();
    Clauses::new(branch.clauses.iter().map(|clause| clause.iter().map(case).collect()).collect())
}

impl Builder<'_> {
    /// Adds the objects of a branch.
    pub(super) fn finish_object(
        &mut self,
        branch: &Branch,
        gathered: &mut Gathered,
        terms: &[Term],
    ) -> Result<(), CompileError> {
        let graph = self.graph;
        let own = branch.properties.iter().filter_map(|properties| properties_of(graph, properties.item));
        let mut nodes: Vec<Cow<'_, Properties>> = own.map(Cow::Borrowed).collect();
        let names: usize = nodes.iter().map(|node| node.named.len() + node.patterns.len()).sum();
        self.spend(branch.scopes.len() * (names + branch.properties.len() + branch.scopes.len()) / 16, terms)?;
        for Scoped { item, scope } in branch.scopes_with(graph, unevaluated_properties) {
            nodes.extend(unevaluated(graph, branch, scope, item).map(Cow::Owned));
        }
        // Nodes of the graph identify the conditions, so that branches with the same ones share their properties.
        let shared = nodes.iter().all(|node| matches!(node, Cow::Borrowed(_))).then(|| {
            let ids = branch.properties.iter().map(|properties| properties.item);
            ids.filter(|&id| properties_of(graph, id).is_some()).collect()
        });
        let nodes: Vec<&Properties> = nodes.iter().map(|node| &**node).collect();
        let demanded = self.demanded(branch, terms)?;
        let required = branch.required.iter().map(String::as_str);
        let linked = branch.clauses.iter().flatten().flatten().map(|atom| &*atom.name);
        let more = required.chain(branch.values.iter().map(|value| value.name.as_str())).chain(linked);
        self.check_names(&nodes, more.clone(), terms)?;
        let named = self.known_names.named(graph, shared, &nodes, more);
        self.spend(named.len() * nodes.len().max(1), terms)?;
        let keys = if branch.names.is_empty() { None } else { Some(self.key_strings(&branch.names, terms)?) };
        let keys = keys.as_ref();
        let conditions = conditions_of(branch);
        let entries = NamedEntries { branch, named: &named, demanded: &demanded, keys, conditions: &conditions };
        let properties = self.properties(&entries, terms)?;
        let clauses = clauses_of(branch, &named, &conditions);
        let mut additional = self.additional(&nodes, keys, &demanded, terms)?;
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
            clauses,
            meeting,
            next_required: Vec::new(),
            required: Vec::new(),
            required_from: Vec::new(),
            remembered: Remembered::default(),
            spacing: self.spacing,
        });
        Ok(())
    }

    /// The named properties with the schemas of their values.
    fn properties(&mut self, entries: &NamedEntries<'_>, terms: &[Term]) -> Result<Vec<Property>, CompileError> {
        let &NamedEntries { branch, named, demanded, keys, conditions } = entries;
        let mut is_required = vec![false; named.len()];
        let required = branch.required.iter().filter_map(|name| named.place(name));
        required.for_each(|place| is_required[place] = true);
        let mut values: Vec<Vec<Term>> = vec![Vec::new(); named.len()];
        for value in &branch.values {
            if let Some(place) = named.place(&value.name) {
                values[place].push(value.term);
            }
        }
        let mut properties = Vec::with_capacity(named.len());
        for (place, values) in values.into_iter().enumerate() {
            self.spend(0, terms)?;
            let property = named.get(place);
            let name = &property.name;
            let refused = keys.is_some_and(|keys| !keys.accepts(name.as_bytes()))
                || self.languages.spellable().missing(&property.spelling).is_some();
            let lists = conditions.get(&**name).filter(|lists| !lists.is_empty());
            let (schema, meets, choices) = if let (Some(lists), false) = (lists, refused) {
                let all = [property.asked.as_slice(), &values].concat();
                let ChosenWays { schema, choices, ways } = self.chosen_ways(name, &all, lists, terms)?;
                (schema, ways, choices)
            } else if values.is_empty() && !refused && demanded.is_empty() {
                (self.schema_of_named(property), Vec::new(), Some(0))
            } else {
                let mut all = property.asked.clone();
                all.extend(values);
                // A property with no value stays away.
                all.extend(refused.then_some(Term::FALSE));
                let meets = self.meeting(&all, demanded, |keys| keys.accepts(name), terms)?;
                (self.intern(all), meets, Some(0))
            };
            let (name, spelling) = (name.clone(), property.spelling.clone());
            properties.push(Property { name, spelling, schema, required: is_required[place], meets, choices });
        }
        Ok(properties)
    }

    /// The schema of the conditions that all branches ask of a property, interned the first time.
    fn schema_of_named(&mut self, property: &NamedProperty) -> SchemaId {
        if let Some(schema) = property.schema.get() {
            return schema;
        }
        let schema = self.intern(property.asked.clone());
        property.schema.set(Some(schema));
        schema
    }

    /// Counts the search for the names in patterns, and refuses names before any are searched for where all of them in all nodes would
    /// exceed the limit.
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
        // Distinct names are counted only where it matters.
        if most * nodes.len() > left {
            let names = own.chain(more).collect::<HashSet<&str>>().len();
            if names * nodes.len() > left {
                return self.spend(names * nodes.len(), terms);
            }
        }
        Ok(())
    }
}
