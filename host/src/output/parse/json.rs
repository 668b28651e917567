//! Where a JSON value ends.

/// Finds the end of one JSON value in a text that comes in pieces. It does not check the value.
#[derive(Clone, Debug, Default)]
pub(super) struct JsonEnd {
    kind: Kind,
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// White space before the value.
    #[default]
    Before,
    /// An object, a list or a string.
    Closed,
    /// A number or a word.
    Word,
    Ended,
}

impl JsonEnd {
    /// Reads on. Returns the length of what belongs to the value, and of white space before it.
    pub(super) fn read(&mut self, text: &str) -> usize {
        for (at, byte) in text.bytes().enumerate() {
            if self.kind == Kind::Ended {
                return at;
            }
            if self.kind == Kind::Before {
                match byte {
                    b' ' | b'\t' | b'\r' | b'\n' => continue,
                    b'{' | b'[' | b'"' => self.kind = Kind::Closed,
                    _ => self.kind = Kind::Word,
                }
            }
            match self.kind {
                Kind::Word if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.') => {}
                Kind::Word => {
                    self.kind = Kind::Ended;
                    return at;
                }
                _ => self.read_closed(byte),
            }
        }
        text.len()
    }

    fn read_closed(&mut self, byte: u8) {
        match (self.in_string, byte) {
            (true, _) if self.is_escaped => self.is_escaped = false,
            (true, b'\\') => self.is_escaped = true,
            (true, b'"') => self.in_string = false,
            (true, _) => {}
            (false, b'"') => self.in_string = true,
            (false, b'{' | b'[') => self.depth += 1,
            (false, b'}' | b']') => self.depth -= 1,
            (false, _) => {}
        }
        if self.depth == 0 && !self.in_string {
            self.kind = Kind::Ended;
        }
    }

    /// Whether the value is whole.
    pub(super) fn has_ended(&self) -> bool {
        self.kind == Kind::Ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_where_it_is_whole() {
        let cases = [
            (r#" {"a": "}\"]"} x"#, r#" {"a": "}\"]"}"#),
            ("[[1], 2]]", "[[1], 2]"),
            (r#""a\\" b"#, r#""a\\""#),
            ("-1.5e+3,", "-1.5e+3"),
            ("null}", "null"),
        ];
        for (text, value) in cases {
            let mut end = JsonEnd::default();
            assert_eq!(&text[..end.read(text)], value);
            assert!(end.has_ended(), "{text}");
            let mut end = JsonEnd::default();
            let read: usize = text.chars().map(|c| end.read(&c.to_string())).sum();
            assert_eq!(&text[..read], value);
        }
        let mut end = JsonEnd::default();
        assert_eq!((end.read("{\"a\": [1"), end.has_ended()), (8, false));
    }
}
