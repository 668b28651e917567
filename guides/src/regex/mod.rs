//! Regular expressions to automata.

pub(crate) mod error;
pub(crate) mod hir;
pub(crate) mod lookahead;
pub(crate) mod syntax;

use crate::automaton::dfa::{Dfa, DfaLimits};
use crate::regex::error::RegexError;
use crate::regex::hir::{any, parsed};
use regex_syntax::hir::Hir;
pub(crate) use syntax::Dialect;
use syntax::Translated;

/// The automaton of the texts that the regex matches from first to last character.
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
