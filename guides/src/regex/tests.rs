//! What regexes of both dialects match, and which are refused.

use crate::automaton::dfa::{Dfa, DfaLimits};
use crate::regex::Dialect::{self, Ecma, Python};
use crate::regex::error::RegexError;
use crate::regex::{anywhere, whole};

const LIMITS: DfaLimits = DfaLimits { states: 10_000, bytes: 1 << 22 };

fn python(regex: &str) -> Dfa {
    whole(regex, Python, LIMITS).expect(regex)
}

fn matches(regex: &str, dialect: Dialect, yes: &[&str], no: &[&str]) {
    let dfa = anywhere(regex, dialect, LIMITS).expect(regex);
    for text in yes {
        assert!(dfa.accepts(text.as_bytes()), "{regex} should match {text:?}");
    }
    for text in no {
        assert!(!dfa.accepts(text.as_bytes()), "{regex} should not match {text:?}");
    }
}

#[test]
fn the_number_regex_of_outlines_matches_numbers() {
    let dfa = python(r"(-)?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-][0-9]+)?");
    for yes in ["0", "-3.14159", "10e+5", "2.5E-3"] {
        assert!(dfa.accepts(yes.as_bytes()), "{yes}");
    }
    for no in ["", "01", "1.", "1e5", "+1"] {
        assert!(!dfa.accepts(no.as_bytes()), "{no}");
    }
}

#[test]
fn constructs_of_python_and_ecma_match_what_their_dialect_says() {
    matches(r"^\d{3}-\d{4}$", Ecma, &["555-1234"], &["5555-1234", "٥55-1234"]);
    matches(r"^(?P<year>\d{4})\/(?<m>\d\d)$", Python, &["2024/05"], &["2024-05"]);
    matches(r"^[\w-]+$", Ecma, &["a-b_c"], &["a b"]);
    matches(r"^[a-\d]$", Ecma, &["a", "-", "7"], &["b"]);
    matches(r"^[[&&~~-]$", Ecma, &["[", "&", "~", "-"], &["a"]);
    matches(r"^a{,3}$", Ecma, &["a{,3}"], &["aa"]);
    matches(r"^a{,3}$", Python, &["", "aa"], &["aaaa"]);
    matches(r"^\u00e9\x41\cA$", Ecma, &["éA\x01"], &[]);
    matches(r"^\ud83d\ude00\u{1F600}$", Ecma, &["😀😀"], &[]);
    matches(r"^\p{Lu}\P{L}$", Ecma, &["É1"], &["éa"]);
    matches(r"\bcat\b", Ecma, &["a cat sat", "cat"], &["concat", "cats"]);
    matches(r"^.$", Ecma, &["a", "é", "😀"], &["\n", "\u{2028}", "ab"]);
    matches(r"^(?i:ab)c$", Python, &["ABc", "abc"], &["abC"]);
    matches(r"(?i)^ab(c)$", Python, &["ABC"], &[]);
    matches(r"^[]a]$", Python, &["]", "a"], &["b"]);
    matches(r"^a|b$", Ecma, &["ax", "xb"], &["xa", "bx"]);
    matches(r"^[^]$", Ecma, &["a", "\n"], &[""]);
    matches(r"^\S+\s\S+$", Ecma, &["a\u{a0}b"], &["ab"]);
    matches(r"^{a}$", Ecma, &["{a}"], &[]);
}

#[test]
fn a_construct_that_is_not_regular_is_refused_with_its_position() {
    for (regex, at, construct) in [
        (r"(?<!a)b", 0, "look-behind"),
        (r"(a)\1", 3, "backreference"),
        (r"(?P<x>a)(?P=x)", 8, "backreference"),
        (r"a++", 2, "possessive quantifier"),
    ] {
        match whole(regex, Python, LIMITS) {
            Err(RegexError::Unsupported(position, found, _)) => {
                assert_eq!((position, found), (at, construct))
            }
            other => panic!("{regex}: {other:?}"),
        }
    }
}

#[test]
fn broken_regexes_are_refused() {
    for regex in ["(", ")", "a**", "*a", "[a", "[b-a]", "a{3,2}", "\\", "\\q", "\\p{Nope}", "(?P<x", "\\x1"] {
        assert!(matches!(whole(regex, Python, LIMITS), Err(RegexError::Syntax(..))), "{regex}");
    }
}
