//! Regexes to automata: made deterministic over characters, of which a regex tells few kinds apart, and only then spelled in bytes.
//!
//! The subset construction (Rabin and Scott, 1959) over bytes would go through the inner states of UTF-8 once for each set of places
//! in the regex. Here it goes along kinds of characters, and each of its states becomes a few states over bytes afterwards.

use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use crate::automaton::marks::is_mark;
use crate::automaton::utf8::{FIRST_BYTE, Spelling, SymbolKinds, Symbols};
use crate::interrupt::passed;
use foldhash::{HashMap, HashMapExt};
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// Nfa that are looked at in about a microsecond.
const SUBSETS_PER_STEP: usize = 64;

/// The table has a number for each state and each kind of characters. As many as one for each byte are always possible.
const MOST_KINDS: usize = 256;

/// More sets of characters, times the places where one of them begins, are refused.
const MOST_CUTS: usize = 64 << 20;

/// A place in a regex.
#[derive(Debug, Clone, Copy)]
enum NfaState {
    /// Before a symbol of the set with this index.
    Read(u32, u32),
    Either(u32, u32),
    /// At the beginning of the text only.
    Begin(u32),
    /// At the end of the text only.
    End(u32),
    Nowhere,
    Accept,
}

/// The place where the whole regex has matched.
const ACCEPT: u32 = 0;

/// A regex as places that lead to each other.
struct Nfa {
    places: Vec<NfaState>,
    sets: Vec<Symbols>,
    known_sets: HashMap<Symbols, u32>,
    /// By what they read and what comes next: what alternatives end with is the same in all of them.
    known_reads: HashMap<(u32, u32), u32>,
    /// From here on all texts match.
    universal: Option<u32>,
    limit: usize,
}

/// Why there is no automaton.
enum Failed {
    TooMany,
    /// Something about places that is not told here.
    Unknown,
}

/// The automaton of the texts that the regex matches from the first to the last byte; `None` where it has assertions other than those of
/// the beginning and the end of the text, or bytes that are no symbols.
pub(crate) fn automaton(hir: &Hir, limits: DfaLimits) -> Result<Option<Dfa>, TooManyStates> {
    let limit = limits.bytes / size_of::<NfaState>();
    let mut regex = Nfa {
        places: vec![NfaState::Accept],
        sets: Vec::new(),
        known_sets: HashMap::new(),
        known_reads: HashMap::new(),
        universal: None,
        limit,
    };
    let start = match regex.build(hir, ACCEPT) {
        Ok(start) => start,
        Err(Failed::TooMany) => return Err(TooManyStates),
        Err(Failed::Unknown) => return Ok(None),
    };
    let cuts: usize = regex.sets.iter().map(Vec::len).sum();
    if passed(0) || regex.sets.len().saturating_mul(cuts) > MOST_CUTS {
        return Err(TooManyStates);
    }
    let kinds = SymbolKinds::new(&regex.sets);
    let over_kinds = Subsets::new(&regex, &kinds, limits).explored(start)?;
    let mut spelling = Spelling::new(&kinds, &over_kinds.table);
    let (classes, width) = (spelling.classes, spelling.width());
    let step = |&state: &u32, class: usize| Some(spelling.next(state, class)).filter(|&next| next != 0);
    let accepts = |&state: &u32| over_kinds.accepting.get(state as usize).copied().unwrap_or(false);
    Dfa::build(|byte| classes[usize::from(byte)], width, 1, limits.states, step, accepts).map(Some)
}

impl Nfa {
    fn add(&mut self, place: NfaState) -> Result<u32, Failed> {
        if self.places.len() >= self.limit || passed(1) {
            return Err(Failed::TooMany);
        }
        self.places.push(place);
        Ok(self.places.len() as u32 - 1)
    }

    /// The place before `hir`, if `next` is the one after it.
    fn build(&mut self, hir: &Hir, next: u32) -> Result<u32, Failed> {
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
                first = self.add(NfaState::Nowhere)?;
                let again = self.build(sub, first)?;
                self.places[first as usize] = NfaState::Either(again, next);
                if let (NfaState::Read(set, _), ACCEPT) = (self.places[again as usize], next)
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
        // Bytes of characters would have to be read in the midst of them.
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
        if let Some(&place) = self.known_reads.get(&(set, next)) {
            return Ok(place);
        }
        let place = self.add(NfaState::Read(set, next))?;
        self.known_reads.insert((set, next), place);
        Ok(place)
    }
}

fn is_everything(symbols: &[(u32, u32)]) -> bool {
    matches!(symbols, [(0, 0x10_FFFF)] | [(0, 0xD7FF), (0xE000, 0x10_FFFF)])
}

/// An automaton over kinds of symbols.
struct OverKinds {
    /// The next state for each state and each kind, 0 for none. States are counted from 1.
    table: Vec<u32>,
    accepting: Vec<bool>,
}

/// The subset construction.
struct Subsets<'a> {
    regex: &'a Nfa,
    kinds: &'a SymbolKinds,
    limits: DfaLimits,
    /// For each place the last time it was visited.
    visited: Vec<u32>,
    time: u32,
    open: Vec<u32>,
}

impl<'a> Subsets<'a> {
    fn new(regex: &'a Nfa, kinds: &'a SymbolKinds, limits: DfaLimits) -> Subsets<'a> {
        Subsets { regex, kinds, limits, visited: vec![0; regex.places.len()], time: 0, open: Vec::new() }
    }

    fn explored(mut self, start: u32) -> Result<OverKinds, TooManyStates> {
        let mut numbers: HashMap<Box<[u32]>, u32> = HashMap::new();
        // What places lead to, before that is followed to the next ones that read.
        let mut led: HashMap<Box<[u32]>, u32> = HashMap::new();
        let (mut subsets, mut size): (Vec<Box<[u32]>>, usize) = (Vec::new(), 0);
        let (mut table, mut accepting) = (vec![0; self.kinds.len()], vec![false]);
        let first: Box<[u32]> = self.closed(&[start], true, false).into();
        let accepts = self.closed(&[start], true, true).first() == Some(&ACCEPT);
        accepting.push(accepts);
        // The same places later in the text may not accept, where it depends on the beginning.
        if accepts == (self.closed(&first, false, true).first() == Some(&ACCEPT)) {
            numbers.insert(first.clone(), 1);
        }
        subsets.push(first);
        let (mut done, mut next) = (0, Vec::new());
        while done < subsets.len() {
            let subset = subsets[done].clone();
            done += 1;
            let mut last: Option<(Vec<u32>, u32)> = None;
            if table.len() > self.limits.states.saturating_mul(MOST_KINDS) {
                return Err(TooManyStates);
            }
            for kind in 0..self.kinds.len() {
                if passed(subset.len().div_ceil(SUBSETS_PER_STEP)) {
                    return Err(TooManyStates);
                }
                next.clear();
                next.extend(subset.iter().filter_map(|&place| match self.regex.places[place as usize] {
                    NfaState::Read(set, next) if self.kinds.has(set, kind) => Some(next),
                    _ => None,
                }));
                if next.is_empty() {
                    table.push(0);
                    continue;
                }
                if let Some((_, number)) = last.as_ref().filter(|(same, _)| *same == next) {
                    table.push(*number);
                    continue;
                }
                let number = match led.get(next.as_slice()) {
                    Some(&number) => number,
                    None => {
                        let closed = self.closed(&next, false, false);
                        let number = match numbers.get(closed.as_slice()) {
                            Some(&number) => number,
                            None => {
                                size += closed.len() + next.len();
                                if subsets.len() >= self.limits.states || size > self.limits.bytes / 4 {
                                    return Err(TooManyStates);
                                }
                                let closed: Box<[u32]> = closed.into();
                                accepting.push(self.closed(&closed, false, true).first() == Some(&ACCEPT));
                                subsets.push(closed.clone());
                                numbers.insert(closed, subsets.len() as u32);
                                subsets.len() as u32
                            }
                        };
                        size += next.len();
                        led.insert(next.as_slice().into(), number);
                        number
                    }
                };
                table.push(number);
                last = Some((next.clone(), number));
            }
        }
        Ok(OverKinds { table, accepting })
    }

    /// The places to which these lead without reading anything, sorted: at the beginning of a text or not, at its end or not.
    fn closed(&mut self, from: &[u32], begin: bool, end: bool) -> Vec<u32> {
        let mut closed = Vec::new();
        self.time += 1;
        self.open.clear();
        self.open.extend_from_slice(from);
        while let Some(place) = self.open.pop() {
            if std::mem::replace(&mut self.visited[place as usize], self.time) == self.time {
                continue;
            }
            // Whatever else may come from here, nothing is more than everything.
            if self.regex.universal == Some(place) && from != [place] {
                return self.closed(&[place], begin, end);
            }
            match self.regex.places[place as usize] {
                NfaState::Read(..) | NfaState::Accept => closed.push(place),
                NfaState::Either(one, other) => self.open.extend([other, one]),
                NfaState::Begin(next) if begin => self.open.push(next),
                NfaState::End(next) => {
                    closed.push(place);
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

    /// The automaton made here, where it equals that of `regex-automata`.
    fn checked(regex: &str) -> Dfa {
        let hir = parsed(regex);
        let own = automaton(&hir, LIMITS).expect("small").expect("nothing unknown");
        let other = Dfa::from_assertions(&hir, LIMITS).expect("small");
        assert!(own.difference(&other, 1 << 20).expect("small").is_empty(), "{regex}: too much");
        assert!(other.difference(&own, 1 << 20).expect("small").is_empty(), "{regex}: too little");
        own
    }

    #[test]
    fn an_automaton_over_characters_is_that_over_their_bytes() {
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
    fn once_everything_matches_there_is_one_state() {
        let dfa = checked("(?s:.)*abcabcabd(?s:.)*");
        let any = checked("(?s:.)*");
        assert!(dfa.len() <= 9 + 2 * any.len(), "{} states", dfa.len());
    }

    #[test]
    fn what_is_not_told_here_is_left_to_others() {
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
        fn any_regex_is_the_automaton_that_a_reference_makes(regex in regexes(), around in any::<bool>()) {
            checked(&if around { format!("(?s:.)*({regex})(?s:.)*") } else { regex });
        }
    }
}
