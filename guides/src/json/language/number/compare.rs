//! Comparison of a number with a bound, digit by digit as it is spelled.
//!
//! The place of a number is that of its first digit that is not zero: 0 for ones, 1 for tens, -1 for tenths. Numbers compare by their
//! places, then by their digits from there on. A state holds the place so far and the order of the digits so far. An exponent moves the
//! place, so the order is decided when the exponent is known. For the bound 25:
//!
//! ```text
//!  read     2             24              24.                 3
//!  place    0             1               1 (fixed)           0
//!  order    equal         less            less                greater; the number is less if it ends here, by its place
//! ```
//!
//! Places are capped one beyond the bound's, and digits are counted up to the bound's, so the states are linear in the digits of the bound.

use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::json::language::number::grammar::{Spelled, Spellings, WIDTH, class_of};
use crate::json::text::decimal::Decimal;
use std::cmp::Ordering;

/// The state of a number under comparison with a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Comparison {
    spelled: Spelled,
    negative: bool,
    part: DecimalPart,
}

/// How the absolute value of the number so far compares with that of the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum DecimalPart {
    /// Only zeros so far; the next digit has this place.
    Zeros(i64),
    /// The place of the first digit that is not zero, the number of digits compared from there on, and their order.
    Digits { place: i64, read: usize, order: Ordering },
    /// The order of the mantissa, and the sign of the exponent.
    Exponent { order: Ordering, negative: bool },
    /// After the first digit of the exponent: the order if the number ends here, and the order after each second digit, in two bits each,
    /// digit 0 in the lowest ones.
    Digit { now: Ordering, later: u32 },
    /// The order of all continuations.
    Decided(Ordering),
}

/// The spellings of the values whose order with `bound` is wanted.
pub(super) fn compared(
    bound: &Decimal,
    wanted: impl Fn(Ordering) -> bool,
    spellings: Spellings,
    limit: usize,
) -> Result<Dfa, TooManyStates> {
    let bound = Bound::new(bound, spellings);
    let start = Comparison { spelled: Spelled::Start, negative: false, part: DecimalPart::Zeros(0) };
    let step = |state: &Comparison, class: usize| bound.step(*state, class);
    let accepts = |state: &Comparison| state.spelled.is_complete() && wanted(bound.order(state));
    Dfa::build(class_of, WIDTH, start, limit, step, accepts)
}

/// The spellings of all values, without those of zero with a sign.
pub(super) fn unsigned_zero(spellings: Spellings, limit: usize) -> Result<Dfa, TooManyStates> {
    let zero = Bound { digits: &[], place: 0, negative: false, spellings };
    let start = Comparison { spelled: Spelled::Start, negative: false, part: DecimalPart::Zeros(0) };
    let accepts =
        |state: &Comparison| state.spelled.is_complete() && !(state.negative && zero.order(state) == Ordering::Equal);
    Dfa::build(class_of, WIDTH, start, limit, |state, class| zero.step(*state, class), accepts)
}

struct Bound<'a> {
    digits: &'a [u8],
    /// The place of the first digit: 0 for ones.
    place: i64,
    negative: bool,
    spellings: Spellings,
}

impl<'a> Bound<'a> {
    fn new(bound: &'a Decimal, spellings: Spellings) -> Bound<'a> {
        let (digits, place) = bound.significant();
        Bound { digits, place, negative: bound.negative, spellings }
    }

    fn step(&self, state: Comparison, class: usize) -> Option<Comparison> {
        let spelled = state.spelled.step(class)?;
        let digit = class as u8;
        let mut negative = state.negative;
        let part = match (spelled, state.part) {
            (Spelled::E, part) => self.exponent(part)?,
            (_, part @ DecimalPart::Decided(_)) => part,
            (Spelled::Sign, part) => {
                negative = true;
                part
            }
            (Spelled::Zero, part) => part,
            // A place beyond the bound's by one or by more is the same order.
            (Spelled::Whole, DecimalPart::Digits { place, read, order }) => {
                let place = (place + 1).min(self.place.max(0) + 1);
                self.compare(place, read, order, digit)
            }
            (Spelled::Whole, _) => self.compare(0, 0, Ordering::Equal, digit),
            (Spelled::Point, DecimalPart::Zeros(_)) => DecimalPart::Zeros(-1),
            (Spelled::Fraction, DecimalPart::Zeros(place)) if class == 0 => {
                DecimalPart::Zeros((place - 1).max(self.place.min(0) - 1))
            }
            (Spelled::Fraction, DecimalPart::Zeros(place)) => self.compare(place, 0, Ordering::Equal, digit),
            (Spelled::Fraction, DecimalPart::Digits { place, read, order }) => self.compare(place, read, order, digit),
            (Spelled::ExponentSign, DecimalPart::Exponent { order, .. }) => {
                DecimalPart::Exponent { order, negative: class == 10 }
            }
            (Spelled::Exponent, DecimalPart::Exponent { order, negative }) => {
                let value = |number: i64| if negative { -number } else { number };
                let digit = i64::from(digit);
                let compare = |exponent: i64| value(exponent).cmp(&self.place).then(order);
                let later =
                    (0..10).rev().fold(0, |later, next| later << 2 | (compare(digit * 10 + next) as i8 + 1) as u32);
                DecimalPart::Digit { now: compare(digit), later }
            }
            (Spelled::ExponentEnd, DecimalPart::Digit { later, .. }) => match later >> (2 * class) & 3 {
                0 => DecimalPart::Decided(Ordering::Less),
                1 => DecimalPart::Decided(Ordering::Equal),
                _ => DecimalPart::Decided(Ordering::Greater),
            },
            (_, part) => part,
        };
        Some(Comparison { spelled, negative, part: self.settled(spelled, part) })
    }

    fn compare(&self, place: i64, read: usize, order: Ordering, digit: u8) -> DecimalPart {
        let other = self.digits.get(read).copied().unwrap_or(0);
        DecimalPart::Digits { place, read: (read + 1).min(self.digits.len()), order: order.then(digit.cmp(&other)) }
    }

    /// The part once an exponent begins; `None` where none may follow.
    fn exponent(&self, part: DecimalPart) -> Option<DecimalPart> {
        match (self.spellings, part) {
            (Spellings::Plain, _) | (Spellings::Scientific, DecimalPart::Decided(_)) => None,
            // Zero times a power of ten is zero, and nothing else is.
            (_, DecimalPart::Zeros(_)) => Some(DecimalPart::Decided(self.order_of(part))),
            (_, DecimalPart::Digits { place: 0, .. }) if self.digits.is_empty() => {
                Some(DecimalPart::Decided(Ordering::Greater))
            }
            (Spellings::Any, _) => Some(DecimalPart::Decided(Ordering::Greater)),
            (_, DecimalPart::Digits { place: 0, read, order }) => {
                Some(DecimalPart::Exponent { order: self.to_the_end(read, order), negative: false })
            }
            _ => None,
        }
    }

    /// The order of the digits if no more come.
    fn to_the_end(&self, read: usize, order: Ordering) -> Ordering {
        order.then(if read < self.digits.len() { Ordering::Less } else { Ordering::Equal })
    }

    /// The part reduced to what still makes a difference: equal parts are one state.
    fn settled(&self, spelled: Spelled, part: DecimalPart) -> DecimalPart {
        match part {
            DecimalPart::Digits { place, .. } if spelled == Spelled::Fraction && !self.takes_exponent(place) => {
                // The place is fixed in a fraction. If the places differ, further digits make no difference.
                match place.cmp(&self.place) {
                    Ordering::Equal => self.without_count(part),
                    order => DecimalPart::Decided(if self.digits.is_empty() { Ordering::Greater } else { order }),
                }
            }
            DecimalPart::Digits { .. } if self.digits.is_empty() && self.spellings == Spellings::Any => {
                DecimalPart::Decided(Ordering::Greater)
            }
            part => self.without_count(part),
        }
    }

    /// Once the digits differ, further ones need not be counted.
    fn without_count(&self, part: DecimalPart) -> DecimalPart {
        match part {
            DecimalPart::Digits { place, order, .. } if order != Ordering::Equal => {
                DecimalPart::Digits { place, read: self.digits.len(), order }
            }
            part => part,
        }
    }

    fn takes_exponent(&self, place: i64) -> bool {
        self.spellings != Spellings::Plain && place == 0
    }

    fn order_of(&self, part: DecimalPart) -> Ordering {
        match part {
            DecimalPart::Zeros(_) if self.digits.is_empty() => Ordering::Equal,
            DecimalPart::Zeros(_) => Ordering::Less,
            DecimalPart::Digits { .. } if self.digits.is_empty() => Ordering::Greater,
            DecimalPart::Digits { place, read, order } => place.cmp(&self.place).then(self.to_the_end(read, order)),
            DecimalPart::Exponent { order, .. } => order,
            DecimalPart::Digit { now, .. } => now,
            DecimalPart::Decided(order) => order,
        }
    }

    /// How the number so far compares with the bound.
    fn order(&self, state: &Comparison) -> Ordering {
        let order = self.order_of(state.part);
        match (state.negative, self.negative) {
            (false, false) => order,
            (false, true) => Ordering::Greater,
            (true, true) => order.reverse(),
            (true, false) if self.digits.is_empty() => order.reverse(),
            (true, false) => Ordering::Less,
        }
    }
}
