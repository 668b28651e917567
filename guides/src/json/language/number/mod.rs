//! Sets of numbers as automata over their spelling.
//!
//! An automaton of a condition accepts all spellings of a value that are written ([`Spellings`]), or none of them. So intersection and
//! difference of automata are those of the sets of values.
//!
//! Which spellings of a value are written depends on its conditions:
//!
//! | conditions | spellings of ten |
//! |---|---|
//! | none | all, such as `10`, `10.0`, `1e1`, `100e-1`; exponents have at most two digits |
//! | `type` is `integer` | `10` |
//! | bounds | `10`, `10.0`, `1e1`, `1.0E+1`; a mantissa before an exponent has one digit before the point, or the bounds are zero |
//! | `multipleOf` | `10`, `10.0` |
//! | `const`, `enum` | as the schema spells it, and `10` |
//!
//! A number with any condition is never `-0`. If the options do not say otherwise, the number of digits is bounded (see [`digits`]).
//!
//! | file | what it holds |
//! |---|---|
//! | this one | conjunctions of conditions, and the numbers for which one holds |
//! | [`condition`] | conditions |
//! | [`compare`] | bounds |
//! | [`multiples`] | multiples, and remainders beside an automaton |
//! | [`digits`] | how many digits are written |
//! | [`grammar`] | the grammar, and which spellings are written |

mod compare;
mod condition;
mod digits;
pub(crate) mod grammar;
mod multiples;

pub(crate) use crate::json::language::number::condition::{Conditions, NumberAtom, simplified};

use crate::automaton::cost::Cost;
use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::json::language::number::compare::{compared, unsigned_zero};
use crate::json::language::number::digits::DigitCaps;
use crate::json::language::number::grammar::{Spellings, plain, spelled};
use crate::json::language::number::multiples::{Divisor, Remainders, split};
use crate::options::Digits;
use std::cmp::Ordering;
use std::sync::atomic;

/// The spellings of the values for which an atom holds. `Integer` and `MultipleOf` know plain spellings only.
fn spellings_of(atom: &NumberAtom, spellings: Spellings, limit: usize) -> Result<Dfa, TooManyStates> {
    match atom {
        NumberAtom::Integer => Divisor::ONE.multiples(limit),
        NumberAtom::Minimum(bound) => compared(bound, Ordering::is_ge, spellings, limit),
        NumberAtom::ExclusiveMinimum(bound) => compared(bound, Ordering::is_gt, spellings, limit),
        NumberAtom::Maximum(bound) => compared(bound, Ordering::is_le, spellings, limit),
        NumberAtom::ExclusiveMaximum(bound) => compared(bound, Ordering::is_lt, spellings, limit),
        NumberAtom::Equal(bound) => compared(bound, Ordering::is_eq, spellings, limit),
        NumberAtom::MultipleOf(divisor) => Divisor::of(divisor)?.multiples(limit),
    }
}

/// The spellings of the numbers for which each atom holds, or does not hold if its flag is false: an automaton, and a divisor of all of
/// them if its remainders are to be counted beside the automaton. Where no number has as few digits as `digits` says, more are written.
pub(crate) fn language(
    atoms: &[(NumberAtom, bool)],
    digits: Digits,
    limit: usize,
) -> Result<(Dfa, Option<u64>), TooManyStates> {
    let bounded = match digits {
        Digits::Bounded => Some(conjunction(atoms, Some(DigitCaps::beside(atoms)), limit)),
        Digits::Any => None,
    };
    let is_empty = |(dfa, divisor): &(Dfa, Option<u64>)| -> Result<bool, TooManyStates> {
        let Some(divisor) = divisor.filter(|_| !dfa.is_empty()) else { return Ok(dfa.is_empty()) };
        Ok(Numbers::new(dfa.clone(), Some(divisor))?.is_empty())
    };
    match bounded {
        Some(Ok(bounded)) if !is_empty(&bounded)? => Ok(bounded),
        // Counted digits can take too many states beside the places of a fraction.
        _ => conjunction(atoms, None, limit),
    }
}

/// As [`language`], with these caps on digits or with none.
fn conjunction(
    atoms: &[(NumberAtom, bool)],
    caps: Option<DigitCaps>,
    limit: usize,
) -> Result<(Dfa, Option<u64>), TooManyStates> {
    let capped = |dfa: Dfa| match caps {
        Some(caps) => dfa.intersection(&caps.spellings(limit)?, limit),
        None => Ok(dfa),
    };
    let unconditional = || capped(spelled(|_| true, |_, _, _| true, limit)?);
    if atoms.is_empty() {
        return Ok((unconditional()?, None));
    }
    let integers = atoms.contains(&(NumberAtom::Integer, true));
    let (others, divisor) = split(atoms)?;
    let spellings = Spellings::beside(atoms.iter().map(|(atom, _)| atom.bound()).collect());
    let all = capped(if integers { plain(true, limit)? } else { unsigned_zero(spellings, limit)? })?;
    let mut values = all.clone();
    let mut states = 0;
    for (atom, holds) in &others {
        let dfa = spellings_of(atom, spellings, limit)?;
        // Each product visits all states so far again, so the total bounds the time.
        states += values.len();
        if states > limit.saturating_mul(MOST_ROUNDS) {
            return Err(TooManyStates);
        }
        values = if *holds { values.intersection(&dfa, limit)? } else { values.difference(&dfa, limit)? };
    }
    match divisor {
        None if all.difference(&values, limit)?.is_empty() => Ok((unconditional()?, None)),
        None => Ok((values, None)),
        Some(Divisor::ONE) if integers => Ok((values, None)),
        Some(divisor) => match divisor.beside() {
            Some(beside) => Ok((values.intersection(&Divisor::ONE.multiples(limit)?, limit)?, Some(beside))),
            None => Ok((values.intersection(&divisor.multiples(limit)?, limit)?, None)),
        },
    }
}

/// The most states that the products of all conditions visit, for each state that an automaton may have.
const MOST_ROUNDS: usize = 64;

/// A set of numbers by their spelling.
#[derive(Debug)]
pub(crate) struct Numbers {
    dfa: Dfa,
    costs: Vec<Cost>,
    remainders: Option<Remainders>,
    /// Its key in caches.
    pub(crate) id: u64,
}

/// The state of a number: that of the automaton, and the remainder beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NumberState {
    state: u32,
    rest: u64,
}

impl Numbers {
    /// The numbers that an automaton accepts, and of these the multiples of `divisor`.
    ///
    /// # Errors
    /// [`TooManyStates`] if remainders cannot be counted beside this automaton.
    pub(crate) fn new(dfa: Dfa, divisor: Option<u64>) -> Result<Numbers, TooManyStates> {
        let remainders = divisor.map(|divisor| Remainders::new(divisor, &dfa)).transpose()?;
        let costs = dfa.costs(|_| 1);
        Ok(Numbers { remainders, ..Numbers::with_costs(dfa, costs) })
    }

    /// The set with the costs of its states, [`Cost::NEVER`] for a state in which no token may end.
    pub(crate) fn with_costs(dfa: Dfa, costs: Vec<Cost>) -> Numbers {
        static COUNT: atomic::AtomicU64 = atomic::AtomicU64::new(0);
        Numbers { dfa, costs, remainders: None, id: COUNT.fetch_add(1, atomic::Ordering::Relaxed) }
    }

    /// The state before the first byte.
    pub(crate) fn start(&self) -> NumberState {
        NumberState { state: self.dfa.start(), rest: 0 }
    }

    /// The state after one more byte; `None` if no number begins so.
    pub(crate) fn next(&self, at: NumberState, byte: u8) -> Option<NumberState> {
        let state = self.dfa.next(at.state, byte);
        if state == 0 {
            return None;
        }
        let Some(remainders) = &self.remainders else { return Some(NumberState { state, rest: 0 }) };
        let next = NumberState { state, rest: remainders.step(at.rest, byte)? };
        (!self.cost(next).is_never()).then_some(next)
    }

    /// Whether the number may end here.
    pub(crate) fn accepts_at(&self, at: NumberState) -> bool {
        self.dfa.accepts_at(at.state) && at.rest == 0
    }

    /// The bytes that complete the number; [`Cost::NEVER`] where no token may end.
    pub(crate) fn cost(&self, at: NumberState) -> Cost {
        let Some(remainders) = &self.remainders else { return self.costs[at.state as usize] };
        let cost = |state: u32| remainders.cost(state, at.rest, self.costs[state as usize]);
        match self.dfa.next(at.state, b'-') {
            0 => cost(at.state),
            negative => cost(at.state).min(cost(negative) + 1),
        }
    }

    /// Whether there is no number.
    pub(crate) fn is_empty(&self) -> bool {
        self.dfa.is_empty() || self.remainders.is_some() && self.cost(self.start()).is_never()
    }

    /// The automaton, if it alone says which numbers there are.
    pub(crate) fn automaton(&self) -> Option<&Dfa> {
        self.remainders.is_none().then_some(&self.dfa)
    }

    /// How many states the automaton has.
    pub(crate) fn states(&self) -> usize {
        self.dfa.len()
    }

    /// Memory in bytes.
    pub(crate) fn size(&self) -> usize {
        self.dfa.size() * 2 + self.remainders.as_ref().map_or(0, Remainders::size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::text::decimal::Decimal;
    use NumberAtom::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    fn dfa(atoms: &[(NumberAtom, bool)], digits: Digits) -> Dfa {
        language(atoms, digits, 9999).expect("small").0
    }

    #[test]
    fn a_number_without_conditions_is_any_json_number() {
        let dfa = dfa(&[], Digits::Any);
        for text in ["0", "-0", "1.50", "1e5", "-12.25E-10", "10E+2"] {
            assert!(dfa.accepts(text.as_bytes()), "{text}");
        }
        for text in ["", "-", "01", ".5", "1.", "1e", "+1", "--1", "1e5.2", "1e100"] {
            assert!(!dfa.accepts(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn integers_are_spelled_plainly() {
        for atoms in
            [vec![(Integer, true)], vec![(Integer, true), (MultipleOf(d("3")), true), (Minimum(d("-30")), true)]]
        {
            let dfa = dfa(&atoms, Digits::Any);
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
            let dfa = spellings_of(&atom, Spellings::Plain, 9999).expect("small");
            for text in &values {
                let expected = atom.holds(&d(text)).expect("short");
                assert_eq!(dfa.accepts(text.as_bytes()), expected, "{atom:?} {text}");
            }
        }
    }

    #[test]
    fn a_number_with_an_exponent_compares_with_bounds_by_its_value() {
        let bounds = ["0", "1", "-1", "10", "-10.5", "0.25", "99.99", "1e-6", "-0.001", "2.5e10", "1e99", "1e200"];
        let mantissas = ["0", "1", "9", "2.5", "2.49", "2.500", "1.0", "1.05", "0.0", "9.999"];
        let exponents =
            ["e0", "E+1", "e-1", "e2", "e-3", "e-6", "e-7", "e9", "e10", "e+11", "e98", "e99", "e-99", "E07"];
        let values: Vec<String> = mantissas
            .iter()
            .flat_map(|m| ["", "-"].map(|sign| format!("{sign}{m}")))
            .flat_map(|m| exponents.map(|exponent| format!("{m}{exponent}")))
            .collect();
        for bound in bounds.map(d) {
            let atoms = [Minimum, ExclusiveMinimum, Maximum, ExclusiveMaximum, Equal].map(|atom| atom(bound.clone()));
            for atom in atoms {
                for spellings in [Spellings::Scientific, Spellings::Any] {
                    if spellings == Spellings::Any && !bound.is_zero() {
                        continue;
                    }
                    let dfa = spellings_of(&atom, spellings, 9999).expect("small");
                    for text in values.iter().filter(|text| text.len() < 30) {
                        let expected = atom.holds(&d(text)).expect("short");
                        assert_eq!(dfa.accepts(text.as_bytes()), expected, "{atom:?} {text}");
                    }
                    let wide = dfa.accepts(b"12.5e3") || dfa.accepts(b"-12.5e3");
                    assert_eq!(wide, spellings == Spellings::Any && !matches!(atom, Equal(_)), "{atom:?}");
                }
            }
        }
    }

    #[test]
    fn exponents_are_accepted_with_bounds_but_not_with_multiples() {
        let positive = dfa(&[(ExclusiveMinimum(d("0")), true)], Digits::Any);
        assert!(positive.accepts(b"1e-6") && positive.accepts(b"120e-7") && !positive.accepts(b"0e5"));
        assert!(!positive.accepts(b"-1e3"));
        let range = dfa(&[(Minimum(d("-1")), true), (Maximum(d("2.5e3")), true)], Digits::Any);
        for (text, expected) in [("2.5e3", true), ("2.51e3", false), ("-1e0", true), ("-0e0", false), ("25e2", false)] {
            assert_eq!(range.accepts(text.as_bytes()), expected, "{text}");
        }
        let one = dfa(&[(Minimum(d("5")), true), (Maximum(d("5")), true)], Digits::Any);
        assert!(one.accepts(b"5") && one.accepts(b"5.0") && one.accepts(b"5e0") && !one.accepts(b"5.1"));
        let halves = dfa(&[(MultipleOf(d("0.5")), true), (Minimum(d("0")), true)], Digits::Any);
        assert!(halves.accepts(b"1.5") && !halves.accepts(b"5e-1"));
    }

    #[test]
    fn a_number_that_is_no_integer_has_a_fraction() {
        let dfa = dfa(&[(Integer, false), (Maximum(d("2")), true)], Digits::Any);
        assert!(dfa.accepts(b"1.5") && dfa.accepts(b"-7.01"));
        assert!(!dfa.accepts(b"1.0") && !dfa.accepts(b"1") && !dfa.accepts(b"2.5"));
    }

    #[test]
    fn numbers_have_a_bounded_number_of_digits_unless_the_conditions_ask_for_more() {
        let accepts = |atoms: &[(NumberAtom, bool)], text: &str| dfa(atoms, Digits::Bounded).accepts(text.as_bytes());
        let (nines, zeros) = ("9".repeat(17), "0".repeat(17));
        for (text, expected) in [
            ("18446744073709551615", true),
            (&format!("{nines}9999"), false),
            (&format!("0.{nines}"), true),
            (&format!("0.{nines}9"), false),
            (&format!("0.{zeros}{nines}"), true),
            (&format!("0.{zeros}01"), false),
            (&format!("{nines}.0"), false),
            (&format!("{nines}e5"), true),
            (&format!("{nines}9e5"), false),
            ("-12.25E-10", true),
        ] {
            assert_eq!(accepts(&[], text), expected, "{text}");
        }
        assert!(dfa(&[], Digits::Any).accepts(format!("{nines}{nines}.{nines}").as_bytes()));
        let large = [(Minimum(d("1e30")), true)];
        assert!(accepts(&large, &format!("1{}", "0".repeat(30))) && !accepts(&large, &format!("1{}", "0".repeat(40))));
        let small = [(ExclusiveMinimum(d("0")), true), (Maximum(d("1e-30")), true)];
        assert!(accepts(&small, &format!("0.{}1", "0".repeat(29))));
        let fine = [(MultipleOf(d("1e-20")), true), (ExclusiveMinimum(d("0")), true), (Maximum(d("1")), true)];
        assert!(accepts(&fine, "0.00000000000000000001") && !accepts(&fine, "0.000000000000000000001"));
    }
}
