//! Which entries of an array a single token can write whole.
//!
//! Where entries must differ, a token such as `","a"` ends one entry and writes the next: whether it may come depends on the text of the
//! entry that it ends, even where that text differs from all entries before it. So states that differ in that text have masks of their
//! own, but only as far as some token can write the same value again.

use crate::json::text::value;

/// White space in one place (33 bytes at most) and the byte behind it.
const SPACED: usize = 34;

/// The longest spelling of a byte of a string (`\u0061`).
const LONGEST_ESCAPE: usize = 6;

/// The entries that tokens write whole behind a comma, by their kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WholeEntries {
    /// Bytes of the longest string, quotes included; 0 for none.
    string: usize,
    /// Bytes of the longest object or array.
    container: usize,
    number: bool,
    /// `null`, `true` or `false`.
    word: bool,
}

impl WholeEntries {
    /// Of some tokens.
    pub(crate) fn new<'a>(tokens: impl Iterator<Item = &'a [u8]>) -> WholeEntries {
        let mut found = WholeEntries::default();
        for token in tokens {
            for comma in (0..token.len()).filter(|&at| token[at] == b',') {
                found.add(token[comma + 1..].trim_ascii_start());
            }
        }
        found
    }

    /// Adds the values that a text begins with.
    fn add(&mut self, text: &[u8]) {
        let Some(first) = text.first() else { return };
        let is_value = |end: &usize| {
            let text = std::str::from_utf8(&text[..*end]).ok();
            text.is_some_and(|text| value::parse(text, text.len()).is_ok())
        };
        let Some(longest) = (1..=text.len()).rev().find(is_value) else { return };
        match first {
            b'"' => self.string = self.string.max(longest),
            b'{' | b'[' => self.container = self.container.max(longest),
            b't' | b'f' | b'n' => self.word = true,
            _ => self.number = true,
        }
    }

    /// Whether a token may write the value again that a text of so many bytes, which begins with `first`, has begun or is.
    pub(crate) fn may_repeat(&self, first: u8, length: usize) -> bool {
        match first {
            b'"' => length <= self.string * LONGEST_ESCAPE,
            // A container has white space in no more places than it has bytes.
            b'{' | b'[' => length <= self.container * SPACED * LONGEST_ESCAPE,
            b't' | b'f' | b'n' => self.word,
            // Digits without end may mean the same number.
            _ => self.number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_are_whole_behind_a_comma_count() {
        let of = |tokens: &[&str]| WholeEntries::new(tokens.iter().map(|token| token.as_bytes()));
        assert_eq!(of(&[",", ",\"", "\",\"", ",[", ",{\"", ",,,,", "a,b", ", tru"]), WholeEntries::default());
        let found = of(&["\",\"a\"", "\",\"abc\",\"", ",[]", ", -1.5,", ", null"]);
        assert_eq!(found, WholeEntries { string: 5, container: 2, number: true, word: true });
        assert!(found.may_repeat(b'"', 30) && !found.may_repeat(b'"', 31));
        assert!(found.may_repeat(b'[', 2) && found.may_repeat(b'-', 2) && !found.may_repeat(b'{', 500));
        assert!(b"\"[1t".iter().all(|&first| !WholeEntries::default().may_repeat(first, 1)));
    }
}
