//! What an output must match: a request's [`Source`].
//!
//! | file | what it holds |
//! |---|---|
//! | this one | the kinds of sources |
//! | [`part`] | the tree of parts in which free text and guided text alternate |

pub(crate) mod part;

use crate::source::part::Part;

/// What an output must match.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// The whole output matches this regex, in the regular part of the syntax of Python's `re`.
    Regex(String),
    /// The output is JSON text that is valid under this schema. The schema is given as JSON text too, because the spelling of its numbers
    /// and the order of its keys matter.
    JsonSchema(String),
    /// The output is one of these strings.
    Choice(Vec<String>),
    /// The output is any JSON object.
    JsonObject,
    /// The output is derived from a context-free grammar, in the syntax of GBNF (llama.cpp, XGrammar) or Lark; see the folder `grammar` for
    /// what of them is followed. Lexing is part of the grammar: a terminal takes any of the texts that it matches.
    Grammar(String),
    /// The output has these parts. The tree may be at most 64 levels deep.
    Tags(Part),
}

impl Source {
    pub(crate) fn len(&self) -> usize {
        match self {
            Source::Regex(text) | Source::JsonSchema(text) | Source::Grammar(text) => text.len(),
            Source::Choice(choices) => choices.iter().map(|choice| choice.len() + 16).sum(),
            Source::JsonObject => 0,
            Source::Tags(part) => part.len(),
        }
    }
}
