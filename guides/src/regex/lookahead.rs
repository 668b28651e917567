//! Regexes with look-ahead, as automata.
//!
//! Each assertion is a mark, a symbol that no text has, so the regex with marks is an ordinary automaton. A text matches if marks can be
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
//!
//! The automata are tables whose letters are the kinds of characters that any of them tells apart. Threads that ask for more than another one
//! are dropped. Whether one asks for more is a question of inclusion: after `(?=.{1,9}$)` was met at two places, only the nearer end
//! matters, so one thread is left and not one for each set of places.

use crate::automaton::determinize::{CharacterDfa, Letters, nfa_states};
use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use crate::automaton::expression::{Assertion, Expression};
use crate::automaton::nfa::{ACCEPT, Nfa};
use crate::automaton::residual::universal;
use crate::interrupt::passed;
use crate::regex::error::RegexError;
use crate::regex::escape::word;
use crate::regex::inclusion::Inclusion;
use crate::regex::reader::Dialect;
use crate::regex::syntax::Regex;

/// The most threads that are followed, for each state that the automaton may have.
const THREADS_PER_STATE: usize = 32;

/// The character before a place in a text, as `^` and `\b` see it. A word of ASCII is one of Unicode too.
#[derive(Debug, Clone, Copy)]
enum Before {
    Nothing,
    Other,
    Word,
    AsciiWord,
}

/// The kinds of [`Before`], in their order.
const ALL_BEFORE: [Before; 4] = [Before::Nothing, Before::Other, Before::Word, Before::AsciiWord];

/// An assertion and its mark.
struct Mark {
    letter: u8,
    /// The demand on the rest of the text for each [`Before`], as an index into `Machine::demands`.
    demands: [usize; 4],
}

/// A demand on the rest of a text.
struct Obligation {
    automaton: Dfa,
    /// The states from which every suffix is accepted: a thread drops the demand there.
    met: Vec<bool>,
    inclusion: Inclusion,
}

/// A state of the marked automaton, and the demands that are still to be met with their states, sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Thread {
    state: u32,
    owed: Vec<(usize, u32)>,
}

/// The automaton of the texts that match as a whole. `expression` is that of the regex, or stands for it with any text around.
pub(super) fn compile(
    regex: &Regex,
    expression: &Expression,
    dialect: Dialect,
    limits: DfaLimits,
) -> Result<CharacterDfa, RegexError> {
    let mut nfa = Nfa::new(nfa_states(limits), true);
    let mut build = |expression: &Expression| nfa.build(expression, ACCEPT).map_err(TooManyStates::from);
    let followed = |expression: Expression| Expression::Concat(vec![expression, Expression::any()]);
    let (any, end) = (build(&Expression::any())?, build(&Expression::EMPTY)?);
    let words = [false, true].map(|ascii| word(dialect, ascii));
    let starts = words.clone().map(|word| build(&followed(Expression::Set(word))));
    let looks = regex.looks.iter().map(|look| build(&followed(look.expression.clone())));
    let looks: Vec<u32> = looks.collect::<Result<_, _>>()?;
    let whole = build(expression)?;
    let sets = words.map(|word| nfa.set(&word));
    let letters = Letters::new(nfa, limits)?;
    let [unicode, ascii] = starts;
    let tables = [letters.table(any)?, letters.table(end)?, letters.table(unicode?)?, letters.table(ascii?)?];
    let mut machine = Machine::new(&letters, tables, sets, limits)?;
    for (index, (look, start)) in (0..).zip(regex.looks.iter().zip(looks)) {
        machine.add_look(look.negative, letters.table(start)?, letters.of(Assertion::Look(index).mark()))?;
    }
    let marked = letters.table(whole)?;
    Ok(CharacterDfa::from_letters(&machine.unmarked(&marked, Before::Nothing)?, letters.kinds.clone()))
}

/// The demands and assertions so far: those of `^`, `$`, `\b` and `\B`, then those of the look-aheads in order.
struct Machine {
    limits: DfaLimits,
    /// The automaton of all texts.
    any: Dfa,
    demands: Vec<Obligation>,
    marks: Vec<Mark>,
    /// For each letter whether it is that of an assertion.
    is_mark: Vec<bool>,
    /// For each letter what it is to the place behind it.
    before: Vec<Before>,
}

impl Machine {
    /// The tables are those of all texts, of the empty text, of the texts that begin with a word, and of those that begin with a word of
    /// ASCII; `words` are the sets of the characters of words.
    fn new(letters: &Letters, tables: [Dfa; 4], words: [u32; 2], limits: DfaLimits) -> Result<Machine, RegexError> {
        let [any, end, word, ascii] = tables;
        let count = letters.kinds.len();
        let [in_words, in_ascii] = words.map(|set| letters.among(set));
        let before = (0..count).map(|letter| match (in_words[letter], in_ascii[letter]) {
            (_, true) => Before::AsciiWord,
            (true, false) => Before::Word,
            (false, false) => Before::Other,
        });
        let before = before.collect();
        // A letter that no set has is that of a mark which the regex does not use.
        let is_mark = (0..count as u32).map(|letter| any.next(any.start(), letter as u8) == 0).collect();
        let nothing = any.difference(&any, limits.states)?;
        let not = |dfa: &Dfa| any.difference(dfa, limits.states);
        let (no_word, no_ascii) = (not(&word)?, not(&ascii)?);
        let all = any.clone();
        let mut machine = Machine { limits, any, demands: Vec::new(), marks: Vec::new(), is_mark, before };
        let [all, nothing, end, word, no_word, ascii, no_ascii] =
            [all, nothing, end, word, no_word, ascii, no_ascii].map(|dfa| machine.demand(dfa));
        let mut mark = |assertion: Assertion, demands| {
            machine.marks.push(Mark { letter: letters.of(assertion.mark()), demands });
        };
        mark(Assertion::Begin, [all, nothing, nothing, nothing]);
        mark(Assertion::End, [end; 4]);
        mark(Assertion::Word { ascii: false, inside: false }, [word, word, no_word, no_word]);
        mark(Assertion::Word { ascii: false, inside: true }, [no_word, no_word, word, word]);
        mark(Assertion::Word { ascii: true, inside: false }, [ascii, ascii, ascii, no_ascii]);
        mark(Assertion::Word { ascii: true, inside: true }, [no_ascii, no_ascii, no_ascii, ascii]);
        Ok(machine)
    }

    fn demand(&mut self, automaton: Dfa) -> usize {
        let met = universal(&automaton, &self.any);
        self.demands.push(Obligation { automaton, met, inclusion: Inclusion::default() });
        self.demands.len() - 1
    }

    /// Adds a look-ahead with its mark, given the automaton of the texts that begin with a match. Look-aheads inside it are there
    /// already, so their marks are known.
    ///
    /// Its demand depends on the character before it only if it contains `^`, `\b` or `\B`, so usually one automaton serves all cases.
    fn add_look(&mut self, negative: bool, marked: Dfa, letter: u8) -> Result<(), RegexError> {
        let used = self.used(&marked);
        let differs = |before: Before| {
            used.iter().any(|mark| mark.demands[before as usize] != mark.demands[Before::Other as usize])
        };
        let differs = ALL_BEFORE.map(differs);
        let other = self.look(negative, &marked, Before::Other)?;
        let mut demands = [other; 4];
        for before in ALL_BEFORE {
            if differs[before as usize] {
                demands[before as usize] = self.look(negative, &marked, before)?;
            }
        }
        self.marks.push(Mark { letter, demands });
        Ok(())
    }

    /// Adds the demand of a look-ahead after such a character, and gives its index.
    fn look(&mut self, negative: bool, marked: &Dfa, before: Before) -> Result<usize, TooManyStates> {
        let matching = self.unmarked(marked, before)?;
        let wanted = if negative { self.any.difference(&matching, self.limits.states)? } else { matching };
        Ok(self.demand(wanted))
    }

    /// The assertions whose marks an automaton reads.
    fn used(&self, marked: &Dfa) -> Vec<&Mark> {
        let reads = |mark: &&Mark| marked.find_byte_without(|letter| letter != mark.letter).is_some();
        self.marks.iter().filter(|mark| self.is_mark[usize::from(mark.letter)]).filter(reads).collect()
    }

    /// The texts that `marked` accepts once marks are inserted whose demands the rest of the text meets.
    fn unmarked(&self, marked: &Dfa, before: Before) -> Result<Dfa, TooManyStates> {
        let used = self.used(marked);
        let (count, inclusion) = (self.is_mark.len(), Inclusion::default());
        let run = Run { machine: self, marked, used, inclusion };
        let start = run.closed(vec![Thread { state: marked.start(), owed: Vec::new() }], before);
        let (mut followed, mut too_many) = (0, false);
        let step = |threads: &Vec<Thread>, letter: usize| {
            // Closing compares threads with each other; a comparison takes about an eighth of a step.
            followed += threads.len() * (1 + threads.len() / 8);
            too_many |= followed > self.limits.states * THREADS_PER_STATE || passed(threads.len());
            // A text has no marks, so the finished automaton has no transition along them.
            if too_many || letter >= count || self.is_mark[letter] {
                return None;
            }
            let next = threads.iter().filter_map(|thread| run.after(thread, letter as u8)).collect::<Vec<Thread>>();
            let next = run.closed(next, self.before[letter]);
            (!next.is_empty()).then_some(next)
        };
        let accepts = |threads: &Vec<Thread>| threads.iter().any(|thread| run.accepts(thread));
        let class = |letter: u8| usize::from(letter).min(count) as u8;
        let dfa = Dfa::build(class, count + 1, start, self.limits.states, step, accepts)?;
        if too_many { Err(TooManyStates) } else { Ok(dfa) }
    }
}

/// The construction for one marked automaton.
struct Run<'a> {
    machine: &'a Machine,
    marked: &'a Dfa,
    used: Vec<&'a Mark>,
    /// Inclusion between states of the marked automaton.
    inclusion: Inclusion,
}

impl Run<'_> {
    fn accepts(&self, thread: &Thread) -> bool {
        self.marked.accepts_at(thread.state)
            && thread.owed.iter().all(|&(demand, state)| self.machine.demands[demand].automaton.accepts_at(state))
    }

    /// A thread after one more character; `None` if its state or one of its demands is dead.
    fn after(&self, thread: &Thread, letter: u8) -> Option<Thread> {
        let next =
            Thread { state: self.marked.next(thread.state, letter), owed: Vec::with_capacity(thread.owed.len()) };
        if next.state == 0 {
            return None;
        }
        let demands = &self.machine.demands;
        let step = |&(demand, state): &(usize, u32)| (demand, demands[demand].automaton.next(state, letter));
        thread.owed.iter().map(step).try_fold(next, |thread, (demand, state)| self.with(thread, demand, state))
    }

    /// A thread with one more demand; `None` if the demand is dead.
    fn with(&self, mut thread: Thread, demand: usize, state: u32) -> Option<Thread> {
        if state == 0 {
            return None;
        }
        let obligation = &self.machine.demands[demand];
        if obligation.met[state as usize] {
            return Some(thread);
        }
        let included = |of: u32, other: u32| obligation.inclusion.holds(&obligation.automaton, of, other);
        // The strongest of the same demand is enough.
        if thread.owed.iter().any(|&(same, other)| same == demand && included(other, state)) {
            return Some(thread);
        }
        thread.owed.retain(|&(same, other)| same != demand || !included(state, other));
        if let Err(place) = thread.owed.binary_search(&(demand, state)) {
            thread.owed.insert(place, (demand, state));
        }
        Some(thread)
    }

    /// The closure of the threads under marks at this place, reduced to an antichain: a thread is dropped if every text that it accepts
    /// is accepted by another one too, since that one's state accepts no less and each of its demands is met when one of this thread is.
    fn closed(&self, mut threads: Vec<Thread>, before: Before) -> Vec<Thread> {
        let mut done = 0;
        while done < threads.len() {
            for mark in &self.used {
                let thread = &threads[done];
                let state = self.marked.next(thread.state, mark.letter);
                if state == 0 {
                    continue;
                }
                let demand = mark.demands[before as usize];
                let start = self.machine.demands[demand].automaton.start();
                let next = self.with(Thread { state, owed: thread.owed.clone() }, demand, start);
                threads.extend(next.filter(|next| !threads.contains(next)));
            }
            done += 1;
        }
        threads.sort_unstable();
        threads.dedup();
        let mut dropped = vec![false; threads.len()];
        for one in 0..threads.len() {
            dropped[one] = (0..threads.len())
                .any(|other| other != one && !dropped[other] && self.asks_more(&threads[one], &threads[other]));
        }
        let mut dropped = dropped.into_iter();
        threads.retain(|_| !dropped.next().unwrap_or_default());
        threads
    }

    /// Whether every text that a thread accepts is accepted by the other one.
    fn asks_more(&self, thread: &Thread, other: &Thread) -> bool {
        let met = |&(demand, state): &(usize, u32)| {
            let obligation = &self.machine.demands[demand];
            let stronger = |&(same, own): &(usize, u32)| {
                same == demand && obligation.inclusion.holds(&obligation.automaton, own, state)
            };
            thread.owed.iter().any(stronger)
        };
        other.owed.iter().all(met) && self.inclusion.holds(self.marked, thread.state, other.state)
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
