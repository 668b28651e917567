//! The example grammars, which other tests use.

use crate::grammar::rules::Grammar;
use crate::grammar::syntax::read;
use crate::grammar::syntax::show::show;

fn example(file: &str) -> Grammar {
    let path = format!("{}/tests/grammars/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    read(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_example_is_read() {
    let rules: Vec<usize> = ["json.gbnf", "arithmetic.gbnf", "nested_comments.lark", "list.lark", "sql.lark"]
        .iter()
        .map(|file| example(file).rules.len())
        .collect();
    assert_eq!(rules, [12, 4, 14, 11, 36]);
}

#[test]
fn the_rules_of_an_example_are_as_written() {
    let list = [
        "start = list",
        "list = ('[' %ignore _separated{item,\",\"}{0,1} ']' %ignore)",
        "item = ((SIGNED_NUMBER %ignore) | (CNAME %ignore) | (ESCAPED_STRING %ignore) | list)",
        r"SIGNED_NUMBER = /[+\-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([Ee][+\-]?[0-9]+)?/",
        "CNAME = /[A-Z_a-z][0-9A-Z_a-z]*/",
        r#"ESCAPED_STRING = /"([^"\\\n]|\\.)*"/"#,
        r"SPACE = /[ \t\f\r\n]+/",
        r"COMMENT = /#[^\n]*/",
        "%ignore = (SPACE | (COMMENT '<A>')){0,}",
        "_separated{item,\",\"} = (item (',' %ignore item){0,})",
        "> output = (%ignore start)",
    ];
    assert_eq!(show(&example("list.lark")), list.join("\n"));
    let arithmetic = [
        "> root = (expression '<A>'{0,1})",
        "expression = ((expression operator expression) | ('(' expression ')') | ('-' expression) | number)",
        "operator = ('+' | '-' | '*' | '/')",
        "number = ([0-9]{1,} ('.' [0-9]{1,}){0,1})",
    ];
    assert_eq!(show(&example("arithmetic.gbnf")), arithmetic.join("\n"));
}
