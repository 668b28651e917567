//! Tables of grammars: what is read, and what is refused.

mod broken;
mod files;
mod gbnf;
mod lark;
mod limits;

use crate::grammar::syntax::read;
use crate::grammar::syntax::show::show;

/// Compares what is read with a table of texts and rules.
fn assert_read(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        match read(text) {
            Ok(grammar) => assert_eq!(show(&grammar), *expected, "{}", beginning(text)),
            Err(error) => panic!("{}\n{error}", beginning(text)),
        }
    }
}

/// Compares errors with a table of texts and messages.
fn assert_refused(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        match read(text) {
            Ok(_) => panic!("{}\nis read", beginning(text)),
            Err(error) => assert_eq!(error.to_string(), *expected, "{}", beginning(text)),
        }
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(200).collect()
}

#[test]
fn the_form_of_the_first_rule_tells_the_syntax() {
    assert_read(&[
        ("root ::= \"a\"", "> root = 'a'"),
        ("# comment\n\n root\n ::= \"a\"", "> root = 'a'"),
        ("start: \"a\"", "> start = 'a'"),
        ("// comment\n# comment\n!start: \"a\"", "> start = 'a'"),
        ("?start.2 : \"a\"", "> start = 'a'"),
        ("_p{x}: x\nstart: _p{\"a\"}", "> start = _p{\"a\"}\n_p{\"a\"} = 'a'"),
        ("%import common.CR\nstart: CR", "CR = /\\r/\n> start = CR"),
        ("\u{feff}root ::= \"a\"", "> root = 'a'"),
    ]);
    let neither = "neither of the two syntaxes of grammars; rules of GBNF are root ::= \"yes\" | \"no\", those of Lark are \
                   start: \"yes\" | \"no\"";
    for (text, place) in [
        ("", "line 1, column 1"),
        ("  # only a comment\n", "line 2, column 1"),
        ("<root> ::= \"a\"", "line 1, column 1"),
        ("root = \"a\"", "line 1, column 1"),
        ("\n [a-z]+", "line 2, column 2"),
        ("{\"type\": \"object\"}", "line 1, column 1"),
        ("start -> \"a\" ::= \"b\"", "line 1, column 1"),
    ] {
        assert_refused(&[(text, &format!("grammar at {place}: {neither}"))]);
    }
}
