//! Errors of compiling a source, making a vocabulary and following a guide.

use std::fmt;
use std::time::Duration;

/// Why a source was not compiled. `Display` is a sentence for the client: the place, the reason, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The source is malformed: broken JSON, a keyword with a value of the wrong type, a broken regex.
    #[error("{at}: {reason}")]
    Syntax {
        /// Where in the source.
        at: Place,
        /// What is wrong, and what is right instead.
        reason: String,
    },
    /// The source has a construct that is not enforced. It is refused, because a guide enforces all of its source.
    #[error("{at}: {keyword}: {reason}")]
    Unsupported {
        /// Where in the source.
        at: Place,
        /// The keyword of the schema, or the construct of the regex.
        keyword: String,
        /// Why, and what to do about it.
        reason: String,
    },
    /// No output satisfies the source.
    #[error("nothing can match: {reason}{}", Pointers(.pointers))]
    Unsatisfiable {
        /// JSON pointers (RFC 6901) of the schemas that contradict each other; empty for a regex.
        pointers: Vec<String>,
        /// The contradiction.
        reason: String,
    },
    /// The source is larger or more complex than the limits allow.
    #[error("{at}: too big: {limit} (limit {allowed}); {remedy}")]
    TooBig {
        /// Where in the source.
        at: Place,
        /// The quantity that is limited, with its unit.
        limit: &'static str,
        /// The value of the limit.
        allowed: u64,
        /// How to make the source smaller.
        remedy: String,
    },
    /// The deadline of the compilation has passed. Not cached, as the next compilation may have more time.
    #[error(
        "guide: too slow: it took longer than {} s to compile; simplify it (fewer alternatives in anyOf and oneOf, fewer \
         properties, smaller counts of repetition) or send it again when the server is less busy", limit.as_secs_f64()
    )]
    TooSlow {
        /// The time from the start to the deadline.
        limit: Duration,
    },
    /// The compilation was interrupted, as its guide was no longer wanted. Not cached.
    #[error(
        "guide: the compilation was ended before it had come to its end, as it was no longer wanted; send it again"
    )]
    Interrupted,
    /// The vocabulary lacks a byte that every output needs, or that a text of the source needs.
    #[error(
        "{at}: the model's vocabulary cannot spell {what}: no token is the single byte 0x{byte:02x}{}; use a model whose \
         tokenizer has it, or ask for something else", Printable(*.byte)
    )]
    Vocabulary {
        /// Where in the source.
        at: Place,
        /// The text or the part of the source that cannot be spelled.
        what: String,
        /// A byte of it that is no token.
        byte: u8,
    },
}

impl CompileError {
    /// The error of a source that is a part of another one; `place` gives the place in the whole.
    pub(crate) fn within(self, place: impl Fn(Place) -> Place) -> CompileError {
        match self {
            CompileError::Syntax { at, reason } => CompileError::Syntax { at: place(at), reason },
            CompileError::Unsupported { at, keyword, reason } => {
                CompileError::Unsupported { at: place(at), keyword, reason }
            }
            CompileError::TooBig { at, limit, allowed, remedy } => {
                CompileError::TooBig { at: place(at), limit, allowed, remedy }
            }
            CompileError::Vocabulary { at, what, byte } => CompileError::Vocabulary { at: place(at), what, byte },
            CompileError::Unsatisfiable { pointers, reason } => {
                CompileError::Unsatisfiable { pointers, reason: format!("{reason} ({})", place(Place::Source)) }
            }
            CompileError::TooSlow { .. } | CompileError::Interrupted => self,
        }
    }

    /// Whether the compilation was ended early. Such an error says nothing about the source, so it is not cached.
    pub(crate) fn is_interruption(&self) -> bool {
        matches!(self, CompileError::Interrupted | CompileError::TooSlow { .. })
    }
}

/// A place in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A JSON pointer (RFC 6901) into the schema; `""` is the whole schema.
    Pointer(String),
    /// A position in the regex, in characters from zero.
    Regex(usize),
    /// The JSON pointer of a regex in the schema, and a position in it, in characters from zero.
    Pattern(String, usize),
    /// A position in the JSON text of the schema, in bytes from zero.
    Text(usize),
    /// A position in the text of a grammar: line and column, both from one, the column in characters.
    Grammar {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// The way to a part of a [`Part`](crate::Part) as a JSON pointer, with the names `elements`, `content`, `tags`, `triggers`, `separator` and
    /// `end`, and the place in the schema or regex of that part.
    Part(String, Option<Box<Place>>),
    /// A place in a source that is a part of another one: where that part begins, and the place in it.
    Inside(Box<Place>, Box<Place>),
    /// The whole source.
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
            Place::Grammar { line, column } => write!(f, "grammar at line {line}, column {column}"),
            Place::Part(p, inner) => {
                f.write_str("tags")?;
                if !p.is_empty() {
                    write!(f, " at {p}")?;
                }
                match inner.as_deref() {
                    None | Some(Place::Source) => Ok(()),
                    Some(inner) => write!(f, ": {inner}"),
                }
            }
            Place::Inside(outer, inner) if **inner == Place::Source => write!(f, "{outer}"),
            Place::Inside(outer, inner) => write!(f, "{outer}: {inner}"),
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

/// Why [`Vocabulary::new`](crate::Vocabulary::new) refuses a list of tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VocabularyError {
    /// No token has bytes.
    #[error("the vocabulary has no token that spells text")]
    Empty,
    /// A token with an empty list of bytes: the model could repeat it for ever without writing anything.
    #[error("token {0} spells nothing; give it as a special token (None)")]
    EmptyToken(u32),
    /// An end token outside the vocabulary: its id, and the number of tokens.
    #[error("end token {0} is not in the vocabulary of {1} tokens")]
    EndToken(u32, usize),
    /// No end token: no output could end.
    #[error("the vocabulary names no end token; take it from generation_config.json or the tokenizer's eos token")]
    NoEndToken,
    /// More tokens than 32-bit indices of bits leave room for, or a token of more than 4,096 bytes.
    #[error("the vocabulary is too big: {0}")]
    TooBig(&'static str),
}

/// The guide does not allow a token in this state, which is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("token {token} is not allowed here")]
pub struct Refused {
    /// The token.
    pub token: u32,
}

pub(crate) fn too_big(at: Place, limit: &'static str, allowed: usize, remedy: &str) -> CompileError {
    CompileError::TooBig { at, limit, allowed: allowed as u64, remedy: remedy.to_owned() }
}
