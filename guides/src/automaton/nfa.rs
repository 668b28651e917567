//! Regexes as a nondeterministic automaton over symbols (Thompson 1968).
//!
//! A symbol is a character or the mark of an assertion (see [`expression`](crate::automaton::expression)). The automaton is built from
//! the end of the regex to its beginning: each part is given the state that follows it. So alternatives that end alike share their ends,
//! and no state is patched later except the head of an unbounded repetition. Several regexes may share one automaton, each with a start
//! of its own.

use crate::automaton::expression::{Assertion, Expression, Symbols};
use crate::interrupt::passed;
use foldhash::{HashMap, HashMapExt};
use std::sync::Arc;

/// A state of the automaton.
#[derive(Debug, Clone, Copy)]
pub(super) enum NfaState {
    /// Reads a symbol of the set with the first index and goes on to the state with the second.
    Read(u32, u32),
    Either(u32, u32),
    /// Goes on at the beginning of the text only.
    Begin(u32),
    /// Goes on at the end of the text only.
    End(u32),
    Nowhere,
    Accept,
}

/// The number of the one accepting state.
pub(crate) const ACCEPT: u32 = 0;

/// The automaton of some regexes.
#[derive(Debug)]
pub(crate) struct Nfa {
    pub(super) states: Vec<NfaState>,
    /// The sets of symbols that the states read.
    pub(super) sets: Vec<Arc<Symbols>>,
    /// A state from which every text is accepted: the head of a final `.*`.
    pub(super) universal: Option<u32>,
    known_sets: HashMap<Arc<Symbols>, u32>,
    /// The states that read, by their set and the state that follows: alternatives share equal suffixes.
    known_reads: HashMap<(u32, u32), u32>,
    /// The greatest number of states.
    limit: usize,
    /// Whether assertions are read as their marks.
    marks: bool,
}

/// The automaton would have too many states, or an assertion that only a mark can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotBuilt;

impl Nfa {
    /// An automaton with nothing but its accepting state, which may grow to `limit` states. With `marks` it reads assertions as symbols;
    /// else it knows the beginning and the end of the text only.
    pub(crate) fn new(limit: usize, marks: bool) -> Nfa {
        Nfa {
            states: vec![NfaState::Accept],
            sets: Vec::new(),
            universal: None,
            known_sets: HashMap::new(),
            known_reads: HashMap::new(),
            limit,
            marks,
        }
    }

    fn add(&mut self, state: NfaState) -> Result<u32, NotBuilt> {
        if self.states.len() >= self.limit || passed(1) {
            return Err(NotBuilt);
        }
        self.states.push(state);
        Ok(self.states.len() as u32 - 1)
    }

    /// The state from which `expression` leads to `next`.
    pub(crate) fn build(&mut self, expression: &Expression, next: u32) -> Result<u32, NotBuilt> {
        match expression {
            Expression::Set(symbols) => self.read(symbols, next),
            Expression::Concat(parts) => parts.iter().rev().try_fold(next, |next, part| self.build(part, next)),
            Expression::Either(branches) => {
                let mut all = None;
                for branch in branches.iter().rev() {
                    let one = self.build(branch, next)?;
                    all = Some(match all {
                        None => one,
                        Some(others) if others == one => one,
                        Some(others) => self.add(NfaState::Either(one, others))?,
                    });
                }
                all.map_or_else(|| self.add(NfaState::Nowhere), Ok)
            }
            Expression::Repeat { min, max, body } => self.repeat(*min, *max, body, next),
            Expression::Assert(assertion) if self.marks => {
                let mark = assertion.mark();
                self.read(&Arc::new(vec![(mark, mark)]), next)
            }
            Expression::Assert(Assertion::Begin) => self.add(NfaState::Begin(next)),
            Expression::Assert(Assertion::End) => self.add(NfaState::End(next)),
            Expression::Assert(_) => Err(NotBuilt),
        }
    }

    fn repeat(&mut self, min: u32, max: Option<u32>, body: &Expression, next: u32) -> Result<u32, NotBuilt> {
        let mut first = next;
        match max {
            None => {
                let accepts_all = next == ACCEPT && matches!(body, Expression::Set(set) if is_everything(set));
                match self.universal.filter(|_| accepts_all) {
                    Some(universal) => first = universal,
                    None => {
                        // The body leads back to its head, so the head is numbered before the body is built.
                        first = self.add(NfaState::Nowhere)?;
                        let again = self.build(body, first)?;
                        self.states[first as usize] = NfaState::Either(again, next);
                        if accepts_all {
                            self.universal = Some(first);
                        }
                    }
                }
            }
            Some(max) => {
                for _ in min..max {
                    let once = self.build(body, first)?;
                    // A body without any states of its own is the empty text.
                    if once == first {
                        break;
                    }
                    first = self.add(NfaState::Either(once, next))?;
                }
            }
        }
        for _ in 0..min {
            match self.build(body, first)? {
                same if same == first => break,
                before => first = before,
            }
        }
        Ok(first)
    }

    fn read(&mut self, symbols: &Arc<Symbols>, next: u32) -> Result<u32, NotBuilt> {
        if symbols.is_empty() {
            return self.add(NfaState::Nowhere);
        }
        let set = self.set(symbols);
        if let Some(&state) = self.known_reads.get(&(set, next)) {
            return Ok(state);
        }
        let state = self.add(NfaState::Read(set, next))?;
        self.known_reads.insert((set, next), state);
        Ok(state)
    }

    /// The index of a set of symbols.
    pub(crate) fn set(&mut self, symbols: &Arc<Symbols>) -> u32 {
        // A repetition reads one set again and again, and the hash of a large one takes long.
        if let Some(place) = self.sets.iter().rev().take(4).position(|set| Arc::ptr_eq(set, symbols)) {
            return (self.sets.len() - 1 - place) as u32;
        }
        if let Some(&set) = self.known_sets.get(symbols) {
            return set;
        }
        self.sets.push(symbols.clone());
        self.known_sets.insert(symbols.clone(), self.sets.len() as u32 - 1);
        self.sets.len() as u32 - 1
    }
}

fn is_everything(symbols: &[(u32, u32)]) -> bool {
    matches!(symbols, [(0, 0x10_FFFF)] | [(0, 0xD7FF), (0xE000, 0x10_FFFF)])
}
