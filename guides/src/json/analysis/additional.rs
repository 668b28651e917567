//! The keys of a branch's objects that no property names: classes of keys whose values have the same conditions.
//!
//! Each key matches a set of patterns and is in the key sets of some demands. Keys with the same memberships have the same conditions on
//! their values, so the automata of patterns and demands run side by side, and the memberships of a final state tell the class of the key
//! that ends there. The patterns come from `patternProperties`, all keys from `propertyNames`, and the demands from the opposites of these
//! keywords (JSON Schema 2020-12 core, section 10.3.2).

use crate::automaton::cost::Cost;
use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::error::{CompileError, too_big};
use crate::json::analysis::Builder;
use crate::json::analysis::branch::{Branch, Counting, Keys, SomeEntry, Term};
use crate::json::analysis::keys::{ClassedKeys, KeySet, KeySets, NONE};
use crate::json::language::length::with_length;
use crate::json::language::strings::{Escapes, Strings};
use crate::json::schema::graph::{Graph, Node, PatternId, Properties};
use crate::json::shape::object::{Additional, KeyClass, MANY_KEYS};
use crate::json::shape::{MOST_COUNTERS, Schema, SchemaId, Way};
use crate::json::text::value::{self, Value};
use foldhash::{HashMap, HashMapExt};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// An entry that an object must have beside the required names: one of these keys, with a value for which the term holds.
pub(super) struct Demanded {
    keys: Arc<KeySet>,
    term: Term,
}

/// The conditions on the keys that no property names.
struct Unnamed<'b> {
    nodes: &'b [&'b Properties],
    /// The patterns of the nodes, sorted.
    patterns: Vec<PatternId>,
    demanded: &'b [Demanded],
}

impl<'b> Unnamed<'b> {
    fn new(nodes: &'b [&'b Properties], demanded: &'b [Demanded]) -> Unnamed<'b> {
        let patterns: BTreeSet<PatternId> =
            nodes.iter().flat_map(|node| &node.patterns).map(|&(pattern, _)| pattern).collect();
        Unnamed { nodes, patterns: patterns.into_iter().collect(), demanded }
    }

    /// The conditions on the value of a key that matches these patterns and no others.
    fn asked(&self, matched: &[bool]) -> Vec<Term> {
        let mut terms: Vec<Term> = Vec::new();
        for node in self.nodes {
            let is_matched = |pattern| self.patterns.binary_search(pattern).is_ok_and(|index| matched[index]);
            let inner = node.patterns.iter().filter(|(pattern, _)| is_matched(pattern));
            let before = terms.len();
            terms.extend(inner.map(|&(_, node)| Term::of(node)));
            if let (true, Some(additional)) = (terms.len() == before, node.additional) {
                terms.push(Term::of(additional));
            }
        }
        terms
    }
}

/// The classes of keys, and the class of each membership; [`NONE`] for keys that no object may have.
struct Classes {
    classes: Vec<KeyClass>,
    class_of: Vec<u32>,
}

impl Builder<'_> {
    /// The keys beside the named ones: one class of keys for each set of patterns and demands that they match.
    pub(super) fn additional(
        &mut self,
        nodes: &[&Properties],
        keys: Option<&Dfa>,
        demanded: &[Demanded],
        terms: &[Term],
    ) -> Result<Option<Additional>, CompileError> {
        let unnamed = Unnamed::new(nodes, demanded);
        let sets = self.key_sets(&unnamed, keys, terms)?;
        self.spend(sets.len() / 2, terms)?;
        let Classes { mut classes, class_of } = self.classes(&unnamed, &sets, terms)?;
        if classes.is_empty() {
            return Ok(None);
        }
        self.spend(classes.len() * sets.len() / 64, terms)?;
        let all_keys = unnamed.patterns.is_empty() && demanded.is_empty() && keys.is_none();
        let (languages, any, any_characters) = (self.languages, &self.any, &self.any_characters);
        let classed = sets.classed(class_of, !demanded.is_empty(), |dfa| {
            if all_keys { any_characters.clone() } else { languages.characters(dfa, any) }
        });
        let ClassedKeys { characters, class_of, counts, costs, supplies } = &*classed;
        for ((class, costs), &supply) in classes.iter_mut().zip(costs).zip(supplies) {
            class.costs = costs.clone();
            class.key_cost = costs[characters.dfa.start() as usize];
            class.supply = supply;
        }
        let keys = Strings { characters: characters.clone(), min: 0, max: u32::MAX, escapes: Escapes::Needed };
        Ok(Some(Additional { keys, class_of: class_of.clone(), classes, counts: counts.clone() }))
    }

    /// The keys by the patterns that they match and the demands whose keys they are among. Branches share them, but for branches with
    /// `propertyNames`, whose keys are an automaton of their own.
    fn key_sets(
        &mut self,
        unnamed: &Unnamed<'_>,
        keys: Option<&Dfa>,
        terms: &[Term],
    ) -> Result<Rc<KeySets>, CompileError> {
        let (graph, limit) = (self.graph, self.limits.states);
        let automata = unnamed.patterns.iter().map(|&pattern| &**graph.patterns[pattern.index()]);
        let automata: Vec<&Dfa> = automata.collect();
        let demanded: Vec<&KeySet> = unnamed.demanded.iter().map(|demanded| &*demanded.keys).collect();
        let sets = match keys {
            Some(keys) => KeySets::new(&automata, &demanded, keys, limit).map(Rc::new),
            None => {
                let any = &self.any;
                let make = || KeySets::new(&automata, &demanded, any, limit);
                self.key_automata.sets(&automata, &demanded, make)
            }
        };
        sets.map_err(|_| {
            let patterns = unnamed.patterns.len();
            if patterns < 2 {
                return self.too_many_states(terms);
            }
            let remedy = format!(
                "{patterns} patterns of patternProperties overlap, so that a name may match any set of them; write patterns that exclude \
                 each other, with ^ and $, or use fewer"
            );
            too_big(self.pointer(terms), "states of the automaton of all patterns of names", self.limits.states, &remedy)
        })
    }

    /// Memberships with the same schema that meet the same demands are one class.
    fn classes(&mut self, unnamed: &Unnamed<'_>, sets: &KeySets, terms: &[Term]) -> Result<Classes, CompileError> {
        let mut classes: Vec<KeyClass> = Vec::new();
        let mut class_of = Vec::with_capacity(sets.memberships.len());
        let mut known: HashMap<(SchemaId, Vec<bool>), u32> = HashMap::new();
        for membership in &sets.memberships {
            let all = unnamed.asked(membership);
            if all.iter().any(|term| term.holds && self.is_false(term.node)) {
                class_of.push(NONE);
                continue;
            }
            let schema = self.intern(all.clone());
            let met = membership.get(unnamed.patterns.len()..).unwrap_or_default().to_vec();
            class_of.push(match known.get(&(schema, met.clone())) {
                Some(&class) => class,
                None => {
                    let is_met = |keys: &KeySet| {
                        let mut demanded = unnamed.demanded.iter().zip(&met);
                        demanded.any(|(demanded, &met)| met && std::ptr::eq(&*demanded.keys, keys))
                    };
                    let meets = self.meeting(&all, unnamed.demanded, is_met, terms)?;
                    let costs = Arc::default();
                    classes.push(KeyClass { schema, key_cost: Cost::NEVER, costs, meets, supply: MANY_KEYS, named: 0 });
                    known.insert((schema, met), classes.len() as u32 - 1);
                    classes.len() as u32 - 1
                }
            });
        }
        Ok(Classes { classes, class_of })
    }

    /// The entries that the objects of a branch must have beside the required names. Too many are refused: the ways of an entry double with
    /// each.
    pub(super) fn demanded(&mut self, branch: &Branch, terms: &[Term]) -> Result<Vec<Demanded>, CompileError> {
        if branch.some.len() > MOST_COUNTERS {
            let remedy = "use fewer of not around properties of one object";
            return Err(too_big(self.pointer(terms), "conditions that some entry must meet", MOST_COUNTERS, remedy));
        }
        let mut demanded = Vec::with_capacity(branch.some.len());
        for &SomeEntry { keys, term } in &branch.some {
            let set = match self.key_sets.get(&keys) {
                Some(set) => set.clone(),
                None => Arc::new(self.key_set(keys, terms)?),
            };
            self.spend(set.size() / 4, terms)?;
            self.key_sets.insert(keys, set.clone());
            demanded.push(Demanded { keys: set, term });
        }
        Ok(demanded)
    }

    fn key_set(&mut self, keys: Keys, terms: &[Term]) -> Result<KeySet, CompileError> {
        let graph = self.graph;
        Ok(match keys {
            Keys::Outside(node) => {
                let outside = self.key_strings(&[Term::not(node)], terms)?;
                KeySet::new(Some(Arc::new(outside)), Vec::new())
            }
            Keys::Matching(pattern) => {
                let matching = (**graph.patterns[pattern.index()]).clone();
                KeySet::new(Some(Arc::new(matching)), Vec::new())
            }
            Keys::Beside(id) => match &graph.nodes[id.index()] {
                Node::Properties(properties) => {
                    let beside = keys_beside(&self.any, properties, graph, self.limits.states);
                    beside.map_err(|_| self.too_many_states(terms))?
                }
                _ => KeySet::new(None, Vec::new()),
            },
        })
    }

    /// The ways in which an entry with these conditions meets demands: one for each nonempty set of demands whose keys `is_in` finds its
    /// key to be among.
    pub(super) fn meeting(
        &mut self,
        asked: &[Term],
        demanded: &[Demanded],
        is_in: impl Fn(&KeySet) -> bool,
        terms: &[Term],
    ) -> Result<Vec<Way>, CompileError> {
        let mut ways = vec![Counting::new(asked.to_vec())];
        for (bit, Demanded { keys, term }) in demanded.iter().enumerate() {
            if is_in(keys) {
                let more: Vec<Counting> = ways.iter().map(|way| way.counted(*term, bit)).collect();
                ways.extend(more);
                self.spend(ways.len() * 4, terms)?;
            }
        }
        // The first one meets none.
        Ok(ways.into_iter().skip(1).map(|way| self.way(way)).collect())
    }

    /// The strings for which a conjunction of conditions on keys holds.
    pub(super) fn key_strings(&mut self, names: &[Term], terms: &[Term]) -> Result<Dfa, CompileError> {
        let schema = self.scalar_alternatives(names)?;
        string_alternatives(&schema, self.limits.states).map_err(|_| self.too_many_states(terms))
    }

    /// The alternatives of a conjunction for the sake of its scalars, without its arrays and objects.
    ///
    /// The shapes that are worked out with them are dropped, as a key is never an array or object, and every pass would go through
    /// them. Nothing else refers to them: they are the last ones, and only the schema that is returned names them.
    fn scalar_alternatives(&mut self, terms: &[Term]) -> Result<Schema, CompileError> {
        let (objects, arrays) = (self.objects.len(), self.arrays.len());
        let schema = self.alternatives(terms)?;
        self.objects.truncate(objects);
        self.arrays.truncate(arrays);
        Ok(Schema { objects: Vec::new(), arrays: Vec::new(), ..schema })
    }
}

/// The strings of a schema as one automaton.
fn string_alternatives(schema: &Schema, limit: usize) -> Result<Dfa, TooManyStates> {
    let literals = schema.literals.iter().filter(|literal| literal.first() == Some(&b'"'));
    let parsed = literals.filter_map(|literal| value::parse(std::str::from_utf8(literal).ok()?, 0).ok());
    let words = parsed.filter_map(|value| if let Value::String(text) = value { Some(text.into_bytes()) } else { None });
    let mut words: Vec<Vec<u8>> = words.collect();
    words.sort_unstable();
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let ranges = schema.strings.iter();
    let mut sets = ranges
        .map(|strings| with_length(&strings.characters.dfa, strings.min, strings.max, limit))
        .chain((!words.is_empty()).then(|| Dfa::words(&words, limit)));
    let Some(first) = sets.next() else { return Dfa::words(&[], limit) };
    sets.try_fold(first?, |all, set| all.union(&set?, limit))
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
