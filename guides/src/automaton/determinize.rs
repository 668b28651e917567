//! Regexes to deterministic automata: the subset construction (Rabin, Scott 1959) over characters, spelled in bytes afterwards.
//!
//! A regex distinguishes few kinds of characters: `[a-z]+é` has three, a letter, `é` and the rest. The subset construction runs over
//! these kinds. Over bytes it would pass through the inner states of UTF-8 again for each subset. Afterwards
//! [`Spelling`] turns each state over kinds into a few states over bytes.

use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use crate::automaton::nfa::{ACCEPT, Failed, Nfa, NfaState};
use crate::automaton::utf8::{Spelling, SymbolKinds};
use crate::interrupt::passed;
use foldhash::{HashMap, HashMapExt};
use regex_syntax::hir::Hir;

/// States of a subset that are followed in about a microsecond.
const SUBSETS_PER_STEP: usize = 64;

/// Bounds the table, which has a number for each state and kind. With one kind for each byte value no state limit is cut short.
const MOST_KINDS: usize = 256;

/// The most that the number of sets times the number of their ranges may be. Telling the kinds apart takes that many steps.
const MOST_CUTS: usize = 64 << 20;

/// The automaton of the texts that the regex matches from the first to the last byte. `None` if the regex has an assertion other than the
/// beginning and the end of the text, or a byte that is neither a character nor a mark.
pub(super) fn automaton(hir: &Hir, limits: DfaLimits) -> Result<Option<Dfa>, TooManyStates> {
    let mut nfa = Nfa::new(limits.bytes / size_of::<NfaState>());
    let start = match nfa.build(hir, ACCEPT) {
        Ok(start) => start,
        Err(Failed::TooMany) => return Err(TooManyStates),
        Err(Failed::Unknown) => return Ok(None),
    };
    let cuts: usize = nfa.sets.iter().map(Vec::len).sum();
    if passed(0) || nfa.sets.len().saturating_mul(cuts) > MOST_CUTS {
        return Err(TooManyStates);
    }
    let kinds = SymbolKinds::new(&nfa.sets);
    let over_kinds = Subsets::new(&nfa, &kinds, limits).explored(start)?;
    let mut spelling = Spelling::new(&kinds, &over_kinds.table);
    let (classes, width) = (spelling.classes, spelling.width());
    let step = |&state: &u32, class: usize| Some(spelling.next(state, class)).filter(|&next| next != 0);
    let accepts = |&state: &u32| over_kinds.accepting.get(state as usize).copied().unwrap_or(false);
    Dfa::build(|byte| classes[usize::from(byte)], width, 1, limits.states, step, accepts).map(Some)
}

/// A deterministic automaton over kinds of symbols.
struct OverKinds {
    /// `table[state * kinds + kind]` is the next state, 0 for none. States are counted from 1.
    table: Vec<u32>,
    accepting: Vec<bool>,
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
    use proptest::prelude::*;

    const LIMITS: DfaLimits = DfaLimits { states: 20_000, bytes: 8 << 20 };

    fn parsed(regex: &str) -> Hir {
        let mut parser = regex_syntax::ParserBuilder::new().utf8(false).build();
        parser.parse(regex).unwrap_or_else(|error| panic!("{regex}: {error}"))
    }

    /// The automaton made here, once it is known to equal that of `regex-automata`.
    fn checked(regex: &str) -> Dfa {
        let hir = parsed(regex);
        let own = automaton(&hir, LIMITS).expect("small").expect("nothing unknown");
        let other = Dfa::from_assertions(&hir, LIMITS).expect("small");
        assert!(own.difference(&other, 1 << 20).expect("small").is_empty(), "{regex}: too much");
        assert!(other.difference(&own, 1 << 20).expect("small").is_empty(), "{regex}: too little");
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
            "x(?-u:\\xFF)[ab](?-u:[\\xF5\\xC0])*y",
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
    fn an_unknown_assertion_is_none_and_an_exponential_regex_is_too_big() {
        for regex in ["a\\bb", "(?m:^a)", "(?-u:\\xC3)"] {
            assert!(matches!(automaton(&parsed(regex), LIMITS), Ok(None)), "{regex}");
        }
        for regex in ["[ab]*a[ab]{40}", "((a{99}){99}){99}"] {
            assert_eq!(automaton(&parsed(regex), LIMITS).map(|_| ()), Err(TooManyStates), "{regex}");
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
