//! Deterministic automata over bytes as tables.
//!
//! A row of the table has an entry for each equivalence class of bytes, not for each byte: a regex over ASCII letters has a handful of
//! classes, so that a table is small and a step is two loads.

use foldhash::{HashMap, HashMapExt};

/// A deterministic automaton. State 0 is the dead state; every other state can reach an accepting one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Dfa {
    /// The class of each byte. Bytes of one class lead to the same state from every state.
    pub(super) classes: Box<[u8; 256]>,
    /// Number of classes.
    pub(super) width: usize,
    /// `table[state * width + class]` is the next state.
    pub(super) table: Vec<u32>,
    pub(super) accepting: Vec<bool>,
    pub(super) start: u32,
}

/// Transitions that are built in about a microsecond.
pub(super) const STEP: usize = 32;

/// The most states of component automata in all lists of a product of many: 32 MiB.
pub(super) const MOST_LISTED: usize = 8 << 20;

/// How big an automaton may become while it is built.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DfaLimits {
    pub(crate) states: usize,
    pub(crate) bytes: usize,
}

/// The automaton would have more states than its limit, or its compilation was interrupted
/// ([`passed`](crate::interrupt::passed)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyStates;

impl Dfa {
    pub(crate) fn start(&self) -> u32 {
        self.start
    }

    /// The next state, 0 for the dead state.
    pub(crate) fn next(&self, state: u32, byte: u8) -> u32 {
        self.table[state as usize * self.width + self.classes[byte as usize] as usize]
    }

    /// The state after some bytes, 0 for the dead state.
    pub(crate) fn after(&self, state: u32, bytes: &[u8]) -> u32 {
        bytes.iter().fold(state, |state, &byte| self.next(state, byte))
    }

    /// The state after one more character of a text.
    pub(crate) fn after_character(&self, state: u32, character: char) -> u32 {
        self.after(state, character.encode_utf8(&mut [0; 4]).as_bytes())
    }

    pub(crate) fn accepts_at(&self, state: u32) -> bool {
        self.accepting[state as usize]
    }

    /// How many classes of bytes there are.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The class of a byte.
    pub(super) fn class(&self, byte: u8) -> usize {
        usize::from(self.classes[usize::from(byte)])
    }

    /// The next state for each class of bytes.
    pub(super) fn row(&self, state: u32) -> &[u32] {
        &self.table[state as usize * self.width..][..self.width]
    }

    /// Number of states, the dead one included.
    pub(crate) fn len(&self) -> usize {
        self.accepting.len()
    }

    /// Whether nothing is accepted.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == 0
    }

    /// Whether exactly these bytes are accepted.
    pub(crate) fn accepts(&self, bytes: &[u8]) -> bool {
        self.accepts_at(self.after(self.start, bytes))
    }

    /// Whether no byte leads on.
    pub(crate) fn is_final(&self, state: u32) -> bool {
        self.row(state).iter().all(|&next| next == 0)
    }

    /// Memory in bytes.
    pub(crate) fn size(&self) -> usize {
        self.table.len() * 4 + self.accepting.len() + 256
    }

    /// A byte that occurs in some accepted text and lacks the property.
    pub(crate) fn find_byte_without(&self, has: impl Fn(u8) -> bool) -> Option<u8> {
        (0..=255u8).find(|&byte| !has(byte) && (1..self.len() as u32).any(|state| self.next(state, byte) != 0))
    }

    /// The coarsest classes of bytes that respect the automaton and `also`: the class of each byte, and a byte of each class.
    pub(crate) fn classes_with(&self, also: impl Fn(u8) -> bool) -> ([u8; 256], Vec<u8>) {
        Dfa::common_classes(&[self], also)
    }

    /// As [`Dfa::classes_with`], for several automata.
    pub(crate) fn common_classes(automata: &[&Dfa], also: impl Fn(u8) -> bool) -> ([u8; 256], Vec<u8>) {
        let mut class_of = [0u8; 256];
        (0..=255u8).for_each(|byte| class_of[usize::from(byte)] = u8::from(also(byte) != also(0)));
        for dfa in automata {
            let mut finer: HashMap<(u8, u8), u8> = HashMap::new();
            for (class, &own) in class_of.iter_mut().zip(dfa.classes.iter()) {
                let next = finer.len() as u8;
                *class = *finer.entry((*class, own)).or_insert(next);
            }
        }
        let mut bytes = Vec::new();
        for byte in 0..=255u8 {
            // Classes are numbered in the order of their first bytes, so a new class has the next number.
            if usize::from(class_of[usize::from(byte)]) == bytes.len() {
                bytes.push(byte);
            }
        }
        (class_of, bytes)
    }

    /// One byte of each class that occurs among some bytes.
    pub(crate) fn kinds_among(&self, bytes: std::ops::RangeInclusive<u8>) -> Vec<u8> {
        let mut seen = [false; 256];
        bytes.filter(|&byte| !std::mem::replace(&mut seen[self.classes[byte as usize] as usize], true)).collect()
    }

    /// One byte of each pair of classes of two automata.
    pub(super) fn class_bytes(&self, other: &Dfa) -> Vec<u8> {
        let mut seen = foldhash::HashSet::default();
        (0..=255u8).filter(|&byte| seen.insert((self.classes[byte as usize], other.classes[byte as usize]))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regex::error::RegexError;
    use crate::regex::{Dialect, whole};

    const LIMITS: DfaLimits = DfaLimits { states: 1000, bytes: 1 << 20 };

    fn dfa(regex: &str) -> Dfa {
        whole(regex, Dialect::Ecma, LIMITS).expect("small")
    }

    #[test]
    fn a_longer_alternative_is_not_shadowed_by_a_shorter_one() {
        let dfa = dfa("a|ab");
        assert!(dfa.accepts(b"a") && dfa.accepts(b"ab") && !dfa.accepts(b"b") && !dfa.accepts(b"abb"));
    }

    #[test]
    fn every_state_but_the_dead_one_can_finish() {
        let dfa = dfa("(ab|ac)*d|x[]");
        assert!(dfa.costs(|_| 1)[1..].iter().all(|&cost| !cost.is_never()));
        assert_eq!(dfa.next(dfa.start(), b'x'), 0);
    }

    #[test]
    fn the_operations_are_those_of_sets() {
        let (a, b) = (dfa("[ab]*a"), dfa("a[ab]*"));
        for word in ["", "a", "b", "ab", "ba", "aa", "aba", "bab", "c"] {
            let (x, y) = (a.accepts(word.as_bytes()), b.accepts(word.as_bytes()));
            assert_eq!(a.intersection(&b, 99).expect("small").accepts(word.as_bytes()), x && y);
            assert_eq!(a.union(&b, 99).expect("small").accepts(word.as_bytes()), x || y);
            assert_eq!(a.difference(&b, 99).expect("small").accepts(word.as_bytes()), x && !y);
        }
        assert!(a.difference(&a, 99).expect("small").is_empty());
    }

    #[test]
    fn an_exponential_regex_meets_the_limit() {
        assert_eq!(whole("[ab]*a[ab]{40}", Dialect::Ecma, LIMITS), Err(RegexError::TooBig));
    }
}
