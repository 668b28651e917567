//! The analysis: conjunctions of conditions to their alternatives, by a tableau, and the passes over all of them.
//!
//! A schema is a conjunction of *terms*, each a node of the graph that holds or fails. Its alternatives are the branches of its
//! disjunctive normal form: the tableau ([`tableau`], with its [`rules`]) expands the conjunction, and each branch is finished to
//! literals, numbers, strings, arrays and objects ([`finish`], [`strings`], [`arrays`], [`objects`]). The entries of arrays and
//! objects are conjunctions again. These are interned: the same set of terms is one schema, wherever it is met. A set has terms from a
//! finite graph only, so recursion in a schema leads back to schemas that are known, and the analysis terminates. The number of
//! sets may still be exponential; [`Limits::work`] bounds it.
//!
//! Branches multiply where terms are independent of each other. So the tableau drops the disjuncts that the [`facts`] of a branch exclude, and
//! terms that speak of single keys become [`clauses`], which an object keeps side by side. Where nothing satisfies the root, [`emptiness`]
//! says why and where.
//!
//! Nothing here depends on an output. The passes ([`fixpoint`]) leave the costs that the automaton of outputs goes by.

mod additional;
mod arrays;
mod branch;
mod caps;
mod cheapest;
mod choices;
mod clauses;
mod emptiness;
mod facts;
mod finish;
mod fixpoint;
mod keys;
mod known_facts;
mod names;
mod objects;
mod overlaps;
mod rules;
mod strings;
mod tableau;
pub(crate) mod unspelled;

use crate::automaton::dfa::Dfa;
use crate::error::{CompileError, Place, too_big};
use crate::interrupt::passed;
use crate::json::analysis::branch::{Counting, Keys, Term};
use crate::json::analysis::facts::{KnownFacts, LEVELS};
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
use crate::json::shape::{Schema, SchemaId, Way};
use crate::options::{Limits, Whitespace};
use foldhash::{HashMap, HashMapExt, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// Works out all schemas that are reachable from the root of the graph. Each pass needs the results of earlier passes:
///
/// 1. [`Builder::alternatives`] for each conjunction, in the order in which they are interned: leaves the alternatives of each schema and
///    interns the schemas of its entries. It goes on until no conjunction is new.
/// 2. [`Builder::check_apart`]: needs the alternatives. Refuses unique entries with numbers that a vocabulary writes in pieces.
/// 3. [`Builder::tell_entries_apart`]: needs the alternatives. Leaves the cheapest values of unique entries, and at most as many entries
///    as can have different ones.
/// 4. [`Builder::settle_costs`]: needs the lengths of arrays, which 3 settles. Leaves the least cost of each schema, by a least
///    fixpoint, and the sums of costs in objects and arrays.
/// 5. [`Builder::prune`]: needs the costs. Drops alternatives and keys that cost [`Cost::NEVER`](crate::automaton::cost::Cost::NEVER).
/// 6. [`Builder::find_endless`]: needs the pruned alternatives, as one without a value adds none. Leaves the schemas that have values of
///    any length, by a least fixpoint.
///
/// # Errors
/// If a limit is exceeded, a condition is not supported, the vocabulary cannot spell what is required, or nothing satisfies the root.
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
        known_facts: KnownFacts::default(),
        named_nodes: HashMap::new(),
        key_automata: KeyAutomata::default(),
        unspelled: None,
        narrowed: None,
        splitting: None,
    };
    let root = builder.intern(vec![Term::of(graph.root)]);
    while builder.schemas.len() < builder.conjunctions.len() {
        let terms = builder.conjunctions[builder.schemas.len()].clone();
        let schema = builder.alternatives(&terms)?;
        builder.schemas.push(schema);
    }
    builder.check_apart()?;
    builder.tell_entries_apart()?;
    builder.settle_costs()?;
    if builder.schemas[root.index()].cost.is_never() {
        let known = builder.unspelled.take().or(builder.narrowed.take());
        return Err(known.unwrap_or_else(|| builder.why_empty(root)));
    }
    builder.prune();
    builder.find_endless()?;
    let Builder { schemas, objects, arrays, .. } = builder;
    Ok(Analysis { schemas, objects, arrays, root })
}

/// The schemas and shapes so far, and the tables that keep the analysis from working anything out twice.
struct Builder<'a> {
    graph: &'a Graph,
    limits: &'a Limits,
    languages: &'a Languages,
    spacing: Spacing,
    /// Steps so far, bounded by [`Limits::work`].
    work: usize,
    /// Automata whose work is counted, by their addresses.
    counted: HashSet<*const ()>,
    /// The schema of each interned conjunction, by its sorted terms.
    ids: HashMap<Vec<Term>, SchemaId>,
    /// The terms of each schema. Schemas whose alternatives are not worked out stand at the end.
    conjunctions: Vec<Vec<Term>>,
    schemas: Vec<Schema>,
    objects: Vec<Object>,
    arrays: Vec<Array>,
    /// The characters of any string.
    any: Dfa,
    any_characters: Arc<Characters>,
    key_sets: HashMap<Keys, Arc<KeySet>>,
    key_automata: KeyAutomata,
    known_names: KnownNames,
    /// The error about the first text that was left out because the vocabulary cannot spell it.
    unspelled: Option<CompileError>,
    /// The error about the first opposite of which only a part is written.
    narrowed: Option<CompileError>,
    /// The condition that splits a branch, and how many others wait to do so.
    splitting: Option<(NodeId, usize)>,
    /// The alternatives of a `oneOf` that may hold together, by its node.
    overlaps: HashMap<NodeId, Rc<Overlaps>>,
    known_facts: KnownFacts<'a>,
    /// The conditions by name of `Properties` nodes that were asked for single names.
    named_nodes: HashMap<NodeId, HashMap<&'a str, NodeId>>,
}

impl Builder<'_> {
    /// The schema of a conjunction. Terms are sorted and distinct, and true ones left out, so that equal sets are one schema.
    fn intern(&mut self, mut terms: Vec<Term>) -> SchemaId {
        terms.retain(|&term| term != Term::of(TRUE));
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

    /// A way with its conjunction interned.
    fn way(&mut self, Counting { asked, counts }: Counting) -> Way {
        Way { schema: self.intern(asked), counts, choices: 0 }
    }

    /// A place for errors: where the first condition of the conjunction stands.
    fn pointer(&self, terms: &[Term]) -> Place {
        let pointer = terms.first().map_or("", |term| &*self.graph.pointers[term.node.index()]);
        Place::Pointer(pointer.to_owned())
    }

    /// Counts the work on an automaton once, however many schemas use it. It counts too where another compilation has built the
    /// automaton, so that the limit does not depend on earlier compilations.
    fn spend_once(&mut self, automaton: *const (), work: usize, terms: &[Term]) -> Result<(), CompileError> {
        if self.counted.insert(automaton) { self.spend(work, terms) } else { Ok(()) }
    }

    /// Counts steps of about a microsecond. With 0 it only checks for an interrupt.
    fn spend(&mut self, work: usize, terms: &[Term]) -> Result<(), CompileError> {
        self.work += work;
        if self.work > self.limits.work || passed(work.max(1)) {
            if let Some((node, others)) = self.splitting.filter(|(_, others)| *others > 0) {
                let at = Place::Pointer(self.graph.pointers[node.index()].to_string());
                let conditions =
                    if others == 1 { "one more condition".into() } else { format!("{others} more conditions") };
                let remedy = format!(
                    "the condition there and {conditions} of the same value multiply; use fewer alternatives, or alternatives that \
                     exclude each other by a type, a constant or a key"
                );
                return Err(too_big(at, "steps of the schema's analysis", self.limits.work, &remedy));
            }
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
            "use a smaller minLength beside pattern or format, smaller counts of repetition, or a smaller multipleOf",
        )
    }

    /// The alternatives of a `oneOf` that may hold together.
    fn overlaps(&mut self, id: NodeId, nodes: &[NodeId]) -> Result<Rc<Overlaps>, CompileError> {
        let known = self.overlaps.get(&id).cloned();
        let overlaps = match known {
            Some(known) => known,
            None => {
                let graph = self.graph;
                let facts = nodes.iter().map(|&node| self.facts(Term::of(node), LEVELS));
                let facts = facts.collect::<Result<Vec<_>, _>>()?;
                let made = Overlaps::new(graph, &facts, |work| self.spend(work, &[Term::of(id)]))?;
                let made = Rc::new(made);
                self.overlaps.insert(id, made.clone());
                made
            }
        };
        self.spend(overlaps.count() / 16, &[Term::of(id)])?;
        Ok(overlaps)
    }

    /// Whether an alternative of the schema has a required property or a first entry that is known to have values of any length.
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
