use super::{assert_read, assert_refused};

#[test]
fn rules_are_read_as_written() {
    assert_read(&[
        ("root ::= \"ab\" [c-e] .", "> root = (\"ab\" [c-e] [<0>-<D7FF><E000>-<10FFFF>])"),
        ("root ::= \"a\" | b | \nb ::= \"\"", "> root = ('a' | b | ())\nb = \"\""),
        ("root ::= | \"a\"", "> root = (() | 'a')"),
        ("root ::= () \"a\"", "> root = (() 'a')"),
        ("b ::= root\nroot ::= \"a\" b?", "b = root\n> root = ('a' b{0,1})"),
        ("root ::= root \"a\" | \"b\"", "> root = ((root 'a') | 'b')"),
        ("root ::= 1a-B_c\n1a-B_c ::= \"x\"", "> root = 1a-B_c\n1a-B_c = 'x'"),
        ("root ::= \"a\"* \"b\"+ \"c\"?", "> root = ('a'{0,} 'b'{1,} 'c'{0,1})"),
        (
            "root ::= \"a\"{2} \"b\"{2,} \"c\"{2,3} \"d\"{,3} \"e\"{ 0 , 0 } \"f\"{1, -1}",
            "> root = ('a'{2,2} 'b'{2,} 'c'{2,3} 'd'{0,3} 'e'{0,0} 'f'{1,})",
        ),
        ("root ::= \"a\"+? (\"b\" | \"c\" d)+\nd ::= <[7]>", "> root = ('a'{1,}{0,1} ('b' | ('c' d)){1,})\nd = <7>"),
        ("root ::= a.*\na ::= \"a\"", "> root = (a [<0>-<D7FF><E000>-<10FFFF>]{0,})\na = 'a'"),
    ]);
}

#[test]
fn a_rule_goes_on_to_the_next_head() {
    assert_read(&[
        ("root ::= # comment\n  \"a\" # \"b\"\n  | \"c\"\n", "> root = ('a' | 'c')"),
        ("root ::= \"a\"\n  a\n  \"b\"\n\na ::= \"c\"", "> root = ('a' a 'b')\na = 'c'"),
        ("root ::= (\n\"a\"\n# comment\na\n)\r\na ::=\r\n\"c\"", "> root = ('a' a)\na = 'c'"),
        ("root ::= \"a\" |\na\na\n  ::= \"c\"", "> root = ('a' | a)\na = 'c'"),
    ]);
}

#[test]
fn literals_and_classes_have_the_escapes_of_both_dialects() {
    assert_read(&[
        (r#"root ::= "\n\r\t\\\"\x41\u00e9\U0001F600é""#, r#"> root = "<A><D><9>\\\"A<E9><1F600><E9>""#),
        (r#"root ::= "\a\b\e\f\v\0\/\'\?\[\]\-""#, r#"> root = "<7><8><1B><C><B><0>/?[]-""#),
        (r#"root ::= "\x414""#, r#"> root = "A4""#),
        (r"root ::= [a-z\-\]0] [-a] [a-] [^^]", "> root = ([-0]a-z] [-a] [-a] [<0>-]_-<D7FF><E000>-<10FFFF>])"),
        (r#"root ::= [^"\\\x7F\x00-\x1F]"#, "> root = [ -!#-[]-~<80>-<D7FF><E000>-<10FFFF>]"),
        ("root ::= [^] [[]", "> root = ([<0>-<D7FF><E000>-<10FFFF>] '[')"),
        ("root ::= [ぁ-ゟ]", "> root = [<3041>-<309F>]"),
    ]);
}

#[test]
fn a_fault_is_named_with_its_place() {
    assert_refused(&[
        (
            "root ::= \"a\" b\nb ::= c",
            "grammar at line 2, column 7: no rule is named c; define it with c ::= ..., or put a literal in quotes",
        ),
        (
            "a ::= \"a\"",
            "grammar at line 1, column 1: no rule is named root, which derives the whole output; name one so",
        ),
        (
            "root ::= \"a\"\n\nroot ::= \"b\"",
            "grammar at line 3, column 1: the rule root is defined on line 1 already; join the two with '|', or rename one",
        ),
        (
            "root ::= \"a\" b ::= \"c\"",
            "grammar at line 1, column 14: the rule b begins on a line of another; begin it on a line of its own",
        ),
        (
            "root ::=\nb ::= \"c\"",
            "grammar at line 1, column 1: the rule root has nothing behind ::=; write \"\" for the empty text",
        ),
        (
            "root ::= # end",
            "grammar at line 1, column 1: the rule root has nothing behind ::=; write \"\" for the empty text",
        ),
        (
            "root ::= \"a\n\"",
            "grammar at line 1, column 10: '\"' without a second one on its line; a line end in a literal is \\n",
        ),
        (
            "root ::= \"a\\",
            "grammar at line 1, column 12: '\\' before no character that it escapes; write \\\\ for a backslash",
        ),
        ("root ::= [a", "grammar at line 1, column 10: '[' without ']' on its line; a line end in a class is \\n"),
        (
            "root ::= []",
            "grammar at line 1, column 10: [] has no characters; write \\[ or \\] for a bracket in a class, or \"\" for the empty text",
        ),
        ("root ::= [b-a]", "grammar at line 1, column 11: the range 'b' to 'a' ends before it begins; swap its ends"),
        (
            "root ::= [\\d]",
            "grammar at line 1, column 11: \\d is no escape here; write a class such as [0-9], [ \\t\\n\\r] or [a-zA-Z0-9_]",
        ),
        (
            "root ::= \"\\q\"",
            "grammar at line 1, column 11: unknown escape \\q; write \\\\ for a backslash, or \\xHH for a code",
        ),
        ("root ::= \"\\x4g\"", "grammar at line 1, column 11: \\x is followed by 2 hexadecimal digits"),
        (
            "root ::= \"\\uD83D\"",
            "grammar at line 1, column 11: D83D is the code of no character; write the character itself, or \\UHHHHHHHH with its code",
        ),
        (
            "root ::= (\"a\"\nb ::= \"c\"",
            "grammar at line 1, column 10: '(' without ')'; a literal '(' stands in quotes",
        ),
        ("root ::= \"a\")", "grammar at line 1, column 13: ')' without '('; a literal ')' stands in quotes"),
        (
            "root ::= *",
            "grammar at line 1, column 10: '*' has nothing before it to repeat; a literal '*' stands in quotes",
        ),
        (
            "root ::= \"a\" | +",
            "grammar at line 1, column 16: '+' has nothing before it to repeat; a literal '+' stands in quotes",
        ),
        (
            "root ::= \"a\"{x}",
            "grammar at line 1, column 13: a count of repetitions is {m}, {m,}, {m,n} or {,n} with numbers for m and n; in a literal '{' stands in quotes",
        ),
        (
            "root ::= \"a\"{,}",
            "grammar at line 1, column 13: a count of repetitions is {m}, {m,}, {m,n} or {,n} with numbers for m and n; in a literal '{' stands in quotes",
        ),
        (
            "root ::= \"a\"{3,2}",
            "grammar at line 1, column 13: the least count 3 is greater than the greatest, 2; write 2 first",
        ),
        (
            "root ::= \"a\"{99999999999}",
            "grammar at line 1, column 14: the number 99999999999 is greater than 4294967295",
        ),
        ("root ::= 'a'", "grammar at line 1, column 10: a literal stands in double quotes, as in \"yes\""),
        (
            "root ::= /a/",
            "grammar at line 1, column 10: a comment begins with '#', and a regex is written as a rule; a literal '/' stands in quotes",
        ),
        (
            "root ::= a : b",
            "grammar at line 1, column 12: ':' belongs to name ::= at the start of a line; a literal ':' stands in quotes",
        ),
        (
            "root ::= a ; b",
            "grammar at line 1, column 12: ';' begins no part of a rule; a literal stands in double quotes, as in \"yes\"",
        ),
        (
            "root ::= a.b",
            "grammar at line 1, column 11: '.' in a name; names are of letters, digits, '-' and '_', and '.' for any character stands between spaces",
        ),
        ("root ::= <[x]>", "grammar at line 1, column 10: a token is <[123]> with its id"),
        ("root ::= <[5>", "grammar at line 1, column 10: a token is <[123]> with its id"),
    ]);
}

#[test]
fn what_is_not_enforced_is_refused_by_name() {
    assert_refused(&[
        (
            "root ::= <think> \"a\"",
            "grammar at line 1, column 10: token <think>: tokens are not found by their text; write <[123]> with the id of the token",
        ),
        (
            "root ::= !<[5]>",
            "grammar at line 1, column 10: negated token: every token but one is not enforced; write the text that may come instead",
        ),
        (
            "root ::= \"a\" (= \"b\")",
            "grammar at line 1, column 14: look-ahead (=...): what must follow is not enforced; leave it out, or write it where it stands",
        ),
        (
            "root ::= TagDispatch((\"a\", b))",
            "grammar at line 1, column 10: TagDispatch(...): macros are not enforced; write it as rules",
        ),
        (
            "root ::= Token(5)",
            "grammar at line 1, column 10: Token(...): macros are not enforced; write <[123]> for the token with id 123",
        ),
        (
            "root ::= Regex(\"a\")",
            "grammar at line 1, column 10: Regex(...): macros are not enforced; write it as a rule, with classes and repetitions",
        ),
        (
            "root[max_tokens=5] ::= \"a\"",
            "grammar at line 1, column 5: attributes of a rule: what stands in brackets behind its name is not enforced; leave it out",
        ),
        (
            "root ::= a\na[lazy] ::= \"a\"",
            "grammar at line 2, column 2: attributes of a rule: what stands in brackets behind its name is not enforced; leave it out",
        ),
    ]);
}
