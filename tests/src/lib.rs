//! What the whole-system tests stand on: the built programs, a running server, and a client.
//!
//! The tests drive the real `jig` binary with the real plugin `.so` over HTTP, through public doors only.

mod artifacts;
mod client;
mod server;

pub use artifacts::{Artifacts, artifacts};
pub use client::{Answer, Client, stream_until};
pub use server::{Server, jig};
