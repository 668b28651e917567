//! Regular expressions as trees over sets of symbols.
//!
//! A symbol is the code of a character, or a number above [`FIRST_MARK`] that stands for an assertion where a construction must see it
//! (see [`nfa`](crate::automaton::nfa)). `^a[^b]?` is
//!
//! ```text
//!  Concat [ Assert(Begin), Set a, Repeat 0..1 (Set 0..a, c..) ]
//! ```

use std::sync::{Arc, OnceLock};

/// A set of symbols, as sorted, disjoint, inclusive ranges.
pub(crate) type Symbols = Vec<(u32, u32)>;

/// The symbol of the first assertion, behind all characters.
pub(super) const FIRST_MARK: u32 = 0x11_0000;

/// The surrogates, which are the codes of no character.
pub(crate) const SURROGATES: (u32, u32) = (0xD800, 0xDFFF);

/// A regular expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    /// One character of the set. Without any it matches nothing.
    Set(Arc<Symbols>),
    /// One after the other. Without parts it matches the empty text.
    Concat(Vec<Expression>),
    /// Any of them.
    Either(Vec<Expression>),
    /// At least `min` and at most `max` times the body.
    Repeat {
        min: u32,
        max: Option<u32>,
        body: Box<Expression>,
    },
    Assert(Assertion),
}

/// What must hold at a place of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assertion {
    /// The text begins here.
    Begin,
    /// The text ends here.
    End,
    /// A word begins or ends here, or with `inside` neither. Which characters make words depends on `ascii`.
    Word { ascii: bool, inside: bool },
    /// The look-ahead with this index holds.
    Look(u16),
}

impl Assertion {
    /// The symbol that stands for it.
    pub(crate) fn mark(self) -> u32 {
        FIRST_MARK
            + match self {
                Assertion::Begin => 0,
                Assertion::End => 1,
                Assertion::Word { ascii, inside } => 2 + u32::from(ascii) + 2 * u32::from(inside),
                Assertion::Look(index) => 6 + u32::from(index),
            }
    }
}

impl Expression {
    /// The empty text.
    pub(crate) const EMPTY: Expression = Expression::Concat(Vec::new());

    /// Every text.
    pub(crate) fn any() -> Expression {
        Expression::any_character().repeated(0, None)
    }

    /// Every text of one character.
    pub(crate) fn any_character() -> Expression {
        static ALL: OnceLock<Arc<Symbols>> = OnceLock::new();
        let all = || Arc::new(vec![(0, SURROGATES.0 - 1), (SURROGATES.1 + 1, 0x10_FFFF)]);
        Expression::Set(ALL.get_or_init(all).clone())
    }

    pub(crate) fn repeated(self, min: u32, max: Option<u32>) -> Expression {
        Expression::Repeat { min, max, body: Box::new(self) }
    }

    /// Whether an assertion stands anywhere in it.
    pub(crate) fn has_assertion(&self) -> bool {
        match self {
            Expression::Set(_) => false,
            Expression::Concat(parts) | Expression::Either(parts) => parts.iter().any(Expression::has_assertion),
            Expression::Repeat { body, .. } => body.has_assertion(),
            Expression::Assert(_) => true,
        }
    }

    /// The number of characters of each match, if all have the same.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Expression::Set(_) => Some(1),
            Expression::Concat(parts) => parts.iter().map(Expression::length).sum(),
            Expression::Either(parts) => {
                let first = parts.first()?.length()?;
                parts.iter().all(|part| part.length() == Some(first)).then_some(first)
            }
            Expression::Repeat { min, max, body } => {
                let each = body.length()?;
                (Some(*min) == *max || each == 0).then(|| each.saturating_mul(u64::from(*min)))
            }
            Expression::Assert(_) => Some(0),
        }
    }
}
