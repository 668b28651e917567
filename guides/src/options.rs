//! The options of a request, and the limits of the operator.

/// Where white space may stand in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Whitespace {
    /// At most one space wherever JSON allows white space inside the outermost value.
    #[default]
    Optional,
    /// No white space.
    Compact,
    /// One space after each comma and each colon outside of strings, and none elsewhere: the style of Python's `json.dumps`.
    Spaces,
    /// Each entry on its own line, indented by two spaces per level, sixteen spaces at most; one space after each colon; nothing inside an
    /// empty container. The style of Python's `json.dumps` with `indent=2`.
    Pretty,
    /// Spaces, tabs and line breaks wherever JSON allows white space inside the outermost value, at most 33 characters in a row: a model
    /// that prefers white space to everything else must come to an end.
    Any,
}

/// Whether `format` constrains strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Formats {
    /// Strings match their format (the format-assertion vocabulary of draft 2020-12).
    #[default]
    Assert,
    /// A format constrains nothing (the format-annotation vocabulary of draft 2020-12).
    Annotate,
}

/// How many digits are written where the schema asks for no number of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Digits {
    /// Integers have at most 20 digits, other numbers at most 17 significant ones, and a second of a time at most 9 behind its point; each
    /// part of a duration has at most 9. A model that repeats itself comes to an end. Numbers of the schema, and those that its bounds
    /// ask for, may be longer.
    #[default]
    Bounded,
    /// Any number of digits.
    Any,
}

/// The order of an object's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Order {
    /// Named properties in the order of the schema, then all others. If several schemas apply, in the order in which they are read. Models
    /// follow the order that they were shown, and a fixed order makes masks cheaper.
    #[default]
    Schema,
    /// Any order.
    Any,
}

/// The options of a request, beside the source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Options {
    /// Where white space may stand in JSON.
    pub whitespace: Whitespace,
    /// The order of an object's members.
    pub order: Order,
    /// Whether `format` constrains strings.
    pub formats: Formats,
    /// How many digits are written; `None` for what [`Limits::digits`] says.
    pub digits: Option<Digits>,
}

/// How large and complex a source may be. A source beyond a limit is refused with
/// [`CompileError::TooBig`](crate::CompileError::TooBig).
///
/// There are fixed limits too, on quantities for which time or memory grows faster than in proportion:
///
/// | what | limit |
/// |---|---|
/// | digits of a number before or behind its point | 400 |
/// | conditions of one object or array that some entry must meet (`contains`, `not` around `properties`) | 6 |
/// | combinations of conditions on one member of an object | 256 |
/// | count of `minContains` and `maxContains` | 60,000 |
/// | alternatives of `anyOf` beside `unevaluatedProperties` or `unevaluatedItems` | 8 |
/// | schemas of `contains` beside `unevaluatedItems` | 4 |
/// | ways to resolve `$dynamicRef` and `$recursiveRef` | 1,000 |
/// | bytes of JSON pointers to all schemas | 16 times `source_bytes` |
/// | conditions in all schemas with `unevaluatedItems` | 8 times `work` |
/// | different look-aheads of a regex | 64 |
/// | nesting of groups of a regex | 180 |
/// | bytes of a token | 4,096 |
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// States of one automaton (a regex, a pattern, a range of numbers).
    pub states: usize,
    /// Steps of the analysis of a schema, of about a microsecond each.
    pub work: usize,
    /// Bytes of one automaton while it is built.
    pub bytes: usize,
    /// Bytes of the source.
    pub source_bytes: usize,
    /// Levels of nesting in the JSON text of a schema.
    pub depth: usize,
    /// The most characters of a string in JSON; `None` for any number. A schema may set a smaller maximum. Texts of `const` and
    /// `enum`, and keys, may be longer. A schema that demands longer strings, by a pattern or a format too, is refused.
    pub string_length: Option<u32>,
    /// The most items of an array in JSON; `None` for any number. A schema may set a smaller maximum. A schema that demands more is
    /// refused.
    pub array_length: Option<u32>,
    /// How many digits are written where a request does not say.
    pub digits: Digits,
    /// Bytes of cached masks for each guide; a full cache drops masks that were not used for long.
    pub mask_bytes: usize,
    /// Bytes of cached guides for each compiler; a full cache drops the guide that was used longest ago.
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
            digits: Digits::default(),
            mask_bytes: 32 << 20,
            cache_bytes: 128 << 20,
        }
    }
}
