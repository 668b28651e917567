//! The body of `POST /generate`: vLLM's sampling parameters by name, default and limit, and what every output must match.
//!
//! | module | what it holds |
//! |---|---|
//! | `body` | the JSON text as a list of fields: no key twice, each value as the client spelled it |
//! | `value` | a value of a field as a number, a string, a list, or the reason why it is none |
//! | `constraint` | `schema`, `regex` and `structured_outputs` |
//! | `parse` | all fields to a [`GenerateRequest`] |
//! | `unsupported` | fields of vLLM that are accepted only where they ask for nothing |
//! | `names` | the names, and the nearest one to a name that is not known |
//!
//! Nothing is ignored: a field is enforced, or the request is refused with an [`Invalid`] that names it. `null` is the same as
//! an absent field; only `max_tokens` has a meaning for it (no limit), as in vLLM.

mod body;
mod constraint;
mod error;
mod generation;
mod names;
mod parse;
#[cfg(test)]
mod tests;
mod unsupported;
mod value;

pub use constraint::Constraint;
pub use error::Invalid;
pub use generation::GenerationParams;
pub use parse::{GenerateRequest, Prompt, parse};

/// The most outputs of one request.
pub const MAX_N: u32 = 16_384;

/// The most log-probabilities that may be asked for with each token.
pub const MAX_LOGPROBS: u32 = 20;

/// The most entries of `stop` and of `bad_words`.
pub const MAX_STRINGS: usize = 1_000;

/// The most tokens of an output without a guide where the request names no `max_tokens`.
pub const DEFAULT_MAX_TOKENS: u32 = 16;

/// The lowest temperature above zero: a lower one would overflow the logits, so it is raised to this.
pub const MIN_TEMPERATURE: f32 = 0.01;
