//! The stable ABI between Jig and its model backends.
//!
//! A backend is a shared library that exports one root module. Its author implements two ordinary Rust
//! traits, [`Backend`] and [`Model`], and names the backend in `export_backend!`; everything that
//! crosses the library boundary is generated behind those traits and is not the author's concern.
//!
//! The host side of the same boundary is [`load`]: it opens a library, checks that its layout agrees with
//! the host's, and hands back the same two traits, so that an embedded backend and a loaded one look alike.
//!
//! `examples/echo.rs` is a complete plugin in one file; the tests build it as a shared library and run the
//! conformance kit on it. `examples/costs.rs` measures what the boundary and the sampler cost.
//!
//! | module | what it holds |
//! |---|---|
//! | [`backend`] | [`Backend`], what it can see ([`BackendInfo`]) and what it is asked to load ([`ModelSpec`]) |
//! | [`model`] | [`Model`]: sequences, `forward`, `sample`, logits, memory |
//! | [`options`] | reading the options that a user sets |
//! | [`host`] | [`HostServices`]: what the host does for a plugin (logs, load progress) |
//! | [`mask`] | packed token masks |
//! | [`memory`] | how much of the machine's memory is free |
//! | [`sampler`] | the reference sampler that CPU-side backends call |
//! | [`search`] | finding Python packages and shared libraries, for backends that load some |
//! | [`error`] | the one error type of the boundary |
//! | [`load`] | loading a plugin: from a file to a [`Backend`] |
//! | [`conformance`] | the kit that tells whether a backend keeps its promises |
//! | [`abi`] | the types that cross the boundary, and how they may grow |

pub mod abi;
pub mod backend;
pub mod conformance;
pub mod error;
pub mod host;
pub mod load;
pub mod mask;
pub mod memory;
pub mod model;
pub mod options;
pub mod sampler;
pub mod search;

pub use backend::{Backend, BackendInfo, DeviceInfo, ModelSpec, OptionInfo};
pub use error::{Error, ErrorCode, Result};
pub use host::{HostServices, LogLevel};
pub use model::{Chunk, LogitsWanted, MemoryUse, Model, ModelInfo, SampleRow, Sampled, SamplingParams, SequenceId};
