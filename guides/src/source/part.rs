//! [`Part`]: an output as a tree of parts, in which free text and guided text alternate.
//!
//! It expresses what the structural tags of vLLM and XGrammar express. A tool call of the Hermes family, at most one, in an output that is
//! otherwise free:
//!
//! ```
//! use jig_guides::{After, Part, Marker, Tag, TriggeredTags};
//!
//! let call = Tag {
//!     begin: vec![Marker::text("<tool_call>\n{\"name\": \"clock\", \"arguments\": ")],
//!     content: Part::json(r#"{"type":"object","properties":{"zone":{"type":"string"}}}"#),
//!     ends: vec![Marker::text("}\n</tool_call>")],
//! };
//! let output = Part::triggered(TriggeredTags {
//!     triggers: vec![Marker::text("<tool_call>")],
//!     tags: vec![call],
//!     excludes: Vec::new(),
//!     min: 0,
//!     max: Some(1),
//!     after: After::Free,
//! });
//! # let _ = output;
//! ```

use crate::options::Options;
use std::borrow::Cow;

/// A text, or a token. A token that has bytes in the vocabulary stands for the text that it spells, so it is matched too where other
/// tokens spell that text. A token without bytes, a special token, is matched by its id only. An end token can't be a marker: it
/// ends the output wherever the output may end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Marker {
    /// This text, at least one byte.
    Text(String),
    /// The token with this id.
    Token(u32),
}

impl Marker {
    /// The marker of a text.
    pub fn text(text: impl Into<String>) -> Marker {
        Marker::Text(text.into())
    }
}

/// A part of an output, or the whole. A place where several parts can go on, as in a choice whose alternatives begin alike, is followed
/// exactly: the output matches if there is some way to read it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// Exactly this text or token.
    Constant(Marker),
    /// Text in which none of these markers occurs; it may be empty. No special token occurs in it.
    Free {
        /// What may not occur.
        excludes: Vec<Marker>,
    },
    /// Text up to the first of these markers, and that marker. A marker that is begun and not completed is text.
    Until {
        /// What ends the text, at least one marker.
        ends: Vec<Marker>,
        /// What may not occur before the end.
        excludes: Vec<Marker>,
    },
    /// JSON text that is valid under a schema.
    Json {
        /// The schema, as JSON text.
        schema: String,
        /// Instead of the options of the request.
        options: Option<Options>,
    },
    /// The members of a JSON object, in the style in which a model writes the arguments of a call.
    Arguments {
        /// The schema of the object, as JSON text.
        schema: String,
        /// How the members are written.
        style: Style,
        /// Instead of the options of the request.
        options: Option<Options>,
    },
    /// Text that this regex matches as a whole.
    Regex(String),
    /// A text that a context-free grammar derives, as in [`Source::Grammar`](crate::Source::Grammar). Its tokens spell text: it names no special
    /// tokens.
    Grammar(String),
    /// These parts, one after the other.
    Sequence(Vec<Part>),
    /// One of these parts.
    Choice(Vec<Part>),
    /// A part several times, one after the other.
    Repeat {
        /// The part.
        content: Box<Part>,
        /// The fewest times.
        min: u32,
        /// The most times; `None` for any number.
        max: Option<u32>,
    },
    /// Guided text between a beginning and an end.
    Tag(Box<Tag>),
    /// Free text in which a trigger begins a tag.
    Triggered(Box<TriggeredTags>),
    /// Tags with a separator between them, and nothing else.
    Separated(Box<SeparatedTags>),
}

/// Guided text between a beginning and an end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag {
    /// The beginning: these markers, one after the other. With many tags it is fast if the beginnings tell them apart.
    pub begin: Vec<Marker>,
    /// The text between. If it is [`Part::Free`], the first of `ends` in it is the end.
    pub content: Part,
    /// The end: one of these markers. If there are none, the tag ends with its content.
    pub ends: Vec<Marker>,
}

/// Free text in which a trigger begins a tag. Once a trigger is written, one of the tags whose beginning begins with it must follow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TriggeredTags {
    /// The triggers, each a beginning of a tag's `begin`. Each tag has a trigger.
    pub triggers: Vec<Marker>,
    /// The tags.
    pub tags: Vec<Tag>,
    /// What may not occur in the free text.
    pub excludes: Vec<Marker>,
    /// The fewest tags.
    pub min: u32,
    /// The most tags; `None` for any number. Behind the last one, triggers may not occur.
    pub max: Option<u32>,
    /// What comes after a tag.
    pub after: After,
}

/// What comes after a tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum After {
    /// Free text, in which triggers begin further tags.
    Free,
    /// The end, or this part and a further tag.
    Separator(Part),
}

/// Tags with a separator between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SeparatedTags {
    /// The tags.
    pub tags: Vec<Tag>,
    /// What comes between two tags.
    pub separator: Part,
    /// The fewest tags.
    pub min: u32,
    /// The most tags; `None` for any number.
    pub max: Option<u32>,
}

/// How the members of an object are written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Style {
    /// As JSON.
    Json,
    /// One after the other, between delimiters.
    Delimited(Delimiters),
}

/// The texts around the members of an object, one after the other:
///
/// ```text
///  member  name  before_string  string  after_string  separator  member  name  before_other  other value  after_other
/// ```
///
/// Required members come, and no member comes twice; [`Options::order`] says in which order. Members that the schema does not name do not
/// occur, even if it allows them. A schema that is not one plain object of at most 64 members is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Delimiters {
    /// Before the name of a member.
    pub member: Cow<'static, str>,
    /// Between the name and a string.
    pub before_string: Cow<'static, str>,
    /// Behind a string.
    pub after_string: Cow<'static, str>,
    /// Between the name and a value that is no string.
    pub before_other: Cow<'static, str>,
    /// Behind a value that is no string.
    pub after_other: Cow<'static, str>,
    /// Between two members.
    pub separator: Cow<'static, str>,
    /// How the values are written.
    pub values: Values,
}

/// How the values of members are written between delimiters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Values {
    /// Strings without quotes and escapes, up to the first occurrence of [`Delimiters::after_string`], which they may not contain. Pattern,
    /// length and format hold for the raw text, and an `enum` gives the alternatives. Other values as JSON.
    Raw,
    /// As JSON.
    Json,
    /// As literals of Python: JSON, with `True`, `False` and `None`. A schema with arrays or objects in which these may occur is refused.
    Python,
}

impl Delimiters {
    /// `<parameter=K>\nV\n</parameter>\n` (Qwen3-Coder).
    pub const QWEN_XML: Delimiters = Delimiters::xml("<parameter=", ">\n", "\n</parameter>\n");

    /// `<arg_key>K</arg_key>\n<arg_value>V</arg_value>\n` (GLM 4.5).
    pub const GLM_XML: Delimiters = Delimiters::xml("<arg_key>", "</arg_key>\n<arg_value>", "</arg_value>\n");

    /// `<parameter name="K">V</parameter>\n` (MiniMax M2).
    pub const MINIMAX_XML: Delimiters = Delimiters::xml("<parameter name=\"", "\">", "</parameter>\n");

    /// `<｜DSML｜parameter name="K" string="true">V</｜DSML｜parameter>\n`, with `string="false"` before values that are no strings (DeepSeek
    /// V3.2).
    pub const DEEPSEEK_XML: Delimiters = Delimiters {
        before_string: Cow::Borrowed("\" string=\"true\">"),
        before_other: Cow::Borrowed("\" string=\"false\">"),
        member: Cow::Borrowed("<｜DSML｜parameter name=\""),
        after_string: Cow::Borrowed("</｜DSML｜parameter>\n"),
        after_other: Cow::Borrowed("</｜DSML｜parameter>\n"),
        separator: Cow::Borrowed(""),
        values: Values::Raw,
    };

    /// `K=V, ` with literals of Python (Llama 3.2 and 4, LFM2).
    pub const PYTHON: Delimiters = Delimiters {
        member: Cow::Borrowed(""),
        before_string: Cow::Borrowed("="),
        after_string: Cow::Borrowed(""),
        before_other: Cow::Borrowed("="),
        after_other: Cow::Borrowed(""),
        separator: Cow::Borrowed(", "),
        values: Values::Python,
    };

    /// Raw strings, with the same texts around all values.
    const fn xml(member: &'static str, before: &'static str, after: &'static str) -> Delimiters {
        Delimiters {
            member: Cow::Borrowed(member),
            before_string: Cow::Borrowed(before),
            after_string: Cow::Borrowed(after),
            before_other: Cow::Borrowed(before),
            after_other: Cow::Borrowed(after),
            separator: Cow::Borrowed(""),
            values: Values::Raw,
        }
    }
}

impl Part {
    /// A constant text.
    pub fn text(text: impl Into<String>) -> Part {
        Part::Constant(Marker::text(text))
    }

    /// A constant token.
    pub fn token(id: u32) -> Part {
        Part::Constant(Marker::Token(id))
    }

    /// Any text.
    pub fn free() -> Part {
        Part::Free { excludes: Vec::new() }
    }

    /// JSON text that is valid under a schema, with the options of the request.
    pub fn json(schema: impl Into<String>) -> Part {
        Part::Json { schema: schema.into(), options: None }
    }

    /// A part or nothing.
    pub fn optional(content: Part) -> Part {
        Part::Repeat { content: Box::new(content), min: 0, max: Some(1) }
    }

    /// A tag.
    pub fn tag(tag: Tag) -> Part {
        Part::Tag(Box::new(tag))
    }

    /// Free text in which triggers begin tags.
    pub fn triggered(tags: TriggeredTags) -> Part {
        Part::Triggered(Box::new(tags))
    }

    /// Tags with a separator between them.
    pub fn separated(tags: SeparatedTags) -> Part {
        Part::Separated(Box::new(tags))
    }

    /// The size of the tree in bytes, roughly.
    pub(super) fn len(&self) -> usize {
        let all = |parts: &[Part]| parts.iter().map(Part::len).sum::<usize>();
        16 + match self {
            Part::Constant(marker) => marker.len(),
            Part::Free { excludes } => markers(excludes),
            Part::Until { ends, excludes } => markers(ends) + markers(excludes),
            Part::Json { schema: text, .. }
            | Part::Arguments { schema: text, .. }
            | Part::Regex(text)
            | Part::Grammar(text) => text.len(),
            Part::Sequence(parts) | Part::Choice(parts) => all(parts),
            Part::Repeat { content, .. } => content.len(),
            Part::Tag(tag) => tag.len(),
            Part::Triggered(tags) => {
                let after = if let After::Separator(separator) = &tags.after { separator.len() } else { 0 };
                markers(&tags.triggers)
                    + markers(&tags.excludes)
                    + after
                    + tags.tags.iter().map(Tag::len).sum::<usize>()
            }
            Part::Separated(tags) => tags.separator.len() + tags.tags.iter().map(Tag::len).sum::<usize>(),
        }
    }
}

impl Tag {
    fn len(&self) -> usize {
        markers(&self.begin) + self.content.len() + markers(&self.ends)
    }
}

impl Marker {
    fn len(&self) -> usize {
        if let Marker::Text(text) = self { 16 + text.len() } else { 16 }
    }
}

fn markers(markers: &[Marker]) -> usize {
    markers.iter().map(Marker::len).sum()
}
