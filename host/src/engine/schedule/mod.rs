//! Who runs: requests wait for memory, outputs get it, give it up and get it back.
//!
//! | module | what it holds |
//! |---|---|
//! | `scheduler` | the waiting line, the running outputs, and how a step's tokens are shared out |
//! | `blocks` | the arithmetic of KV cache blocks |

mod blocks;
mod scheduler;

pub(super) use scheduler::{Scheduler, Turn, does_not_fit, release};
