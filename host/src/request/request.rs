//! A request, before and after its texts are tokenized and its guide is compiled.

use std::sync::Arc;

use jig_guides::Guide;

use super::{Constraint, GenerationParams, Rendered};

/// A request in texts: read and checked, not yet tokenized, its guide not yet compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct TextRequest {
    /// What to continue.
    pub prompt: Prompt,
    /// What every output must match; `None` leaves the text free.
    pub constraint: Option<Constraint>,
    /// How to generate; `bad_words` is empty until they are tokenized.
    pub params: GenerationParams,
    /// Words that may not be written; none is empty.
    pub bad_words: Vec<String>,
}

/// What to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A text. The tokenizer puts around it what it puts around every text (a begin-of-text token).
    Text(String),
    /// A text that a chat template wrote; nothing is put around it.
    Rendered(Rendered),
    /// Tokens of the vocabulary; at least one.
    Tokens(Vec<u32>),
}

/// A request that is ready to run: tokenized, validated, its guide compiled.
#[derive(Clone)]
pub struct Request {
    /// The prompt's tokens; at least one.
    pub prompt: Arc<[u32]>,
    /// How to generate.
    pub params: Arc<GenerationParams>,
    /// What every output must match; `None` leaves the text free.
    pub guide: Option<Guide>,
}
