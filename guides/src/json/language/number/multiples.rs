//! Multiples: `multipleOf` as an automaton over digits, or as a remainder that is counted beside one.
//!
//! An automaton has a state for each remainder, which is too many for a divisor such as 65536. So for a large divisor the remainder is a
//! number of its own, beside the state of an automaton for all other conditions. Whether digits can follow that make a multiple is then a
//! question of arithmetic. From a state of the automaton the continuations by `j` digits are a few intervals of numbers with `j` digits.
//! With remainder `r`, a continuation `w` makes a multiple of `m` if `r * 10^j + w` is one, and the least such `w` in an interval is found
//! by a division:
//!
//! ```text
//!  multipleOf 65536, maximum 200000, after "13"
//!  remainder 13; 4 more digits may be 0000 to 9999: 130000 + w is a multiple for w = 1072 (131072)
//! ```

use crate::automaton::cost::Cost;
use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::json::language::number::condition::{Conditions, NumberAtom};
use crate::json::language::number::grammar::{Spelled, WIDTH, class_of};
use crate::json::text::decimal::Decimal;

/// The greatest divisor whose remainders are states of an automaton.
const MOST_REMAINDERS: u64 = 256;

/// The greatest divisor: remainders times powers of ten fit in 128 bits.
const GREATEST_DIVISOR: u64 = 1 << 60;

/// The most digits of a continuation: 10^36 fits in 128 bits.
const LONGEST_CONTINUATION: usize = 36;

/// The most intervals of all continuations together.
const MOST_INTERVALS: usize = 1 << 17;

/// A divisor `m * 10^-scale`, with the least scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Divisor {
    m: u64,
    scale: u32,
}

impl Divisor {
    /// The integers.
    pub(super) const ONE: Divisor = Divisor { m: 1, scale: 0 };

    pub(super) fn of(divisor: &Decimal) -> Result<Divisor, TooManyStates> {
        let (m, scale) = divisor.scaled().ok_or(TooManyStates)?;
        Ok(Divisor { m, scale })
    }

    /// The divisor of the numbers that both divide: their least common multiple.
    pub(super) fn and(self, other: Divisor) -> Result<Divisor, TooManyStates> {
        let scale = self.scale.max(other.scale);
        let scaled = |one: Divisor| 10u64.checked_pow(scale - one.scale).and_then(|power| one.m.checked_mul(power));
        let (Some(a), Some(b)) = (scaled(self), scaled(other)) else { return Err(TooManyStates) };
        let gcd = |mut a: u64, mut b: u64| {
            while b != 0 {
                (a, b) = (b, a % b);
            }
            a.max(1)
        };
        let mut both = Divisor { m: (a / gcd(a, b)).checked_mul(b).ok_or(TooManyStates)?, scale };
        while both.scale > 0 && both.m.is_multiple_of(10) {
            both = Divisor { m: both.m / 10, scale: both.scale - 1 };
        }
        Ok(both)
    }

    /// The divisor of an integer if its remainders are counted beside an automaton.
    pub(super) fn beside(self) -> Option<u64> {
        (self.scale == 0 && self.m > MOST_REMAINDERS && self.m <= GREATEST_DIVISOR).then_some(self.m)
    }

    /// The plain spellings of its multiples.
    pub(super) fn multiples(self, limit: usize) -> Result<Dfa, TooManyStates> {
        let Divisor { m, scale } = self;
        if m == 0 || m > limit as u64 || scale > 400 {
            return Err(TooManyStates);
        }
        // A state has the remainder of the digits read, and the number of them after the point.
        let step = |&(spelled, rest, places): &(Spelled, u64, u32), class: usize| {
            let next = spelled.step(class).filter(|&to| to != Spelled::E)?;
            Some(match next {
                Spelled::Zero | Spelled::Whole => (next, (rest * 10 + class as u64) % m, 0),
                Spelled::Fraction if places < scale => (next, (rest * 10 + class as u64) % m, places + 1),
                // No multiple has a digit other than zero beyond this place.
                Spelled::Fraction if class != 0 => return None,
                _ => (next, rest, places),
            })
        };
        let accepts = |&(spelled, rest, places): &(Spelled, u64, u32)| {
            spelled.is_complete() && (places..scale).fold(rest, |rest, _| rest * 10 % m) == 0
        };
        Dfa::build(class_of, WIDTH, (Spelled::Start, 0, 0), limit, step, accepts)
    }
}

/// The conditions without `Integer` and the multiples that must hold, and the divisor of these together; `None` if there are none.
pub(super) fn split(atoms: &[(NumberAtom, bool)]) -> Result<(Conditions, Option<Divisor>), TooManyStates> {
    let (mut others, mut divisor) = (Vec::new(), None);
    for (atom, holds) in atoms {
        let one = match atom {
            NumberAtom::Integer if *holds => Divisor::ONE,
            NumberAtom::MultipleOf(divisor) if *holds => Divisor::of(divisor)?,
            _ => {
                others.push((atom.clone(), *holds));
                continue;
            }
        };
        divisor = Some(divisor.unwrap_or(one).and(one)?);
    }
    Ok((others, divisor))
}

/// The remainder beside an automaton of integers.
#[derive(Debug)]
pub(super) struct Remainders {
    divisor: u64,
    /// For each state of the automaton the numbers of digits of its continuations, and the intervals of these. A state behind the point
    /// has none.
    continuations: Vec<Vec<(u32, Interval)>>,
    /// For each state whether it lies behind the point, where only zeros follow.
    is_fraction: Vec<bool>,
}

/// Numbers from a least to a greatest one.
type Interval = (u128, u128);

impl Remainders {
    /// # Errors
    /// [`TooManyStates`] if the continuations are too long or too many.
    pub(super) fn new(divisor: u64, integers: &Dfa) -> Result<Remainders, TooManyStates> {
        let (states, is_fraction) = (integers.len(), behind_point(integers));
        let mut continuations: Vec<Vec<(u32, Interval)>> = vec![Vec::new(); states];
        let accepts = |state: usize| state != 0 && !is_fraction[state] && integers.accepts_at(state as u32);
        let mut level: Vec<Vec<Interval>> =
            (0..states).map(|state| if accepts(state) { vec![(0, 0)] } else { Vec::new() }).collect();
        let (mut power, mut digits, mut count) = (1u128, 0, 0);
        while level.iter().any(|intervals| !intervals.is_empty()) {
            for (all, intervals) in continuations.iter_mut().zip(&level) {
                all.extend(intervals.iter().map(|&interval| (digits, interval)));
                count += intervals.len();
            }
            // Any interval of so many digits has a multiple.
            let enough = power > u128::from(divisor) * 10;
            if digits as usize == LONGEST_CONTINUATION {
                if enough && level.iter().flatten().all(|&(low, high)| high - low >= u128::from(divisor)) {
                    break;
                }
                return Err(TooManyStates);
            }
            if count > MOST_INTERVALS {
                return Err(TooManyStates);
            }
            level = (0..states as u32).map(|state| before(integers, state, &level, power)).collect();
            (power, digits) = (power * 10, digits + 1);
        }
        Ok(Remainders { divisor, continuations, is_fraction })
    }

    /// The remainder after one more byte; `None` if the byte may not follow.
    pub(super) fn step(&self, rest: u64, byte: u8) -> Option<u64> {
        match byte {
            b'0'..=b'9' => Some(((u128::from(rest) * 10 + u128::from(byte - b'0')) % u128::from(self.divisor)) as u64),
            // Behind the point are zeros only.
            b'.' => (rest == 0).then_some(0),
            _ => Some(rest),
        }
    }

    /// The fewest digits that make a multiple; `plain` is the cost without regard to multiples.
    pub(super) fn cost(&self, state: u32, rest: u64, plain: Cost) -> Cost {
        if self.is_fraction[state as usize] {
            return plain;
        }
        let m = u128::from(self.divisor);
        let (mut shifted, mut digits) = (u128::from(rest), 0);
        for &(length, (low, high)) in &self.continuations[state as usize] {
            while digits < length {
                (shifted, digits) = (shifted * 10 % m, digits + 1);
            }
            // The least number from `low` on that is a multiple once the digits before it are added.
            let sum = (shifted + low) % m;
            if low + (if sum == 0 { 0 } else { m - sum }) <= high {
                return Cost::bytes(length);
            }
        }
        Cost::NEVER
    }

    /// Memory in bytes.
    pub(super) fn size(&self) -> usize {
        self.continuations.iter().map(|all| 24 + all.len() * 48).sum()
    }
}

/// For each state whether a point was read on the way to it.
fn behind_point(numbers: &Dfa) -> Vec<bool> {
    let mut behind = vec![false; numbers.len()];
    let mut open: Vec<u32> = (1..numbers.len() as u32).map(|state| numbers.next(state, b'.')).collect();
    while let Some(state) = open.pop() {
        if state != 0 && !std::mem::replace(&mut behind[state as usize], true) {
            open.extend((b'0'..=b'9').map(|digit| numbers.next(state, digit)));
        }
    }
    behind
}

/// The intervals of the continuations by one digit more: the digit, which counts `power`, and a continuation from the state after it.
fn before(integers: &Dfa, state: u32, level: &[Vec<Interval>], power: u128) -> Vec<Interval> {
    let mut intervals: Vec<Interval> = Vec::new();
    if state == 0 {
        return intervals;
    }
    for digit in 0..10u8 {
        let first = u128::from(digit) * power;
        for &(low, high) in &level[integers.next(state, b'0' + digit) as usize] {
            match intervals.last_mut() {
                Some(last) if last.1 + 1 == first + low => last.1 = first + high,
                _ => intervals.push((first + low, first + high)),
            }
        }
    }
    intervals
}

#[cfg(test)]
mod tests {
    use crate::json::language::number::NumberAtom::{self, *};
    use crate::json::language::number::{Numbers, language};
    use crate::json::text::decimal::Decimal;
    use crate::options::Digits;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    fn numbers(atoms: &[NumberAtom]) -> Numbers {
        let atoms: Vec<(NumberAtom, bool)> = atoms.iter().map(|atom| (atom.clone(), true)).collect();
        let (dfa, divisor) = language(&atoms, Digits::Bounded, 50_000).expect("small");
        Numbers::new(dfa, divisor).expect("small")
    }

    fn accepts(numbers: &Numbers, text: &str) -> bool {
        let mut state = numbers.start();
        for byte in text.bytes() {
            assert!(!numbers.cost(state).is_never());
            match numbers.next(state, byte) {
                Some(next) => state = next,
                None => return false,
            }
        }
        numbers.accepts_at(state)
    }

    #[test]
    fn multiples_of_large_numbers_are_those_between_the_bounds() {
        for (divisors, bounds) in [
            (&["65536"][..], (0, 1_000_000_000)),
            (&["86400"], (-200_000, 300_000)),
            (&["1000000"], (1, 99_999_999)),
            (&["25000"], (24_999, 25_001)),
            (&["997", "991"], (-5_000_000, 5_000_000)),
            (&["10000", "2.5"], (0, 100_000)),
        ] {
            let mut atoms: Vec<NumberAtom> = divisors.iter().map(|divisor| MultipleOf(d(divisor))).collect();
            let (low, high): (i64, i64) = bounds;
            atoms.extend([Integer, Minimum(d(&low.to_string())), Maximum(d(&high.to_string()))]);
            let numbers = numbers(&atoms);
            let step = divisors.iter().filter_map(|divisor| divisor.parse::<i64>().ok()).product::<i64>();
            for value in [low, low + 1, 0, high, high - 1, step, -step, step + 1, 2 * step, -2 * step, 3 * step - 1] {
                let expected = value % step == 0 && (low..=high).contains(&value);
                assert_eq!(accepts(&numbers, &value.to_string()), expected, "{divisors:?} {value}");
            }
        }
    }

    #[test]
    fn following_the_cost_down_ends_at_a_multiple() {
        for (divisor, low, high) in [("65536", "0", "1e9"), ("988027", "-1e7", "1e20"), ("86400", "86401", "172800")] {
            let numbers = numbers(&[MultipleOf(d(divisor)), Minimum(d(low)), Maximum(d(high))]);
            let (mut open, mut seen) = (vec![numbers.start()], 0);
            while let Some(state) = open.pop().filter(|_| seen < 3000) {
                seen += 1;
                let cost = numbers.cost(state);
                let nexts: Vec<_> = b"0123456789-.".iter().filter_map(|&byte| numbers.next(state, byte)).collect();
                assert!(nexts.iter().all(|&next| !numbers.cost(next).is_never()));
                assert_eq!(cost == 0, numbers.accepts_at(state));
                assert!(cost == 0 || nexts.iter().any(|&next| numbers.cost(next) < cost), "{divisor} {state:?}");
                open.extend(nexts);
            }
        }
    }

    #[test]
    fn no_multiple_between_the_bounds_is_no_number() {
        let atoms = [MultipleOf(d("65536")), Minimum(d("1")), Maximum(d("65535"))];
        assert!(numbers(&atoms).is_empty());
        let one = numbers(&[MultipleOf(d("65536")), Minimum(d("65530")), Maximum(d("65537"))]);
        assert!(!one.is_empty() && accepts(&one, "65536") && accepts(&one, "65536.0") && !accepts(&one, "65535"));
        assert!(!accepts(&one, "6553.6") && !accepts(&one, "65536.5") && !accepts(&one, "-65536"));
    }
}
