//! Texts and escapes of literals, which both syntaxes have.

use crate::automaton::expression::{Expression, SURROGATES, Symbols};
use crate::error::CompileError;
use crate::grammar::rules::{Body, Location};
use crate::grammar::syntax::cursor::{GrammarCursor, syntax};
use foldhash::{HashMap, HashMapExt};
use std::sync::Arc;

/// The greatest code of a character.
const LAST_CHARACTER: u32 = 0x10_FFFF;

/// Makes the expressions of literals. Equal characters share one set: a long literal takes little memory.
pub(super) struct Literals {
    sets: HashMap<char, Arc<Symbols>>,
}

impl Literals {
    pub(super) fn new() -> Literals {
        Literals { sets: HashMap::new() }
    }

    /// The text itself.
    pub(super) fn text(&mut self, text: &str) -> Body {
        let mut characters = text.chars().map(|c| {
            let set = self.sets.entry(c).or_insert_with(|| Arc::new(vec![(u32::from(c), u32::from(c))]));
            Expression::Set(set.clone())
        });
        Body::Text(match (characters.next(), text.chars().nth(1)) {
            (Some(only), None) => only,
            (None, _) => Expression::EMPTY,
            (first, _) => Expression::Concat(first.into_iter().chain(characters).collect()),
        })
    }
}

/// One character of a set of codes, or with `negated` one that is not in it.
pub(super) fn class(mut ranges: Symbols, negated: bool) -> Body {
    ranges.sort_unstable();
    let mut merged: Symbols = Vec::with_capacity(ranges.len());
    // The surrogates stand in the set while it is negated, as no text has them.
    let (first, last) = SURROGATES;
    let cut = |(low, high): (u32, u32)| {
        let below = (low < first).then(|| (low, high.min(first - 1)));
        let above = (high > last).then(|| (low.max(last + 1), high));
        below.into_iter().chain(above)
    };
    for (low, high) in ranges {
        match merged.last_mut() {
            Some(before) if low <= before.1.saturating_add(1) => before.1 = before.1.max(high),
            _ => merged.push((low, high)),
        }
    }
    if negated {
        let mut next = 0;
        let mut rest = Symbols::with_capacity(merged.len() + 1);
        for (low, high) in merged {
            if next < low {
                rest.push((next, low - 1));
            }
            next = high + 1;
        }
        if next <= LAST_CHARACTER {
            rest.push((next, LAST_CHARACTER));
        }
        merged = rest;
    }
    Body::Text(Expression::Set(Arc::new(merged.into_iter().flat_map(cut).collect())))
}

/// Reads the digits of `\xHH`, `\uHHHH` or `\UHHHHHHHH` behind the letter. The backslash stands at `at`.
pub(super) fn hex_escape(cursor: &mut GrammarCursor, at: Location, letter: char) -> Result<char, CompileError> {
    let digits = match letter {
        'x' => 2,
        'u' => 4,
        _ => 8,
    };
    let mut code = 0u32;
    for _ in 0..digits {
        let Some(digit) = cursor.peek().and_then(|c| c.to_digit(16)) else {
            return Err(syntax(at, format!("\\{letter} is followed by {digits} hexadecimal digits")));
        };
        code = code << 4 | digit;
        cursor.next();
    }
    char::from_u32(code).ok_or_else(|| {
        syntax(
            at,
            format!("{code:X} is the code of no character; write the character itself, or \\UHHHHHHHH with its code"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(body: Body) -> Symbols {
        match body {
            Body::Text(Expression::Set(set)) => set.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_class_has_the_characters_of_its_ranges() {
        assert_eq!(ranges(class(vec![(5, 9), (1, 2), (3, 3), (8, 12)], false)), [(1, 3), (5, 12)]);
        assert_eq!(ranges(class(vec![(0x41, 0x41)], true)), [(0, 0x40), (0x42, 0xD7FF), (0xE000, 0x10_FFFF)]);
        assert_eq!(ranges(class(vec![], true)), [(0, 0xD7FF), (0xE000, 0x10_FFFF)]);
        assert_eq!(ranges(class(vec![(0, 0x10_FFFF)], true)), []);
        assert_eq!(ranges(class(vec![(0xD000, 0xE001)], false)), [(0xD000, 0xD7FF), (0xE000, 0xE001)]);
    }

    #[test]
    fn equal_characters_of_literals_share_one_set() {
        let mut literals = Literals::new();
        let Body::Text(Expression::Concat(parts)) = literals.text("aba") else { panic!("no sequence") };
        let [Expression::Set(first), _, Expression::Set(last)] = parts.as_slice() else { panic!("{parts:?}") };
        assert!(Arc::ptr_eq(first, last));
        assert_eq!(literals.text(""), Body::Text(Expression::EMPTY));
        assert_eq!(ranges(literals.text("é")), [(0xE9, 0xE9)]);
    }
}
