//! What goes into the engine, and what comes out of it.

use jig_guides::Guide;
use std::sync::Arc;

use crate::params::GenerationParams;

/// A request, ready to run: tokenized, validated, its guide compiled.
#[derive(Clone)]
pub struct Request {
    /// The prompt's tokens; at least one.
    pub prompt: Arc<[u32]>,
    /// How to generate.
    pub params: Arc<GenerationParams>,
    /// What every output must match; `None` leaves the text free.
    pub guide: Option<Guide>,
}

/// What the engine says of a running request, in order. After `Finished` of each of the `n` outputs,
/// or after `Failed`, nothing follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Further text of an output.
    Delta(Delta),
    /// An output is whole.
    Finished {
        /// Which of the `n` outputs.
        index: u32,
        /// Why it ended.
        reason: FinishReason,
        /// The number of tokens drawn for it.
        tokens: u32,
    },
    /// The request failed as a whole; its other outputs end with it.
    Failed(jig_plugin_api::Error),
}

/// Further text of one output: whole characters only, and nothing that may turn out to be part of a stop string.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Which of the `n` outputs.
    pub index: u32,
    /// The text since the last delta; may be empty where there are only `logprobs`.
    pub text: String,
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

/// Why an output ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// An end-of-text token, a stop string, a stop token, or a guide after which nothing can follow.
    Stop,
    /// `max_tokens` or the model's longest sequence. A guided output is whole all the same.
    Length,
}
