//! What a request is, whatever protocol it came by: what to continue, what the outputs must match, how to draw, and what the engine says
//! of it while it runs.
//!
//! | module | what it holds |
//! |---|---|
//! | `request` | a request in texts, and one that is ready to run |
//! | `params` | how to generate |
//! | `rendered` | a prompt that a chat template wrote |
//! | `constraint` | what every output must match |
//! | `limits` | how much a request may ask for |
//! | `event` | what the engine says of a running request |
//! | `failure` | why a running request failed |
//! | `invalid` | what is wrong with a request, and in which part of it |
//!
//! No name of a wire format stands here: a protocol gives the parts of a request the names that its clients know.

mod constraint;
mod event;
mod failure;
mod invalid;
pub mod limits;
mod params;
mod rendered;
#[expect(clippy::module_inception, reason = "the folder is the domain, the file its main type")]
mod request;

pub use self::constraint::Constraint;
pub use self::event::{Delta, Event, FinishReason, StoppedBy, TokenLogprob, Usage};
pub use self::failure::Failure;
pub use self::invalid::{Field, Invalid};
pub use self::params::{GenerationParams, ThoughtLimit};
pub use self::rendered::Rendered;
pub use self::request::{Prompt, Request, TextRequest};
