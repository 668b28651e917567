//! A prompt that a chat template wrote.

use std::ops::Range;

/// A prompt that a chat template wrote, and where in it the text of a special token is not that token.
///
/// The template says which tokens frame a conversation; what people and tools said in it is text, also where it reads like such a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The text. The template wrote all special tokens that there are to be, the begin-of-text token included.
    pub text: String,
    /// The places, in bytes, where the text of a special token was said by someone: to be tokenized as plain text. In rising order; they
    /// do not overlap.
    pub literal: Vec<Range<usize>>,
}

impl From<String> for Rendered {
    /// A text in which every special token is meant.
    fn from(text: String) -> Self {
        Self { text, literal: Vec::new() }
    }
}
