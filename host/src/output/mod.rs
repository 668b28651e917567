//! What a text says beside plain words: reasoning and tool calls. From the text of an output to typed pieces, and from the tools of a
//! request to what its outputs must match.
//!
//! | module | what it holds |
//! |---|---|
//! | `family` | the ways in which models write tool calls, as data |
//! | `families` | the table of them |
//! | `thinking` | the ways in which models set their reasoning apart |
//! | `channels` | turns that are messages in channels |
//! | `detect` | which of them a model uses, by its chat template and its vocabulary |
//! | `parse` | from the text of an output to reasoning, content and calls, as the text comes |
//! | `arguments` | which arguments are strings, by their schema |
//! | `parameters` | the schema of a function's parameters, as guides enforce it |
//! | `special` | special tokens, and texts that stand for them |
//! | `guide` | from tools to what an output must match |
//! | `describe` | tools in a system prompt, for templates that know none |
//! | `ids` | ids of calls |
//!
//! A model was trained on one way of writing calls, and guides hold it to that way: what it writes can be parsed, because nothing else
//! could be written.

pub mod arguments;
mod channels;
pub mod describe;
mod detect;
mod families;
mod family;
mod guide;
mod ids;
pub mod parameters;
pub mod parse;
mod special;
mod thinking;

pub use self::detect::{Calls, Forms, Traits, family_of, thinking_of};
pub use self::families::FAMILIES;
pub use self::family::{Call, Family, Ids, Place, Section, Tags};
pub use self::guide::{Calling, Tool, Wanted, guide};
pub use self::special::SpecialTokens;
pub use self::thinking::{Start, THINKING, Thinking};
