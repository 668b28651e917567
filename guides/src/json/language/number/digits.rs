//! How many digits a number is written with where its conditions ask for no more.
//!
//! A model that repeats itself would fill the context with digits that no reader keeps. Integers have at most 20 digits, as 64 bits have
//! (18446744073709551615); other numbers have at most 17 significant ones, which tell all floats of 64 bits apart (IEEE 754, section 5.12.2).
//! Conditions on longer numbers make room for theirs.

use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::json::language::number::condition::NumberAtom;
use crate::json::language::number::grammar::{Spelled, WIDTH, class_of};

/// The most digits of the numbers that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DigitCaps {
    /// Of a number without fraction and exponent.
    integer: usize,
    /// Of other numbers, leading zeros not counted.
    significant: usize,
    /// Zeros between the point and the first other digit.
    zeros: usize,
}

impl DigitCaps {
    /// The caps that leave room for the numbers in some conditions.
    pub(super) fn beside(atoms: &[(NumberAtom, bool)]) -> DigitCaps {
        let (mut whole, mut fraction) = (0, 0);
        for (atom, _) in atoms {
            if let Some(number) = atom.number() {
                whole = whole.max(number.whole().len());
                fraction = fraction.max(number.fraction().len());
            }
        }
        DigitCaps { integer: 20.max(whole + 1), significant: 17.max(whole + fraction + 1), zeros: 17.max(fraction + 1) }
    }

    /// The spellings within the caps.
    pub(super) fn spellings(self, limit: usize) -> Result<Dfa, TooManyStates> {
        // The number of significant digits, and of zeros behind the point before any.
        let step = |&(from, digits, zeros): &(Spelled, usize, usize), class: usize| {
            let to = from.step(class)?;
            Some(match to {
                Spelled::Whole => (to, digits + 1, zeros),
                Spelled::Fraction if digits == 0 && class == 0 => (to, digits, zeros + 1),
                Spelled::Fraction => (to, digits + 1, zeros),
                // Digits are counted no more.
                Spelled::E => (to, 0, 0),
                _ => (to, digits, zeros),
            })
            .filter(|&(to, digits, zeros)| match to {
                Spelled::Whole => digits <= self.integer,
                _ => digits <= self.significant && zeros <= self.zeros,
            })
            .filter(|_| to != Spelled::E || digits <= self.significant)
        };
        let accepts = |&(spelled, ..): &(Spelled, usize, usize)| spelled.is_complete();
        Dfa::build(class_of, WIDTH, (Spelled::Start, 0, 0), limit, step, accepts)
    }
}
