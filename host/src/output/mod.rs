//! What a text says beside plain words: reasoning and tool calls. From the text of an output to typed pieces, and from the tools of a
//! request to what its outputs must match.
//!
//! | module | what it holds |
//! |---|---|
//! | `family` | the ways in which models write tool calls, as data |
//! | `families` | the table of them |
//! | `thinking` | the ways in which models set their reasoning apart |
//! | `detect` | which of them a model uses, by its chat template and its vocabulary |
//! | `parse` | from the text of an output to reasoning, content and calls, as the text comes |
//! | `arguments` | which arguments are strings, by their schema |
//!
//! A model was trained on one way of writing calls, and guides hold it to that way: what it writes can be parsed, because nothing else
//! could be written.

pub mod arguments;
mod detect;
mod families;
mod family;
pub mod parse;
mod thinking;

pub use self::detect::{Calls, Forms, family_of, thinking_of};
pub use self::families::FAMILIES;
pub use self::family::{Call, Family, Ids, Place, Section, Tags};
pub use self::thinking::{Start, THINKING, Thinking};
