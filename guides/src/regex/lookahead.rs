//! Regexes with look-ahead, as automata.
//!
//! An assertion stands in the regex as a byte that no text has (see [`Assertion`]), so that the regex is an automaton over
//! texts with such marks. A text matches if marks can be put into it where what they assert holds: reading it, the automaton
//! is in several states at once, each with what the rest of the text still has to be. What an assertion asks of the rest of
//! the text is an automaton too, of which the opposite is known; so look-ahead is exact wherever it stands, in repetitions
//! too.

use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use crate::automaton::marks::{BEGIN, BOUNDARY, END, LOOKS, NO_BOUNDARY};
use crate::automaton::residual::universal;
use crate::interrupt::passed;
use crate::regex::error::RegexError;
use crate::regex::hir::{any, parsed};
use crate::regex::syntax::{LookAround, Marked};
use regex_syntax::hir::Hir;

/// More ways to read texts than this for each state that the automaton may have are refused.
const WAYS: usize = 32;

/// What stands before a place in a text.
#[derive(Debug, Clone, Copy)]
enum Before {
    Nothing,
    Word,
    Other,
}

/// Something that holds at a place in a text or not.
struct Assertion {
    mark: u8,
    /// What the rest of the text must be, by what stands before; indices of the demands.
    demands: [usize; 3],
}

/// What the rest of a text must be.
struct Obligation {
    automaton: Dfa,
    /// The states in which any rest will do.
    met: Vec<bool>,
}

/// A state of the marked automaton, and the states of the demands that are still to be met, both sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Thread {
    state: u32,
    owed: Vec<(usize, u32)>,
}

/// The automaton of the texts that match; with `around`, of those in which there is a match somewhere.
pub(crate) fn compile(regex: &Marked, around: bool, limits: DfaLimits) -> Result<Dfa, RegexError> {
    let mut machine = Machine::new(limits)?;
    for (look, &mark) in regex.looks.iter().zip(&LOOKS) {
        machine.add_look(look, mark)?;
    }
    let parts = [around.then(any), Some(parsed(&regex.regex)?), around.then(any)];
    let marked = Dfa::from_hir(&Hir::concat(parts.into_iter().flatten().collect()), limits)?;
    Ok(machine.unmarked(&marked, Before::Nothing)?)
}

struct Machine {
    limits: DfaLimits,
    any: Dfa,
    demands: Vec<Obligation>,
    assertions: Vec<Assertion>,
}

impl Machine {
    fn new(limits: DfaLimits) -> Result<Machine, RegexError> {
        let text = |regex: &str| Ok::<Dfa, RegexError>(Dfa::from_hir(&parsed(regex)?, limits)?);
        let any = Dfa::from_hir(&any(), limits)?;
        let mut machine = Machine { limits, any, demands: Vec::new(), assertions: Vec::new() };
        let (all, end) = (machine.any.clone(), text("")?);
        let word = text("[0-9A-Za-z_](?s:.)*")?;
        let no_word = all.difference(&word, limits.states)?;
        let nothing = all.difference(&all, limits.states)?;
        let [all, nothing, end, word, no_word] = [all, nothing, end, word, no_word].map(|dfa| machine.demand(dfa));
        machine.assertions = vec![
            Assertion { mark: BEGIN, demands: [all, nothing, nothing] },
            Assertion { mark: END, demands: [end; 3] },
            Assertion { mark: BOUNDARY, demands: [word, no_word, word] },
            Assertion { mark: NO_BOUNDARY, demands: [no_word, word, no_word] },
        ];
        Ok(machine)
    }

    fn demand(&mut self, automaton: Dfa) -> usize {
        let met = universal(&automaton, &self.any);
        self.demands.push(Obligation { automaton, met });
        self.demands.len() - 1
    }

    /// Adds a look-ahead. Those inside it come before it.
    fn add_look(&mut self, look: &LookAround, mark: u8) -> Result<(), RegexError> {
        let marked = Dfa::from_hir(&Hir::concat(vec![parsed(&look.regex)?, any()]), self.limits)?;
        let used = self.used(&marked);
        let words = used.iter().any(|assertion| assertion.demands[1] != assertion.demands[2]);
        let begins = words || used.iter().any(|assertion| assertion.demands[0] != assertion.demands[2]);
        let other = self.look(look, &marked, Before::Other)?;
        let nothing = if begins { self.look(look, &marked, Before::Nothing)? } else { other };
        let word = if words { self.look(look, &marked, Before::Word)? } else { other };
        self.assertions.push(Assertion { mark, demands: [nothing, word, other] });
        Ok(())
    }

    fn look(&mut self, look: &LookAround, marked: &Dfa, before: Before) -> Result<usize, TooManyStates> {
        let matching = self.unmarked(marked, before)?;
        let wanted = if look.negative { self.any.difference(&matching, self.limits.states)? } else { matching };
        Ok(self.demand(wanted))
    }

    /// The assertions whose marks an automaton has.
    fn used(&self, marked: &Dfa) -> Vec<&Assertion> {
        let has = |assertion: &&Assertion| marked.find_byte_without(|byte| byte != assertion.mark).is_some();
        self.assertions.iter().filter(has).collect()
    }

    /// The texts into which marks can be put so that `marked` accepts them.
    fn unmarked(&self, marked: &Dfa, before: Before) -> Result<Dfa, TooManyStates> {
        let automata: Vec<&Dfa> =
            self.demands.iter().map(|demand| &demand.automaton).chain([marked, &self.any]).collect();
        let used = self.used(marked);
        let words = used.iter().any(|assertion| assertion.demands[1] != assertion.demands[2]);
        let is_word = |byte: u8| words && (byte.is_ascii_alphanumeric() || byte == b'_');
        let (class_of, bytes) = Dfa::common_classes(&automata, is_word);
        let start = self.closed(vec![Thread { state: marked.start(), owed: Vec::new() }], before, &used, marked);
        let (mut count, mut too_many) = (0, false);
        let step = |ways: &Vec<Thread>, class: usize| {
            let byte = bytes[class];
            // Ways are compared with each other.
            count += ways.len() * (1 + ways.len() / 8);
            too_many |= count > self.limits.states * WAYS || passed(ways.len());
            // Marks are no part of a text.
            if too_many || matches!(byte, 0xC0 | 0xC1 | 0xF5..) {
                return None;
            }
            let next = ways.iter().filter_map(|way| self.after(way, byte, marked)).collect::<Vec<Thread>>();
            let before = if is_word(byte) { Before::Word } else { Before::Other };
            let next = self.closed(next, before, &used, marked);
            (!next.is_empty()).then_some(next)
        };
        let accepts = |ways: &Vec<Thread>| ways.iter().any(|way| self.accepts(way, marked));
        let class = |byte: u8| class_of[usize::from(byte)];
        let dfa = Dfa::build(class, bytes.len(), start, self.limits.states, step, accepts)?;
        if too_many { Err(TooManyStates) } else { Ok(dfa) }
    }

    fn accepts(&self, way: &Thread, marked: &Dfa) -> bool {
        marked.accepts_at(way.state)
            && way.owed.iter().all(|&(demand, state)| self.demands[demand].automaton.accepts_at(state))
    }

    /// A way after one more byte; `None` if it ends there.
    fn after(&self, way: &Thread, byte: u8, marked: &Dfa) -> Option<Thread> {
        let next = Thread { state: marked.next(way.state, byte), owed: Vec::with_capacity(way.owed.len()) };
        if next.state == 0 {
            return None;
        }
        let step = |&(demand, state): &(usize, u32)| (demand, self.demands[demand].automaton.next(state, byte));
        way.owed.iter().map(step).try_fold(next, |way, (demand, state)| self.with(way, demand, state))
    }

    /// A way with one more demand; `None` if it cannot be met.
    fn with(&self, mut way: Thread, demand: usize, state: u32) -> Option<Thread> {
        if state == 0 {
            return None;
        }
        if !self.demands[demand].met[state as usize]
            && let Err(place) = way.owed.binary_search(&(demand, state))
        {
            way.owed.insert(place, (demand, state));
        }
        Some(way)
    }

    /// The ways with all that marks at this place lead to, without those that ask for more than another one does.
    fn closed(&self, mut ways: Vec<Thread>, before: Before, used: &[&Assertion], marked: &Dfa) -> Vec<Thread> {
        let mut done = 0;
        while done < ways.len() {
            for assertion in used {
                let way = &ways[done];
                let state = marked.next(way.state, assertion.mark);
                if state == 0 {
                    continue;
                }
                let demand = assertion.demands[before as usize];
                let start = self.demands[demand].automaton.start();
                let next = self.with(Thread { state, owed: way.owed.clone() }, demand, start);
                ways.extend(next.filter(|next| !ways.contains(next)));
            }
            done += 1;
        }
        ways.sort_unstable();
        ways.dedup();
        let asks_more = |way: &Thread, other: &Thread| {
            other != way && other.state == way.state && other.owed.iter().all(|owed| way.owed.contains(owed))
        };
        ways.iter().filter(|way| !ways.iter().any(|other| asks_more(way, other))).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regex::Dialect::{Ecma, Python};
    use crate::regex::{anywhere, whole};

    const LIMITS: DfaLimits = DfaLimits { states: 10_000, bytes: 1 << 22 };

    /// All texts of up to five of these letters.
    fn texts() -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut first = 0;
        for _ in 0..5 {
            let last = texts.len();
            for index in first..last {
                texts.extend(["a", "b", "-", "é"].map(|letter| format!("{}{letter}", texts[index])));
            }
            first = last;
        }
        texts
    }

    #[test]
    fn an_assertion_says_of_the_text_around_it_what_it_says() {
        let edge = |text: &str, at: usize| {
            let word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            word(text[..at].chars().next_back()) != word(text[at..].chars().next())
        };
        type Expected<'a> = &'a dyn Fn(&str) -> bool;
        let cases: &[(&str, Expected<'_>)] = &[
            ("^(?!ab)", &|text| !text.starts_with("ab")),
            ("^(?=a)[ab]+$", &|text| text.starts_with('a') && text.chars().all(|c| "ab".contains(c))),
            ("a(?=b)", &|text| text.contains("ab")),
            ("a(?!b)", &|text| text.ends_with('a') || ["aa", "a-", "aé"].iter().any(|pair| text.contains(pair))),
            ("a(?=b$)", &|text| text.ends_with("ab")),
            ("(?=a.*b)(?=.*-$)", &|text| {
                text.contains('b') && text.ends_with('-') && { text.find('a').is_some_and(|a| text[a..].contains('b')) }
            }),
            ("(?!^a)^.*$", &|text| !text.starts_with('a')),
            ("^(?:a(?!b)|b)*$", &|text| text.chars().all(|c| "ab".contains(c)) && !text.contains("ab")),
            ("^(?!(?!a)(?=.))", &|text| text.is_empty() || text.starts_with('a')),
            ("^(?:(?=a)a|(?!a)-)+$", &|text| !text.is_empty() && text.chars().all(|c| "a-".contains(c))),
            (r"\b(?=a)", &|text| text.match_indices('a').any(|(at, _)| edge(text, at))),
            (r"a\B", &|text| text.match_indices('a').any(|(at, _)| !edge(text, at + 1))),
            (r"^(?:-|a(?=\b))*$", &|text| text.chars().all(|c| "a-".contains(c)) && !text.contains("aa")),
            (r"(?=\ba)(?!.*é)", &|text| {
                text.match_indices('a').any(|(at, _)| edge(text, at) && !text[at..].contains('é'))
            }),
            ("(?=é).b", &|text| text.contains("éb")),
            ("x(?=a)", &|_| false),
        ];
        for (regex, expected) in cases {
            let dfa = anywhere(regex, Ecma, LIMITS).expect(regex);
            for text in texts() {
                assert_eq!(dfa.accepts(text.as_bytes()), expected(&text), "{regex} in {text:?}");
            }
        }
    }

    #[test]
    fn a_whole_text_matches_with_what_is_asserted_within_it() {
        for (regex, expected) in [
            (
                "(?=.*a)(?=.*b).{2,4}",
                &(|text: &str| text.contains('a') && text.contains('b') && (2..=4).contains(&text.chars().count()))
                    as &dyn Fn(&str) -> bool,
            ),
            ("a(?=b)", &|_: &str| false),
            ("(?i:(?!A)[AB])+", &|text: &str| !text.is_empty() && text.chars().all(|c| c == 'b')),
        ] {
            let dfa = whole(regex, Python, LIMITS).expect(regex);
            for text in texts() {
                assert_eq!(dfa.accepts(text.as_bytes()), expected(&text), "{regex} is {text:?}");
            }
        }
    }

    #[test]
    fn every_state_can_finish_and_what_grows_too_much_is_refused() {
        let dfa = anywhere(r"^(?!.*(\{a\}|b)).*\.[cC]$", Ecma, LIMITS).expect("small");
        assert!(dfa.accepts("é.c".as_bytes()) && !dfa.accepts(b"{a}.c"));
        assert!(dfa.costs(|_| 1)[1..].iter().all(|&cost| !cost.is_never()));
        assert_eq!(whole("(?:(?=[ab]*a[ab]{30}c)[ab])*c", Python, LIMITS), Err(RegexError::TooBig));
    }
}
