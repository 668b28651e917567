//! A GPU for tests on machines that have none: the kernels of the CUDA backend, compiled for the processor.
//!
//! It is used in two ways:
//!
//! - As a library, to compile ([`compiler`]) and run single kernels ([`kernel`]) on memory with guarded ends ([`memory`]).
//! - As a shared library under the names of the driver (`libcuda.so.1`), of NVRTC (`libnvrtc.so`) and of cuBLASLt
//!   (`libcublasLt.so`), all three of them links to the same file. An unchanged plugin then finds a GPU of compute capability 9.0.
//!
//! The driver is as strict as CUDA allows: what is enqueued runs only when somebody waits for it, the first block of a kernel that may begin
//! early does so before the kernel before it runs, new memory is full of garbage, handles and
//! addresses are checked, and so are the thread's current context, the limits of a launch and what may not be done while a graph
//! is recorded. What went wrong in a kernel is written to standard error and is the result of every later call, as on a GPU.
//! When the context is given back, one line tells what was done and what was left behind.
//!
//! Environment: `JIG_EMULATED_GPU_MEMORY` in MiB (512), `JIG_EMULATED_KERNELS`, the directory for compiled kernels (one in that for
//! temporary files), and `CXX`, the compiler.
//!
//! Only what the backend uses is there: a call to anything else is a missing symbol.

pub mod compiler;
mod cublaslt;
mod driver;
mod early;
pub mod kernel;
pub mod memory;
mod nvrtc;
pub mod product;
