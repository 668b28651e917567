//! Regexes to deterministic automata: the subset construction (Rabin, Scott 1959) over kinds of symbols.
//!
//! A regex distinguishes few kinds of characters: `[a-z]+é` has three, a letter, `é` and the rest. The subset construction runs over
//! these kinds. Over bytes it would pass through the inner states of UTF-8 again for each subset. Afterwards
//! [`CharacterDfa::to_bytes`] turns each state over kinds into a few states over bytes.

use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use crate::automaton::expression::Expression;
use crate::automaton::nfa::{ACCEPT, Nfa, NfaState, NotBuilt};
use crate::automaton::utf8::{Spelling, SymbolKinds, Utf8Tree};
use crate::interrupt::passed;
use foldhash::{HashMap, HashMapExt};
use std::sync::Arc;

/// States of a subset that are followed in about a microsecond.
const SUBSETS_PER_STEP: usize = 64;

/// Bounds the table, which has a number for each state and kind. With one kind for each byte value no state limit is cut short.
const MOST_KINDS: usize = 256;

/// The most that the number of sets times the number of their ranges may be. Telling the kinds apart takes that many steps.
const MOST_CUTS: usize = 64 << 20;

impl From<NotBuilt> for TooManyStates {
    fn from(_: NotBuilt) -> TooManyStates {
        TooManyStates
    }
}

/// The greatest number of states of the nondeterministic automaton of a regex.
pub(crate) fn nfa_states(limits: DfaLimits) -> usize {
    limits.bytes / size_of::<NfaState>()
}

/// The kinds of symbols that an automaton tells apart.
pub(crate) fn kinds_of(nfa: &Nfa) -> Result<Arc<SymbolKinds>, TooManyStates> {
    let cuts: usize = nfa.sets.iter().map(|set| set.len()).sum();
    if passed(0) || nfa.sets.len().saturating_mul(cuts) > MOST_CUTS {
        return Err(TooManyStates);
    }
    Ok(Arc::new(SymbolKinds::new(&nfa.sets)))
}

/// A deterministic automaton over kinds of characters.
#[derive(Debug)]
pub(crate) struct CharacterDfa {
    pub(super) kinds: Arc<SymbolKinds>,
    over_kinds: OverKinds,
}

impl CharacterDfa {
    /// The automaton of the texts that the expression matches from the first to the last character. It knows the assertions of the
    /// beginning and the end of the text.
    pub(crate) fn new(expression: &Expression, limits: DfaLimits) -> Result<CharacterDfa, TooManyStates> {
        let mut nfa = Nfa::new(nfa_states(limits), false);
        let start = nfa.build(expression, ACCEPT)?;
        let kinds = kinds_of(&nfa)?;
        let over_kinds = Subsets::new(&nfa, &kinds, limits).explored(start)?;
        Ok(CharacterDfa { kinds, over_kinds })
    }

    /// The automaton of a table whose letters are kinds of characters.
    pub(crate) fn from_letters(letters: &Dfa, kinds: Arc<SymbolKinds>) -> CharacterDfa {
        // State 1 is the start of every table that is explored. An empty one has no states at all.
        let states = 0..letters.len().max(2) as u32;
        let next = |state: u32, kind: usize| match letters.is_empty() {
            true => 0,
            false => letters.next(state, kind as u8),
        };
        let row = |state: u32| (0..kinds.len()).map(move |kind| next(state, kind));
        let table = states.clone().flat_map(row).collect();
        let accepting = states.map(|state| !letters.is_empty() && letters.accepts_at(state)).collect();
        CharacterDfa { over_kinds: OverKinds { table, accepting }, kinds: kinds.clone() }
    }

    /// The most states that it can have over bytes.
    pub(crate) fn most_states(&self) -> usize {
        self.over_kinds.accepting.len().saturating_mul(1 + Utf8Tree::new(&self.kinds).len())
    }

    /// The same automaton over the bytes of UTF-8.
    pub(crate) fn to_bytes(&self, limits: DfaLimits) -> Result<Dfa, TooManyStates> {
        let OverKinds { table, accepting } = &self.over_kinds;
        let mut spelling = Spelling::new(&self.kinds, table);
        let (classes, width) = (spelling.classes, spelling.width());
        let step = |&state: &u32, class: usize| Some(spelling.next(state, class)).filter(|&next| next != 0);
        let accepts = |&state: &u32| accepting.get(state as usize).copied().unwrap_or(false);
        Dfa::build(|byte| classes[usize::from(byte)], width, 1, limits.states, step, accepts)
    }

    /// The automaton as a table whose letters are the kinds.
    ///
    /// # Errors
    /// [`TooManyStates`] if there are more kinds than letters.
    pub(crate) fn to_letters(&self, limit: usize) -> Result<Dfa, TooManyStates> {
        self.over_kinds.letters(self.kinds.len(), limit)
    }
}

/// Some regexes as tables over the same letters: the kinds of symbols that any of them tells apart. The marks of assertions are letters too.
#[derive(Debug)]
pub(crate) struct Letters {
    nfa: Nfa,
    pub(crate) kinds: Arc<SymbolKinds>,
    limits: DfaLimits,
}

impl Letters {
    /// The letters of an automaton that reads assertions as marks.
    pub(crate) fn new(nfa: Nfa, limits: DfaLimits) -> Result<Letters, TooManyStates> {
        let kinds = kinds_of(&nfa)?;
        Ok(Letters { nfa, kinds, limits })
    }

    /// The table of the regex that begins at this state.
    pub(crate) fn table(&self, start: u32) -> Result<Dfa, TooManyStates> {
        Subsets::new(&self.nfa, &self.kinds, self.limits).explored(start)?.letters(self.kinds.len(), self.limits.states)
    }

    /// The letter of a symbol.
    pub(crate) fn of(&self, symbol: u32) -> u8 {
        self.kinds.at(symbol).0 as u8
    }

    /// The letters of the symbols in the set with this index.
    pub(crate) fn among(&self, set: u32) -> Vec<bool> {
        (0..self.kinds.len()).map(|kind| self.kinds.has(set, kind)).collect()
    }
}

/// A deterministic automaton over kinds of symbols.
#[derive(Debug)]
struct OverKinds {
    /// `table[state * kinds + kind]` is the next state, 0 for none. States are counted from 1.
    table: Vec<u32>,
    accepting: Vec<bool>,
}

impl OverKinds {
    /// The automaton as a table whose letters are the kinds.
    fn letters(&self, kinds: usize, limit: usize) -> Result<Dfa, TooManyStates> {
        // The last letter stands for none.
        if kinds >= MOST_KINDS {
            return Err(TooManyStates);
        }
        let step = |&state: &u32, kind: usize| {
            let next = if kind < kinds { self.table[state as usize * kinds + kind] } else { 0 };
            (next != 0).then_some(next)
        };
        let class = |letter: u8| usize::from(letter).min(kinds) as u8;
        Dfa::build(class, kinds + 1, 1, limit, step, |&state| self.accepting[state as usize])
    }
}

/// The subset construction under way. A subset is a sorted list of NFA states that read, accept, or wait for the end of the text.
struct Subsets<'a> {
    nfa: &'a Nfa,
    kinds: &'a SymbolKinds,
    limits: DfaLimits,
    subsets: Vec<Box<[u32]>>,
    accepting: Vec<bool>,
    /// The number of each subset, counted from 1.
    numbers: HashMap<Box<[u32]>, u32>,
    /// The number of the closure of each list of targets. Far more transitions share a list than there are lists, and a closure takes
    /// much longer than a look.
    by_targets: HashMap<Box<[u32]>, u32>,
    /// NFA states in all keys of `numbers` and `by_targets`.
    size: usize,
    /// The closure in which each NFA state was last visited; a counter spares clearing a set for each closure.
    visited: Vec<u32>,
    time: u32,
    open: Vec<u32>,
}

impl<'a> Subsets<'a> {
    fn new(nfa: &'a Nfa, kinds: &'a SymbolKinds, limits: DfaLimits) -> Subsets<'a> {
        Subsets {
            nfa,
            kinds,
            limits,
            subsets: Vec::new(),
            accepting: vec![false],
            numbers: HashMap::new(),
            by_targets: HashMap::new(),
            size: 0,
            visited: vec![0; nfa.states.len()],
            time: 0,
            open: Vec::new(),
        }
    }

    fn explored(mut self, start: u32) -> Result<OverKinds, TooManyStates> {
        self.add_start(start);
        let mut table = vec![0; self.kinds.len()];
        let (mut done, mut targets) = (0, Vec::new());
        while done < self.subsets.len() {
            let subset = self.subsets[done].clone();
            done += 1;
            if table.len() > self.limits.states.saturating_mul(MOST_KINDS) {
                return Err(TooManyStates);
            }
            // Neighbouring kinds often have the same targets.
            let mut last: Option<(Vec<u32>, u32)> = None;
            for kind in 0..self.kinds.len() {
                if passed(subset.len().div_ceil(SUBSETS_PER_STEP)) {
                    return Err(TooManyStates);
                }
                targets.clear();
                targets.extend(subset.iter().filter_map(|&state| match self.nfa.states[state as usize] {
                    NfaState::Read(set, next) if self.kinds.has(set, kind) => Some(next),
                    _ => None,
                }));
                let number = match &last {
                    _ if targets.is_empty() => 0,
                    Some((same, number)) if *same == targets => *number,
                    _ => {
                        let number = self.number_of(&targets)?;
                        last = Some((targets.clone(), number));
                        number
                    }
                };
                table.push(number);
            }
        }
        Ok(OverKinds { table, accepting: self.accepting })
    }

    /// Adds the subset of the start. Only there the beginning of the text holds. If the same subset further on would decide otherwise
    /// about acceptance, it must become a state of its own, so the start is not found by its subset.
    fn add_start(&mut self, start: u32) {
        let first: Box<[u32]> = self.closed(&[start], true, false).into();
        let accepts = self.closed(&[start], true, true).first() == Some(&ACCEPT);
        self.accepting.push(accepts);
        if accepts == self.accepts(&first) {
            self.numbers.insert(first.clone(), 1);
        }
        self.subsets.push(first);
    }

    /// The number of the subset that is the closure of `targets`, which becomes a new one if there is none.
    fn number_of(&mut self, targets: &[u32]) -> Result<u32, TooManyStates> {
        if let Some(&number) = self.by_targets.get(targets) {
            return Ok(number);
        }
        let closed = self.closed(targets, false, false);
        let number = match self.numbers.get(closed.as_slice()) {
            Some(&number) => number,
            None => {
                self.size += closed.len() + targets.len();
                if self.subsets.len() >= self.limits.states || self.size > self.limits.bytes / 4 {
                    return Err(TooManyStates);
                }
                let closed: Box<[u32]> = closed.into();
                let accepts = self.accepts(&closed);
                self.accepting.push(accepts);
                self.subsets.push(closed.clone());
                self.numbers.insert(closed, self.subsets.len() as u32);
                self.subsets.len() as u32
            }
        };
        self.size += targets.len();
        self.by_targets.insert(targets.into(), number);
        Ok(number)
    }

    /// Whether a text that ends in this subset, and not at its beginning, is accepted.
    fn accepts(&mut self, subset: &[u32]) -> bool {
        self.closed(subset, false, true).first() == Some(&ACCEPT)
    }

    /// The states that `from` leads to without reading, sorted; `begin` and `end` say whether the text begins or ends here.
    fn closed(&mut self, from: &[u32], begin: bool, end: bool) -> Vec<u32> {
        let mut closed = Vec::new();
        self.time += 1;
        self.open.clear();
        self.open.extend_from_slice(from);
        while let Some(state) = self.open.pop() {
            if std::mem::replace(&mut self.visited[state as usize], self.time) == self.time {
                continue;
            }
            // A state that accepts every text makes all others superfluous. Without this, an unanchored pattern would keep the subsets
            // of all its later matches apart.
            if self.nfa.universal == Some(state) && from != [state] {
                return self.closed(&[state], begin, end);
            }
            match self.nfa.states[state as usize] {
                NfaState::Read(..) | NfaState::Accept => closed.push(state),
                NfaState::Either(one, other) => self.open.extend([other, one]),
                NfaState::Begin(next) if begin => self.open.push(next),
                NfaState::End(next) => {
                    closed.push(state);
                    if end {
                        self.open.push(next);
                    }
                }
                NfaState::Begin(_) | NfaState::Nowhere => {}
            }
        }
        closed.sort_unstable();
        closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::expression::Assertion;
    use proptest::prelude::*;
    use regex_automata::dfa::{Automaton as _, StartKind, dense};
    use regex_automata::nfa::thompson;
    use regex_automata::util::start;
    use regex_automata::{Anchored, MatchKind};
    use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

    const LIMITS: DfaLimits = DfaLimits { states: 20_000, bytes: 8 << 20 };

    fn parsed(regex: &str) -> Hir {
        regex_syntax::parse(regex).unwrap_or_else(|error| panic!("{regex}: {error}"))
    }

    /// The expression of a syntax tree of `regex-syntax`.
    fn expression(hir: &Hir) -> Expression {
        let set = |ranges: Vec<(u32, u32)>| Expression::Set(Arc::new(ranges));
        match hir.kind() {
            HirKind::Empty => Expression::EMPTY,
            HirKind::Look(Look::Start) => Expression::Assert(Assertion::Begin),
            HirKind::Look(Look::End) => Expression::Assert(Assertion::End),
            HirKind::Capture(capture) => expression(&capture.sub),
            HirKind::Concat(parts) => Expression::Concat(parts.iter().map(expression).collect()),
            HirKind::Alternation(parts) => Expression::Either(parts.iter().map(expression).collect()),
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0).expect("a text");
                Expression::Concat(text.chars().map(|c| set(vec![(u32::from(c), u32::from(c))])).collect())
            }
            HirKind::Class(Class::Unicode(class)) => {
                set(class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect())
            }
            HirKind::Class(Class::Bytes(class)) => {
                set(class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect())
            }
            HirKind::Repetition(Repetition { min, max, sub, .. }) => expression(sub).repeated(*min, *max),
            HirKind::Look(look) => panic!("{look:?}"),
        }
    }

    /// The automaton by way of `regex-automata`, whose subsets run over bytes.
    fn reference(hir: &Hir) -> Dfa {
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().utf8(true).which_captures(thompson::WhichCaptures::None))
            .build_from_hir(hir)
            .expect("small");
        // Every match counts, not the leftmost-first one: `a|ab` accepts both.
        let config =
            dense::Config::new().match_kind(MatchKind::All).start_kind(StartKind::Anchored).byte_classes(false);
        let dense = dense::Builder::new().configure(config).build_from_nfa(&nfa).expect("small");
        let first = dense.start_state(&start::Config::new().anchored(Anchored::Yes)).expect("a start");
        // That automaton reports a match one byte late, so a state accepts if its end-of-input transition matches.
        let step = |&id: &_, byte: usize| {
            let next = dense.next_state(id, byte as u8);
            (!dense.is_dead_state(next) && !dense.is_quit_state(next)).then_some(next)
        };
        let accepts = |&id: &_| dense.is_match_state(dense.next_eoi_state(id));
        Dfa::build(|byte| byte, 256, first, LIMITS.states, step, accepts).expect("small")
    }

    /// The automaton made here, once it is known to equal that of `regex-automata`.
    fn checked(regex: &str) -> Dfa {
        let hir = parsed(regex);
        let characters = CharacterDfa::new(&expression(&hir), LIMITS).expect("small");
        let own = characters.to_bytes(LIMITS).expect("small");
        let letters = characters.to_letters(LIMITS.states).expect("small");
        let again = CharacterDfa::from_letters(&letters, characters.kinds.clone()).to_bytes(LIMITS).expect("small");
        let other = reference(&hir);
        for dfa in [&own, &again] {
            assert!(dfa.difference(&other, 1 << 20).expect("small").is_empty(), "{regex}: too much");
            assert!(other.difference(dfa, 1 << 20).expect("small").is_empty(), "{regex}: too little");
        }
        own
    }

    #[test]
    fn a_regex_accepts_what_a_reference_automaton_accepts() {
        for regex in [
            "",
            "a",
            "[^\\x00-\\x{10FFFF}]",
            "(?s:.)*",
            "(?s:.)*a\\w{2}(?s:.)*",
            "\\A\\z|\\Aa\\z",
            "a\\z|b\\za|\\Ac",
            "(a|b)\\zc|(\\z\\A)?",
            "(?s:.)*\\z(b|\\A)(?s:.)*",
            "[\\x{7f}\\x{80}-\\x{7ff}]|\\x{800}[\\x{d7ff}\\x{e000}\\x{ffff}\\x{10000}]\\x{10ffff}",
            "[é-ü]+😀?|\\p{Greek}{1,3}|\\P{L}",
            "(?:\\S+\\s+){0,9}\\S+",
            "(ab?){2,4}|(a*)*|(a|)+b{3,}",
            "foo|boo|zoo|[fb]oo+",
        ] {
            checked(regex);
        }
    }

    #[test]
    fn an_unanchored_pattern_keeps_one_state_after_its_match() {
        let dfa = checked("(?s:.)*abcabcabd(?s:.)*");
        let any = checked("(?s:.)*");
        assert!(dfa.len() <= 9 + 2 * any.len(), "{} states", dfa.len());
    }

    #[test]
    fn an_exponential_regex_and_a_huge_one_are_too_big() {
        for regex in ["[ab]*a[ab]{40}", "((a{99}){99}){99}"] {
            let result = CharacterDfa::new(&expression(&parsed(regex)), LIMITS);
            assert_eq!(result.map(|_| ()), Err(TooManyStates), "{regex}");
        }
    }

    fn regexes() -> impl Strategy<Value = String> {
        const ATOMS: [&str; 12] =
            ["a", "b", "[ab]", "[^a]", ".", "é", "[é-\\x{ffff}]", "\\w", "\\s", "\\A", "\\z", "()"];
        let atom = prop::sample::select(&ATOMS[..]).prop_map(str::to_owned);
        atom.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join("|"))),
                (inner, prop::sample::select(&["*", "+", "?", "{2}", "{0,2}", "{1,}"][..]))
                    .prop_map(|(inner, times)| format!("({inner}){times}")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn a_random_regex_accepts_what_a_reference_automaton_accepts(regex in regexes(), around in any::<bool>()) {
            checked(&if around { format!("(?s:.)*({regex})(?s:.)*") } else { regex });
        }
    }
}
