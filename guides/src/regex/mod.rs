//! Regular expressions to automata.
//!
//! A regex is read to an expression over sets of characters, and determinized. With look-ahead or `\b` it is an alternating automaton.
//!
//! | file | what it holds |
//! |---|---|
//! | [`syntax`] | the parser: alternatives, groups, quantifiers, assertions |
//! | [`class`], [`escape`], [`reader`] | its parts: classes in brackets, escapes, the characters of the regex |
//! | [`sets`], [`unicode`] | sets of characters, and those of Unicode's properties |
//! | [`trimmed`] | expressions of which less has to be counted |
//! | [`lookahead`], [`inclusion`] | regexes with assertions about what follows |
//! | [`error`] | why a regex is refused |
//!
//! # Invariants
//!
//! - Matching is of whole texts, over characters. A pattern that may match anywhere is `.*pattern.*`.
//! - An accepted text is UTF-8. Marks are gone from a finished automaton.

mod class;
pub(crate) mod error;
pub(crate) mod escape;
mod inclusion;
mod lookahead;
mod reader;
mod sets;
mod syntax;
#[cfg(test)]
mod tests;
mod trimmed;
mod unicode;

use crate::automaton::determinize::CharacterDfa;
use crate::automaton::dfa::{Dfa, DfaLimits};
use crate::automaton::expression::Expression;
use crate::regex::error::RegexError;
use crate::regex::syntax::Regex;
pub(crate) use reader::Dialect;

/// The automaton of the texts that the regex matches from the first to the last character.
pub(crate) fn whole(regex: &str, dialect: Dialect, limits: DfaLimits) -> Result<Dfa, RegexError> {
    Ok(whole_by_character(regex, dialect, limits)?.to_bytes(limits)?)
}

/// As [`whole`], over characters.
pub(crate) fn whole_by_character(regex: &str, dialect: Dialect, limits: DfaLimits) -> Result<CharacterDfa, RegexError> {
    let regex = syntax::read(regex, dialect)?;
    compiled(&regex, &regex.expression, dialect, limits)
}

/// The automaton of the texts in which the regex matches somewhere.
pub(crate) fn anywhere(regex: &str, dialect: Dialect, limits: DfaLimits) -> Result<Dfa, RegexError> {
    let regex = syntax::read(regex, dialect)?;
    Ok(compiled(&regex, &trimmed::around(&regex.expression), dialect, limits)?.to_bytes(limits)?)
}

/// As [`anywhere`], without the greatest count of a `^...C{m,n}...$` with large `n`, if the length of the text can take its place: the
/// automaton, and the greatest number of characters if it was replaced.
pub(crate) fn anywhere_but_length(
    regex: &str,
    dialect: Dialect,
    limits: DfaLimits,
) -> Result<(Dfa, Option<u32>), RegexError> {
    let regex = syntax::read(regex, dialect)?;
    let (expression, most) = match trimmed::without_count(&regex.expression) {
        Some((expression, most)) => (expression, Some(most)),
        None => (trimmed::around(&regex.expression), None),
    };
    Ok((compiled(&regex, &expression, dialect, limits)?.to_bytes(limits)?, most))
}

/// The expression of a regex that stands for a part of a text.
///
/// # Errors
/// Beside those of every regex: it has an assertion, which would look at the text around the part.
pub(crate) fn within(regex: &str, dialect: Dialect) -> Result<Expression, RegexError> {
    let regex = syntax::read(regex, dialect)?;
    if regex.expression.has_assertion() {
        let reason =
            "it looks at the text around what the regex matches, which is not followed here; write a regex without it";
        return Err(RegexError::Unsupported(0, "^, $, \\b and look-around", reason.into()));
    }
    Ok(regex.expression)
}

/// Whether `\p{...}` may have this name or this name and value (ECMA-262, section 22.2.1).
pub(crate) fn is_property(written: &str) -> bool {
    unicode::property(written).is_some()
}

fn compiled(
    regex: &Regex,
    expression: &Expression,
    dialect: Dialect,
    limits: DfaLimits,
) -> Result<CharacterDfa, RegexError> {
    if regex.has_marks {
        return lookahead::compile(regex, expression, dialect, limits);
    }
    Ok(CharacterDfa::new(expression, limits)?)
}
