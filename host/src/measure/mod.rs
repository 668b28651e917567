//! What an operator wants to know: numbers that one thread writes and another reads, without either waiting for the other, and what the
//! system says of the process.
//!
//! | module | what it holds |
//! |---|---|
//! | `histogram` | how many values lie below each of some bounds |
//! | `buckets` | the bounds that dashboards of vLLM expect |
//! | `startup` | how far the start of a server is |
//! | `process` | memory, files, processor time, threads |

pub mod buckets;
mod histogram;
mod process;
mod startup;

pub use histogram::{Histogram, Snapshot};
pub use process::{Process, threads};
pub use startup::{Stage, Startup};
