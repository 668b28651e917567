//! The ONNX Runtime backend: decoder-only ONNX models as a plugin (`libjig_backend_ort.so`).
//!
//! ONNX Runtime itself is no part of the plugin: it is found on the machine when a model is loaded (`library`), so that one plugin
//! goes with its CPU and its CUDA builds.
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
//! | `library`, `device`, `driver` | where ONNX Runtime and graphics cards are on this machine |
//! | [`files`], [`onnx`], `config` | a model's directory: which file, what is in it, its limits |
//! | `session`, `interface` | the loaded graph, and the meaning of its inputs and outputs |
//! | `cache`, `memory` | keys and values, where the graph runs: grown by copy, or in one buffer where the graph allows it |
//! | `runner`, `binding`, `check` | runs of the graph; what they are good for is tried when a model is loaded |
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
