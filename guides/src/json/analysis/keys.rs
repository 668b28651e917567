//! The automata of keys, which alternatives of objects have in common: built once for a schema.

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
pub(crate) struct KeySet {
    /// What they are of; `None` for all keys.
    among: Option<Arc<Dfa>>,
    /// Keys that are not in it, sorted.
    without: Vec<String>,
}

impl KeySet {
    /// The keys of an automaton, or all keys, without some.
    pub(crate) fn new(among: Option<Arc<Dfa>>, mut without: Vec<String>) -> KeySet {
        without.sort_unstable();
        without.dedup();
        KeySet { among, without }
    }

    pub(crate) fn accepts(&self, key: &str) -> bool {
        let is_among = self.among.as_ref().is_none_or(|dfa| dfa.accepts(key.as_bytes()));
        is_among && self.without.binary_search_by(|name| name.as_str().cmp(key)).is_err()
    }

    /// About how many states an automaton of it has.
    pub(crate) fn size(&self) -> usize {
        self.among.as_ref().map_or(0, |dfa| dfa.len()) + self.without.iter().map(|name| name.len()).sum::<usize>()
    }
}

/// Which of some sets a key is in, told side by side.
#[derive(Debug)]
pub(crate) struct KeySets {
    dfa: Dfa,
    /// For each state where a key can end the index of what it is in; [`NONE`] for other states.
    member: Vec<u32>,
    /// The different memberships, in the order of the first state of each.
    pub(crate) memberships: Vec<Vec<bool>>,
    /// By the class of each membership.
    classed: RefCell<HashMap<Vec<u32>, Rc<ClassedKeys>>>,
}

/// Where no key ends, or none of any class.
pub(crate) const NONE: u32 = u32::MAX;

/// The keys of some classes.
#[derive(Debug)]
pub(crate) struct ClassedKeys {
    pub(crate) characters: Arc<Characters>,
    /// For each state where a key can end its class; [`NONE`] for other states.
    pub(crate) class_of: Arc<[u32]>,
    /// For each state how many keys are accepted from it, as far as counted.
    pub(crate) counts: Arc<[u32]>,
    /// By class.
    pub(crate) costs: Vec<Arc<[Cost]>>,
    /// By class how many keys are of it, as far as counted.
    pub(crate) supplies: Vec<u32>,
}

/// What was built for the objects of a schema.
#[derive(Debug, Default)]
pub(crate) struct KeyAutomata {
    sets: HashMap<Vec<*const ()>, Rc<KeySets>>,
}

impl KeySets {
    /// The keys of `all` by which of the automata accept them, and which of the sets they are in.
    pub(crate) fn new(
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
        // All keys that some set is without are told apart by one automaton, whatever the number of sets.
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

    pub(crate) fn len(&self) -> usize {
        self.dfa.len()
    }

    /// The keys with a class for each membership, [`NONE`] for those that may not come, with `characters` made of their automaton;
    /// `counted` says whether there must be enough of a class. Built the first time.
    pub(crate) fn classed(
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
    /// The keys of an automaton that are of so many classes; `counted` says whether there must be enough of a class.
    pub(crate) fn new(
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
    /// The sets of these automata, which live as long as this does; made by `make` the first time.
    pub(crate) fn sets<E>(
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
