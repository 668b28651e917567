//! The register of marks: bytes in automata and keys that stand for something other than text.
//!
//! UTF-8 (RFC 3629, section 4) never has the bytes 0xC0, 0xC1 and 0xF5 to 0xFF, so a mark is never confused with text. The marks of a regex
//! exist while it is compiled; the finished automaton has none. The mark of a class of keys begins an entry in the set of used keys if only
//! the class of the key is known, not the key.
//!
//! | byte | where | stands for |
//! |---|---|---|
//! | 0xC0, 0xC1, 0xF5 to 0xFB | regexes with look-ahead | the ends of look-ahead, [`LOOKS`] |
//! | 0xFC | the same | `\B` |
//! | 0xFD | the same | `\b` |
//! | 0xFE | the same | `$` |
//! | 0xFF | the same | `^` |
//! | any of these | texts with special tokens | the special token with this index in the tree of parts |
//! | 0xFF | the first byte of a key | a class of keys, [`KEY_OF_CLASS`] |

/// The greatest byte of UTF-8: it begins the characters of the last plane.
pub(crate) const GREATEST_OF_TEXT: u8 = 0xF4;

/// The mark of `^`.
pub(crate) const BEGIN: u8 = 0xFF;

/// The mark of `$`.
pub(crate) const END: u8 = 0xFE;

/// The mark of `\b`.
pub(crate) const BOUNDARY: u8 = 0xFD;

/// The mark of `\B`.
pub(crate) const NO_BOUNDARY: u8 = 0xFC;

/// The marks of look-aheads, in the order in which they are closed.
pub(crate) const LOOKS: [u8; 9] = [0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA, 0xFB, 0xC0, 0xC1];

/// The first byte of an entry for any key of a class. As the greatest byte it sorts behind all keys.
pub(crate) const KEY_OF_CLASS: u8 = 0xFF;

/// All marks. As a special token they stand for the token with the same index, of those that a tree of parts names.
pub(crate) const ALL: [u8; 13] =
    [0xC0, 0xC1, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA, 0xFB, NO_BOUNDARY, BOUNDARY, END, BEGIN];

/// Whether UTF-8 never has this byte, so that it may be a mark.
pub(crate) fn is_mark(byte: u8) -> bool {
    matches!(byte, 0xC0 | 0xC1) || byte > GREATEST_OF_TEXT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_of_a_regex_is_a_byte_of_its_own_that_no_text_has() {
        let mut marks = [&LOOKS[..], &[NO_BOUNDARY, BOUNDARY, END, BEGIN]].concat();
        marks.sort_unstable();
        let all: Vec<u8> = (0..=255).filter(|&byte| is_mark(byte)).collect();
        assert_eq!(marks, all);
        let every_character = ('\0'..=char::MAX).map(|character| character.to_string());
        assert!(!every_character.into_iter().any(|text| text.bytes().any(is_mark)));
    }
}
