//! Broken grammars: whatever the text is, it is read or refused.

use crate::error::{CompileError, Place};
use crate::grammar::syntax::read;
use proptest::prelude::*;

const PIECES: [&str; 44] = [
    "root",
    "start",
    "::=",
    ":",
    " ",
    "\n",
    "|",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "/",
    "//",
    "#",
    "\\",
    "a",
    "A",
    "é",
    "_",
    "-",
    "->",
    "..",
    ".",
    ",",
    "*",
    "+",
    "?",
    "~",
    "!",
    "<[",
    "]>",
    "5",
    "^",
    "&",
    "@",
    "%json",
    "%ignore",
    "%import",
    "%llguidance",
    "\\u",
];

/// Where an error points; `None` for the source as a whole.
fn place(error: &CompileError) -> Option<(usize, usize)> {
    match error {
        CompileError::Syntax { at: Place::Grammar { line, column }, .. }
        | CompileError::Unsupported { at: Place::Grammar { line, column }, .. }
        | CompileError::TooBig { at: Place::Grammar { line, column }, .. } => Some((*line, *column)),
        _ => None,
    }
}

/// Reads a text; an error points into it.
fn check(text: &str) -> Result<(), TestCaseError> {
    let Err(error) = read(text) else { return Ok(()) };
    let (line, column) = place(&error).ok_or_else(|| TestCaseError::fail(error.to_string()))?;
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let width = lines.split('\n').nth(line - 1).map(|line| line.chars().count());
    prop_assert!(width.is_some_and(|width| (1..=width + 1).contains(&column)), "{}", error);
    Ok(())
}

proptest! {
    #[test]
    fn any_run_of_pieces_is_read_or_refused_at_a_place_of_it(
        head in prop::sample::select(vec!["", "root ::= ", "start: ", "%import ", "A: \"a\"\nstart: "]),
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..24),
    ) {
        check(&format!("{head}{}", pieces.concat()))?;
    }

    #[test]
    fn an_example_with_a_piece_elsewhere_is_read_or_refused_at_a_place_of_it(
        file in prop::sample::select(vec!["json.gbnf", "arithmetic.gbnf", "list.lark", "sql.lark"]),
        piece in prop::sample::select(PIECES.to_vec()),
        from in any::<prop::sample::Index>(),
        length in 0..20usize,
    ) {
        let path = format!("{}/tests/grammars/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("an example");
        let characters: Vec<char> = text.chars().collect();
        let from = from.index(characters.len());
        let to = (from + length).min(characters.len());
        let edited: String = characters[..from].iter().copied().chain(piece.chars()).chain(characters[to..].iter().copied()).collect();
        check(&edited)?;
    }
}
