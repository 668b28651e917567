//! What a client asks of a guide: the source, the options, and the limits that the operator sets.

/// What an output must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// The whole output matches this regex (the syntax of Python's `re`, as far as it is regular).
    Regex(String),
    /// The output is JSON that is valid under this schema, given as JSON text: the spelling of its numbers and the
    /// order of its keys matter.
    JsonSchema(String),
    /// The output is one of these strings.
    Choice(Vec<String>),
    /// The output is any JSON object.
    JsonObject,
}

impl Source {
    pub(crate) fn len(&self) -> usize {
        match self {
            Source::Regex(text) | Source::JsonSchema(text) => text.len(),
            Source::Choice(choices) => choices.iter().map(|choice| choice.len() + 16).sum(),
            Source::JsonObject => 0,
        }
    }
}

/// Where white space may stand in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Whitespace {
    /// At most one space wherever JSON allows white space inside the outermost value.
    #[default]
    Optional,
    /// None.
    Compact,
    /// One space after each comma and each colon outside of strings, and none elsewhere, as Python's `json.dumps` writes.
    Spaces,
    /// Each entry on a line of its own, indented by two spaces for each container around it, sixteen at most; one space after each
    /// colon; nothing within an empty container. As Python writes with `indent=2`.
    Pretty,
    /// Spaces, tabs and line breaks wherever JSON allows white space inside the outermost value, at most 33 in one place: a
    /// model that knows nothing else to write must come to an end.
    Any,
}

/// Whether `format` is a demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Formats {
    /// Strings are of the format that is asked for (the format-assertion vocabulary of draft 2020-12).
    #[default]
    Assert,
    /// A format says what is meant and constrains nothing (the format-annotation vocabulary).
    Annotate,
}

/// The order of an object's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Order {
    /// Named properties in the order of the schema (where several schemas hold, in the order in which they are met), then
    /// all others. Models write best what they were shown, and fewer ways are open.
    #[default]
    Schema,
    /// Any order.
    Any,
}

/// What a request may choose beside the source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Options {
    /// Where white space may stand in JSON.
    pub whitespace: Whitespace,
    /// The order of an object's members.
    pub order: Order,
    /// Whether `format` is a demand.
    pub formats: Formats,
}

/// How much a source may ask for. What goes beyond is refused with [`CompileError::TooBig`].
///
/// Beside these there are fixed limits, each where more would take time or memory that grows with a power of it:
///
/// | what | limit |
/// |---|---|
/// | digits of a number before or behind its point | 400 |
/// | conditions of one object or array that some entry must meet (`contains`, `not` around `properties`) | 6 |
/// | count of `minContains` and `maxContains` | 60,000 |
/// | alternatives of `anyOf` beside `unevaluatedProperties` or `unevaluatedItems` | 8 |
/// | schemas of `contains` beside `unevaluatedItems` | 4 |
/// | ways to resolve `$dynamicRef` and `$recursiveRef` | 1,000 |
/// | bytes of JSON pointers to all schemas | 16 times `source_bytes` |
/// | conditions in all schemas with `unevaluatedItems` | 8 times `work` |
/// | look-aheads of a regex | 9 |
/// | nesting of groups of a regex | 180 |
/// | bytes of a token | 4,096 |
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// States of one automaton (a regex, a pattern, a range of numbers).
    pub states: usize,
    /// Steps of the analysis of a schema, in units of about a microsecond.
    pub work: usize,
    /// Bytes of one automaton while it is built.
    pub bytes: usize,
    /// Length of the source.
    pub source_bytes: usize,
    /// Nesting of the JSON text of a schema.
    pub depth: usize,
    /// Characters of a string in JSON, where the schema does not ask for fewer; `None` for any number. Text that a schema spells out
    /// (`const`, `enum`) and keys may be longer. A schema that asks for longer strings, be it by a pattern or a format, is refused.
    pub string_length: Option<u32>,
    /// Items of an array in JSON, where the schema does not ask for fewer; `None` for any number. A schema that asks for more is
    /// refused.
    pub array_length: Option<u32>,
    /// Bytes of remembered masks for one guide; beyond, they are forgotten and made again.
    pub mask_bytes: usize,
    /// Bytes of guides that the compiler remembers.
    pub cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            states: 50_000,
            work: 400_000,
            bytes: 8 << 20,
            source_bytes: 4 << 20,
            depth: 256,
            string_length: None,
            array_length: None,
            mask_bytes: 32 << 20,
            cache_bytes: 128 << 20,
        }
    }
}
