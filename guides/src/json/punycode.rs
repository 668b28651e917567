//! Punycode (RFC 3492): texts beyond ASCII as letters, digits and hyphens.
//!
//! The characters of ASCII come first, then a hyphen if there are any, then one integer for each other character, the least
//! character first: how far on it is counted from the place and the value of the one before. Integers are digits of a number
//! system in which no text has two spellings, and in which what has more digits is greater.

use std::sync::Arc;

const BASE: u64 = 36;
const LEAST_THRESHOLD: u64 = 1;
const GREATEST_THRESHOLD: u64 = 26;
const SKEW: u64 = 38;
const DAMP: u64 = 700;
const FIRST_BIAS: u64 = 72;
/// The first character that is not of ASCII.
const FIRST: u32 = 0x80;
const LAST: u32 = 0x10_FFFF;

/// A text as far as its digits are read, perhaps to the midst of an integer.
#[derive(Debug, Clone)]
pub(super) struct Decoded {
    /// Without the character of the integer that is being read.
    pub(super) text: Arc<[char]>,
    /// The least that the next character can be, and its first place there.
    least: u32,
    place: u64,
    bias: u64,
    is_first: bool,
    integer: Integer,
}

/// The digits of an integer that were read.
#[derive(Debug, Clone, Copy)]
struct Integer {
    value: u64,
    /// What the next digit counts.
    weight: u64,
    /// Number of digits.
    digits: u64,
}

const NO_DIGITS: Integer = Integer { value: 0, weight: 1, digits: 0 };

/// What a digit stands for.
fn value_of(digit: u8) -> Option<u64> {
    match digit {
        b'a'..=b'z' => Some(u64::from(digit - b'a')),
        b'0'..=b'9' => Some(u64::from(digit - b'0') + 26),
        _ => None,
    }
}

fn digit_of(value: u64) -> u8 {
    b"abcdefghijklmnopqrstuvwxyz0123456789"[(value % BASE) as usize]
}

/// The last digit of an integer is below the threshold at its place, all others are not.
fn threshold(bias: u64, digits: u64) -> u64 {
    (BASE * (digits + 1)).saturating_sub(bias).clamp(LEAST_THRESHOLD, GREATEST_THRESHOLD)
}

/// How many digits an integer has, or the rest of one of which so many were read.
fn digits(mut integer: u64, bias: u64, read: u64) -> u32 {
    let mut digits = 1;
    loop {
        let threshold = threshold(bias, read + u64::from(digits) - 1);
        if integer < threshold {
            return digits;
        }
        integer = (integer - threshold) / (BASE - threshold);
        digits += 1;
    }
}

/// The most digits of the first integer of a text with so many characters, of which none beyond ASCII is greater.
pub(super) fn most_first_digits(greatest: u32, characters: u32) -> u32 {
    digits(u64::from(greatest.saturating_sub(FIRST) + 1) * u64::from(characters), FIRST_BIAS, 0)
}

/// The bias after an integer (section 6.1).
fn adapted(delta: u64, characters: u64, is_first: bool) -> u64 {
    let mut delta = delta / if is_first { DAMP } else { 2 };
    delta += delta / characters;
    let mut bias = 0;
    while delta > (BASE - LEAST_THRESHOLD) * GREATEST_THRESHOLD / 2 {
        delta /= BASE - LEAST_THRESHOLD;
        bias += BASE;
    }
    bias + (BASE - LEAST_THRESHOLD + 1) * delta / (delta + SKEW)
}

impl Decoded {
    /// After the characters of ASCII.
    pub(super) fn new(basic: &[u8]) -> Decoded {
        let text = basic.iter().map(|&byte| char::from(byte)).collect();
        Decoded { text, least: FIRST, place: 0, bias: FIRST_BIAS, is_first: true, integer: NO_DIGITS }
    }

    /// Reads digits; `None` if some are none, or stand for no character.
    pub(super) fn after(mut self, digits: &[u8]) -> Option<Decoded> {
        for &digit in digits {
            let (digit, threshold) = (value_of(digit)?, self.threshold());
            if digit < threshold {
                self = self.with(digit)?;
                continue;
            }
            let Integer { value, weight, digits } = self.integer;
            let value = value + digit * weight;
            self.integer = Integer { value, weight: weight * (BASE - threshold), digits: digits + 1 };
            // Every digit but the last adds its weight at least, so that the weight stays small too.
            if self.place_of(0).0 > u64::from(LAST) {
                return None;
            }
        }
        Some(self)
    }

    /// Whether no integer was begun.
    pub(super) fn is_whole(&self) -> bool {
        self.integer.digits == 0
    }

    fn threshold(&self) -> u64 {
        threshold(self.bias, self.integer.digits)
    }

    fn places(&self) -> u64 {
        self.text.len() as u64 + 1
    }

    /// The next character and where it stands, if the digits that are missing make `rest`.
    fn place_of(&self, rest: u64) -> (u64, u64) {
        let on = self.place + self.integer.value + self.integer.weight * rest;
        (u64::from(self.least) + on / self.places(), on % self.places())
    }

    /// The least that the next character can be.
    pub(super) fn least(&self) -> u32 {
        self.place_of(0).0 as u32
    }

    /// As [`Self::place_of`].
    fn next(&self, rest: u64) -> Option<(char, usize)> {
        let (character, place) = self.place_of(rest);
        Some((char::from_u32(u32::try_from(character).ok()?)?, place as usize))
    }

    /// The least rest with which the next character is `from` or greater.
    fn rest_from(&self, from: u32) -> u64 {
        let on = u64::from(from.saturating_sub(self.least)) * self.places();
        on.saturating_sub(self.place + self.integer.value).div_ceil(self.integer.weight)
    }

    /// The least rests with which the next character is in a range, and its place, for as many as there are places: with these it has
    /// been at all of them at which it can be.
    pub(super) fn nexts(&self, low: u32, high: u32) -> impl Iterator<Item = (u64, usize)> {
        let first = self.rest_from(low);
        let nexts = (first..first + self.places()).map_while(|rest| Some((rest, self.next(rest)?)));
        nexts
            .take_while(move |(_, (character, _))| u32::from(*character) <= high)
            .map(|(rest, (_, place))| (rest, place))
    }

    /// How many digits are missing if they make `rest`.
    pub(super) fn digits(&self, rest: u64) -> u32 {
        digits(rest, self.bias, self.integer.digits)
    }

    /// After the digits that make `rest`; `None` if they stand for no character.
    pub(super) fn with(&self, rest: u64) -> Option<Decoded> {
        let (character, place) = self.next(rest)?;
        let (before, behind) = self.text.split_at(place);
        let text: Arc<[char]> = [before, &[character], behind].concat().into();
        let delta = self.integer.value + self.integer.weight * rest;
        let bias = adapted(delta, text.len() as u64, self.is_first);
        let (least, place) = (u32::from(character), place as u64 + 1);
        Some(Decoded { text, least, place, bias, is_first: false, integer: NO_DIGITS })
    }
}

/// A text without capital letters (section 6.3).
pub(super) fn encoded(text: &[char]) -> Vec<u8> {
    let mut out: Vec<u8> = text.iter().filter(|character| character.is_ascii()).map(|&basic| basic as u8).collect();
    let mut state = Decoded::new(&out);
    if !out.is_empty() {
        out.push(b'-');
    }
    let mut others: Vec<u32> = text.iter().map(|&other| u32::from(other)).filter(|&other| other >= FIRST).collect();
    others.sort_unstable();
    others.dedup();
    for other in others {
        // The places among the characters that are written before this one: those before it, and how many are less or the same.
        let mut place = 0;
        for &character in text {
            let character = u32::from(character);
            if character == other {
                let on = u64::from(other - state.least) * state.places() + place - state.place;
                push_integer(on, state.bias, &mut out);
                let Some(next) = state.with(on) else { return out };
                state = next;
            }
            if character <= other {
                place += 1;
            }
        }
    }
    out
}

fn push_integer(mut integer: u64, bias: u64, out: &mut Vec<u8>) {
    for digits in 0.. {
        let threshold = threshold(bias, digits);
        if integer < threshold {
            out.push(digit_of(integer));
            return;
        }
        let (rest, digit) = ((integer - threshold) / (BASE - threshold), (integer - threshold) % (BASE - threshold));
        out.push(digit_of(threshold + digit));
        integer = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<String> {
        let (basic, digits) = text.rsplit_once('-').unwrap_or(("", text));
        let decoded = Decoded::new(basic.as_bytes()).after(digits.as_bytes())?;
        decoded.is_whole().then(|| decoded.text.iter().collect())
    }

    /// RFC 3492, section 7.1, those without capital letters.
    #[test]
    fn the_samples_are_read_and_written() {
        for (text, punycode) in [
            ("ليهمابتكلموشعربي؟", "egbpdaj6bu4bxfgehfvwxn"),
            ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
            ("他們爲什麽不說中文", "ihqwctvzc91f659drss3x8bo0yb"),
            ("למההםפשוטלאמדבריםעברית", "4dbcagdahymbxekheh6e0a7fei0b"),
            ("यहलोगहिन्दीक्योंनहींबोलसकतेहैं", "i1baa7eci9glrd9b2ae1bj0hfcgg6iyaf8o0a1dig0cd"),
            ("なぜみんな日本語を話してくれないのか", "n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa"),
            (
                "세계의모든사람들이한국어를이해한다면얼마나좋을까",
                "989aomsvi5e83db1d2a355cv1e0vak1dwrv93d5xbh15a0dt30a5jpsd879ccm6fea98c",
            ),
            ("почемужеонинеговорятпорусски", "b1abfaaepdrnnbgefbadotcwatmq2g4l"),
            ("パフィーdeルンバ", "de-jg4avhby1noc0d"),
            ("そのスピードで", "d9juau41awczczp"),
            ("ひとつ屋根の下2", "2-u9tlzr9756bt3uc0v"),
        ] {
            let characters: Vec<char> = text.chars().collect();
            assert_eq!(String::from_utf8(encoded(&characters)).expect("ASCII"), punycode);
            assert_eq!(decoded(punycode).as_deref(), Some(text), "{punycode}");
        }
    }

    #[test]
    fn what_is_no_text_is_not_read() {
        for text in ["é", "99999999", "9", "A", "7a 0"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    #[test]
    fn a_rest_is_what_its_digits_make() {
        for (basic, digits) in [("", ""), ("", "w"), ("", "wv"), ("bcher", "k"), ("", "9n2b"), ("ll", "0")] {
            let before = Decoded::new(basic.as_bytes()).after(digits.as_bytes()).expect("alive");
            for from in [0xDF, 0x3B1, 0x4E00, 0xD55C] {
                let rest = before.rest_from(from);
                assert!(before.place_of(rest).0 >= u64::from(from));
                assert!(rest == 0 || before.place_of(rest - 1).0 < u64::from(from));
                let Some(after) = before.with(rest) else { continue };
                let text = encoded(&after.text);
                let written = [basic, if basic.is_empty() { "" } else { "-" }, digits].concat();
                assert!(text.starts_with(written.as_bytes()), "{written}");
                assert_eq!(text.len() - written.len(), before.digits(rest) as usize, "{written} {from:x}");
            }
        }
    }
}
