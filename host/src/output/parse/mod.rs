//! From the text of an output to reasoning, content and calls, as the text comes.
//!
//! | module | what it holds |
//! |---|---|
//! | `parser` | the states of a message: thoughts, content, calls |
//! | `header` | what stands before the arguments of a call: the texts around it, and the function's name |
//! | `json` | where a JSON value ends |
//! | `tagged` | arguments in tags, turned into a JSON object |
//! | `literal` | arguments as literals of Python or with bare keys, turned into a JSON object |
//! | `text` | texts that are not complete yet |
//!
//! A step reads the beginning of the text that is not read yet, and waits where a longer text could be read in another way. So what is
//! said depends on the text and not on how it was cut.

mod channels;
mod header;
mod json;
mod literal;
mod parser;
mod tagged;
mod text;

pub use self::parser::{Parser, Piece};

#[cfg(test)]
mod tests;
