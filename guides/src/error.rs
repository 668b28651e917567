//! What can go wrong when a guide is compiled or followed.

use std::fmt;
use std::time::Duration;

/// Why a source was not turned into a guide. `Display` gives a sentence that can be sent to the client as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The source is not well formed: broken JSON, a keyword with a value of the wrong type, a broken regex.
    #[error("{at}: {reason}")]
    Syntax {
        /// Where in the source.
        at: Place,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The source is well formed, but asks for something that is not enforced. It is refused, because the promise
    /// is that everything asked for holds.
    #[error("{at}: {keyword}: {reason}")]
    Unsupported {
        /// Where in the source.
        at: Place,
        /// The keyword of the schema, or the construct of the regex.
        keyword: String,
        /// Why, and what to do about it.
        reason: String,
    },
    /// No output can satisfy the source.
    #[error("nothing can match: {reason}{}", Pointers(.pointers))]
    Unsatisfiable {
        /// JSON pointers of the schemas that contradict; empty for a regex.
        pointers: Vec<String>,
        /// What contradicts.
        reason: String,
    },
    /// The source is larger or more complex than the limits allow.
    #[error("{at}: too big: {limit} (limit {allowed}); {remedy}")]
    TooBig {
        /// Where in the source.
        at: Place,
        /// Which limit was met.
        limit: &'static str,
        /// Its value.
        allowed: u64,
        /// What would make it smaller.
        remedy: String,
    },
    /// The deadline of the compilation has passed. Another time there may be more time, so this is not remembered.
    #[error(
        "guide: too slow: it took longer than {} s to compile; simplify it (fewer alternatives in anyOf and oneOf, fewer \
         properties, smaller counts of repetition) or send it again when the server is less busy", limit.as_secs_f64()
    )]
    TooSlow {
        /// The time that it had.
        limit: Duration,
    },
    /// The compilation was ended before it had come to its end, as nobody wants the guide any more.
    #[error(
        "guide: the compilation was ended before it had come to its end, as it was no longer wanted; send it again"
    )]
    Interrupted,
    /// The vocabulary has no tokens for something that the output needs.
    #[error(
        "{at}: the model's vocabulary cannot spell {what}: no token is the single byte 0x{byte:02x}{}; use a model whose \
         tokenizer has it, or ask for something else", Printable(*.byte)
    )]
    Vocabulary {
        /// Where in the source.
        at: Place,
        /// What cannot be spelled.
        what: String,
        /// A byte that is missing.
        byte: u8,
    },
}

/// A place in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A JSON pointer into the schema; `""` is the schema as a whole.
    Pointer(String),
    /// A position in the regex, in characters from zero.
    Regex(usize),
    /// A position in a regex (in characters from zero) that stands at a JSON pointer.
    Pattern(String, usize),
    /// A byte position in the JSON text of the schema.
    Text(usize),
    /// The source as a whole.
    Source,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Pointer(p) if p.is_empty() => f.write_str("schema"),
            Place::Pointer(p) => write!(f, "schema at {p}"),
            Place::Regex(n) => write!(f, "regex at character {n}"),
            Place::Pattern(p, n) => write!(f, "schema at {p}, character {n} of the regex"),
            Place::Text(n) => write!(f, "schema text at byte {n}"),
            Place::Source => f.write_str("guide"),
        }
    }
}

struct Pointers<'a>(&'a Vec<String>);

impl fmt::Display for Pointers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, p) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { " (at " } else { ", " })?;
            f.write_str(if p.is_empty() { "the root" } else { p })?;
        }
        if self.0.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

struct Printable(u8);

impl fmt::Display for Printable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_ascii_graphic() { write!(f, " ('{}')", self.0 as char) } else { Ok(()) }
    }
}

/// Why a list of tokens is no vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VocabularyError {
    /// There is no token that has bytes.
    #[error("the vocabulary has no token that spells text")]
    Empty,
    /// A token with no bytes would let the model write for ever without writing anything.
    #[error("token {0} spells nothing; give it as a special token (None)")]
    EmptyToken(u32),
    /// An end token that is not in the vocabulary.
    #[error("end token {0} is not in the vocabulary of {1} tokens")]
    EndToken(u32, usize),
    /// Without an end token nothing could end.
    #[error("the vocabulary names no end token; take it from generation_config.json or the tokenizer's eos token")]
    NoEndToken,
    /// More tokens than a 32-bit id with room for bookkeeping can number, or a token of absurd length.
    #[error("the vocabulary is too big: {0}")]
    TooBig(&'static str),
}

/// A token that the guide does not allow at this place. The state is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("token {token} is not allowed here")]
pub struct Refused {
    /// The token.
    pub token: u32,
}

pub(crate) fn too_big(at: Place, limit: &'static str, allowed: usize, remedy: &str) -> CompileError {
    CompileError::TooBig { at, limit, allowed: allowed as u64, remedy: remedy.to_owned() }
}
