//! Sets of characters by their codes: union, complement, case folding.
//!
//! Codes of surrogates may be members while a regex is read, since a pair of them may mean a character. [`finished`] drops them: no text has
//! them.

use crate::automaton::expression::{SURROGATES, Symbols};
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// The greatest code of a character.
pub(super) const GREATEST: u32 = 0x10_FFFF;

/// The same set with sorted ranges that do not touch.
pub(super) fn normalized(mut ranges: Symbols) -> Symbols {
    ranges.sort_unstable();
    let mut merged: Symbols = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match merged.last_mut() {
            Some(last) if low <= last.1 + 1 => last.1 = last.1.max(high),
            _ => merged.push((low, high)),
        }
    }
    merged
}

/// The codes that are not in a normalized set.
pub(super) fn complement(ranges: &[(u32, u32)]) -> Symbols {
    let mut rest = Vec::with_capacity(ranges.len() + 1);
    let mut next = 0;
    for &(low, high) in ranges {
        if next < low {
            rest.push((next, low - 1));
        }
        next = high + 1;
    }
    if next <= GREATEST {
        rest.push((next, GREATEST));
    }
    rest
}

/// The characters of a normalized set: the set without surrogates.
pub(super) fn finished(ranges: &[(u32, u32)]) -> Symbols {
    let (first, last) = SURROGATES;
    let sides = |&(low, high): &(u32, u32)| {
        let below = (low < first).then(|| (low, high.min(first - 1)));
        let above = (high > last).then(|| (low.max(last + 1), high));
        below.into_iter().chain(above)
    };
    ranges.iter().flat_map(sides).collect()
}

/// How a regex without regard to case compares characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folding {
    /// Only the letters of ASCII.
    Ascii,
    /// Simple case folding (Unicode Standard, section 3.13), as ECMA-262 has it.
    Simple,
    /// As Python's `re`: two characters are equal if their lower case or their upper case is. This is simple case folding but for the
    /// letters i, which Python takes for one, with a dot and without.
    Python,
}

/// The four letters that Python compares with i: two of ASCII, capital I with a dot above, small i without a dot.
const LETTERS_I: [u32; 4] = [0x49, 0x69, 0x130, 0x131];

/// The set with all characters that are equal to one of it but for their case.
pub(super) fn folded(ranges: Symbols, folding: Folding) -> Symbols {
    let mut ranges = normalized(ranges);
    if folding == Folding::Ascii {
        let mut more = Vec::new();
        for &(low, high) in &ranges {
            for (from, to, other) in [(0x41, 0x5A, 0x61), (0x61, 0x7A, 0x41)] {
                let (low, high): (u32, u32) = (low.max(from), high.min(to));
                if low <= high {
                    more.push((low - from + other, high - from + other));
                }
            }
        }
        ranges.extend(more);
        return normalized(ranges);
    }
    if folding == Folding::Python
        && LETTERS_I.iter().any(|&letter| ranges.iter().any(|&(low, high)| (low..=high).contains(&letter)))
    {
        ranges.extend(LETTERS_I.map(|letter| (letter, letter)));
    }
    let character = |code: u32| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    let characters = finished(&normalized(ranges.clone()));
    let mut class = ClassUnicode::new(
        characters.iter().map(|&(low, high)| ClassUnicodeRange::new(character(low), character(high))),
    );
    // Without its table of cases the crate would fail, and it is built with it.
    let _ = class.try_case_fold_simple();
    ranges.extend(class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))));
    normalized(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operations_are_those_of_sets() {
        assert_eq!(normalized(vec![(5, 9), (1, 2), (3, 3), (8, 12)]), [(1, 3), (5, 12)]);
        assert_eq!(complement(&[(0, 3), (9, 9)]), [(4, 8), (10, GREATEST)]);
        assert_eq!(complement(&complement(&[(7, GREATEST)])), [(7, GREATEST)]);
        assert_eq!(
            finished(&[(0xD700, 0xD900), (0xDA00, 0xDA01), (0xDFFF, 0xE000)]),
            [(0xD700, 0xD7FF), (0xE000, 0xE000)]
        );
    }

    #[test]
    fn a_folded_set_has_the_other_cases() {
        let k = |folding| folded(vec![(0x6B, 0x6B)], folding);
        assert_eq!(k(Folding::Ascii), [(0x4B, 0x4B), (0x6B, 0x6B)]);
        assert_eq!(k(Folding::Simple), [(0x4B, 0x4B), (0x6B, 0x6B), (0x212A, 0x212A)]);
        let i = |folding| folded(vec![(0x131, 0x131)], folding);
        assert_eq!(i(Folding::Simple), [(0x131, 0x131)]);
        assert_eq!(i(Folding::Python), [(0x49, 0x49), (0x69, 0x69), (0x130, 0x131)]);
    }
}
