//! Automata that tell keys apart by the patterns and key sets that they belong to.
//!
//! The automata of all patterns and sets run side by side; a final state of the product tells all memberships of the key that ends there.
//! Objects of one schema often have the same patterns, so each product, and each division of its keys into classes, is built once.

use crate::automaton::backward::Backward;
use crate::automaton::cost::Cost;
use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::json::language::strings::Characters;
use crate::json::shape::object::MANY_KEYS;
use crate::json::text::escape::spelled_length;
use foldhash::HashMap;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// A set of keys.
#[derive(Debug)]
pub(super) struct KeySet {
    /// The keys of an automaton; `None` for all keys.
    among: Option<Arc<Dfa>>,
    /// Keys that are left out, sorted. They are no part of the automaton, as many sets differ in names alone.
    without: Vec<String>,
}

impl KeySet {
    /// The keys of an automaton, or all keys, without some.
    pub(super) fn new(among: Option<Arc<Dfa>>, mut without: Vec<String>) -> KeySet {
        without.sort_unstable();
        without.dedup();
        KeySet { among, without }
    }

    pub(super) fn accepts(&self, key: &str) -> bool {
        let is_among = self.among.as_ref().is_none_or(|dfa| dfa.accepts(key.as_bytes()));
        is_among && self.without.binary_search_by(|name| name.as_str().cmp(key)).is_err()
    }

    /// An estimate of the states of an automaton for the set.
    pub(super) fn size(&self) -> usize {
        self.among.as_ref().map_or(0, |dfa| dfa.len()) + self.without.iter().map(|name| name.len()).sum::<usize>()
    }
}

/// The product of automata and key sets, with the memberships of each key.
#[derive(Debug)]
pub(super) struct KeySets {
    dfa: Dfa,
    /// For each state where a key can end, the index of its memberships; [`NONE`] for other states.
    member: Vec<u32>,
    /// The different memberships, in the order of the first state of each.
    pub(super) memberships: Vec<Vec<bool>>,
    /// The classes that were built, by the class of each membership.
    classed: RefCell<HashMap<Vec<u32>, Rc<ClassedKeys>>>,
}

/// Where no key ends, or none of any class.
pub(super) const NONE: u32 = u32::MAX;

/// The keys of some classes.
#[derive(Debug)]
pub(super) struct ClassedKeys {
    pub(super) characters: Arc<Characters>,
    /// For each state where a key can end, its class; [`NONE`] for other states.
    pub(super) class_of: Arc<[u32]>,
    /// For each state the number of keys that are accepted from it, at most [`MANY_KEYS`].
    pub(super) counts: Arc<[u32]>,
    /// For each class the costs of its keys, by state.
    pub(super) costs: Vec<Arc<[Cost]>>,
    /// For each class the number of its keys, at most [`MANY_KEYS`].
    pub(super) supplies: Vec<u32>,
}

/// The products that were built, by the addresses of their automata and key sets.
#[derive(Debug, Default)]
pub(super) struct KeyAutomata {
    sets: HashMap<Vec<*const ()>, Rc<KeySets>>,
}

impl KeySets {
    /// The keys of `all` by the automata that accept them, and the key sets that they are in.
    pub(super) fn new(
        automata: &[&Dfa],
        demanded: &[&KeySet],
        all: &Dfa,
        limit: usize,
    ) -> Result<KeySets, TooManyStates> {
        if automata.is_empty() && demanded.is_empty() {
            let member = (0..all.len() as u32).map(|state| if all.accepts_at(state) { 0 } else { NONE }).collect();
            return Ok(KeySets {
                dfa: all.clone(),
                member,
                memberships: vec![Vec::new()],
                classed: RefCell::default(),
            });
        }
        // One automaton of words tells apart the keys that any set leaves out: an automaton for each set would multiply the product.
        let mut names: Vec<&[u8]> = demanded.iter().flat_map(|set| &set.without).map(|name| name.as_bytes()).collect();
        names.sort_unstable();
        names.dedup();
        let named = Dfa::words(&names, limit)?;
        let name_at: HashMap<u32, &[u8]> = names.iter().map(|&name| (named.after(named.start(), name), name)).collect();
        let among = demanded.iter().filter_map(|set| set.among.as_deref());
        let side_by_side: Vec<&Dfa> = automata.iter().copied().chain(among).chain([&named, all]).collect();
        let (dfa, states) = Dfa::side_by_side(
            &side_by_side,
            limit,
            |states| states.last() != Some(&0),
            |states| states.last().is_some_and(|&state| all.accepts_at(state)),
        )?;
        let mut sets =
            KeySets { member: vec![NONE; dfa.len()], dfa, memberships: Vec::new(), classed: RefCell::default() };
        let mut known: HashMap<Vec<bool>, u32> = HashMap::default();
        for (state, states) in states.iter().enumerate().filter(|(state, _)| sets.dfa.accepts_at(*state as u32)) {
            let states = states.as_deref().unwrap_or_default();
            let mut accepted = side_by_side.iter().zip(states).map(|(dfa, &state)| dfa.accepts_at(state));
            let mut membership: Vec<bool> = accepted.by_ref().take(automata.len()).collect();
            let name = states.get(states.len().wrapping_sub(2)).and_then(|state| name_at.get(state));
            membership.extend(demanded.iter().map(|set| {
                let is_among = set.among.is_none() || accepted.next().unwrap_or(false);
                is_among
                    && name
                        .is_none_or(|&name| set.without.binary_search_by(|other| other.as_bytes().cmp(name)).is_err())
            }));
            let next = sets.memberships.len() as u32;
            sets.member[state] = *known.entry(membership).or_insert_with_key(|membership| {
                sets.memberships.push(membership.clone());
                next
            });
        }
        Ok(sets)
    }

    pub(super) fn len(&self) -> usize {
        self.dfa.len()
    }

    /// The keys by class, given the class of each membership; [`NONE`] leaves the keys of a membership out. `characters` makes the
    /// characters of the automaton of keys; `counted` tells whether the keys of each class are to be counted. Built the first time.
    pub(super) fn classed(
        &self,
        classes: Vec<u32>,
        counted: bool,
        characters: impl FnOnce(Dfa) -> Arc<Characters>,
    ) -> Rc<ClassedKeys> {
        if let Some(known) = self.classed.borrow().get(&classes) {
            return known.clone();
        }
        let classed = Rc::new(self.build(&classes, counted, characters));
        self.classed.borrow_mut().insert(classes, classed.clone());
        classed
    }

    fn build(&self, classes: &[u32], counted: bool, characters: impl FnOnce(Dfa) -> Arc<Characters>) -> ClassedKeys {
        let class_of = |state: usize| classes.get(self.member[state] as usize).copied().unwrap_or(NONE);
        let (dfa, class_of) = if classes.contains(&NONE) {
            let (dfa, states) = self.dfa.restricted(|state| class_of(state) != NONE);
            let class_of = states.iter().map(|state| state.map_or(NONE, |state| class_of(state as usize))).collect();
            (dfa, class_of)
        } else {
            (self.dfa.clone(), (0..self.dfa.len()).map(class_of).collect())
        };
        let number = classes.iter().filter(|&&class| class != NONE).max().map_or(0, |&last| last + 1);
        ClassedKeys::new(dfa, class_of, number, counted, characters)
    }
}

impl ClassedKeys {
    /// The keys of an automaton in `number` classes; `counted` tells whether the keys of each class are to be counted.
    pub(super) fn new(
        dfa: Dfa,
        class_of: Arc<[u32]>,
        number: u32,
        counted: bool,
        characters: impl FnOnce(Dfa) -> Arc<Characters>,
    ) -> ClassedKeys {
        let backward = Backward::new(&dfa, spelled_length);
        let (mut costs, mut supplies) = (Vec::new(), Vec::new());
        let mut least = vec![Cost::NEVER; dfa.len()];
        for class in 0..number {
            let is_own = |state: usize| class_of[state] == class;
            let own = backward.costs_to(is_own);
            supplies.push(if counted {
                backward.counts_to(is_own, &own, MANY_KEYS)[dfa.start() as usize]
            } else {
                MANY_KEYS
            });
            least.iter_mut().zip(&own).for_each(|(least, &own)| *least = own.min(*least));
            costs.push(own.into());
        }
        let counts = backward.counts_to(|state| dfa.accepts_at(state as u32), &least, MANY_KEYS).into();
        ClassedKeys { characters: characters(dfa), class_of, counts, costs, supplies }
    }
}

impl KeyAutomata {
    /// The product of these automata and key sets, made by `make` the first time. The key is their addresses, so they must live as
    /// long as this.
    pub(super) fn sets<E>(
        &mut self,
        automata: &[&Dfa],
        demanded: &[&KeySet],
        make: impl FnOnce() -> Result<KeySets, E>,
    ) -> Result<Rc<KeySets>, E> {
        let place = |automaton: &&Dfa| std::ptr::from_ref::<Dfa>(automaton).cast::<()>();
        let of_set = |set: &&KeySet| std::ptr::from_ref::<KeySet>(set).cast::<()>();
        let key: Vec<*const ()> = automata.iter().map(place).chain(demanded.iter().map(of_set)).collect();
        if let Some(sets) = self.sets.get(&key) {
            return Ok(sets.clone());
        }
        let sets = Rc::new(make()?);
        self.sets.insert(key, sets.clone());
        Ok(sets)
    }
}
