//! The CUDA backend: [`jig_transformer`]'s decoder on NVIDIA GPUs, as a plugin (`libjig_backend_cuda.so`).
//!
//! Nothing of CUDA is linked: the plugin is built and loaded on machines without it, and says what is missing.
//!
//! | module | what it holds |
//! |---|---|
//! | `backend`, `options` | what the host sees: devices, options, and what is missing where there is no GPU |
//! | [`libraries`] | where the driver, NVRTC and cuBLASLt are on this machine |
//! | [`kernels`], `arguments` | the kernels (`kernels/*.cu`), their names and their arguments |
//! | [`compile`] | from sources to machine code, kept on disk |
//! | [`runtime`] | what is needed of a GPU, as a trait; tests run the kernels on the CPU behind it |
//! | `gpu` | the driver, cuBLASLt and CUDA graphs as a [`runtime::Runtime`] |
//! | [`device`] | the decoder's operations as launches; `memory`, `step`, `drawing` and `recordings` are its parts |

mod arguments;
mod backend;
pub mod compile;
pub mod device;
mod drawing;
mod gpu;
pub mod kernels;
pub mod libraries;
pub mod memory;
mod options;
mod recordings;
pub mod runtime;
mod step;

pub use backend::{CudaBackend, backend, open};
pub use options::check as check_options;

jig_plugin_api::export_backend!(CudaBackend);
