//! [`Strings`]: JSON strings, decoded byte by byte to the characters that an automaton reads.
//!
//! The automaton reads the characters in UTF-8, independent of their spelling. A character may be written as itself unless RFC 8259
//! (section 7) forbids it, by its short escape if it has one, and as `\uXXXX` if [`Escapes`] allows it. For example `"a\n` is decoded so:
//!
//! ```text
//!  byte       "       a       \        n
//!  decoder    Body    Body    Escape   Body
//!  state      start   a       a        a, line break      the automaton steps when the character is known
//!  count      0       1       2        2                  a character counts when it begins
//! ```
//!
//! The number of characters is counted beside the automaton. As part of it, `maxLength: 10000` would take ten thousand times its states.

use crate::automaton::cost::Cost;
use crate::automaton::marks::GREATEST_OF_TEXT;
use crate::json::language::characters::{HEX_COST_BYTES, HexKey};
use crate::json::text::escape::short_escape;
use regex_syntax::utf8::{Utf8Range, Utf8Sequences};
use std::sync::Arc;

pub(crate) use crate::json::language::characters::Characters;
pub(crate) use crate::json::language::escapes::{Escapes, pair};

/// A set of JSON strings. Bounds on the number of characters are counted, not built into the automaton.
#[derive(Debug, Clone)]
pub(crate) struct Strings {
    pub(crate) characters: Arc<Characters>,
    /// The least number of characters. Greater than zero only if all characters are allowed, because a missing character is then a byte of
    /// the cost. Otherwise the automaton has the lower bound.
    pub(crate) min: u32,
    /// The greatest number of characters, `u32::MAX` for any.
    pub(crate) max: u32,
    pub(crate) escapes: Escapes,
}

/// With so many free characters there are more strings than an output can have entries: 64 to the fifth is a billion.
const MANY_CHARACTERS: u32 = 5;

/// The state of a JSON string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StringState {
    /// The state of the automaton, which may lie within a character.
    pub(crate) state: u32,
    /// The number of characters that have begun, capped where a larger number makes no difference.
    pub(crate) count: u32,
    pub(crate) decoder: Decoder,
}

/// The state within the spelling of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Decoder {
    /// Before the opening quote.
    Before,
    /// Between characters, or within an unescaped one.
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

impl Strings {
    /// The state before the opening quote.
    pub(crate) fn start(&self) -> StringState {
        StringState { state: self.characters.dfa.start(), count: 0, decoder: Decoder::Before }
    }

    /// Whether there are more strings than an output can have entries. `uniqueItems` then never runs out of entries.
    pub(crate) fn is_endless(&self) -> bool {
        let characters = &*self.characters;
        let start = characters.dfa.start();
        match self.max {
            u32::MAX => characters.is_endless(),
            max if characters.is_universal(start) && characters.spelled.are_many() => {
                max > self.min && max >= MANY_CHARACTERS
            }
            // A text of at most `max` bytes has at most `max` characters.
            max => characters.is_endless() && characters.dfa.has_many(max),
        }
    }

    /// Whether more strings than an output can have entries can follow, once the current character is complete.
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

    /// The state after one more byte; `None` if no string in the set begins so.
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

    fn counted(&self, count: u32) -> u32 {
        // Without an upper bound, numbers beyond the lower bound make no difference: they are one state.
        if self.max == u32::MAX { (count + 1).min(self.min) } else { count + 1 }
    }

    fn complete(&self, at: &StringState, c: char) -> Option<StringState> {
        let state = self.characters.push(at.state, c);
        self.within(StringState { state, count: at.count, decoder: Decoder::Body })
    }

    /// The state, if the string can end within its upper bound.
    fn within(&self, at: StringState) -> Option<StringState> {
        (at.state != 0 && self.fits(at.state, at.count)).then_some(at)
    }

    /// Whether `count` characters leave enough for the suffix that `state` needs.
    fn fits(&self, state: u32, count: u32) -> bool {
        self.max == u32::MAX || self.characters.needed(state).saturating_add(count) <= self.max
    }

    /// The cost of the suffix after `count` characters, the closing quote not counted. With an upper bound it is the suffix with the fewest
    /// characters, which may have more bytes than another one but always fits.
    pub(crate) fn rest(&self, state: u32, count: u32) -> Cost {
        match self.max {
            u32::MAX => self.characters.cost(state),
            _ if state == 0 || !self.fits(state, count) => Cost::NEVER,
            _ => self.characters.shortest().costs[state as usize],
        }
    }

    /// The cost of a state between characters, independent of their number.
    pub(crate) fn cost_between(&self, state: u32) -> Cost {
        let bounded = self.max != u32::MAX;
        let cost = if bounded { self.characters.shortest().costs[state as usize] } else { self.characters.cost(state) };
        cost + 1
    }

    /// After up to so many characters, every state can be completed within the upper bound.
    pub(crate) fn surely_fitting(&self) -> u32 {
        match self.max {
            u32::MAX => u32::MAX,
            max => max.saturating_sub(self.characters.shortest().most_characters),
        }
    }

    /// The greatest cost of a state, the closing quote not counted.
    pub(crate) fn most_cost(&self) -> Cost {
        if self.max == u32::MAX { self.characters.most_needed } else { self.characters.shortest().most_cost }
    }

    /// The bytes to the end, the closing quote included; [`Cost::NEVER`] if the string cannot be completed.
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
        // Enough characters are left for every suffix, so the cost does not depend on the count and can be cached.
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

    /// The least cost after a character with a code in the range; the character is counted already.
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

    /// Whether the rest of the string may have any characters, its number of characters aside.
    pub(crate) fn is_free(&self, at: &StringState) -> bool {
        at.decoder == Decoder::Body && self.characters.is_universal(at.state) && self.escapes == Escapes::Usual
    }
}

/// The strings of any characters with `min` to `max` characters.
pub(crate) fn any_strings(characters: Arc<Characters>, min: u32, max: u32) -> Strings {
    Strings { characters, min, max, escapes: Escapes::Usual }
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
    fn a_pattern_matches_characters_and_not_their_escapes() {
        let lines = strings(r"^a\nb$", 0, u32::MAX);
        assert!(accepts(&lines, r#""a\nb""#) && accepts(&lines, r#""a\u000ab""#) && !accepts(&lines, r#""anb""#));
        let emoji = strings("^😀$", 0, u32::MAX);
        assert!(
            accepts(&emoji, r#""\uD83D\uDE00""#) && accepts(&emoji, "\"😀\"") && !accepts(&emoji, r#""\uD83D\uDE01""#)
        );
        // A character that no encoder escapes has one spelling, so it is forced.
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
    fn a_string_is_free_once_its_unanchored_pattern_has_matched() {
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
