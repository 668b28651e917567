//! The spellings of JSON numbers (RFC 8259, section 6) as automata.

use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::collections::byte_set::ByteSet;
use crate::json::text::decimal::Decimal;

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spellings {
    /// Digits and an optional fraction.
    Plain,
    /// An exponent too where just one digit that is not zero stands before the point, as programs write it, or after zero.
    /// With any number of digits there, which value an exponent makes of them would take a state for each of these numbers.
    Scientific,
    /// An exponent after any digits.
    Any,
}

impl Spellings {
    /// The most spellings in which it can be told on which side of these bounds a number lies; `None` stands for conditions that are no
    /// bounds.
    pub(super) fn beside(bounds: Option<Vec<&Decimal>>) -> Spellings {
        match bounds {
            None => Spellings::Plain,
            Some(bounds) if bounds.iter().all(|bound| bound.is_zero()) => Spellings::Any,
            Some(_) => Spellings::Scientific,
        }
    }
}

/// Classes of bytes: the digits 0 to 9, then `-`, `.`, `e`, `+`, and all others.
pub(crate) const WIDTH: usize = 15;

pub(crate) fn class_of(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'-' => 10,
        b'.' => 11,
        b'e' | b'E' => 12,
        b'+' => 13,
        _ => 14,
    }
}

/// How far into a number a text is.
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
    /// The second digit of an exponent, which is the last: what is larger no program reads as a number.
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

/// Texts of numbers, restricted to some of the grammar's states and transitions.
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

/// All spellings without exponent; for integers, without fraction and without `-0` too.
pub(crate) fn plain(integers: bool, limit: usize) -> Result<Dfa, TooManyStates> {
    spelled(
        |&to| to != Spelled::E && !(integers && to == Spelled::Point),
        |from, to, _| !(integers && from == Spelled::Sign && to == Spelled::Zero),
        limit,
    )
}

/// What numbers are spelled with (RFC 8259, section 6).
pub(crate) const OF_NUMBERS: ByteSet = ByteSet::of(b"0123456789.eE+-");
