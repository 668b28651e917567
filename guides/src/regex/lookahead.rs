//! Regexes with look-ahead, as automata.
//!
//! Each assertion is a mark, a byte that no text has, so the regex with marks is an ordinary automaton. A text matches if marks can be
//! inserted such that the automaton accepts and each mark's assertion holds where it stands. What an assertion demands of the rest of the
//! text is an automaton too. So the construction is that of an alternating automaton: a state is a set of threads, and a thread is a state
//! of the marked automaton with the obligations that it has met so far and still owes.
//!
//! For example, `a(?=b)\w` is `aM\w` with a mark `M` that demands `b.*`. On the text `ab`:
//!
//! ```text
//!          state of aM\w    owed
//!  start   before a         -
//!  a       before M         -
//!          before \w        b.* from its start      passing M adds the obligation
//!  b       at the end       -                       b.* now accepts every suffix, so nothing is owed
//! ```
//!
//! Automata are closed under complement, so a negative look-ahead demands the complement. The construction is exact for look-ahead in
//! repetitions and inside look-ahead.

use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use crate::automaton::marks::{BEGIN, BOUNDARY, END, LOOKS, NO_BOUNDARY};
use crate::automaton::residual::universal;
use crate::interrupt::passed;
use crate::regex::error::RegexError;
use crate::regex::hir::{any, parsed};
use crate::regex::syntax::{LookAround, Marked};
use regex_syntax::hir::Hir;

/// The most threads that are followed, for each state that the automaton may have.
const THREADS_PER_STATE: usize = 32;

/// The character before a place in a text, as `^` and `\b` see it.
#[derive(Debug, Clone, Copy)]
enum Before {
    Nothing,
    Word,
    Other,
}

/// An assertion and its mark.
struct Assertion {
    mark: u8,
    /// The demand on the rest of the text for each [`Before`], as an index into `Machine::demands`.
    demands: [usize; 3],
}

/// A demand on the rest of a text.
struct Obligation {
    automaton: Dfa,
    /// The states from which every suffix is accepted: a thread drops the demand there.
    met: Vec<bool>,
}

/// A state of the marked automaton, and the demands that are still to be met with their states, sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Thread {
    state: u32,
    owed: Vec<(usize, u32)>,
}

/// The automaton of the texts that match as a whole, or with `around` of the texts with a match somewhere.
pub(super) fn compile(regex: &Marked, around: bool, limits: DfaLimits) -> Result<Dfa, RegexError> {
    let mut machine = Machine::new(limits)?;
    for (look, &mark) in regex.looks.iter().zip(&LOOKS) {
        machine.add_look(look, mark)?;
    }
    let parts = [around.then(any), Some(parsed(&regex.regex)?), around.then(any)];
    let marked = Dfa::from_hir(&Hir::concat(parts.into_iter().flatten().collect()), limits)?;
    Ok(machine.unmarked(&marked, Before::Nothing)?)
}

/// The demands and assertions so far: those of `^`, `$`, `\b` and `\B`, then those of the look-aheads in order.
struct Machine {
    limits: DfaLimits,
    /// The automaton of all texts.
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

    /// Adds a look-ahead. Look-aheads inside it are there already, so their marks are known.
    ///
    /// Its demand depends on the character before it only if it contains `^`, `\b` or `\B`, so usually one automaton serves all cases.
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

    /// Adds the demand of a look-ahead after such a character, and gives its index.
    fn look(&mut self, look: &LookAround, marked: &Dfa, before: Before) -> Result<usize, TooManyStates> {
        let matching = self.unmarked(marked, before)?;
        let wanted = if look.negative { self.any.difference(&matching, self.limits.states)? } else { matching };
        Ok(self.demand(wanted))
    }

    /// The assertions whose marks an automaton reads.
    fn used(&self, marked: &Dfa) -> Vec<&Assertion> {
        let has = |assertion: &&Assertion| marked.find_byte_without(|byte| byte != assertion.mark).is_some();
        self.assertions.iter().filter(has).collect()
    }

    /// The texts that `marked` accepts once marks are inserted whose demands the rest of the text meets.
    fn unmarked(&self, marked: &Dfa, before: Before) -> Result<Dfa, TooManyStates> {
        let automata: Vec<&Dfa> =
            self.demands.iter().map(|demand| &demand.automaton).chain([marked, &self.any]).collect();
        let used = self.used(marked);
        let words = used.iter().any(|assertion| assertion.demands[1] != assertion.demands[2]);
        let is_word = |byte: u8| words && (byte.is_ascii_alphanumeric() || byte == b'_');
        let (class_of, bytes) = Dfa::common_classes(&automata, is_word);
        let start = self.closed(vec![Thread { state: marked.start(), owed: Vec::new() }], before, &used, marked);
        let (mut count, mut too_many) = (0, false);
        let step = |threads: &Vec<Thread>, class: usize| {
            let byte = bytes[class];
            // Closing compares threads with each other; a comparison takes about an eighth of a step.
            count += threads.len() * (1 + threads.len() / 8);
            too_many |= count > self.limits.states * THREADS_PER_STATE || passed(threads.len());
            // A text has no marks, so the finished automaton has no transition along them.
            if too_many || matches!(byte, 0xC0 | 0xC1 | 0xF5..) {
                return None;
            }
            let next = threads.iter().filter_map(|thread| self.after(thread, byte, marked)).collect::<Vec<Thread>>();
            let before = if is_word(byte) { Before::Word } else { Before::Other };
            let next = self.closed(next, before, &used, marked);
            (!next.is_empty()).then_some(next)
        };
        let accepts = |threads: &Vec<Thread>| threads.iter().any(|thread| self.accepts(thread, marked));
        let class = |byte: u8| class_of[usize::from(byte)];
        let dfa = Dfa::build(class, bytes.len(), start, self.limits.states, step, accepts)?;
        if too_many { Err(TooManyStates) } else { Ok(dfa) }
    }

    fn accepts(&self, thread: &Thread, marked: &Dfa) -> bool {
        marked.accepts_at(thread.state)
            && thread.owed.iter().all(|&(demand, state)| self.demands[demand].automaton.accepts_at(state))
    }

    /// A thread after one more byte; `None` if its state or one of its demands is dead.
    fn after(&self, thread: &Thread, byte: u8, marked: &Dfa) -> Option<Thread> {
        let next = Thread { state: marked.next(thread.state, byte), owed: Vec::with_capacity(thread.owed.len()) };
        if next.state == 0 {
            return None;
        }
        let step = |&(demand, state): &(usize, u32)| (demand, self.demands[demand].automaton.next(state, byte));
        thread.owed.iter().map(step).try_fold(next, |thread, (demand, state)| self.with(thread, demand, state))
    }

    /// A thread with one more demand; `None` if the demand is dead.
    fn with(&self, mut thread: Thread, demand: usize, state: u32) -> Option<Thread> {
        if state == 0 {
            return None;
        }
        if !self.demands[demand].met[state as usize]
            && let Err(place) = thread.owed.binary_search(&(demand, state))
        {
            thread.owed.insert(place, (demand, state));
        }
        Some(thread)
    }

    /// The closure of the threads under marks at this place, reduced to an antichain: a thread is dropped if another one in the same state
    /// owes a subset of its demands, because every text that it accepts is accepted there too.
    fn closed(&self, mut threads: Vec<Thread>, before: Before, used: &[&Assertion], marked: &Dfa) -> Vec<Thread> {
        let mut done = 0;
        while done < threads.len() {
            for assertion in used {
                let thread = &threads[done];
                let state = marked.next(thread.state, assertion.mark);
                if state == 0 {
                    continue;
                }
                let demand = assertion.demands[before as usize];
                let start = self.demands[demand].automaton.start();
                let next = self.with(Thread { state, owed: thread.owed.clone() }, demand, start);
                threads.extend(next.filter(|next| !threads.contains(next)));
            }
            done += 1;
        }
        threads.sort_unstable();
        threads.dedup();
        let asks_more = |thread: &Thread, other: &Thread| {
            other != thread && other.state == thread.state && other.owed.iter().all(|owed| thread.owed.contains(owed))
        };
        threads.iter().filter(|thread| !threads.iter().any(|other| asks_more(thread, other))).cloned().collect()
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
    fn a_pattern_with_assertions_matches_the_texts_in_which_they_hold() {
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
    fn a_whole_match_with_assertions_accepts_the_texts_in_which_they_hold() {
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
    fn every_state_can_finish_and_an_exponential_look_ahead_is_refused() {
        let dfa = anywhere(r"^(?!.*(\{a\}|b)).*\.[cC]$", Ecma, LIMITS).expect("small");
        assert!(dfa.accepts("é.c".as_bytes()) && !dfa.accepts(b"{a}.c"));
        assert!(dfa.costs(|_| 1)[1..].iter().all(|&cost| !cost.is_never()));
        assert_eq!(whole("(?:(?=[ab]*a[ab]{30}c)[ab])*c", Python, LIMITS), Err(RegexError::TooBig));
    }
}
