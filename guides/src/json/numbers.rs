//! Sets of numbers as automata over their spelling.
//!
//! Sets are combined as sets of values: every automaton here accepts either all plain spellings of a value (digits with
//! an optional fraction, no exponent) or none, so intersection and complement mean what they mean for the values. Only the
//! last step chooses spellings: integers without a fraction where nothing but integers is allowed, no `-0`, and
//! exponents where every number is allowed.

use super::decimal::Decimal;
use crate::automaton::dfa::{Dfa, TooManyStates};
use std::cmp::Ordering;

/// A condition on a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum NumberAtom {
    Integer,
    /// The value compares so with the bound.
    Minimum(Decimal),
    ExclusiveMinimum(Decimal),
    Maximum(Decimal),
    ExclusiveMaximum(Decimal),
    MultipleOf(Decimal),
    /// Exactly this value.
    Equal(Decimal),
}

impl NumberAtom {
    /// Whether it holds of a value; `None` where that is too long to work out.
    pub(crate) fn holds(&self, value: &Decimal) -> Option<bool> {
        Some(match self {
            NumberAtom::Integer => value.is_integer(),
            NumberAtom::Minimum(bound) => value >= bound,
            NumberAtom::ExclusiveMinimum(bound) => value > bound,
            NumberAtom::Maximum(bound) => value <= bound,
            NumberAtom::ExclusiveMaximum(bound) => value < bound,
            NumberAtom::MultipleOf(divisor) => value.is_multiple_of(divisor)?,
            NumberAtom::Equal(other) => value == other,
        })
    }

    fn dfa(&self, limit: usize) -> Result<Dfa, TooManyStates> {
        match self {
            NumberAtom::Integer => multiples(1, 0, limit),
            NumberAtom::Minimum(bound) => compared(bound, Ordering::is_ge, limit),
            NumberAtom::ExclusiveMinimum(bound) => compared(bound, Ordering::is_gt, limit),
            NumberAtom::Maximum(bound) => compared(bound, Ordering::is_le, limit),
            NumberAtom::ExclusiveMaximum(bound) => compared(bound, Ordering::is_lt, limit),
            NumberAtom::Equal(bound) => compared(bound, Ordering::is_eq, limit),
            NumberAtom::MultipleOf(divisor) => {
                let (m, scale) = divisor.scaled().ok_or(TooManyStates)?;
                multiples(m, scale, limit)
            }
        }
    }
}

/// The same conditions with only the strongest of the bounds, in one order.
pub(crate) fn simplified(atoms: Vec<(NumberAtom, bool)>) -> Vec<(NumberAtom, bool)> {
    use NumberAtom::*;
    // Bounds with whether they are exclusive; of equal ones the exclusive is the stronger.
    type Bound = Option<(Decimal, bool)>;
    let (mut lower, mut upper): (Bound, Bound) = (None, None);
    let mut rest = Vec::new();
    for (atom, holds) in atoms {
        let (is_lower, bound) = match (atom, holds) {
            (Minimum(bound), true) => (true, (bound, false)),
            (ExclusiveMinimum(bound), true) => (true, (bound, true)),
            (Maximum(bound), true) => (false, (bound, false)),
            (ExclusiveMaximum(bound), true) => (false, (bound, true)),
            (Minimum(bound), false) => (false, (bound, true)),
            (ExclusiveMinimum(bound), false) => (false, (bound, false)),
            (Maximum(bound), false) => (true, (bound, true)),
            (ExclusiveMaximum(bound), false) => (true, (bound, false)),
            other => {
                rest.push(other);
                continue;
            }
        };
        if is_lower {
            lower = Some(lower.map_or(bound.clone(), |before| before.max(bound)));
        } else {
            upper = Some(match upper {
                Some(before) if before.0 < bound.0 || (before.0 == bound.0 && before.1) => before,
                _ => bound,
            });
        }
    }
    let whole = |holds: &(NumberAtom, bool)| holds.0 == Integer;
    rest.sort_by_key(|atom| !whole(atom));
    rest.dedup();
    rest.extend(lower.map(|(bound, strict)| (if strict { ExclusiveMinimum(bound) } else { Minimum(bound) }, true)));
    rest.extend(upper.map(|(bound, strict)| (if strict { ExclusiveMaximum(bound) } else { Maximum(bound) }, true)));
    rest
}

/// The spellings of the numbers for which each atom holds (or, where it comes with `false`, does not).
pub(crate) fn language(atoms: &[(NumberAtom, bool)], limit: usize) -> Result<Dfa, TooManyStates> {
    match atoms {
        [] => return spelled(|_| true, |_, _, _| true, limit),
        [(NumberAtom::Integer, true)] => return plain(true, limit),
        _ => {}
    }
    let mut values = plain(false, limit)?;
    for (atom, holds) in atoms {
        let dfa = atom.dfa(limit)?;
        values = if *holds { values.intersection(&dfa, limit)? } else { values.difference(&dfa, limit)? };
    }
    if values.difference(&multiples(1, 0, limit)?, limit)?.is_empty() {
        return values.intersection(&plain(true, limit)?, limit);
    }
    if plain(false, limit)?.difference(&values, limit)?.is_empty() {
        return language(&[], limit);
    }
    let negative_zero = compared(&Decimal::parse("0").ok_or(TooManyStates)?, Ordering::is_eq, limit)?
        .intersection(&signed(limit)?, limit)?;
    values.difference(&negative_zero, limit)
}

/// How far into a number a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Spelled {
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

/// Classes of bytes: the digits 0 to 9, then `-`, `.`, `e`, `+`, and all others.
const WIDTH: usize = 15;

fn class_of(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'-' => 10,
        b'.' => 11,
        b'e' | b'E' => 12,
        b'+' => 13,
        _ => 14,
    }
}

impl Spelled {
    /// The grammar of RFC 8259, section 6, with exponents of at most two digits.
    fn step(self, class: usize) -> Option<Spelled> {
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

    fn is_complete(self) -> bool {
        {
            use Spelled::*;
            matches!(self, Zero | Whole | Fraction | Exponent | ExponentEnd)
        }
    }
}

/// Texts of numbers, restricted to some of the grammar's states and transitions.
fn spelled(
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
fn plain(integers: bool, limit: usize) -> Result<Dfa, TooManyStates> {
    spelled(
        |&to| to != Spelled::E && !(integers && to == Spelled::Point),
        |from, to, _| !(integers && from == Spelled::Sign && to == Spelled::Zero),
        limit,
    )
}

/// The plain spellings with a minus sign.
fn signed(limit: usize) -> Result<Dfa, TooManyStates> {
    spelled(|&to| to != Spelled::E, |from, to, _| from != Spelled::Start || to == Spelled::Sign, limit)
}

/// A plain spelling that is being compared with a bound, digit by digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Comparison {
    spelled: Spelled,
    negative: bool,
    /// Digits that were read of the part that is being read, as far as they matter.
    read: usize,
    /// How the digits so far compare with the bound's, both taken without sign.
    order: Ordering,
}

/// The plain spellings of the values that compare as wanted with `bound`.
fn compared(bound: &Decimal, wanted: fn(Ordering) -> bool, limit: usize) -> Result<Dfa, TooManyStates> {
    let (whole, fraction) = (bound.whole(), bound.fraction());
    // The order of the whole part once no more of its digits come.
    let settled = |state: &Comparison| match state.spelled {
        Spelled::Zero => 0.cmp(&whole.len()),
        Spelled::Whole => state.read.cmp(&whole.len()).then(state.order),
        _ => state.order,
    };
    let magnitude = |state: &Comparison| {
        let order = settled(state);
        match state.spelled {
            Spelled::Fraction => order.then(if state.read < fraction.len() { Ordering::Less } else { Ordering::Equal }),
            _ => order.then(if fraction.is_empty() { Ordering::Equal } else { Ordering::Less }),
        }
    };
    let order = |state: &Comparison| match (state.negative, bound.negative) {
        (false, false) => magnitude(state),
        (false, true) => Ordering::Greater,
        (true, true) => magnitude(state).reverse(),
        (true, false) if bound.is_zero() => magnitude(state).reverse(),
        (true, false) => Ordering::Less,
    };
    let step = |state: &Comparison, class: usize| {
        let spelled = state.spelled.step(class).filter(|&to| to != Spelled::E)?;
        let mut next = Comparison { spelled, ..*state };
        let digit = class as u8;
        match spelled {
            Spelled::Sign => next.negative = true,
            Spelled::Whole => {
                if let Some(other) = whole.get(state.read) {
                    next.order = state.order.then(digit.cmp(other));
                }
                next.read = (state.read + 1).min(whole.len() + 1);
            }
            Spelled::Point => {
                next.order = settled(state);
                next.read = 0;
            }
            Spelled::Fraction => {
                let other = fraction.get(state.read).copied().unwrap_or(0);
                next.order = state.order.then(digit.cmp(&other));
                next.read = (state.read + 1).min(fraction.len());
            }
            _ => {}
        }
        // Digits that can no longer matter need not be counted.
        if spelled == Spelled::Fraction && next.order != Ordering::Equal {
            next.read = 0;
        }
        Some(next)
    };
    let start = Comparison { spelled: Spelled::Start, negative: false, read: 0, order: Ordering::Equal };
    Dfa::build(class_of, WIDTH, start, limit, step, |state| state.spelled.is_complete() && wanted(order(state)))
}

/// The plain spellings of the multiples of `m * 10^-scale`.
fn multiples(m: u64, scale: u32, limit: usize) -> Result<Dfa, TooManyStates> {
    if m == 0 || m > limit as u64 || scale > 400 {
        return Err(TooManyStates);
    }
    // Remainder of the digits read, and how many of them stood after the point.
    let step = |&(spelled, rest, places): &(Spelled, u64, u32), class: usize| {
        let next = spelled.step(class).filter(|&to| to != Spelled::E)?;
        Some(match next {
            Spelled::Zero | Spelled::Whole => (next, (rest * 10 + class as u64) % m, 0),
            Spelled::Fraction if places < scale => (next, (rest * 10 + class as u64) % m, places + 1),
            // A digit beyond the last place of any multiple must be zero.
            Spelled::Fraction if class != 0 => return None,
            _ => (next, rest, places),
        })
    };
    let accepts = |&(spelled, rest, places): &(Spelled, u64, u32)| {
        spelled.is_complete() && (places..scale).fold(rest, |rest, _| rest * 10 % m) == 0
    };
    Dfa::build(class_of, WIDTH, (Spelled::Start, 0, 0), limit, step, accepts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use NumberAtom::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    #[test]
    fn a_number_without_conditions_is_any_json_number() {
        let dfa = language(&[], 99).expect("small");
        for text in ["0", "-0", "1.50", "1e5", "-12.25E-10", "10E+2"] {
            assert!(dfa.accepts(text.as_bytes()), "{text}");
        }
        for text in ["", "-", "01", ".5", "1.", "1e", "+1", "--1", "1e5.2", "1e100"] {
            assert!(!dfa.accepts(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn integers_are_spelled_plainly() {
        for atoms in [vec![(Integer, true)], vec![(MultipleOf(d("3")), true), (Minimum(d("-30")), true)]] {
            let dfa = language(&atoms, 999).expect("small");
            assert!(dfa.accepts(b"0") && dfa.accepts(b"-12"));
            for text in ["-0", "3.0", "3e0", "1.5"] {
                assert!(!dfa.accepts(text.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn a_language_holds_exactly_the_values_for_which_its_atoms_hold() {
        let bounds = ["0", "1", "-1", "10", "-10.5", "0.25", "99.99", "1e2", "-0.001", "5"];
        let values: Vec<String> = (-120..=120)
            .flat_map(|n| ["", ".0", ".5", ".25", ".001", ".99", ".250"].map(|f| format!("{n}{f}")))
            .chain(["0.0001".into(), "1000".into(), "-1000".into()])
            .collect();
        let atoms = bounds
            .iter()
            .flat_map(|b| [Minimum(d(b)), ExclusiveMinimum(d(b)), Maximum(d(b)), ExclusiveMaximum(d(b)), Equal(d(b))]);
        let multiples = ["1", "2", "0.5", "0.25", "7", "1e1", "0.001"].map(|m| MultipleOf(d(m)));
        for atom in atoms.chain(multiples).chain([Integer]) {
            let dfa = atom.dfa(9999).expect("small");
            for text in &values {
                let expected = atom.holds(&d(text)).expect("short");
                assert_eq!(dfa.accepts(text.as_bytes()), expected, "{atom:?} {text}");
            }
        }
    }

    #[test]
    fn what_is_not_an_integer_has_a_fraction() {
        let dfa = language(&[(Integer, false), (Maximum(d("2")), true)], 999).expect("small");
        assert!(dfa.accepts(b"1.5") && dfa.accepts(b"-7.01"));
        assert!(!dfa.accepts(b"1.0") && !dfa.accepts(b"1") && !dfa.accepts(b"2.5"));
    }
}
