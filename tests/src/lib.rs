//! The harness of the system tests: the built programs, a running server, and a client.
//!
//! The tests run the real `jig` binary with the real plugin `.so` over HTTP. They use public interfaces only.

mod artifacts;
mod client;
mod server;

pub use artifacts::{Artifacts, artifacts};
pub use client::{Answer, Client, Raw, stream_until};
pub use server::{Server, jig};
