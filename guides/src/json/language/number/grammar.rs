//! The grammar of JSON numbers (RFC 8259, section 6), and which of its spellings are written.

use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::collections::byte_set::ByteSet;
use crate::json::text::decimal::Decimal;

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spellings {
    /// Digits and an optional fraction.
    Plain,
    /// An exponent too, after zero or after a mantissa with one digit, not zero, before the point: the form that programs write. With more
    /// digits before the point, a state would have to hold their number and the exponent together.
    Scientific,
    /// An exponent after any digits.
    Any,
}

impl Spellings {
    /// The most spellings that can be compared with these bounds; `None` if some condition is no bound.
    pub(super) fn beside(bounds: Option<Vec<&Decimal>>) -> Spellings {
        match bounds {
            None => Spellings::Plain,
            Some(bounds) if bounds.iter().all(|bound| bound.is_zero()) => Spellings::Any,
            Some(_) => Spellings::Scientific,
        }
    }
}

/// Classes of bytes: the digits 0 to 9, then `-`, `.`, `e`, `+`, and all others.
pub(super) const WIDTH: usize = 15;

pub(super) fn class_of(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'-' => 10,
        b'.' => 11,
        b'e' | b'E' => 12,
        b'+' => 13,
        _ => 14,
    }
}

/// A state of the grammar, named by what was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Spelled {
    Start,
    Sign,
    Zero,
    Whole,
    Point,
    Fraction,
    E,
    ExponentSign,
    Exponent,
    /// The second digit of an exponent, which is the last one: larger exponents soon leave the range of floats.
    ExponentEnd,
}

impl Spelled {
    /// The grammar of RFC 8259, section 6, with exponents of at most two digits.
    pub(crate) fn step(self, class: usize) -> Option<Spelled> {
        use Spelled::*;
        Some(match (self, class) {
            (Start, 10) => Sign,
            (Start | Sign, 0) => Zero,
            (Start | Sign, 1..=9) | (Whole, 0..=9) => Whole,
            (Zero | Whole, 11) => Point,
            (Point | Fraction, 0..=9) => Fraction,
            (Zero | Whole | Fraction, 12) => E,
            (E, 10 | 13) => ExponentSign,
            (E | ExponentSign, 0..=9) => Exponent,
            (Exponent, 0..=9) => ExponentEnd,
            _ => return None,
        })
    }

    pub(crate) fn is_complete(self) -> bool {
        {
            use Spelled::*;
            matches!(self, Zero | Whole | Fraction | Exponent | ExponentEnd)
        }
    }
}

/// The spellings along the states and transitions for which the functions are true.
pub(crate) fn spelled(
    state: impl Fn(&Spelled) -> bool,
    transition: impl Fn(Spelled, Spelled, usize) -> bool,
    limit: usize,
) -> Result<Dfa, TooManyStates> {
    Dfa::build(
        class_of,
        WIDTH,
        Spelled::Start,
        limit,
        |&from, class| from.step(class).filter(|&to| state(&to) && transition(from, to, class)),
        |state| state.is_complete(),
    )
}

/// The spellings without an exponent; for integers also without a fraction and without `-0`.
pub(super) fn plain(integers: bool, limit: usize) -> Result<Dfa, TooManyStates> {
    spelled(
        |&to| to != Spelled::E && !(integers && to == Spelled::Point),
        |from, to, _| !(integers && from == Spelled::Sign && to == Spelled::Zero),
        limit,
    )
}

/// The bytes of numbers (RFC 8259, section 6).
pub(crate) const OF_NUMBERS: ByteSet = ByteSet::of(b"0123456789.eE+-");
