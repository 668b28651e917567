//! The CPU backend: [`jig_transformer`]'s decoder on the cores of the processor.
//!
//! It is a plugin (`libjig_backend_cpu.so`) and, through [`backend()`], the backend that is linked into the host.
//!
//! | module | what it holds |
//! |---|---|
//! | `backend` | what the host sees: options, devices, loading |
//! | `device` | the `Device`: enqueues operations |
//! | `queue` | the thread that runs them, one after the other |
//! | `matrix`, `buffer`, `kv` | weights, activations and KV cache |
//! | [`matmul`], [`int4`], [`attention`], [`elementwise`] | the arithmetic: slices in, slices out |
//! | [`threads`], `simd`, `memory` | what it stands on |

pub mod attention;
mod backend;
mod buffer;
mod device;
pub mod elementwise;
pub mod int4;
mod kv;
pub mod matmul;
mod matrix;
mod memory;
mod queue;
mod simd;
pub mod threads;

pub use backend::{CpuBackend, backend};
pub use device::CpuDevice;
pub use simd::Level;

jig_plugin_api::export_backend!(CpuBackend);
