//! Syntax trees of `regex-syntax`.

use crate::regex::error::RegexError;
use regex_syntax::hir::{Dot, Hir, Repetition};

/// The regex `.*` with line breaks, which matches every text.
pub(crate) fn any() -> Hir {
    let sub = Box::new(Hir::dot(Dot::AnyChar));
    Hir::repetition(Repetition { min: 0, max: None, greedy: true, sub })
}

/// Parses a translated regex (see [`syntax`](crate::regex::syntax)).
pub(super) fn parsed(translated: &str) -> Result<Hir, RegexError> {
    regex_syntax::ParserBuilder::new()
        .nest_limit(200)
        // Marks are bytes outside of UTF-8.
        .utf8(false)
        .build()
        .parse(translated)
        .map_err(|error| RegexError::Syntax(0, describe(&error)))
}

/// The reason without the excerpt of the translated regex, which the author of the regex never saw.
fn describe(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "not understood".to_owned(),
    }
}
