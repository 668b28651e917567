//! Regular expressions to automata.
//!
//! A regex is translated to the syntax of `regex-syntax`, parsed by that crate, and determinized. Look-ahead, which that crate lacks, is
//! compiled here.
//!
//! | file | what it holds |
//! |---|---|
//! | [`syntax`] | the translation: alternatives, groups, quantifiers, assertions |
//! | [`class`], [`escape`], [`reader`] | its parts: classes in brackets, escapes, the characters of the regex |
//! | [`hir`] | the parser of `regex-syntax` |
//! | [`lookahead`] | regexes with marks for their assertions |
//! | [`error`] | why a regex is refused |
//!
//! # Invariants
//!
//! - Matching is of whole texts, over characters. A pattern that may match anywhere is `.*pattern.*`.
//! - An accepted text is UTF-8. Marks are gone from a finished automaton.

mod class;
pub(crate) mod error;
pub(crate) mod escape;
mod hir;
mod lookahead;
mod reader;
mod syntax;
#[cfg(test)]
mod tests;

use crate::automaton::dfa::{Dfa, DfaLimits};
use crate::regex::error::RegexError;
use crate::regex::hir::{any, parsed};
pub(crate) use reader::Dialect;
use regex_syntax::hir::Hir;
use syntax::Translated;

/// The automaton of the texts that the regex matches from the first to the last character.
pub(crate) fn whole(regex: &str, dialect: Dialect, limits: DfaLimits) -> Result<Dfa, RegexError> {
    compiled(regex, dialect, false, limits)
}

/// The automaton of the texts in which the regex matches somewhere.
pub(crate) fn anywhere(regex: &str, dialect: Dialect, limits: DfaLimits) -> Result<Dfa, RegexError> {
    compiled(regex, dialect, true, limits)
}

fn compiled(regex: &str, dialect: Dialect, around: bool, limits: DfaLimits) -> Result<Dfa, RegexError> {
    match syntax::translate(regex, dialect)? {
        Translated::Plain(regex) => {
            let parts = [around.then(any), Some(parsed(&regex)?), around.then(any)];
            Ok(Dfa::from_hir(&Hir::concat(parts.into_iter().flatten().collect()), limits)?)
        }
        Translated::Marked(regex) => lookahead::compile(&regex, around, limits),
    }
}
