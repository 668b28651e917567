//! JSON strings: a language over their characters, read through the escapes of their spelling.
//!
//! Automata see the characters of a string as UTF-8, whatever way they were spelled. A character stands for itself unless
//! RFC 8259 forbids it; the short escapes are always possible; `\uXXXX` is possible for the characters that encoders
//! commonly write so (see [`Escapes`]).

use crate::automaton::cost::Cost;
use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::automaton::marks::GREATEST_OF_TEXT;
use crate::automaton::residual::{Reach, reaches};
use crate::collections::cache::Cache;
use crate::interrupt::to_the_end;
use crate::json::language::repertoire::Repertoire;
use crate::json::text::escape::{short_escape, spelled_length};
use regex_syntax::hir::{Dot, Hir, Repetition};
use regex_syntax::utf8::{Utf8Range, Utf8Sequences};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A set of strings by their characters, with what is known of its states.
#[derive(Debug)]
pub(crate) struct Characters {
    pub(crate) dfa: Dfa,
    /// Least bytes of JSON to an accepting state, the closing quote not counted.
    costs: Vec<Cost>,
    /// The same with as few characters as possible: worked out where their number is bounded.
    shortest: OnceLock<Shortest>,
    longest: OnceLock<Option<u32>>,
    reaches: Vec<Reach>,
    /// For each state between characters the fewest characters that lead nowhere, `u32::MAX` where none do.
    distances: Vec<u32>,
    /// Greatest cost of a state.
    most_needed: Cost,
    /// Costs in the midst of `\u` escapes.
    hex_costs: Cache<HexKey, Cost>,
    /// Stands for this automaton in caches that outlive it.
    id: u64,
    endless: bool,
    spelled: Repertoire,
}

/// What the cost in the midst of an escape depends on where the number of characters does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct HexKey {
    state: u32,
    digits: u8,
    value: u16,
    high: u16,
    escapes: Escapes,
    bounded: bool,
}

/// So many costs of escapes are remembered for an automaton.
const MOST_HEX_COSTS: usize = 1024;

/// Bytes that one of them takes.
const HEX_COST_BYTES: usize = 24;

/// The ways to acceptance with the fewest characters, for each state.
#[derive(Debug)]
struct Shortest {
    /// How many begin.
    characters: Vec<Cost>,
    /// Least bytes of JSON with so many, the closing quote not counted.
    costs: Vec<Cost>,
    most_characters: u32,
    most_cost: Cost,
}

/// A set of JSON strings. Bounds on the number of characters are counted, not built into the automaton.
#[derive(Debug, Clone)]
pub(crate) struct Strings {
    pub(crate) characters: Arc<Characters>,
    /// Greater than zero only where all characters are allowed.
    pub(crate) min: u32,
    /// The greatest number of characters, `u32::MAX` for any.
    pub(crate) max: u32,
    pub(crate) escapes: Escapes,
}

/// Which characters may be written as `\uXXXX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Escapes {
    /// All that are not ASCII, control characters, and the ASCII characters that encoders escape for HTML's sake.
    Usual,
    /// Control characters without a short escape: in keys.
    Needed,
}

/// With so many characters there are more strings than any output has entries.
const MANY_CHARACTERS: u32 = 5;

/// How far a JSON string is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StringState {
    /// State over the characters, in the midst of a character too.
    pub(crate) state: u32,
    /// Characters begun, counted no further than they matter.
    pub(crate) count: u32,
    pub(crate) decoder: Decoder,
}

/// How far the spelling of one character is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Decoder {
    /// Before the opening quote.
    Before,
    /// Between characters, or in the midst of one that stands for itself.
    Body,
    /// After `\`.
    Escape,
    /// After `\u` and so many digits; `high` is the first half of a surrogate pair, or 0.
    Hex { digits: u8, value: u16, high: u16 },
    /// After the first half of a surrogate pair: `\` must follow.
    Low { high: u16 },
    /// After that `\`: `u` must follow.
    LowU { high: u16 },
    /// After the closing quote.
    Closed,
}

impl Escapes {
    /// The characters of the basic plane, surrogates left out.
    fn ranges(self) -> &'static [(u32, u32)] {
        match self {
            Escapes::Usual => &[
                (0, 0x1f),
                (0x22, 0x22),
                (0x26, 0x27),
                (0x2f, 0x2f),
                (0x3c, 0x3c),
                (0x3e, 0x3e),
                (0x5c, 0x5c),
                (0x7f, 0xd7ff),
                (0xe000, 0xffff),
            ],
            Escapes::Needed => &[(0, 7), (0xb, 0xb), (0xe, 0x1f)],
        }
    }
}

fn any_hir(min: u32, max: Option<u32>) -> Hir {
    Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(Hir::dot(Dot::AnyChar)) })
}

impl Characters {
    pub(crate) fn new(dfa: Dfa, any: &Dfa) -> Characters {
        let costs = dfa.costs(spelled_length);
        let (reaches, distances) = reaches(&dfa, any);
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let most_needed = Cost::greatest(finite(&costs));
        let endless = dfa.longest(|_| 1).is_none();
        let (shortest, longest, id) = (OnceLock::new(), OnceLock::new(), COUNT.fetch_add(1, Ordering::Relaxed));
        let (hex_costs, spelled) = (Cache::new(MOST_HEX_COSTS * HEX_COST_BYTES), Repertoire::ALL);
        Characters { dfa, costs, shortest, longest, reaches, distances, most_needed, hex_costs, endless, spelled, id }
    }

    /// With characters of which not all can be spelled. The automaton leaves out those that cannot.
    pub(crate) fn within(self, spelled: Repertoire) -> Characters {
        Characters { spelled, ..self }
    }

    /// What of all characters can be spelled.
    pub(crate) fn spelled(&self) -> Repertoire {
        self.spelled
    }

    /// Most bytes of JSON of a string, the quotes not counted; `None` where there is no most.
    pub(crate) fn longest(&self) -> Option<u32> {
        *self.longest.get_or_init(|| self.dfa.longest(spelled_length))
    }

    /// Whether there are strings of any length.
    pub(crate) fn is_endless(&self) -> bool {
        self.endless
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Greatest cost of a state where the number of characters is not bounded; no state needs as many characters.
    pub(crate) fn most_needed(&self) -> u32 {
        self.most_needed.get()
    }

    fn shortest(&self) -> &Shortest {
        self.shortest.get_or_init(|| {
            let (characters, costs) = self.dfa.shortest(spelled_length);
            let most_characters = Cost::greatest(finite(&characters)).get();
            let most_cost = Cost::greatest(finite(&costs));
            Shortest { characters, costs, most_characters, most_cost }
        })
    }

    /// The least number of characters that begin before an accepting state.
    pub(crate) fn needed(&self, state: u32) -> u32 {
        self.shortest().characters[state as usize].get()
    }

    /// All strings: made once, as every schema wants them.
    pub(crate) fn any() -> Result<Arc<Characters>, TooManyStates> {
        static ANY: OnceLock<Option<Arc<Characters>>> = OnceLock::new();
        let limits = crate::automaton::dfa::DfaLimits { states: 100, bytes: 1 << 20 };
        let make = || {
            let dfa = Dfa::from_hir(&any_hir(0, None), limits).ok()?;
            Some(Arc::new(Characters::new(dfa.clone(), &dfa)))
        };
        ANY.get_or_init(|| to_the_end(make)).clone().ok_or(TooManyStates)
    }

    /// Whether every continuation is accepted.
    pub(crate) fn is_universal(&self, state: u32) -> bool {
        self.reaches[state as usize] == Reach::Universal
    }

    /// What can follow in a state.
    pub(crate) fn reach(&self, state: u32) -> Reach {
        self.reaches[state as usize]
    }

    /// Fewer characters than that, whatever they are, can be followed by others that make the whole accepted.
    pub(crate) fn distance(&self, state: u32) -> u32 {
        self.distances[state as usize]
    }

    pub(crate) fn cost(&self, state: u32) -> Cost {
        self.costs[state as usize]
    }

    /// The state after one more character; 0 if dead.
    pub(crate) fn push(&self, state: u32, c: char) -> u32 {
        self.dfa.after_character(state, c)
    }
}

impl Strings {
    /// Before the opening quote.
    pub(crate) fn start(&self) -> StringState {
        StringState { state: self.characters.dfa.start(), count: 0, decoder: Decoder::Before }
    }

    /// Whether there are more strings than any output has entries.
    pub(crate) fn is_endless(&self) -> bool {
        let characters = &*self.characters;
        let start = characters.dfa.start();
        match self.max {
            u32::MAX => characters.is_endless(),
            max if characters.is_universal(start) && characters.spelled.are_many() => {
                max > self.min && max >= MANY_CHARACTERS
            }
            // As many bytes are no more characters.
            max => characters.is_endless() && characters.dfa.has_many(max),
        }
    }

    /// Whether, once a character that was begun is complete, more strings can follow than any output has entries.
    pub(crate) fn goes_on(&self, at: &StringState) -> bool {
        at.decoder != Decoder::Closed
            && self.characters.is_universal(at.state)
            && (self.max == u32::MAX || self.characters.spelled.are_many() && self.max - at.count >= MANY_CHARACTERS)
    }

    /// Whether no string is in the set.
    pub(crate) fn is_empty(&self) -> bool {
        let dfa = &self.characters.dfa;
        dfa.is_empty() || self.min > self.max || !self.fits(dfa.start(), 0)
    }

    /// Whether the string with these characters is in the set.
    pub(crate) fn contains(&self, text: &str) -> bool {
        let count = text.chars().count();
        self.characters.dfa.accepts(text.as_bytes()) && count >= self.min as usize && count <= self.max as usize
    }

    /// The state after one more byte of the spelling; `None` if nothing completes it.
    pub(crate) fn step(&self, at: &StringState, byte: u8) -> Option<StringState> {
        let characters = &*self.characters;
        let with = |decoder| StringState { decoder, ..*at };
        let next = match (at.decoder, byte) {
            (Decoder::Before, b'"') => return (!self.is_empty()).then_some(with(Decoder::Body)),
            (Decoder::Body, b'"') => {
                let accepted = characters.dfa.accepts_at(at.state) && at.count >= self.min;
                return accepted.then_some(with(Decoder::Closed));
            }
            (Decoder::Body, b'\\') if at.count < self.max => {
                StringState { count: self.counted(at.count), decoder: Decoder::Escape, ..*at }
            }
            (Decoder::Body, 0x20..=GREATEST_OF_TEXT) if byte != b'\\' => {
                let begins = byte & 0xC0 != 0x80;
                if begins && at.count >= self.max {
                    return None;
                }
                let state = characters.dfa.next(at.state, byte);
                let count = if begins { self.counted(at.count) } else { at.count };
                return self.within(StringState { state, count, decoder: Decoder::Body });
            }
            (Decoder::Escape, b'u') if characters.spelled.codes => with(Decoder::Hex { digits: 0, value: 0, high: 0 }),
            (Decoder::Escape, byte) => return self.complete(at, short_escape(byte)?),
            (Decoder::Hex { digits, value, high }, byte) => {
                let value = value << 4 | (byte as char).to_digit(16)? as u16;
                match (digits, value, high) {
                    (0..3, ..) => with(Decoder::Hex { digits: digits + 1, value, high }),
                    (_, 0xD800..=0xDBFF, 0) => with(Decoder::Low { high: value }),
                    (_, 0xDC00..=0xDFFF, 0xD800..) => {
                        let code = pair(high, u32::from(value));
                        return self.complete(at, char::from_u32(code)?);
                    }
                    (_, value, 0) => {
                        let code = u32::from(value);
                        let allowed = self.escapes.ranges().iter().any(|&(low, high)| (low..=high).contains(&code));
                        return self.complete(at, char::from_u32(code).filter(|_| allowed)?);
                    }
                    _ => return None,
                }
            }
            (Decoder::Low { high }, b'\\') => with(Decoder::LowU { high }),
            (Decoder::LowU { high }, b'u') => with(Decoder::Hex { digits: 0, value: 0, high }),
            _ => return None,
        };
        (!self.cost(&next).is_never()).then_some(next)
    }

    pub(crate) fn counted(&self, count: u32) -> u32 {
        // Without an upper bound only the way to the lower one matters.
        if self.max == u32::MAX { (count + 1).min(self.min) } else { count + 1 }
    }

    fn complete(&self, at: &StringState, c: char) -> Option<StringState> {
        let state = self.characters.push(at.state, c);
        self.within(StringState { state, count: at.count, decoder: Decoder::Body })
    }

    /// The state, if the string can end within the bound on its length.
    fn within(&self, at: StringState) -> Option<StringState> {
        (at.state != 0 && self.fits(at.state, at.count)).then_some(at)
    }

    /// Whether enough characters are left after so many.
    fn fits(&self, state: u32, count: u32) -> bool {
        self.max == u32::MAX || self.characters.needed(state).saturating_add(count) <= self.max
    }

    /// The cost of the rest after so many characters, the closing quote not counted.
    pub(crate) fn rest(&self, state: u32, count: u32) -> Cost {
        match self.max {
            u32::MAX => self.characters.cost(state),
            _ if state == 0 || !self.fits(state, count) => Cost::NEVER,
            _ => self.characters.shortest().costs[state as usize],
        }
    }

    /// The cost in a state between characters, without regard to their number.
    pub(crate) fn cost_between(&self, state: u32) -> Cost {
        let bounded = self.max != u32::MAX;
        let cost = if bounded { self.characters.shortest().costs[state as usize] } else { self.characters.cost(state) };
        cost + 1
    }

    /// After so many characters, whatever they are, the string can end within its bound, as far as their number goes.
    pub(crate) fn surely_fitting(&self) -> u32 {
        match self.max {
            u32::MAX => u32::MAX,
            max => max.saturating_sub(self.characters.shortest().most_characters),
        }
    }

    /// Greatest cost of a state, the closing quote not counted.
    pub(crate) fn most_cost(&self) -> Cost {
        if self.max == u32::MAX { self.characters.most_needed } else { self.characters.shortest().most_cost }
    }

    /// The least number of bytes to the end, the closing quote included; [`Cost::NEVER`] if there is no way.
    pub(crate) fn cost(&self, at: &StringState) -> Cost {
        let characters = &*self.characters;
        let StringState { state, count, .. } = *at;
        let rest = match at.decoder {
            Decoder::Closed => return Cost::ZERO,
            Decoder::Before if self.is_empty() => Cost::NEVER,
            Decoder::Before => self.rest(state, count) + 1,
            Decoder::Body => self.rest(state, count),
            Decoder::Escape => {
                let short = (0x22..=b't').filter_map(short_escape);
                let short = short.map(|c| self.rest(characters.push(state, c), count));
                let long = if characters.spelled.codes { self.cost_of_hex(at, 0, 0, 0) } else { Cost::NEVER };
                Cost::least(short).min(long) + 1
            }
            Decoder::Hex { digits, value, high } => self.cost_of_hex(at, digits, value, high),
            Decoder::Low { high } => self.cost_of_hex(at, 0, 0, high) + 2,
            Decoder::LowU { high } => self.cost_of_hex(at, 0, 0, high) + 1,
        };
        rest + self.min.saturating_sub(at.count) + 1
    }

    /// The cost of the characters after `\u` and some digits.
    fn cost_of_hex(&self, at: &StringState, digits: u8, value: u16, high: u16) -> Cost {
        let bounded = self.max != u32::MAX;
        if bounded && at.count.saturating_add(self.characters.most_needed.get()) > self.max {
            return self.find_cost_of_hex(at, digits, value, high);
        }
        // However the escape goes on, enough characters are left: the cost is the same wherever it stands.
        let key = HexKey { state: at.state, digits, value, high, escapes: self.escapes, bounded };
        let find = || self.find_cost_of_hex(at, digits, value, high);
        self.characters.hex_costs.get_or_make(key, |_, _| HEX_COST_BYTES, find)
    }

    fn find_cost_of_hex(&self, at: &StringState, digits: u8, value: u16, high: u16) -> Cost {
        let open = 4 * (4 - u32::from(digits));
        let low = u32::from(value) << open;
        let top = low + ((1 << open) - 1);
        let clip = |a: u32, b: u32| (low.max(a), top.min(b));
        let best = if high != 0 {
            let (a, b) = clip(0xDC00, 0xDFFF);
            if a > b { Cost::NEVER } else { self.best(at, pair(high, a), pair(high, b)) }
        } else {
            let plane = self.escapes.ranges().iter().map(|&(a, b)| clip(a, b)).filter(|(a, b)| a <= b);
            let plane = Cost::least(plane.map(|(a, b)| self.best(at, a, b)));
            let (a, b) = clip(0xD800, 0xDBFF);
            if a > b || self.escapes == Escapes::Needed {
                plane
            } else {
                plane.min(self.best(at, pair(a as u16, 0xDC00), pair(b as u16, 0xDFFF)) + 6)
            }
        };
        best + u32::from(4 - digits)
    }

    /// The least cost after a character with a code in the range, which is counted already.
    fn best(&self, at: &StringState, low: u32, high: u32) -> Cost {
        let (Some(low), Some(high)) = (char::from_u32(low), char::from_u32(high)) else { return Cost::NEVER };
        if low > high {
            return Cost::NEVER;
        }
        if self.characters.is_universal(at.state) && self.characters.spelled.all {
            return Cost::ZERO;
        }
        let sequences = Utf8Sequences::new(low, high);
        Cost::least(sequences.map(|sequence| self.best_along(at.state, at.count, sequence.as_slice())))
    }

    fn best_along(&self, state: u32, count: u32, ranges: &[Utf8Range]) -> Cost {
        let Some((range, rest)) = ranges.split_first() else { return self.rest(state, count) };
        let (mut best, mut before) = (Cost::NEVER, 0);
        for byte in range.start..=range.end {
            let next = self.characters.dfa.next(state, byte);
            if next != 0 && next != before {
                best = best.min(self.best_along(next, count, rest));
            }
            before = next;
        }
        best
    }

    /// Whether the rest of the string may be anything, as far as characters go.
    pub(crate) fn is_free(&self, at: &StringState) -> bool {
        at.decoder == Decoder::Body && self.characters.is_universal(at.state) && self.escapes == Escapes::Usual
    }
}

/// The costs of the states from which there is a way.
fn finite(costs: &[Cost]) -> impl Iterator<Item = Cost> {
    costs.iter().copied().filter(|cost| !cost.is_never())
}

/// The character that a surrogate pair stands for.
pub(crate) fn pair(high: u16, low: u32) -> u32 {
    0x10000 + ((u32::from(high) - 0xD800) << 10) + (low - 0xDC00)
}

/// Strings of which all characters are allowed.
pub(crate) fn any_strings(characters: Arc<Characters>, min: u32, max: u32) -> Strings {
    Strings { characters, min, max, escapes: crate::json::language::strings::Escapes::Usual }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::dfa::DfaLimits;
    use crate::regex;
    use crate::regex::Dialect;

    fn strings(pattern: &str, min: u32, max: u32) -> Strings {
        let any = &Characters::any().expect("small").dfa;
        let dfa = regex::anywhere(pattern, Dialect::Ecma, DfaLimits { states: 9999, bytes: 1 << 20 }).expect("a regex");
        let characters = Arc::new(Characters::new(dfa, any));
        Strings { characters, min, max, escapes: Escapes::Usual }
    }

    fn accepts(strings: &Strings, text: &str) -> bool {
        let mut state = strings.start();
        for byte in text.bytes() {
            assert_ne!(strings.cost(&state), Cost::NEVER, "{text}");
            match strings.step(&state, byte) {
                Some(next) => state = next,
                None => return false,
            }
        }
        state.decoder == Decoder::Closed
    }

    #[test]
    fn any_string_is_exactly_json() {
        let any = strings("", 0, u32::MAX);
        for text in [r#""""#, r#""a\n\"\\\/é😀""#, r#""\u00e9\ud83d\ude00""#, r#""\u0000""#, r#""\u003c""#] {
            assert!(accepts(&any, text), "{text}");
            assert!(crate::json::text::value::parse(text, 0).is_ok());
        }
        for text in [
            "\"\n\"",
            r#""\x""#,
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            r#""\udc00""#,
            r#"""""#,
            "\"\u{1f}\"",
            r#""\u12""#,
        ] {
            assert!(!accepts(&any, text), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        let any = strings("", 0, u32::MAX);
        let start = any.step(&any.start(), b'"').expect("open");
        for byte in [0x80, 0xC0, 0xFF, 0xF5] {
            assert_eq!(any.step(&start, byte), None);
        }
        let partial = any.step(&start, 0xC3).expect("a lead byte");
        assert_eq!(any.step(&partial, b'"'), None);
        assert_eq!(any.cost(&partial), 2);
    }

    #[test]
    fn lengths_count_characters_and_not_bytes_or_escapes() {
        let two = strings("", 2, 2);
        for text in [r#""ab""#, r#""é😀""#, r#""\n\ud83d\ude00""#, r#""\u00e9a""#] {
            assert!(accepts(&two, text), "{text}");
        }
        for text in [r#""a""#, r#""abc""#, r#""\n""#, r#""éé\n""#] {
            assert!(!accepts(&two, text), "{text}");
        }
    }

    #[test]
    fn a_pattern_sees_characters_and_not_escapes() {
        let lines = strings(r"^a\nb$", 0, u32::MAX);
        assert!(accepts(&lines, r#""a\nb""#) && accepts(&lines, r#""a\u000ab""#) && !accepts(&lines, r#""anb""#));
        let emoji = strings("^😀$", 0, u32::MAX);
        assert!(
            accepts(&emoji, r#""\uD83D\uDE00""#) && accepts(&emoji, "\"😀\"") && !accepts(&emoji, r#""\uD83D\uDE01""#)
        );
        // What no encoder escapes has one spelling, so that it is forced.
        assert!(!accepts(&strings("^a$", 0, u32::MAX), r#""\u0061""#));
    }

    #[test]
    fn following_the_cost_down_ends_at_the_closing_quote() {
        for strings in [strings("", 3, 9), strings("^[é😀\"\n]{2,}x", 0, u32::MAX), strings("^\u{1}$", 0, u32::MAX)]
        {
            let mut open = vec![strings.start()];
            let mut seen = foldhash::HashSet::default();
            while let Some(state) = open.pop().filter(|_| seen.len() < 3000) {
                let cost = strings.cost(&state);
                let nexts: Vec<StringState> = (0..=255).filter_map(|byte| strings.step(&state, byte)).collect();
                assert!(cost == 0 || nexts.iter().any(|next| strings.cost(next) < cost), "{state:?} {cost:?}");
                open.extend(nexts.into_iter().filter(|next| seen.insert(*next)));
            }
        }
    }

    #[test]
    fn what_may_be_anything_is_known_to_be_free() {
        let found = strings("foo", 0, u32::MAX);
        let mut state = found.start();
        for byte in b"\"xfo" {
            assert!(!found.is_free(&state));
            state = found.step(&state, *byte).expect("alive");
        }
        let state = found.step(&state, b'o').expect("alive");
        assert!(found.is_free(&state));
    }
}
