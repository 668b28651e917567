//! What is wrong with a request.

use std::fmt;

/// The part of a request that is wrong. Its `Display` is the name in [`GenerationParams`](super::GenerationParams) or
/// [`TextRequest`](super::TextRequest); a protocol says it by the name that its client used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// What to continue.
    Prompt,
    /// The room that the prompt leaves in the model's longest sequence: none, or too little for an answer.
    Room {
        /// The tokens of the prompt.
        prompt_tokens: usize,
        /// Whether the prompt was counted; else it has so many tokens at least.
        is_counted: bool,
    },
    /// Words that may not be written.
    BadWords,
    /// What every output must match.
    Constraint,
    /// The number of outputs.
    N,
    /// The most tokens of an output.
    MaxTokens,
    /// The tokens that may be drawn.
    AllowedTokenIds,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prompt | Self::Room { .. } => "prompt",
            Self::BadWords => "bad_words",
            Self::Constraint => "constraint",
            Self::N => "n",
            Self::MaxTokens => "max_tokens",
            Self::AllowedTokenIds => "allowed_token_ids",
        })
    }
}

/// A request that can't be served, whatever else runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", .field.map(|field| format!("{field}: ")).unwrap_or_default())]
pub struct Invalid {
    /// The part that is wrong; `None` where it is none alone.
    pub field: Option<Field>,
    /// What is wrong, and what would work.
    pub problem: String,
}

impl Invalid {
    /// One part is wrong.
    pub fn new(field: Field, problem: impl fmt::Display) -> Self {
        Self { field: Some(field), problem: problem.to_string() }
    }
}
