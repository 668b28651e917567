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

#[test]
fn what_a_pattern_may_not_have_is_refused_with_what_to_write_instead() {
    for (regex, at, remedy) in [
        ("a{,8}", 1, "write {0,8}"),
        ("x[[:alpha:]]+", 2, "write the characters out"),
        (r"\Aa", 0, "write ^"),
        (r"a\Z", 1, "write $"),
        (r"a\z", 1, "write $"),
        (r"a\01", 1, "write \\x00"),
    ] {
        match whole(regex, Ecma, LIMITS) {
            Err(RegexError::Syntax(position, reason)) => {
                assert!(position == at && reason.contains(remedy), "{regex}: {position}: {reason}");
            }
            other => panic!("{regex}: {other:?}"),
        }
    }
    matches(r"^\0$", Ecma, &["\0"], &["0"]);
    matches("^[[:a]$", Ecma, &["[", ":", "a"], &["b"]);
}

#[test]
fn halves_of_surrogate_pairs_are_no_characters_and_ranges_of_both_halves_are_pairs() {
    matches(r"^[ -\ud7ff\ue000-\ufffd\ud800\udbff-\udc00\udfff]*$", Ecma, &["a\u{d7ff}\u{e000}"], &["\u{1}", "😀"]);
    matches(
        r"^([a-z]|\ud800[\udc00-\udfff]|[\ud801-\udbfe][\udc00-\udfff])+$",
        Ecma,
        &["a😀\u{10000}"],
        &["\u{10fc00}"],
    );
    matches(r"^([a-z]|\ud83d[\ude00-\ude01])$", Ecma, &["a", "😀", "😁"], &["😂", "\u{10000}"]);
    matches(r"^(a|\ud800|\udfff|\ud800b)$", Ecma, &["a"], &["", "b"]);
    matches(r"^[^\ud800-\udfff]$", Ecma, &["a", "😀"], &[]);
    matches(r"^[\ud83d\ude00-\ud83d\ude02]$", Ecma, &["😁"], &["a"]);
    matches(r"^(?![\ud800-\udbff][\udc00-\udfff])[^]$", Ecma, &["a"], &["😀"]);
}
