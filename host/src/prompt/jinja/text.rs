//! Text as Python has it: blanks, lines, numbers.

/// Whether Python's `str.isspace` holds for a character: Unicode's white space and the separators U+001C to U+001F.
pub(in crate::prompt) fn is_blank(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// Python's `str.splitlines()`: the lines without their ends.
pub(super) fn lines(text: &str) -> Vec<&str> {
    let is_end = |character: char| {
        matches!(character, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let (mut lines, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find(is_end) {
        let end = rest[at..].chars().next().map_or(1, char::len_utf8);
        lines.push(&rest[..at]);
        let is_pair = rest[at..].starts_with("\r\n");
        rest = &rest[at + if is_pair { 2 } else { end }..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// Python's `repr` of a float: the shortest digits, with an exponent below 1e-4 and from 1e16 on.
pub(super) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if is_plain(value) {
        let text = value.to_string();
        return if text.contains('.') { text } else { text + ".0" };
    }
    // Rust writes 1e22 and 1e-7, Python 1e+22 and 1e-07.
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// Whether Python writes a float without an exponent.
pub(super) fn is_plain(value: f64) -> bool {
    value == 0.0 || (1e-4..1e16).contains(&value.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (value, text) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e22, "1e+22"),
            (1e16, "1e+16"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e-4, "0.0001"),
            (1.5e-5, "1.5e-05"),
            (-1.25e-7, "-1.25e-07"),
            (1e100, "1e+100"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn lines_end_where_python_ends_them() {
        assert_eq!(lines("a\r\nb\rc\n\nd\u{2028}e\u{1c}"), ["a", "b", "c", "", "d", "e"]);
        assert_eq!(lines(""), [""; 0]);
        assert_eq!(lines("\n"), [""]);
    }

    #[test]
    fn separators_of_ascii_are_blanks() {
        assert!(['\u{1c}', '\u{1f}', '\u{85}', '\u{a0}', ' '].into_iter().all(is_blank));
        assert!(!['\u{1b}', '\u{200b}', '\u{feff}', '\u{180e}'].into_iter().any(is_blank));
    }
}
