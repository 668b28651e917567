//! One output of a request: its tokens, its guide, its text.
//!
//! | module | what it holds |
//! |---|---|
//! | `sequence` | a request in the engine, and each of its outputs |
//! | `masks` | which tokens an output may draw next |
//! | `forced` | text that a guide leaves no choice about |
//! | `text` | text that is certain: what may be part of a stop string is held back |
//! | `stop` | the stop strings of a request as one automaton |
//! | `thoughts` | how long an output may think |
//! | `rng` | random numbers that depend on the request alone |

mod forced;
pub(super) mod masks;
mod rng;
#[expect(clippy::module_inception, reason = "the folder is one output and all about it, the file its type")]
mod sequence;
mod stop;
mod text;
mod thoughts;

pub(super) use forced::ForcedText;
pub(super) use rng::{Seeds, uniform};
pub(super) use sequence::{Job, Progress, Sequence};
pub(super) use stop::StopStrings;
