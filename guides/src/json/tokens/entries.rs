//! The entries of an array that a single token can write from comma to end.
//!
//! Under `uniqueItems` a token such as `","a"` ends one entry and writes the next one. Whether it is allowed depends on the text of the entry
//! that it ends, even if no earlier entry equals it: after `["a` the token would repeat it. States that differ in that text therefore need
//! cache keys of their own, but only if some token can write the same value again. `ab`, `a"` and `", "x` write no whole entry,
//! so for a vocabulary of such tokens all texts share one mask.

use crate::json::text::value;

/// A byte of a container with the white space before it, which is 33 bytes at most.
const SPACED: usize = 34;

/// The longest spelling of one byte of a string, as in `\u0061`.
const LONGEST_ESCAPE: usize = 6;

/// The entries that tokens write behind a comma, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WholeEntries {
    /// The length of the longest string in bytes, quotes included; 0 for none.
    string: usize,
    /// The length of the longest object or array in bytes.
    container: usize,
    number: bool,
    /// `null`, `true` or `false`.
    word: bool,
}

impl WholeEntries {
    /// The entries of these tokens.
    pub(crate) fn new<'a>(tokens: impl Iterator<Item = &'a [u8]>) -> WholeEntries {
        let mut found = WholeEntries::default();
        for token in tokens {
            for comma in (0..token.len()).filter(|&at| token[at] == b',') {
                found.add(token[comma + 1..].trim_ascii_start());
            }
        }
        found
    }

    /// Adds the longest value that a text begins with.
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

    /// Whether a token may write the value of an entry again, whose text so far has `length` bytes and begins with `first`.
    pub(crate) fn may_repeat(&self, first: u8, length: usize) -> bool {
        match first {
            b'"' => length <= self.string * LONGEST_ESCAPE,
            // A container has white space in no more places than it has bytes.
            b'{' | b'[' => length <= self.container * SPACED * LONGEST_ESCAPE,
            b't' | b'f' | b'n' => self.word,
            // A number has spellings of any length: `1`, `1.0`, `1.00`.
            _ => self.number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_tokens_with_a_comma_only_complete_values_behind_it_can_repeat() {
        let of = |tokens: &[&str]| WholeEntries::new(tokens.iter().map(|token| token.as_bytes()));
        assert_eq!(of(&[",", ",\"", "\",\"", ",[", ",{\"", ",,,,", "a,b", ", tru"]), WholeEntries::default());
        let found = of(&["\",\"a\"", "\",\"abc\",\"", ",[]", ", -1.5,", ", null"]);
        assert_eq!(found, WholeEntries { string: 5, container: 2, number: true, word: true });
        assert!(found.may_repeat(b'"', 30) && !found.may_repeat(b'"', 31));
        assert!(found.may_repeat(b'[', 2) && found.may_repeat(b'-', 2) && !found.may_repeat(b'{', 500));
        assert!(b"\"[1t".iter().all(|&first| !WholeEntries::default().may_repeat(first, 1)));
    }
}
