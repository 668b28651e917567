//! Regular expressions to automata.

pub(crate) mod syntax;

use crate::automaton::dfa::{Dfa, DfaLimits, TooManyStates};
use regex_syntax::hir::Hir;
pub(crate) use syntax::Dialect;

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
    Ok(Dfa::from_hir(&parse(regex, dialect)?, limits)?)
}

/// The automaton of the texts in which the regex matches somewhere.
pub(crate) fn anywhere(regex: &str, dialect: Dialect, limits: DfaLimits) -> Result<Dfa, RegexError> {
    let any = Hir::repetition(regex_syntax::hir::Repetition {
        min: 0,
        max: None,
        greedy: true,
        sub: Box::new(Hir::dot(regex_syntax::hir::Dot::AnyChar)),
    });
    Ok(Dfa::from_hir(&Hir::concat(vec![any.clone(), parse(regex, dialect)?, any]), limits)?)
}

fn parse(regex: &str, dialect: Dialect) -> Result<Hir, RegexError> {
    let translated = syntax::translate(regex, dialect)?;
    regex_syntax::ParserBuilder::new()
        .nest_limit(200)
        .build()
        .parse(&translated)
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
