//! The protocol of `outlines.serve`: `POST /generate` with vLLM's sampling parameters by name, default and limit, and with what every output
//! must match. The answer is the text so far, prompt included; a stream repeats it in chunks that each end in a NUL.
//!
//! | module | what it holds |
//! |---|---|
//! | `generate` | from a body to an answer |
//! | `parse` | all fields to a [`Generate`] |
//! | `constraint` | `schema`, `regex` and `structured_outputs` |
//! | `unsupported` | fields of vLLM that are accepted only where they ask for nothing |
//! | `names` | the names of all fields, and what to do about others |
//! | `suspects` | names in a schema that look like a misspelt keyword |
//! | `answer` | events to the text so far, whole or as a stream |
//!
//! Nothing is ignored: a field is enforced, or the request is refused with a [`Refusal`](super::fields::Refusal) that names it. `null` is
//! the same as an absent field; only `max_tokens` has a meaning for it (no limit), as in vLLM.

mod answer;
mod constraint;
mod generate;
mod names;
mod parse;
mod suspects;
#[cfg(test)]
mod tests;
mod unsupported;

pub use generate::{Generated, Reply, generate};
pub use parse::{Generate, Names, parse};
