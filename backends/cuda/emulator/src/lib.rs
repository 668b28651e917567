//! An emulated GPU for tests on machines without one: it runs the kernels of the CUDA backend on the CPU.
//!
//! It is used in two ways:
//!
//! - As a library, to compile ([`compiler`]) and run single kernels ([`kernel`]) on memory with guarded ends ([`memory`]).
//! - As a shared library under the names of the driver (`libcuda.so.1`), NVRTC (`libnvrtc.so`) and cuBLASLt
//!   (`libcublasLt.so`), all links to the same file. An unchanged plugin then finds a GPU of compute capability 9.0.
//!
//! The driver is as strict as CUDA allows, so that code that relies on luck fails:
//!
//! - Enqueued work runs only when something waits for it.
//! - The first block of a kernel that may begin early begins before the previous kernel runs.
//! - New memory is full of garbage.
//! - Handles, addresses, the thread's current context, the limits of a launch, and calls during the recording of a
//!   graph are checked.
//!
//! A failure in a kernel is written to standard error and is the result of every later call, as on a GPU. When the
//! context is released, one line says what was done and what was not freed.
//!
//! Environment: `JIG_EMULATED_GPU_MEMORY` in MiB (512), `JIG_EMULATED_KERNELS`, the directory for compiled kernels (one in that for
//! temporary files), and `CXX`, the compiler.
//!
//! Only functions that the backend uses exist: a call of any other is a missing symbol.

pub mod compiler;
mod cublaslt;
mod driver;
mod early;
pub mod kernel;
pub mod memory;
mod nvrtc;
pub mod product;
