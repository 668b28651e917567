//! Sets of numbers as automata over their spelling.
//!
//! An automaton of a condition accepts all spellings of a value that are written ([`Spellings`]), or none of them. So intersection and
//! difference of automata are those of the sets of values. The last step restricts the spellings: integers have no fraction if only
//! integers are allowed, and a number with any condition is never `-0`.
//!
//! | file | what it holds |
//! |---|---|
//! | this one | conditions, their conjunction, multiples |
//! | [`compare`] | bounds |
//! | [`grammar`] | the grammar, and which spellings are written |

mod compare;
pub(crate) mod grammar;

use crate::automaton::cost::Cost;
use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::json::language::number::compare::{compared, unsigned_zero};
use crate::json::language::number::grammar::{Spelled, Spellings, WIDTH, class_of, plain, spelled};
use crate::json::text::decimal::Decimal;
use std::cmp::Ordering;
use std::sync::atomic;

/// A condition on a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum NumberAtom {
    Integer,
    /// At least the bound.
    Minimum(Decimal),
    /// More than the bound.
    ExclusiveMinimum(Decimal),
    /// At most the bound.
    Maximum(Decimal),
    /// Less than the bound.
    ExclusiveMaximum(Decimal),
    /// An integer multiple of the divisor.
    MultipleOf(Decimal),
    /// Exactly this value.
    Equal(Decimal),
}

impl NumberAtom {
    /// Whether it holds for a value; `None` if a divisor is too long to tell.
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

    /// The spellings of the values for which it holds. `Integer` and `MultipleOf` know plain spellings only.
    fn dfa(&self, spellings: Spellings, limit: usize) -> Result<Dfa, TooManyStates> {
        match self {
            NumberAtom::Integer => multiples(1, 0, limit),
            NumberAtom::Minimum(bound) => compared(bound, Ordering::is_ge, spellings, limit),
            NumberAtom::ExclusiveMinimum(bound) => compared(bound, Ordering::is_gt, spellings, limit),
            NumberAtom::Maximum(bound) => compared(bound, Ordering::is_le, spellings, limit),
            NumberAtom::ExclusiveMaximum(bound) => compared(bound, Ordering::is_lt, spellings, limit),
            NumberAtom::Equal(bound) => compared(bound, Ordering::is_eq, spellings, limit),
            NumberAtom::MultipleOf(divisor) => {
                let (m, scale) = divisor.scaled().ok_or(TooManyStates)?;
                multiples(m, scale, limit)
            }
        }
    }

    /// The bound, if the condition is a comparison.
    fn bound(&self) -> Option<&Decimal> {
        match self {
            NumberAtom::Minimum(bound) | NumberAtom::ExclusiveMinimum(bound) => Some(bound),
            NumberAtom::Maximum(bound) | NumberAtom::ExclusiveMaximum(bound) | NumberAtom::Equal(bound) => Some(bound),
            NumberAtom::Integer | NumberAtom::MultipleOf(_) => None,
        }
    }
}

/// The same conditions with the strongest bound on each side only, in a normal order: equal conditions become equal keys of a cache.
pub(crate) fn simplified(atoms: Vec<(NumberAtom, bool)>) -> Vec<(NumberAtom, bool)> {
    use NumberAtom::*;
    // A bound and whether it is exclusive. Of two equal bounds the exclusive one is stronger.
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

/// The spellings of the numbers for which each atom holds, or does not hold if its flag is false.
pub(crate) fn language(atoms: &[(NumberAtom, bool)], limit: usize) -> Result<Dfa, TooManyStates> {
    match atoms {
        [] => return spelled(|_| true, |_, _, _| true, limit),
        [(NumberAtom::Integer, true)] => return plain(true, limit),
        _ => {}
    }
    let spellings = Spellings::beside(atoms.iter().map(|(atom, _)| atom.bound()).collect());
    let all = match spellings {
        Spellings::Plain => plain(false, limit)?,
        _ => unsigned_zero(spellings, limit)?,
    };
    let mut values = all.clone();
    let mut states = 0;
    for (atom, holds) in atoms {
        let dfa = atom.dfa(spellings, limit)?;
        // Each product visits all states so far again, so the total bounds the time.
        states += values.len();
        if states > limit.saturating_mul(MOST_ROUNDS) {
            return Err(TooManyStates);
        }
        values = if *holds { values.intersection(&dfa, limit)? } else { values.difference(&dfa, limit)? };
    }
    let written_plainly = match spellings {
        Spellings::Plain => &values,
        _ => &values.intersection(&plain(false, limit)?, limit)?,
    };
    if written_plainly.difference(&multiples(1, 0, limit)?, limit)?.is_empty() {
        return written_plainly.intersection(&plain(true, limit)?, limit);
    }
    if all.difference(&values, limit)?.is_empty() {
        return language(&[], limit);
    }
    match spellings {
        Spellings::Plain => values.intersection(&unsigned_zero(spellings, limit)?, limit),
        _ => Ok(values),
    }
}

/// The most states that the products of all conditions visit, for each state that an automaton may have.
const MOST_ROUNDS: usize = 64;

/// The plain spellings of the multiples of `m * 10^-scale`.
fn multiples(m: u64, scale: u32, limit: usize) -> Result<Dfa, TooManyStates> {
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

/// A set of numbers by their spelling.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) dfa: Dfa,
    pub(crate) costs: Vec<Cost>,
    /// Its key in caches.
    pub(crate) id: u64,
}

impl Numbers {
    pub(crate) fn new(dfa: Dfa) -> Numbers {
        let costs = dfa.costs(|_| 1);
        Numbers::with_costs(dfa, costs)
    }

    /// The set with the costs of its states, [`Cost::NEVER`] for a state in which no token may end.
    pub(crate) fn with_costs(dfa: Dfa, costs: Vec<Cost>) -> Numbers {
        static COUNT: atomic::AtomicU64 = atomic::AtomicU64::new(0);
        Numbers { dfa, costs, id: COUNT.fetch_add(1, atomic::Ordering::Relaxed) }
    }
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
            let dfa = atom.dfa(Spellings::Plain, 9999).expect("small");
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
                    let dfa = atom.dfa(spellings, 9999).expect("small");
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
        let positive = language(&[(ExclusiveMinimum(d("0")), true)], 99).expect("small");
        assert!(positive.accepts(b"1e-6") && positive.accepts(b"120e-7") && !positive.accepts(b"0e5"));
        assert!(!positive.accepts(b"-1e3"));
        let range = language(&[(Minimum(d("-1")), true), (Maximum(d("2.5e3")), true)], 9999).expect("small");
        for (text, expected) in [("2.5e3", true), ("2.51e3", false), ("-1e0", true), ("-0e0", false), ("25e2", false)] {
            assert_eq!(range.accepts(text.as_bytes()), expected, "{text}");
        }
        let one = language(&[(Minimum(d("5")), true), (Maximum(d("5")), true)], 999).expect("small");
        assert!(one.accepts(b"5") && !one.accepts(b"5.0") && !one.accepts(b"5e0"));
        let halves = language(&[(MultipleOf(d("0.5")), true), (Minimum(d("0")), true)], 999).expect("small");
        assert!(halves.accepts(b"1.5") && !halves.accepts(b"5e-1"));
    }

    #[test]
    fn a_number_that_is_no_integer_has_a_fraction() {
        let dfa = language(&[(Integer, false), (Maximum(d("2")), true)], 999).expect("small");
        assert!(dfa.accepts(b"1.5") && dfa.accepts(b"-7.01"));
        assert!(!dfa.accepts(b"1.0") && !dfa.accepts(b"1") && !dfa.accepts(b"2.5"));
    }
}
