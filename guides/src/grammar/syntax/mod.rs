//! The readers of grammars: the text of a grammar, in one of two syntaxes, to rules.
//!
//! | file | what it holds |
//! |---|---|
//! | [`gbnf`], [`gbnf_literal`] | GBNF: rules; literals, classes and tokens |
//! | [`lark`] | Lark: definitions and directives |
//! | [`lark_expansions`], [`lark_lexemes`], [`lark_embedded`] | their right sides: operators and names; strings, regexes and tokens; JSON |
//! | [`lark_common`] | the terminals of Lark's library |
//! | [`lark_tree`], [`lark_names`], [`lark_lowering`] | a Lark grammar as written; the check of its names; its rules |
//! | [`cursor`] | the text, with line and column; limits |
//! | [`literal`] | texts and escapes of literals |
//!
//! # Invariants
//!
//! - Reading takes time and memory in proportion to the text, and to what its templates are expanded to, which has a limit.
//! - What a grammar asks for is read to rules with that meaning, or refused with its place.
//! - The language is the context-free one. No terminal is greedy: as with Lark's `lexer="dynamic_complete"`, a text is cut into terminals in
//!   each way there is.

mod cursor;
mod gbnf;
mod gbnf_literal;
mod lark;
mod lark_common;
mod lark_embedded;
mod lark_expansions;
mod lark_lexemes;
mod lark_lowering;
mod lark_names;
mod lark_tree;
mod literal;
#[cfg(test)]
pub(crate) mod show;
#[cfg(test)]
mod tests;

use crate::error::{CompileError, Place, too_big};
use crate::grammar::rules::Grammar;
use crate::grammar::syntax::cursor::{Blanks, GrammarCursor, syntax};
use crate::grammar::syntax::gbnf::is_name;

/// The most bytes of the text of a grammar.
const MOST_BYTES: usize = 4 << 20;

/// Reads a grammar. The form of its first rule tells the syntax: `name ::=` is GBNF, `name:` is Lark.
///
/// # Errors
/// `Syntax` and `Unsupported` with line and column, `TooBig` beyond 4 MiB of text, 100,000 rules, and other limits of [`cursor`].
pub(crate) fn read(text: &str) -> Result<Grammar, CompileError> {
    if text.len() > MOST_BYTES {
        return Err(too_big(Place::Source, "bytes of the grammar", MOST_BYTES, "give a smaller grammar"));
    }
    let mut cursor = GrammarCursor::new(text);
    cursor.skip(Blanks::Lark);
    let at = cursor.at();
    if cursor.peek() == Some('%') {
        return lark::read(text);
    }
    cursor.take_while(|c| is_name(c) || matches!(c, '!' | '?'));
    if cursor.at() != at {
        cursor.skip(Blanks::Gbnf);
        let head = cursor.rest();
        if head.starts_with("::=") {
            return gbnf::read(text);
        }
        // Between the name and its sign may stand the attributes of both syntaxes, and Lark's parameters and priorities.
        let colon = head.find([':', '\n', '\r']).filter(|&at| head[at..].starts_with(':'));
        match colon {
            Some(colon) if head.starts_with('[') && head[colon..].starts_with("::=") => return gbnf::read(text),
            Some(colon) if colon == 0 || head.starts_with(['.', '{', '[']) => return lark::read(text),
            _ => {}
        }
    }
    Err(syntax(
        at,
        "neither of the two syntaxes of grammars; rules of GBNF are root ::= \"yes\" | \"no\", those of Lark are start: \"yes\" | \"no\"",
    ))
}
