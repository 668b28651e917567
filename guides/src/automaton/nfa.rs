//! A regex as a nondeterministic automaton over symbols (Thompson 1968).
//!
//! A symbol is a character, or a byte that UTF-8 never has (a mark, see [`marks`](crate::automaton::marks)). The automaton is built from
//! the end of the regex to its beginning: each part is given the state that follows it. So alternatives that end alike share their ends,
//! and no state is patched later except the head of an unbounded repetition.

use crate::automaton::marks::is_mark;
use crate::automaton::utf8::{FIRST_BYTE, Symbols};
use crate::interrupt::passed;
use foldhash::{HashMap, HashMapExt};
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

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
pub(super) const ACCEPT: u32 = 0;

/// The automaton of a regex.
pub(super) struct Nfa {
    pub(super) states: Vec<NfaState>,
    /// The sets of symbols that the states read.
    pub(super) sets: Vec<Symbols>,
    /// A state from which every text is accepted: the head of a final `.*`.
    pub(super) universal: Option<u32>,
    known_sets: HashMap<Symbols, u32>,
    /// The states that read, by their set and the state that follows: alternatives share equal suffixes.
    known_reads: HashMap<(u32, u32), u32>,
    /// The greatest number of states.
    limit: usize,
}

/// Why a regex has no automaton here.
pub(super) enum Failed {
    TooMany,
    /// It has an assertion or a byte that this construction does not know.
    Unknown,
}

impl Nfa {
    /// An automaton with nothing but its accepting state, which may grow to `limit` states.
    pub(super) fn new(limit: usize) -> Nfa {
        Nfa {
            states: vec![NfaState::Accept],
            sets: Vec::new(),
            universal: None,
            known_sets: HashMap::new(),
            known_reads: HashMap::new(),
            limit,
        }
    }

    fn add(&mut self, state: NfaState) -> Result<u32, Failed> {
        if self.states.len() >= self.limit || passed(1) {
            return Err(Failed::TooMany);
        }
        self.states.push(state);
        Ok(self.states.len() as u32 - 1)
    }

    /// The state from which `hir` leads to `next`.
    pub(super) fn build(&mut self, hir: &Hir, next: u32) -> Result<u32, Failed> {
        match hir.kind() {
            HirKind::Empty => Ok(next),
            HirKind::Look(Look::Start) => self.add(NfaState::Begin(next)),
            HirKind::Look(Look::End) => self.add(NfaState::End(next)),
            HirKind::Look(_) => Err(Failed::Unknown),
            HirKind::Capture(capture) => self.build(&capture.sub, next),
            HirKind::Concat(parts) => parts.iter().rev().try_fold(next, |next, part| self.build(part, next)),
            HirKind::Literal(literal) => {
                let mut symbols = Vec::new();
                for chunk in literal.0.utf8_chunks() {
                    symbols.extend(chunk.valid().chars().map(u32::from));
                    symbols.extend(chunk.invalid().iter().map(|&byte| FIRST_BYTE + u32::from(byte)));
                }
                symbols.into_iter().rev().try_fold(next, |next, symbol| self.read(vec![(symbol, symbol)], next))
            }
            HirKind::Class(Class::Unicode(class)) => {
                let ranges = class.iter().map(|range| (u32::from(range.start()), u32::from(range.end())));
                self.read(ranges.collect(), next)
            }
            HirKind::Class(Class::Bytes(class)) => {
                let mut symbols = Vec::new();
                for range in class.iter() {
                    for byte in range.start()..=range.end() {
                        let symbol = if byte.is_ascii() { u32::from(byte) } else { FIRST_BYTE + u32::from(byte) };
                        symbols.push((symbol, symbol));
                    }
                }
                self.read(symbols, next)
            }
            HirKind::Alternation(branches) => {
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
            HirKind::Repetition(repetition) => self.repeat(repetition, next),
        }
    }

    fn repeat(&mut self, repetition: &Repetition, next: u32) -> Result<u32, Failed> {
        let Repetition { min, max, ref sub, .. } = *repetition;
        let mut first = next;
        match max {
            None => {
                // The body leads back to its head, so the head is numbered before the body is built.
                first = self.add(NfaState::Nowhere)?;
                let again = self.build(sub, first)?;
                self.states[first as usize] = NfaState::Either(again, next);
                if let (NfaState::Read(set, _), ACCEPT) = (self.states[again as usize], next)
                    && is_everything(&self.sets[set as usize])
                {
                    self.universal = Some(first);
                }
            }
            Some(max) => {
                for _ in min..max {
                    let once = self.build(sub, first)?;
                    first = self.add(NfaState::Either(once, next))?;
                }
            }
        }
        (0..min).try_fold(first, |next, _| self.build(sub, next))
    }

    fn read(&mut self, symbols: Symbols, next: u32) -> Result<u32, Failed> {
        // A single byte of a longer character is no symbol.
        if symbols.iter().any(|&(low, _)| low >= FIRST_BYTE && !is_mark((low - FIRST_BYTE) as u8)) {
            return Err(Failed::Unknown);
        }
        if symbols.is_empty() {
            return self.add(NfaState::Nowhere);
        }
        let set = match self.known_sets.get(&symbols) {
            Some(&set) => set,
            None => {
                self.sets.push(symbols.clone());
                self.known_sets.insert(symbols, self.sets.len() as u32 - 1);
                self.sets.len() as u32 - 1
            }
        };
        if let Some(&state) = self.known_reads.get(&(set, next)) {
            return Ok(state);
        }
        let state = self.add(NfaState::Read(set, next))?;
        self.known_reads.insert((set, next), state);
        Ok(state)
    }
}

fn is_everything(symbols: &[(u32, u32)]) -> bool {
    matches!(symbols, [(0, 0x10_FFFF)] | [(0, 0xD7FF), (0xE000, 0x10_FFFF)])
}
