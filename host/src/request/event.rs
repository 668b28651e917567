//! What the engine says of a running request.

use super::Failure;

/// What the engine says of a running request, in order. After `Finished` of each of the `n` outputs,
/// or after `Failed`, nothing follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The log-probabilities of further tokens of the prompt, in their order and without the first one, of which nothing is known. They come
    /// once for all outputs, where the request asked for them.
    Prompt(Vec<TokenLogprob>),
    /// Further text of an output.
    Delta(Delta),
    /// An output is whole.
    Finished {
        /// Which of the `n` outputs.
        index: u32,
        /// Why it ended.
        reason: FinishReason,
        /// What of the request ended it, if something did.
        stopped_by: Option<StoppedBy>,
        /// Whether the limit on its tokens kept a guided output from tokens that its guide allows: it is whole, and may be shorter than it
        /// would have been.
        squeezed: bool,
        /// The tokens that it took.
        usage: Usage,
    },
    /// The request failed as a whole; its other outputs end with it.
    Failed(Failure),
}

/// The tokens of one output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, which all outputs of a request share.
    pub prompt_tokens: u32,
    /// Tokens of the output: those that were drawn, and those that the guide left no choice about.
    pub output_tokens: u32,
}

/// Further text of one output: whole characters only, and nothing that may turn out to be part of a stop string.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Which of the `n` outputs.
    pub index: u32,
    /// The text since the last delta; may be empty where there are only `logprobs`.
    pub text: String,
    /// The tokens since the last delta, those included whose text is held back.
    pub tokens: Vec<u32>,
    /// One entry for each token since the last delta, where the request asked for log-probabilities.
    pub logprobs: Vec<TokenLogprob>,
}

/// The log-probability of a token that was drawn, and of the most likely ones in its place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenLogprob {
    /// The token.
    pub token: u32,
    /// Its log-probability by the raw logits.
    pub logprob: f32,
    /// The most likely tokens, the most likely first.
    pub top: Vec<(u32, f32)>,
}

/// What a request named to end its outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoppedBy {
    /// A stop string.
    String(String),
    /// A stop token.
    Token(u32),
}

/// Why an output ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// An end-of-text token, a stop string, a stop token, or a guide after which nothing can follow.
    Stop,
    /// `max_tokens` or the model's longest sequence. A guided output is whole all the same.
    Length,
}
