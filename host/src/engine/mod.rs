//! The engine: one thread that owns the model, and the handle by which everybody else talks to it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`handle`](EngineHandle) | requests in, events out, cancellation, draining |
//! | `mailbox` | the bounded queue between the handles and the thread |
//! | `check` | what makes a request impossible to serve |
//! | `thread` | the step: admit, plan, forward, masks, sample, accept |
//! | `schedule` | who runs, who waits, who gives up memory |
//! | `sequence` | one output: its tokens, guide and text, and what it may draw next |
//! | `kept` | how much of answers is in memory |
//! | `progress` | where the thread stands, for those who watch it |
//! | `record` | how long requests waited and ran, how many tokens they had |
//! | `crew` | work shared with the pool's threads |
//! | `guard` | a panic in a backend or a guide fails a request, not the engine |
//!
//! Nothing of an output depends on what else runs: random numbers are a function of seed, output and position, a text's
//! state survives the loss of its KV cache, and backends are asked to compute a row the same in any batch.

mod check;
mod config;
mod crew;
mod guard;
mod handle;
mod kept;
mod mailbox;
mod progress;
mod record;
mod schedule;
mod sequence;
mod thread;

pub use config::{EngineConfig, EngineStats};
pub use handle::{AnswerMemory, Engine, EngineHandle, RequestStream};
pub use mailbox::SubmitError;
pub use record::{RequestMetrics, Timing};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
