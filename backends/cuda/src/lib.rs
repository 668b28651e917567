//! The CUDA backend: [`jig_transformer`]'s decoder on NVIDIA GPUs, as a plugin (`libjig_backend_cuda.so`).
//!
//! It links no CUDA library: the plugin can be built and loaded on machines without CUDA, and says what is missing.
//!
//! | module | what it holds |
//! |---|---|
//! | `backend`, `options` | what the host sees: devices, options, and what is missing where there is no GPU |
//! | [`libraries`] | finding the driver, NVRTC and cuBLASLt on this machine |
//! | [`kernels`], `arguments` | the kernels (`kernels/*.cu`), their names and their arguments |
//! | [`compile`] | compiling the sources to machine code, with a cache on disk |
//! | [`runtime`] | the operations of a GPU, as a trait; tests run the kernels on the CPU behind it |
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
