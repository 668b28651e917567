//! The API of OpenAI, with vLLM's extensions: what the clients of both send is understood or refused, and their answers have the same form.
//!
//! | module | what it holds |
//! |---|---|
//! | [`chat`] | `POST /v1/chat/completions` |
//! | [`responses`] | `POST /v1/responses` |
//! | [`completions`] | `POST /v1/completions` |
//! | [`models`] | `GET /v1/models` |
//! | `invocations` | `POST /invocations`, one path for all kinds of bodies |
//! | [`tokens`] | `POST /tokenize`, `POST /detokenize` |
//! | `body` | fields that the bodies of all endpoints that generate have |
//! | `constraint` | what every output must match, in all spellings |
//! | `tools` | the tools of a request: what its answers may call |
//! | `unknown` | fields that no table knows |
//! | `failure` | what goes wrong, as this API says it |
//! | `head` | what all answers begin and end with, and the frames of a stream |
//! | `logprobs` | log-probabilities of tokens, with their places in the text |
//! | `outputs` | the requests that answer one body while they run, and their events as frames |
//! | `settings` | what an operator says of this API |
//!
//! `null` is the same as an absent field. A field that no table knows is ignored and named in the answer's header `x-jig-ignored`, unless it
//! would constrain the output or is nearly the name of a field that matters: these are refused.

mod body;
pub mod chat;
pub mod completions;
mod constraint;
mod failure;
mod head;
mod invocations;
mod logprobs;
pub mod models;
mod outputs;
pub mod responses;
mod settings;
pub mod tokens;
mod tools;
mod unknown;

use futures_util::stream::BoxStream;
use serde_json::Value;

pub use invocations::invocations;
pub use settings::{Defaults, ReasoningField, Settings};

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// The body.
    pub body: Value,
    /// The fields of the request that were ignored, as a header lists them.
    pub ignored: Option<String>,
    /// The keywords of schemas of tools that were left out, as a header lists them.
    pub relaxed: Option<String>,
}

/// The answer to a request that was taken.
pub enum Reply {
    /// All of it.
    Whole(Whole),
    /// Server-sent events as they come. Dropping them cancels the request.
    Stream {
        /// One or more frames at a time.
        frames: BoxStream<'static, String>,
        /// The fields of the request that were ignored, as a header lists them.
        ignored: Option<String>,
        /// The keywords of schemas of tools that were left out, as a header lists them.
        relaxed: Option<String>,
    },
}
