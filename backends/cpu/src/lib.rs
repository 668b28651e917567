//! The CPU backend: [`jig_transformer`]'s decoder on the cores of the processor.
//!
//! It is a plugin (`libjig_backend_cpu.so`) and, through [`backend()`], the backend that is linked into the host.
//!
//! | module | what it holds |
//! |---|---|
//! | `backend`, `options` | what the host sees: devices, options, loading |
//! | `device` | the `Device`: enqueues operations |
//! | `queue` | the thread that runs them, one after the other |
//! | `matrix`, `buffer`, `kv` | weights, activations and KV cache |
//! | [`matmul`], [`int4`], [`attention`], [`elementwise`] | the arithmetic: slices in, slices out |
//! | `element`, `part` | the types of weights, and the piece of a product that a thread computes |
//! | [`threads`], `simd`, `memory` | threads, vector instructions, huge pages |

pub mod attention;
mod backend;
mod buffer;
mod device;
mod element;
pub mod elementwise;
pub mod int4;
mod kv;
pub mod matmul;
mod matrix;
mod memory;
mod options;
mod part;
mod queue;
mod simd;
pub mod threads;

pub use backend::{CpuBackend, backend};
pub use device::CpuDevice;
pub use simd::Level;

jig_plugin_api::export_backend!(CpuBackend);
