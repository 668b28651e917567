//! The engine: one thread that owns the model, and the handle by which everybody else talks to it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`request`](Request) | what goes in and what comes out |
//! | [`handle`](EngineHandle) | the bounded queue in, the events out, cancellation, draining |
//! | `check` | what makes a request impossible to serve |
//! | `thread` | the step: admit, plan, forward, masks, sample, accept |
//! | `scheduler` | who runs, who waits, who gives up memory |
//! | `blocks` | the arithmetic of KV cache blocks |
//! | `sequence` | one output: its tokens, guide and text |
//! | `masks` | what an output may draw next |
//! | `forced` | text that a guide leaves no choice about |
//! | `stop` | text that is certain: stop strings are held back |
//! | `rng` | random numbers that depend on the request alone |
//! | `guard` | a panic in a backend or a guide fails a request, not the engine |
//!
//! Nothing of an output depends on what else runs: random numbers are a function of seed, output and position, a text's
//! state survives the loss of its KV cache, and backends are asked to compute a row the same in any batch.

mod blocks;
mod check;
mod config;
mod crew;
mod forced;
mod guard;
mod handle;
mod masks;
mod request;
mod rng;
mod scheduler;
mod sequence;
mod stop;
mod thread;

pub use config::{EngineConfig, EngineStats};
pub use handle::{Engine, EngineHandle, RequestStream, SubmitError};
pub use request::{Delta, Event, FinishReason, Request, TokenLogprob};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
