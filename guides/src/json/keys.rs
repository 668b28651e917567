//! The automata of keys, which alternatives of objects have in common: built once for a schema.

use super::object::MANY_KEYS;
use super::strings::{Characters, spelled_length};
use crate::automaton::dfa::{Dfa, TooManyStates};
use foldhash::HashMap;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Which of some sets a key is in, told side by side.
#[derive(Debug)]
pub(super) struct KeySets {
    dfa: Dfa,
    /// For each state where a key can end the index of what it is in; [`NONE`] for other states.
    member: Vec<u32>,
    /// The different memberships, in the order of the first state of each.
    pub(super) memberships: Vec<Vec<bool>>,
    /// By the class of each membership.
    classed: RefCell<HashMap<Vec<u32>, Rc<ClassedKeys>>>,
}

/// Where no key ends, or none of any class.
pub(super) const NONE: u32 = u32::MAX;

/// The keys of some classes.
#[derive(Debug)]
pub(super) struct ClassedKeys {
    pub(super) characters: Arc<Characters>,
    /// For each state where a key can end its class; [`NONE`] for other states.
    pub(super) class_of: Arc<[u32]>,
    /// For each state how many keys are accepted from it, as far as counted.
    pub(super) counts: Arc<[u32]>,
    /// By class.
    pub(super) costs: Vec<Arc<[u32]>>,
    /// By class how many keys are of it, as far as counted.
    pub(super) supplies: Vec<u32>,
}

/// What was built for the objects of a schema.
#[derive(Debug, Default)]
pub(super) struct KeyAutomata {
    sets: HashMap<Vec<*const Dfa>, Rc<KeySets>>,
}

impl KeySets {
    /// The keys of `all` by which of the automata accept them.
    pub(super) fn new(automata: &[&Dfa], all: &Dfa, limit: usize) -> Result<KeySets, TooManyStates> {
        if automata.is_empty() {
            let member = (0..all.len() as u32).map(|state| if all.accepts_at(state) { 0 } else { NONE }).collect();
            return Ok(KeySets {
                dfa: all.clone(),
                member,
                memberships: vec![Vec::new()],
                classed: RefCell::default(),
            });
        }
        let with_all: Vec<&Dfa> = automata.iter().copied().chain([all]).collect();
        let (dfa, states) = Dfa::side_by_side(
            &with_all,
            limit,
            |states| states.last() != Some(&0),
            |states| states.last().is_some_and(|&state| all.accepts_at(state)),
        )?;
        let member = vec![NONE; dfa.len()];
        let mut sets = KeySets { dfa, member, memberships: Vec::new(), classed: RefCell::default() };
        let mut known: HashMap<Vec<u64>, u32> = HashMap::default();
        for (state, states) in states.iter().enumerate().filter(|(state, _)| sets.dfa.accepts_at(*state as u32)) {
            let states = states.as_deref().unwrap_or_default();
            let accepts = |(dfa, state): (&&Dfa, &u32)| dfa.accepts_at(*state);
            let mut bits = vec![0u64; automata.len().div_ceil(64)];
            for (index, accepted) in automata.iter().zip(states).map(accepts).enumerate() {
                bits[index / 64] |= u64::from(accepted) << (index % 64);
            }
            let next = sets.memberships.len() as u32;
            let number = *known.entry(bits).or_insert_with(|| {
                sets.memberships.push(automata.iter().zip(states).map(accepts).collect());
                next
            });
            sets.member[state] = number;
        }
        Ok(sets)
    }

    pub(super) fn len(&self) -> usize {
        self.dfa.len()
    }

    /// The keys with a class for each membership, [`NONE`] for those that may not come, with `characters` made of their automaton;
    /// `counted` says whether there must be enough of a class. Built the first time.
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
        let class_of: Arc<[u32]> = class_of;
        let number = classes.iter().filter(|&&class| class != NONE).max().map_or(0, |&last| last + 1);
        let costs = (0..number).map(|class| dfa.costs_to(|state| class_of[state] == class, spelled_length).into());
        let supplies = (0..number).map(|class| {
            if !counted {
                return MANY_KEYS;
            }
            let (own, _) = dfa.restricted(|state| class_of[state] == class);
            own.counts(MANY_KEYS).get(own.start() as usize).copied().unwrap_or(0)
        });
        ClassedKeys {
            costs: costs.collect(),
            supplies: supplies.collect(),
            counts: dfa.counts(MANY_KEYS).into(),
            characters: characters(dfa),
            class_of,
        }
    }
}

impl KeyAutomata {
    /// The sets of these automata, which live as long as this does; made by `make` the first time.
    pub(super) fn sets<E>(
        &mut self,
        automata: &[&Dfa],
        make: impl FnOnce() -> Result<KeySets, E>,
    ) -> Result<Rc<KeySets>, E> {
        let key: Vec<*const Dfa> = automata.iter().map(|&dfa| dfa as *const Dfa).collect();
        if let Some(sets) = self.sets.get(&key) {
            return Ok(sets.clone());
        }
        let sets = Rc::new(make()?);
        self.sets.insert(key, sets.clone());
        Ok(sets)
    }
}
