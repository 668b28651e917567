//! The engine: one thread that owns the model, and the handle by which everybody else talks to it.

mod request;

pub use request::{Delta, Event, FinishReason, Request, TokenLogprob};
