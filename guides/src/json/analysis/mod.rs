//! Conjunctions of conditions to alternatives: a tableau.
//!
//! A *term* is a node of the graph that holds or does not. A *schema* here is a conjunction of terms, interned; its alternatives are the
//! branches of its disjunctive normal form ([`tableau`]), each finished to literals, strings, numbers, arrays and objects
//! ([`finish`], [`strings`], [`containers`]). The values of entries are conjunctions again, so this goes on until no new one is met.
//! Then the passes over all of them ([`fixpoint`]): least costs, and what has no value falls away.

pub(crate) mod branch;
pub(crate) mod caps;
pub(crate) mod containers;
pub(crate) mod finish;
pub(crate) mod fixpoint;
pub(crate) mod keys;
pub(crate) mod names;
pub(crate) mod overlaps;
pub(crate) mod strings;
pub(crate) mod tableau;
pub(crate) mod unspelled;

use crate::automaton::dfa::Dfa;
use crate::error::{CompileError, Place, too_big};
use crate::interrupt::passed;
use crate::json::analysis::branch::{Keys, Term};
use crate::json::analysis::keys::{KeyAutomata, KeySet};
use crate::json::analysis::names::KnownNames;
use crate::json::analysis::overlaps::Overlaps;
use crate::json::language::cache::Languages;
use crate::json::language::strings::Characters;
use crate::json::schema::graph::{Graph, NodeId, TRUE};
use crate::json::shape::array::Array;
use crate::json::shape::object::Object;
use crate::json::shape::shapes::Analysis;
use crate::json::shape::spacing::Spacing;
use crate::json::shape::{Schema, SchemaId};
use crate::options::{Limits, Whitespace};
use foldhash::{HashMap, HashMapExt, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// Works out everything that is reachable from the root of the graph.
pub(crate) fn analyse(
    graph: &Graph,
    whitespace: Whitespace,
    limits: &Limits,
    languages: &Languages,
) -> Result<Analysis, CompileError> {
    let too_many = |_| too_big(Place::Source, "states", limits.states, "raise the limit");
    let any_characters = languages.spellable().any().map_err(too_many)?;
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
        overlaps: HashMap::new(),
        named_nodes: HashMap::new(),
        key_automata: KeyAutomata::default(),
        unspelled: None,
    };
    let root = builder.intern(vec![(graph.root, true)]);
    while builder.schemas.len() < builder.conjunctions.len() {
        let terms = builder.conjunctions[builder.schemas.len()].clone();
        let schema = builder.alternatives(&terms)?;
        builder.schemas.push(schema);
    }
    builder.check_apart()?;
    builder.tell_entries_apart();
    builder.settle_costs()?;
    builder.prune();
    builder.find_endless()?;
    let Builder { schemas, objects, arrays, unspelled, .. } = builder;
    if schemas[root.index()].cost.is_never() {
        if let Some(error) = unspelled {
            return Err(error);
        }
        return Err(CompileError::Unsatisfiable {
            pointers: vec![String::new()],
            reason: "the conditions of the schema contradict each other, or ask for values without end".into(),
        });
    }
    Ok(Analysis { schemas, objects, arrays, root })
}

pub(crate) struct Builder<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) limits: &'a Limits,
    pub(crate) languages: &'a Languages,
    pub(crate) spacing: Spacing,
    pub(crate) work: usize,
    /// Automata whose work is counted, by their addresses.
    counted: HashSet<*const ()>,
    pub(crate) ids: HashMap<Vec<Term>, SchemaId>,
    /// The terms of each schema, those not yet worked out too.
    pub(crate) conjunctions: Vec<Vec<Term>>,
    pub(crate) schemas: Vec<Schema>,
    pub(crate) objects: Vec<Object>,
    pub(crate) arrays: Vec<Array>,
    pub(crate) any: Dfa,
    pub(crate) any_characters: Arc<Characters>,
    pub(crate) key_sets: HashMap<Keys, Arc<KeySet>>,
    pub(crate) key_automata: KeyAutomata,
    pub(crate) known_names: KnownNames,
    /// What was taken out first, as the vocabulary cannot spell it.
    pub(crate) unspelled: Option<CompileError>,
    /// Which alternatives of a `oneOf` may hold together, by its node.
    overlaps: HashMap<NodeId, Rc<Overlaps>>,
    /// The conditions by name of those `Properties` nodes that are asked for single names.
    named_nodes: HashMap<NodeId, HashMap<&'a str, NodeId>>,
}

impl Builder<'_> {
    pub(crate) fn intern(&mut self, mut terms: Vec<Term>) -> SchemaId {
        terms.retain(|&term| term != (TRUE, true));
        terms.sort_unstable();
        terms.dedup();
        if let Some(&id) = self.ids.get(&terms) {
            return id;
        }
        let id = SchemaId::new(self.conjunctions.len());
        self.conjunctions.push(terms.clone());
        self.ids.insert(terms, id);
        id
    }

    pub(crate) fn pointer(&self, terms: &[Term]) -> Place {
        let pointer = terms.first().map_or("", |&(node, _)| &*self.graph.pointers[node.index()]);
        Place::Pointer(pointer.to_owned())
    }

    /// Work on an automaton, which costs as much whether this schema or another one was the first to want it, but only once.
    fn spend_once(&mut self, automaton: *const (), work: usize, terms: &[Term]) -> Result<(), CompileError> {
        if self.counted.insert(automaton) { self.spend(work, terms) } else { Ok(()) }
    }

    /// Counts steps of about a microsecond. With none it only ends where the compilation is to end.
    pub(crate) fn spend(&mut self, work: usize, terms: &[Term]) -> Result<(), CompileError> {
        self.work += work;
        if self.work > self.limits.work || passed(work.max(1)) {
            return Err(too_big(
                self.pointer(terms),
                "steps of the schema's analysis",
                self.limits.work,
                "use fewer alternatives, or less allOf and not around them",
            ));
        }
        Ok(())
    }

    pub(crate) fn too_many_states(&self, terms: &[Term]) -> CompileError {
        too_big(
            self.pointer(terms),
            "states of an automaton",
            self.limits.states,
            "use a smaller minLength beside pattern or format, smaller counts of repetition, or a smaller multipleOf",
        )
    }

    /// Which of the alternatives of a `oneOf` may hold together.
    fn overlaps(&mut self, id: NodeId, nodes: &[NodeId]) -> Result<Rc<Overlaps>, CompileError> {
        let known = self.overlaps.get(&id).cloned();
        let overlaps = match known {
            Some(known) => known,
            None => {
                let graph = self.graph;
                let made = Overlaps::new(graph, nodes, |work| self.spend(work, &[(id, true)]))?;
                let made = Rc::new(made);
                self.overlaps.insert(id, made.clone());
                made
            }
        };
        self.spend(overlaps.count() / 16, &[(id, true)])?;
        Ok(overlaps)
    }

    /// Whether a value of the schema always has a part that is known to have values without end.
    fn holds_endless(&self, id: usize) -> bool {
        let schema = &self.schemas[id];
        let endless = |id: SchemaId| self.schemas[id.index()].endless && !self.schemas[id.index()].cost.is_never();
        let mut objects = schema.objects.iter().map(|&id| &self.objects[id.index()]);
        let mut arrays = schema.arrays.iter().map(|&id| &self.arrays[id.index()]);
        objects.any(|object| object.properties.iter().any(|property| property.required && endless(property.schema)))
            || arrays.any(|array| {
                array.max > 0 && array.entry(0).iter().any(|way| endless(way.schema)) && array.counters.is_empty()
            })
    }
}
