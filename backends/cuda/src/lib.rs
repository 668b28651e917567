//! The CUDA backend: [`jig_transformer`]'s decoder on NVIDIA GPUs, as a plugin (`libjig_backend_cuda.so`).
//!
//! Nothing of CUDA is linked: the plugin is built and loaded on machines without it, and says what is missing.
//!
//! | module | what it holds |
//! |---|---|
//! | `backend` | what the host sees: devices, and what is missing where there are none |
//! | [`libraries`] | where the driver, NVRTC and cuBLASLt are on this machine |
//! | [`kernels`] | the sources of the kernels (`kernels/*.cu`) |
//! | [`compile`] | from sources to machine code, kept on disk |

mod backend;
pub mod compile;
pub mod kernels;
pub mod libraries;

pub use backend::{CudaBackend, backend};

jig_plugin_api::export_backend!(CudaBackend);
