//! Regular expressions to automata.

mod looks;
pub(crate) mod syntax;

use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use regex_syntax::hir::{Dot, Hir, Repetition};
pub(crate) use syntax::Dialect;
use syntax::Translated;

/// Why a regex was not compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RegexError {
    /// It is no regex: position in characters, reason.
    Syntax(usize, String),
    /// It asks for something that is not regular or not built: position in characters, construct, reason.
    Unsupported(usize, &'static str, String),
    /// The automaton would be too big.
    TooBig,
}

impl From<TooManyStates> for RegexError {
    fn from(_: TooManyStates) -> RegexError {
        RegexError::TooBig
    }
}

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
        Translated::Marked(regex) => looks::compile(&regex, around, limits),
    }
}

/// Any text.
fn any() -> Hir {
    let sub = Box::new(Hir::dot(Dot::AnyChar));
    Hir::repetition(Repetition { min: 0, max: None, greedy: true, sub })
}

/// Reads what [`syntax`] wrote.
fn parsed(translated: &str) -> Result<Hir, RegexError> {
    regex_syntax::ParserBuilder::new()
        .nest_limit(200)
        // Marks are no UTF-8.
        .utf8(false)
        .build()
        .parse(translated)
        .map_err(|error| RegexError::Syntax(0, describe(&error)))
}

/// The reason without the picture of the translated regex, which the author of the regex never saw.
fn describe(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "not understood".to_owned(),
    }
}
