//! The ONNX Runtime backend: decoder-only ONNX models as a plugin (`libjig_backend_ort.so`).
//!
//! ONNX Runtime itself is no part of the plugin. `library` finds it on the machine when a model is loaded, so that one
//! plugin works with its CPU and its CUDA builds.
//!
//! ```text
//! directory ── files (which .onnx) ── onnx (what is in it) ── session ── interface (what its tensors mean)
//!                                                                            │
//! model (handles, limits, rows) ── worker thread ── runner (plans runs, binds tensors) ── cache (keys and values)
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `backend`, `options` | what the host sees: options, devices, loading |
//! | `library`, `device`, `driver` | finding ONNX Runtime and GPUs on this machine |
//! | [`files`], [`onnx`], `config` | a model's directory: which file, what is in it, its limits |
//! | `session`, `interface` | the loaded graph, and the meaning of its inputs and outputs |
//! | `cache`, `memory` | the KV cache in the memory of the graph's device: grown by copying, or one buffer if the graph can work in place |
//! | `runner`, `binding`, `check` | runs of the graph, and the tests at load of what it can do |
//! | `model` | the `Model` of the plugin API |

mod backend;
mod binding;
mod cache;
mod check;
mod config;
mod device;
mod driver;
pub mod files;
mod interface;
mod library;
mod memory;
mod model;
pub mod onnx;
mod options;
mod runner;
mod session;
mod worker;

pub use backend::{OrtBackend, backend};

jig_plugin_api::export_backend!(OrtBackend);
