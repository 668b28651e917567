//! Decoder-only transformers, written once over a [`Device`].
//!
//! ```text
//! config.json        -> config       -> Decoder (data)
//! *.safetensors      -> weights      -> tensors by name
//! Decoder + tensors  -> network      -> weights on the device, forward pass
//! chunks of tokens   -> model, pages -> Batch -> network -> device -> tokens
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`config`] | `config.json` to [`Decoder`], for each family |
//! | [`description`] | [`Decoder`]: what is computed, as data |
//! | [`shapes`], [`functions`] | the sizes and functions that descriptions and devices share |
//! | [`names`] | the names of tensors in checkpoints |
//! | [`rope`] | rotary embedding and its scalings |
//! | [`weights`] | memory-mapped safetensors, and numbers of few bits |
//! | [`shard`] | the part of a model that one of several devices holds |
//! | [`batch`] | the rows of a step |
//! | [`device`] | [`Device`]: the line to the hardware |
//! | [`model`] | [`Transformer`]: sequences, pages, and the plugin API's `Model` |
//! | [`device_suite`] | tests that any device has to pass |
//! | [`golden`] | tiny models and the reference's values, for tests |
//!
//! A new family is an entry in `config::families` and, where its tensors have other names, one in [`names`]. New
//! hardware is an implementation of [`Device`]; sequences, forks, paging and checks come with [`Transformer`].

pub mod batch;
pub mod config;
pub mod description;
pub mod device;
pub mod device_suite;
pub mod functions;
pub mod golden;
pub mod model;
pub mod names;
mod network;
mod pages;
mod projection;
pub mod rope;
pub mod shapes;
pub mod shard;
pub mod weights;

pub use batch::{Batch, NO_SLOT, Span, StepShape};
pub use config::{Config, architectures};
pub use description::Decoder;
pub use device::Device;
pub use model::Transformer;
pub use shard::Shard;
pub use weights::{DType, Tensor, Weights};
