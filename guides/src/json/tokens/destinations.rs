//! Where the characters lead from a state of an automaton over UTF-8, by the first byte of the character.
//!
//! A character of two to four bytes leads through states inside a character. [`alphabet_search`](super::alphabet_search) asks only for
//! the states between characters, and whether all characters that begin with one byte agree on it. The automaton's byte classes keep
//! this cheap: one byte of each class is tried, about a hundred transitions for a state.

use crate::automaton::dfa::Dfa;
use foldhash::HashMap;
use std::cell::RefCell;
use std::ops::Range;

/// The state to which the characters lead that begin with some byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    Dead,
    One(u32),
    /// They lead to different states.
    Several,
}

/// First bytes of a character, the least and the greatest second byte, and the number of continuation bytes: RFC 3629, section 4.
const SECOND: [(Range<u8>, u8, u8, usize); 8] = [
    (0xC2..0xE0, 0x80, 0xBF, 1),
    (0xE0..0xE1, 0xA0, 0xBF, 2),
    (0xE1..0xED, 0x80, 0xBF, 2),
    (0xED..0xEE, 0x80, 0x9F, 2),
    (0xEE..0xF0, 0x80, 0xBF, 2),
    (0xF0..0xF1, 0x90, 0xBF, 3),
    (0xF1..0xF4, 0x80, 0xBF, 3),
    (0xF4..0xF5, 0x80, 0x8F, 3),
];

/// The automaton, with the continuation bytes that it tells apart.
pub(super) struct Destinations<'a> {
    dfa: &'a Dfa,
    /// For each row of [`SECOND`] one second byte of each byte class.
    second: Vec<Vec<u8>>,
    /// One later byte of each byte class.
    later: Vec<u8>,
    /// By state inside a character and the bytes that it lacks, for all bytes that continue one. Characters of many scripts pass the same
    /// states, and a class such as `\w` tells hundreds of bytes apart: without this, four bytes make millions of transitions.
    known: RefCell<HashMap<(u32, usize), Destination>>,
}

impl Destinations<'_> {
    pub(super) fn new(dfa: &Dfa) -> Destinations<'_> {
        let second = SECOND.iter().map(|&(_, low, high, _)| dfa.kinds_among(low..=high)).collect();
        Destinations { dfa, second, later: dfa.kinds_among(0x80..=0xBF), known: RefCell::default() }
    }

    /// The destinations from a state between characters. Quotes and backslashes do not stand for themselves in JSON, so they are dead.
    pub(super) fn of(&self, state: u32) -> [Destination; 256] {
        let mut targets = [Destination::Dead; 256];
        for byte in (0x20..0x80u8).filter(|byte| !matches!(byte, b'"' | b'\\')) {
            let next = self.dfa.next(state, byte);
            targets[usize::from(byte)] = if next == 0 { Destination::Dead } else { Destination::One(next) };
        }
        for ((leads, _, _, rest), second) in SECOND.iter().zip(&self.second) {
            // Neighbouring first bytes mostly lead to one state, whose search is not repeated.
            let mut before = None;
            for lead in leads.clone() {
                let next = self.dfa.next(state, lead);
                let target = match before {
                    Some((other, target)) if other == next => target,
                    _ => self.after(next, second, *rest),
                };
                before = Some((next, target));
                targets[usize::from(lead)] = target;
            }
        }
        targets
    }

    /// The destination from a state inside a character that lacks `rest` bytes, the first of them one of `bytes`.
    fn after(&self, state: u32, bytes: &[u8], rest: usize) -> Destination {
        let mut found = None;
        for &byte in bytes {
            let next = self.dfa.next(state, byte);
            let target = match (next, rest) {
                (0, _) => Destination::Dead,
                (next, 1) => Destination::One(next),
                _ => self.after_later(next, rest - 1),
            };
            if target == Destination::Several || found.is_some_and(|found| found != target) {
                return Destination::Several;
            }
            found = Some(target);
        }
        found.unwrap_or(Destination::Dead)
    }

    /// As [`Self::after`], along any byte that continues a character.
    fn after_later(&self, state: u32, rest: usize) -> Destination {
        if let Some(&known) = self.known.borrow().get(&(state, rest)) {
            return known;
        }
        let found = self.after(state, &self.later, rest);
        self.known.borrow_mut().insert((state, rest), found);
        found
    }
}
