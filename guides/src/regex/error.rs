//! Why a regex is refused.

use crate::automaton::dfa::TooManyStates;

/// Why a regex was not compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RegexError {
    /// It is malformed: position in characters, reason.
    Syntax(usize, String),
    /// It has a construct that is not regular or not supported: position in characters, construct, reason.
    Unsupported(usize, &'static str, String),
    /// The automaton would be too big, or the compilation was interrupted.
    TooBig,
}

impl From<TooManyStates> for RegexError {
    fn from(_: TooManyStates) -> RegexError {
        RegexError::TooBig
    }
}
