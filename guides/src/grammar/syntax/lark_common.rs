//! The terminals of Lark's library `common`, as regexes that need no others.
//!
//! `ESCAPED_STRING` and `C_COMMENT` end at their first closing mark. Lark writes this with lazy repetition, which says it to a lexer but not
//! about the language.

/// The names, and regexes in the syntax of Python's `re`.
const COMMON: [(&str, &str); 27] = [
    ("CNAME", "[A-Z_a-z][0-9A-Z_a-z]*"),
    ("CPP_COMMENT", r"//[^\n]*"),
    ("CR", r"\r"),
    ("C_COMMENT", r"/\*([^*]|\*+[^*/])*\*+/"),
    ("DECIMAL", r"[0-9]+\.[0-9]*|\.[0-9]+"),
    ("DIGIT", "[0-9]"),
    ("ESCAPED_STRING", r#""([^"\\\n]|\\.)*""#),
    ("FLOAT", r"[0-9]+[Ee][+\-]?[0-9]+|([0-9]+\.[0-9]*|\.[0-9]+)([Ee][+\-]?[0-9]+)?"),
    ("HEXDIGIT", "[0-9A-Fa-f]"),
    ("INT", "[0-9]+"),
    ("LCASE_LETTER", "[a-z]"),
    ("LETTER", "[A-Za-z]"),
    ("LF", r"\n"),
    ("NEWLINE", r"(\r?\n)+"),
    ("NUMBER", r"([0-9]+(\.[0-9]*)?|\.[0-9]+)([Ee][+\-]?[0-9]+)?"),
    ("SH_COMMENT", r"#[^\n]*"),
    ("SIGNED_FLOAT", r"[+\-]?([0-9]+[Ee][+\-]?[0-9]+|([0-9]+\.[0-9]*|\.[0-9]+)([Ee][+\-]?[0-9]+)?)"),
    ("SIGNED_INT", r"[+\-]?[0-9]+"),
    ("SIGNED_NUMBER", r"[+\-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([Ee][+\-]?[0-9]+)?"),
    ("SQL_COMMENT", r"--[^\n]*"),
    ("UCASE_LETTER", "[A-Z]"),
    ("WORD", "[A-Za-z]+"),
    ("WS", r"[ \t\f\r\n]+"),
    ("WS_INLINE", r"[ \t]+"),
    ("_EXP", r"[Ee][+\-]?[0-9]+"),
    ("_STRING_ESC_INNER", r"([^\\\n]|\\.)*"),
    ("_STRING_INNER", r".*"),
];

/// The regex of a terminal.
pub(super) fn pattern(name: &str) -> Option<&'static str> {
    COMMON.iter().find(|(known, _)| *known == name).map(|(_, pattern)| *pattern)
}

/// All names, for messages.
pub(super) fn names() -> String {
    COMMON.map(|(name, _)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::dfa::DfaLimits;
    use crate::regex::{Dialect, whole};

    /// Texts that a terminal of Lark's library matches as a whole, and texts that it does not.
    const TEXTS: [(&str, &[&str], &[&str]); 27] = [
        ("CNAME", &["a", "_1", "A_b9"], &["", "1a", "a-b", "é"]),
        ("CPP_COMMENT", &["//", "// a /* b"], &["/", "//\n", "# a"]),
        ("CR", &["\r"], &["\n", ""]),
        ("C_COMMENT", &["/**/", "/* a\n* b */", "/***/"], &["/*/", "/* a */ b */", "/* a"]),
        ("DECIMAL", &["1.", ".5", "12.50"], &["1", ".", "1.e5"]),
        ("DIGIT", &["0", "9"], &["", "10", "٣"]),
        ("ESCAPED_STRING", &[r#""""#, r#""a\"b\\""#], &[r#"""#, r#""a\""#, r#""a"b""#, "\"\n\"", "\"\\\n\""]),
        ("FLOAT", &["1e5", "1.", ".5E-3", "1.5e+10"], &["1", "e5", "-1.5", "1e"]),
        ("HEXDIGIT", &["0", "f", "F"], &["g", "ff"]),
        ("INT", &["0", "007"], &["", "-1", "1.0"]),
        ("LCASE_LETTER", &["a", "z"], &["A", "é", "ab"]),
        ("LETTER", &["a", "Z"], &["1", "é"]),
        ("LF", &["\n"], &["\r", "\r\n"]),
        ("NEWLINE", &["\n", "\r\n\n"], &["", "\r"]),
        ("NUMBER", &["1", "1.", ".5", "1e5", "1.5e-5"], &["", ".", "-1", "1e"]),
        ("SH_COMMENT", &["#", "# a"], &["#\n", "a"]),
        ("SIGNED_FLOAT", &["+1.5", "-1e5", ".5"], &["1", "+", "--1.5"]),
        ("SIGNED_INT", &["1", "-1", "+1"], &["-", "+-1", "1.0"]),
        ("SIGNED_NUMBER", &["1", "-1.5", "+.5e3"], &["-", "--1"]),
        ("SQL_COMMENT", &["--", "-- a"], &["-", "--\n"]),
        ("UCASE_LETTER", &["A", "Z"], &["a", "É"]),
        ("WORD", &["a", "Ab"], &["", "a1", "a b"]),
        ("WS", &[" ", "\t\u{c}\r\n"], &["", "\u{b}", "\u{a0}"]),
        ("WS_INLINE", &[" ", "\t "], &["", "\n"]),
        ("_EXP", &["e5", "E-10"], &["e", "5"]),
        ("_STRING_ESC_INNER", &["", r"a\\", r#"a\"b"#], &["\\", r"a\\\", "\n"]),
        ("_STRING_INNER", &["", "\\", "a b"], &["\n"]),
    ];

    #[test]
    fn the_regexes_match_the_texts_of_lark() {
        let limits = DfaLimits { states: 1000, bytes: 1 << 22 };
        for ((name, yes, no), (known, regex)) in TEXTS.iter().zip(COMMON) {
            assert_eq!(*name, known);
            let dfa = whole(regex, Dialect::Python, limits).expect(regex);
            for text in *yes {
                assert!(dfa.accepts(text.as_bytes()), "{name} matches {text:?}");
            }
            for text in *no {
                assert!(!dfa.accepts(text.as_bytes()), "{name} does not match {text:?}");
            }
        }
    }
}
