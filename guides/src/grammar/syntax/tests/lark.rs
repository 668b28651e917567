use super::{assert_read, assert_refused};
use crate::grammar::rules::{Body, Location};
use crate::grammar::syntax::read;

#[test]
fn rules_and_terminals_are_read_as_written() {
    assert_read(&[
        ("start: \"a\" B | c\nB: \"b\" \"c\"\nc:", "> start = (('a' B) | c)\nB = ('b' 'c')\nc = ()"),
        ("?start: _x -> alias | \"a\" -> other\n!_x.5: \"b\"\nB.-2: \"c\"", "> start = (_x | 'a')\n_x = 'b'\nB = 'c'"),
        ("?!start: [\"a\" \"b\"] (\"c\" | \"d\")", "> start = (('a' 'b'){0,1} ('c' | 'd'))"),
        (
            "start: \"a\"* \"b\"+ \"c\" ? \"d\"~2 \"e\" ~ 2 .. 3",
            "> start = ('a'{0,} 'b'{1,} 'c'{0,1} 'd'{2,2} 'e'{2,3})",
        ),
        (
            "start: \"a\"{2} \"b\"{2,} \"c\"{,3} b{2,3}\nb: \"x\"",
            "> start = ('a'{2,2} 'b'{2,} 'c'{0,3} b{2,3})\nb = 'x'",
        ),
        ("start: a-b->c\na-b: \"x\"", "> start = a-b\na-b = 'x'"),
        ("start: \"\" | \"a\"..\"z\" | \"é\" .. \"ü\"", "> start = (\"\" | [a-z] | [<E9>-<FC>])"),
        ("start: <[5]> <[1, 3-4]>", "> start = (<5> (<1> | <3> | <4>))"),
        ("start: start \"a\" |", "> start = ((start 'a') | ())"),
    ]);
}

#[test]
fn a_definition_goes_on_where_a_line_begins_with_a_bar() {
    assert_read(&[
        ("start: \"a\" // one\n  # two\n\n  | \"b\"\n//three\nb: \"c\"\n", "> start = ('a' | 'b')\nb = 'c'"),
        ("start:\n | \"a\"\r\n | \"b\"", "> start = (() | 'a' | 'b')"),
        ("start: (\"a\"\n  \"b\"\n | \"c\")\nb: \"d\"", "> start = (('a' 'b') | 'c')\nb = 'd'"),
        ("start: \"a\" \\\n  \"b\"\nb: \"c\"", "> start = ('a' 'b')\nb = 'c'"),
    ]);
}

#[test]
fn strings_and_regexes_have_their_escapes_and_flags() {
    assert_read(&[
        (r#"start: "\n\r\t\f\\\"\x41\u00e9\U0001F600é""#, r#"> start = "<A><D><9><C>\\\"A<E9><1F600><E9>""#),
        (r#"start: "aB.1é"i "1.0"i"#, r#"> start = (/(?i:aB\.1é)/ "1.0")"#),
        (r#"start: "a\n\x00"i"#, r"> start = /(?i:a\n\x00)/"),
        (r"start: /a\/b\\\d/ /x/is /(?i)y/s /z/u", r"> start = (/a/b\\\d/ /(?is)x/ /(?si)y/ /z/)"),
        ("start: /a # b\n c/x /[^\\n]\\$/m", "> start = (/(?x)a # b\n c/ /[^\\n]\\$/)"),
        ("start: \"a\"B\nB: \"b\"", "> start = ('a' B)\nB = 'b'"),
    ]);
}

#[test]
fn ignored_texts_stand_first_and_behind_each_terminal_of_a_rule() {
    assert_read(&[
        (
            "%ignore \" \"\nstart: \"a\" B* [/c/] d\nB: \"b\" C\nC: \"c\"\nd: <[5]> %json {} | \"a\"..\"b\"",
            "start = ('a' %ignore (B %ignore){0,} (/c/ %ignore){0,1} d)\nB = ('b' C)\nC = 'c'\n\
             d = ((<5> %ignore json {} %ignore) | ([a-b] %ignore))\n%ignore = ' '{0,}\n> output = (%ignore start)",
        ),
        (
            "start: \"a\"\n%ignore WS | \"#\"\n%ignore /x/\nWS: \" \"+",
            "start = ('a' %ignore)\nWS = ' '{1,}\n%ignore = ((WS | '#') | /x/){0,}\n> output = (%ignore start)",
        ),
        (
            "%llguidance {\"allow_initial_skip\": false, \"ignore_once\": true}\nstart: \"a\"\n%ignore \" \"",
            "> start = ('a' %ignore)\n%ignore = ' '{0,1}",
        ),
        ("%llguidance {}\n%llguidance {\"no_forcing\": true}\nstart: \"a\"", "> start = 'a'"),
    ]);
}

#[test]
fn templates_are_expanded_for_each_choice_of_arguments() {
    assert_read(&[
        (
            "start: t{\"a\", B} t{B,\"a\"} t{ \"a\" , B }\nt{x, y}: x y x\nB: \"b\"",
            "> start = (t{\"a\",B} t{B,\"a\"} t{\"a\",B})\nB = 'b'\nt{\"a\",B} = ('a' B 'a')\nt{B,\"a\"} = (B 'a' B)",
        ),
        (
            "start: list{u{\"a\"}}\nlist{x}: x | list{x} \",\" x\nu{x}: x u{x}?",
            "> start = list{u{\"a\"}}\nu{\"a\"} = ('a' u{\"a\"}{0,1})\n\
             list{u{\"a\"}} = (u{\"a\"} | (list{u{\"a\"}} ',' u{\"a\"}))",
        ),
        (
            "start: p{/a/}\np{x}: q{x}\nq{x}: x\n%ignore \" \"",
            "start = p{/a/}\n%ignore = ' '{0,}\np{/a/} = q{/a/}\n> output = (%ignore start)\nq{/a/} = (/a/ %ignore)",
        ),
        ("start: \"a\"\nunused{x}: x", "> start = 'a'"),
    ]);
}

#[test]
fn terminals_of_common_are_imported() {
    assert_read(&[
        ("%import common.INT\n%import common.INT\nstart: INT", "INT = /[0-9]+/\n> start = INT"),
        (
            "start: A INT\n%import common.WORD -> A\n%import common (INT,\n  LF)",
            "> start = (A INT)\nA = /[A-Za-z]+/\nINT = /[0-9]+/\nLF = /\\n/",
        ),
        ("%import common.WORD->A\nstart: A", "A = /[A-Za-z]+/\n> start = A"),
    ]);
    let names = crate::grammar::syntax::lark_common::names();
    assert_eq!(names.split(", ").count(), 27);
    for name in names.split(", ") {
        assert!(read(&format!("%import common.{name}\nstart: {name}")).is_ok(), "{name}");
    }
}

#[test]
fn json_is_taken_with_its_exact_text() {
    let text = "start: \"x\"\n  | %json  {\"const\": \"}\\\"{\", \"a\" :{ }\n}\n  | %json true";
    let Body::Choice(parts) = read(text).expect("a grammar").rules.remove(0).body else { panic!("no choice") };
    let json = |schema: &str, line, column| Body::Json { schema: schema.to_owned(), at: Location { line, column } };
    assert_eq!(parts[1..], [json("{\"const\": \"}\\\"{\", \"a\" :{ }\n}", 2, 12), json("true", 4, 11)]);
}

#[test]
fn a_substring_is_any_run_of_its_texts() {
    assert_read(&[
        (
            "start: A\nA: %regex {\"substring_chunks\": [\"b\", \"cd\"]}",
            "> start = A\nA = (() | %regex | %regex)\n%regex = \"cd\"\n%regex = ('b' %regex{0,1})",
        ),
        ("start: %regex {\"substring_chars\": \"\"}", "> start = ()"),
    ]);
}

#[test]
fn a_fault_is_named_with_its_place() {
    let cases = [
        ("start: a", "1, column 8: no rule is named a; define it with a: ..., or put a literal in quotes"),
        (
            "start: A",
            "1, column 8: no terminal is named A; define it, import it from common, or put a literal in quotes",
        ),
        ("a: \"a\"", "1, column 1: no rule is named start, which derives the whole output; name one so"),
        (
            "start: \"a\"\nb: \"a\"\nb: \"c\"",
            "3, column 1: b is defined on line 2 already; join the two with '|', or rename one",
        ),
        (
            "%import common.INT\nINT: \"c\"\nstart: INT",
            "2, column 1: INT is defined on line 1 already; join the two with '|', or rename one",
        ),
        (
            "start: myRule",
            "1, column 8: myRule is no name; rules have lower-case letters, terminals upper-case letters, and no digit first",
        ),
        (
            "start: 1a",
            "1, column 8: 1a is no name; rules have lower-case letters, terminals upper-case letters, and no digit first",
        ),
        (
            "start: A\nA: b\nb: \"a\"",
            "2, column 4: b is a rule, and a terminal is made of terminals; make it a terminal, or this a rule",
        ),
        (
            "start: A\nA: \"a\" B\nB: [A]",
            "3, column 5: the terminal A is made of itself; make it a rule, with lower-case letters",
        ),
        (
            "start: A\nA: \"a\" A",
            "2, column 8: the terminal A is made of itself; make it a rule, with lower-case letters",
        ),
        (
            "start: A\nA: <[5]>",
            "2, column 4: a token stands in rules, not in terminals; name the rule with lower-case letters",
        ),
        (
            "start: A\nA: %json {}",
            "2, column 4: %json stands in rules, not in terminals; name the rule with lower-case letters",
        ),
        ("start: \"a\n\"", "1, column 8: '\"' without a second one on its line; a line end in a string is \\n"),
        ("start: \"a\\", "1, column 10: '\\' before no character that it escapes; write \\\\ for a backslash"),
        (
            "start: \"\\d\"",
            "1, column 9: unknown escape \\d; write \\\\d for a backslash before it, or /.../ for a regex",
        ),
        (
            "start: \"\\b\"",
            "1, column 9: \\b is read in two ways; write \\x08 for a backspace, \\\\b for a backslash and a b",
        ),
        (
            "start: \"\\/\"",
            "1, column 9: \\/ is read in two ways; write / for a slash, \\\\/ for a backslash and a slash",
        ),
        ("start: /a", "1, column 8: '/' without a second one; a '/' in a regex is \\/"),
        (
            "start: /a\nb: \"c\" /",
            "1, column 8: a regex over several lines needs the flag x, or a '/' is missing; a line end is \\n",
        ),
        ("start: /a/g", "1, column 11: no flag of a regex is g; known are i, m, s, u and x"),
        ("start: \"z\"..\"a\"", "1, column 8: the range \"z\"..\"a\" ends before it begins; swap its ends"),
        ("start: \"ab\"..\"c\"", "1, column 8: a range is of two strings with one character each, as in \"a\"..\"z\""),
        ("start: \"a\"..b", "1, column 8: a range is of two strings with one character each, as in \"a\"..\"z\""),
        (
            "start: \"a\"..\"z\"i",
            "1, column 16: a range has no flag; write both ranges, as in \"a\"..\"z\" | \"A\"..\"Z\"",
        ),
        ("start: (\"a\"", "1, column 8: '(' without ')'; a literal '(' stands in quotes"),
        ("start: [\"a\")", "1, column 8: '[' without ']'; a literal '[' stands in quotes"),
        ("start: \"a\" -> b c", "1, column 17: expected '|' or the end of the line, found 'c'"),
        ("start: \"a\")", "1, column 11: ')' closes nothing; as a literal it stands in quotes"),
        ("start: * \"a\"", "1, column 8: '*' has nothing before it to repeat; a literal '*' stands in quotes"),
        (
            "start: \"a\"*+",
            "1, column 12: a part has one operator of repetition; put (...) around what the second one repeats",
        ),
        ("start: \"a\"~3..2", "1, column 11: the least count 3 is greater than the greatest, 2; write 2 first"),
        ("start: \"a\"{3,2}", "1, column 11: the least count 3 is greater than the greatest, 2; write 2 first"),
        ("start: \"a\"~3..", "1, column 15: expected the greatest count, as in x~2..5"),
        (
            "start: \"a\"{}",
            "1, column 11: a count of repetitions is {m}, {m,}, {m,n} or {,n} with numbers for m and n; in a literal '{' stands in quotes",
        ),
        ("start: 'a'", "1, column 8: a string stands in double quotes, as in \"yes\""),
        ("start: a: b", "1, column 9: ':' belongs to name: at the start of a line; a literal ':' stands in quotes"),
        ("start: ; b", "1, column 8: ';' begins no part of a rule; a string stands in double quotes, as in \"yes\""),
        (
            "start: \"a\"\n  \"b\"",
            "2, column 3: a rule is name: ..., a terminal NAME: ..., and a directive begins with '%'; found '\"'",
        ),
        (
            "start: \"a\"\n  b \"c\"",
            "2, column 5: expected ':' behind the name b, found '\"'; a rule goes on over lines that begin with '|'",
        ),
        ("start: <[5>", "1, column 8: a token is <[123]> with its id; several are <[123,130-140]>"),
        ("start: <[5-4]>", "1, column 8: the range 5-4 ends before it begins; swap its ends"),
        ("!A: \"a\"\nstart: A", "1, column 1: '!' and '?' stand before rules only; A is a terminal"),
        ("start.x: \"a\"", "1, column 7: a priority is a number, as in start.2: ..."),
        (
            "start: t{\"a\"}\nt{x, y}: x",
            "1, column 8: t, defined on line 2, takes as many arguments in '{' and '}' as it has parameters, 2, not 1",
        ),
        (
            "start: \"a\"\nt{x}: u\nu{x}: x",
            "2, column 7: u, defined on line 3, takes as many arguments in '{' and '}' as it has parameters, 1, not 0",
        ),
        ("start: t{\"a\"}\nt: \"a\"", "1, column 8: t, defined on line 2, has no parameters; write it without '{'"),
        (
            "start: t{(\"a\")}\nt{x}: x",
            "1, column 10: an argument is a name, a string, a regex, a range or a template; make the group a rule",
        ),
        (
            "start: t{\"a\"\nt{x}: x",
            "1, column 9: arguments stand between '{' and '}' with ',' between them, each one name, string, regex or range",
        ),
        ("t{x, x}: x\nstart: \"a\"", "1, column 6: this parameter is there twice; rename one"),
        ("t{X}: X\nstart: \"a\"", "1, column 3: a parameter has a name of lower-case letters"),
        (
            "T{x}: x\nstart: \"a\"",
            "1, column 2: a terminal has no parameters; make it a rule, with a name of lower-case letters",
        ),
        ("start{x}: x", "1, column 1: no rule is named start, which derives the whole output; name one so"),
        (
            "%import common.FOO\nstart: \"a\"",
            &format!(
                "1, column 9: common has no terminal \"FOO\"; it has {}",
                crate::grammar::syntax::lark_common::names()
            ),
        ),
        (
            "%import common.INT -> int\nstart: int",
            "1, column 9: \"int\" is no name of a terminal, which has upper-case letters",
        ),
        ("%import common.INT x\nstart: INT", "1, column 20: expected the end of the line, found 'x'"),
        ("%foo\nstart: \"a\"", "1, column 1: no directive is %foo; known are %import, %ignore and %llguidance"),
        ("%json {}\nstart: \"a\"", "1, column 1: %json is a part of a rule, as in start: %json {...}"),
        ("start: %foo", "1, column 8: no part of a rule is %foo; known are %json and %regex"),
        ("start: %json [1]", "1, column 14: %json is followed by a JSON object, as in %json {...}"),
        ("start: %json {\"a\": \"}\n", "1, column 14: the object of %json has no end; a '}' or a '\"' is missing"),
        ("%llguidance {\"a\": 5}\nstart: \"a\"", "1, column 13: the option a is true or false"),
        (
            "start: %regex {\"substring_chunks\": 5}",
            "1, column 8: %regex is followed by {\"substring_chunks\": [\"...\", ...]} or {\"substring_chars\": \"...\"}",
        ),
        (
            "start: \"a\"\n| \"b\"\n\n;",
            "4, column 1: a rule is name: ..., a terminal NAME: ..., and a directive begins with '%'; found ';'",
        ),
    ];
    for (text, expected) in cases {
        assert_refused(&[(text, &format!("grammar at line {expected}"))]);
    }
    let error = read("%llguidance {\n \"a\": tru}\nstart: \"a\"").expect_err("broken JSON").to_string();
    assert!(error.starts_with("grammar at line 2, column 7: the JSON of %llguidance: "), "{error}");
}

#[test]
fn what_is_not_enforced_is_refused_by_name() {
    let cases = [
        (
            "start: <|eot|> \"a\"",
            "1, column 8: token <|eot|>: tokens are not found by their text; write <[123]> with the id of the token",
        ),
        (
            "start: <[^5]>",
            "1, column 8: negated tokens: all tokens but some are not enforced; write the text that may come instead",
        ),
        (
            "start: <[*]>",
            "1, column 8: negated tokens: all tokens but some are not enforced; write the text that may come instead",
        ),
        (
            "start[max_tokens=5]: \"a\"",
            "1, column 6: attribute max_tokens: attributes of rules are not enforced; repeat a part a bounded number of times, or bound the whole output with the request's max_tokens",
        ),
        (
            "start[lazy]: \"a\"",
            "1, column 6: attribute lazy: attributes of rules are not enforced; write the end as a part of the rule, behind a part that cannot contain it",
        ),
        (
            "start[capture=\"x\", stop=\"y\"]: \"a\"",
            "1, column 6: attribute capture: attributes of rules are not enforced; leave it out",
        ),
        (
            "start: a\na[temperature=0.5]: \"a\"",
            "2, column 2: attribute temperature: attributes of rules are not enforced; give the temperature with the request",
        ),
        ("start: A & B", "1, column 10: intersection &: it is not enforced; write one regex for both"),
        (
            "start: ~A",
            "1, column 8: negation ~: it is not enforced; write what may come, such as /[^a]*/; a count is ~3 or ~2..5",
        ),
        (
            "start: A ~B",
            "1, column 10: negation ~: it is not enforced; write what may come, such as /[^a]*/; a count is ~3 or ~2..5",
        ),
        ("start: @other", "1, column 8: @ and a name: other grammars are not known; write the rules into this one"),
        ("start: %lark {}", "1, column 8: %lark: write the rules of the inner grammar into this one"),
        (
            "start::_ : \"a\"",
            "1, column 1: parametric rule: rules with numbers as parameters are not enforced; write out the cases",
        ),
        (
            "start: \"a\" %if true",
            "1, column 12: %if: rules with numbers as parameters are not enforced; write out the cases",
        ),
        ("%declare A\nstart: A", "1, column 1: %declare: a declared terminal has no text; define it with NAME: ..."),
        (
            "%override a: \"b\"\nstart: a",
            "1, column 1: %override: it changes what is imported, and only terminals of common are; define a terminal of your own",
        ),
        (
            "%extend A: \"b\"\nstart: A",
            "1, column 1: %extend: it changes what is imported, and only terminals of common are; define a terminal of your own",
        ),
        (
            "%import python.NAME\nstart: NAME",
            "1, column 9: %import python.NAME: only terminals of common are known, as in %import common.WS; write the definitions into the grammar",
        ),
        (
            "%import .other.NAME\nstart: NAME",
            "1, column 9: %import .other.NAME: only terminals of common are known, as in %import common.WS; write the definitions into the grammar",
        ),
        (
            "%llguidance {\"allow_invalid_utf8\": true}\nstart: \"a\"",
            "1, column 13: option allow_invalid_utf8: outputs are UTF-8; leave it out",
        ),
        (
            "%llguidance {\"fast\": true}\nstart: \"a\"",
            "1, column 13: option fast: not known; known are no_forcing, allow_initial_skip and ignore_once",
        ),
        (
            "start: %regex {\"substring_words\": \"a b\"}",
            "1, column 8: substring_words: words are not told apart here; write substring_chunks with the words and what is between them",
        ),
        ("start: /a/l", "1, column 11: flag l: the language of the server does not count; leave it out"),
        ("start: /a$/m", "1, column 12: flag m: '^' and '$' match at the ends of the text only; write \\n out"),
        (
            "start: \"a\"\nt{x}: x{\"a\"}\nu{x}: x",
            "2, column 7: parameter x: a parameter has no arguments; use the template by its name",
        ),
    ];
    for (text, expected) in cases {
        assert_refused(&[(text, &format!("grammar at line {expected}"))]);
    }
}
