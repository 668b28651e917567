//! The register of marks: bytes in automata and keys that stand for something other than text.
//!
//! UTF-8 (RFC 3629, section 4) never has the bytes 0xC0, 0xC1 and 0xF5 to 0xFF, so a mark is never confused with text. The mark of a class of
//! keys begins an entry in the set of used keys if only the class of the key is known, not the key. (The assertions of a regex have marks too,
//! which are no bytes: see [`expression`](crate::automaton::expression).)
//!
//! | byte | where | stands for |
//! |---|---|---|
//! | any of [`ALL`] | texts with special tokens | the special token with this index in the tree of parts |
//! | 0xFF | the first byte of a key | a class of keys, [`KEY_OF_CLASS`] |

/// The greatest byte of UTF-8: it begins the characters of the last plane.
pub(crate) const GREATEST_OF_TEXT: u8 = 0xF4;

/// The first byte of an entry for any key of a class. As the greatest byte it sorts behind all keys.
pub(crate) const KEY_OF_CLASS: u8 = 0xFF;

/// All marks. As a special token they stand for the token with the same index, of those that a tree of parts names.
pub(crate) const ALL: [u8; 13] = [0xC0, 0xC1, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF];

/// Whether UTF-8 never has this byte, so that it may be a mark.
pub(crate) fn is_mark(byte: u8) -> bool {
    matches!(byte, 0xC0 | 0xC1) || byte > GREATEST_OF_TEXT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_is_a_byte_that_no_text_has() {
        let all: Vec<u8> = (0..=255).filter(|&byte| is_mark(byte)).collect();
        assert_eq!(ALL.to_vec(), all);
        let every_character = ('\0'..=char::MAX).map(|character| character.to_string());
        assert!(!every_character.into_iter().any(|text| text.bytes().any(is_mark)));
    }
}
