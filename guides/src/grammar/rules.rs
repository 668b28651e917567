//! [`Grammar`]: a context-free grammar, as the readers give it and the builder takes it.
//!
//! Right sides are regular expressions over texts and rules (extended BNF, ISO/IEC 14977), so repetition needs no rules of its own. Both
//! syntaxes end here: what a syntax has beyond it, such as ignored texts between terminals, its reader spells out.
//!
//! ```text
//!  list ::= "[" (item ("," item)*)? "]"
//!
//!  Sequence [ Text "[", Repeat 0..1 (Sequence [ Rule item, Repeat 0.. (Sequence [ Text ",", Rule item ]) ]), Text "]" ]
//! ```

use crate::automaton::expression::Expression;
use crate::collections::id::id;

id! {
    /// Index of a rule.
    pub(crate) struct RuleId
}

/// A grammar whose rules all exist: a reader has resolved the names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grammar {
    pub(crate) rules: Vec<Rule>,
    /// The rule that derives whole outputs.
    pub(crate) start: RuleId,
}

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    /// As written, for errors.
    pub(crate) name: String,
    pub(crate) at: Location,
    pub(crate) body: Body,
}

/// A place in the text of a grammar: line and column, both from one, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Location {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The right side of a rule, or a part of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    /// A text without rules: literals, classes of characters.
    Text(Expression),
    /// A text that a regex in the syntax of Python's `re` matches as a whole.
    Regex { pattern: String, at: Location },
    /// What a rule derives.
    Rule(RuleId),
    /// A JSON value that is valid under a schema, which is given as JSON text.
    Json { schema: String, at: Location },
    /// A token by its id: a special token, which no text spells.
    Token { id: u32, at: Location },
    /// One after the other. Without parts it derives the empty text.
    Sequence(Vec<Body>),
    /// Any of them.
    Choice(Vec<Body>),
    /// At least `min` and at most `max` times the body, any number of times from `min` on without a `max`.
    Repeat { min: u32, max: Option<u32>, body: Box<Body> },
}

impl Body {
    /// The empty text.
    pub(crate) const EMPTY: Body = Body::Sequence(Vec::new());
}
