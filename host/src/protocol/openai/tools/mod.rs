//! Tools of a request: what its answers may call.
//!
//! | module | what it holds |
//! |---|---|
//! | `fields` | `tools`, `tool_choice` and `parallel_tool_calls` of a body |
//! | `offer` | the tools that a request offers: for the template, for the guide |

mod fields;
mod offer;
#[cfg(test)]
mod tests;

pub(super) use self::fields::{NAMES, ToolFields};
pub(super) use self::offer::{Offer, after_thoughts};
