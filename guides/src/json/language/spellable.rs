//! [`Spellable`]: the JSON texts that can be written byte by byte with the tokens of a vocabulary.
//!
//! Most vocabularies have a token for each byte. Some lack bytes that no text needs, others lack the bytes of a few characters. A text that
//! cannot be written is excluded from every language at the start. So costs are finite exactly for states that tokens complete, and a
//! schema that only such texts satisfy is refused.

use crate::automaton::cost::Cost;
use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::automaton::whole_tokens::by_tokens;
use crate::collections::byte_set::ByteSet;
use crate::json::language::characters::Characters;
use crate::json::language::number::Numbers;
use crate::json::language::number::grammar::OF_NUMBERS;
use crate::json::language::repertoire::Repertoire;
use crate::json::text::escape::{short_escape, spelled_length, write_string};
use crate::vocabulary::Vocabulary;
use crate::vocabulary::trie::Trie;
use std::sync::Arc;

/// The texts that can be written.
#[derive(Debug, Clone)]
pub(crate) struct Spellable {
    /// The bytes that are tokens.
    bytes: ByteSet,
    /// All strings that can be written, if some cannot.
    any: Option<Arc<Characters>>,
    pieces: Option<Arc<NumberPieces>>,
}

/// The tokens within numbers with a byte that is no token. Some vocabularies have digits only in tokens of several.
#[derive(Debug)]
struct NumberPieces {
    trie: Trie,
    bytes: ByteSet,
}

impl NumberPieces {
    fn new<'a>(single: ByteSet, tokens: impl Iterator<Item = Option<&'a [u8]>> + Clone) -> Option<NumberPieces> {
        let is_piece = |token: &[u8]| {
            token.iter().all(|&byte| OF_NUMBERS.contains(byte)) && token.iter().any(|&byte| !single.contains(byte))
        };
        let pieces = || tokens.clone().map(|token| token.filter(|token| is_piece(token)));
        let mut bytes = ByteSet::default();
        pieces().flatten().for_each(|piece| bytes.add(piece));
        let found: Vec<Option<Vec<u8>>> = pieces().map(|piece| piece.map(<[u8]>::to_vec)).collect();
        (bytes != ByteSet::default()).then(|| NumberPieces { trie: Trie::new(&found), bytes })
    }
}

impl Spellable {
    /// All texts.
    #[cfg(test)]
    pub(crate) const ALL: Spellable = Spellable { bytes: ByteSet::ALL, any: None, pieces: None };

    /// The texts that the tokens of a vocabulary write.
    pub(crate) fn new(vocabulary: &Vocabulary) -> Spellable {
        Spellable::with(vocabulary.single_bytes(), vocabulary.tokens())
    }

    /// As [`Spellable::new`]: `bytes` are the single bytes among `tokens`.
    fn with<'a>(bytes: ByteSet, tokens: impl Iterator<Item = Option<&'a [u8]>> + Clone) -> Spellable {
        // The bytes of JSON text: ASCII without control characters, and UTF-8 beyond ASCII.
        let mut needed = (0x20..=0x7F).chain(0x80..=0xBF).chain(0xC2..=0xF4);
        let mut spellable = Spellable { bytes, any: None, pieces: None };
        if let (false, Ok(all)) = (needed.all(|byte| bytes.contains(byte)), Characters::any()) {
            let repertoire = spellable.find_repertoire();
            let dfa = all.dfa.with_bytes(|byte| repertoire.has_some() && spellable.missing_of(byte).is_none());
            spellable.any = Some(Arc::new(Characters::new(dfa.clone(), &dfa).within(repertoire)));
            spellable.pieces = NumberPieces::new(bytes, tokens).map(Arc::new);
        }
        spellable
    }

    /// Whether all JSON texts can be written, white space aside.
    pub(crate) fn is_complete(&self) -> bool {
        self.any.is_none()
    }

    /// All strings that can be written.
    pub(crate) fn any(&self) -> Result<Arc<Characters>, TooManyStates> {
        self.any.clone().map_or_else(Characters::any, Ok)
    }

    /// The characters that can be written.
    pub(super) fn repertoire(&self) -> Repertoire {
        self.any.as_ref().map_or(Repertoire::ALL, |any| any.spelled())
    }

    fn find_repertoire(&self) -> Repertoire {
        let single = (0..0x80).filter(|&byte| spelled_length(byte) == 1 && self.missing_of(byte).is_none()).count();
        Repertoire { all: false, codes: self.missing_of_codes().is_none(), single: single as u32 }
    }

    /// The first byte of a text that is no token.
    pub(crate) fn missing(&self, text: &[u8]) -> Option<u8> {
        text.iter().copied().find(|&byte| !self.bytes.contains(byte))
    }

    /// A byte that is missing to write a byte of a character in its shortest spelling.
    pub(crate) fn missing_of(&self, byte: u8) -> Option<u8> {
        let is_short = |escape: &u8| short_escape(*escape) == Some(char::from(byte));
        match spelled_length(byte) {
            1 => self.missing(&[byte]),
            2 => self.missing(b"\\").or_else(|| self.missing(&[(b'"'..=b't').find(is_short).unwrap_or(byte)])),
            _ => self.missing(b"\\").or_else(|| self.missing_of_codes()),
        }
    }

    /// A byte that is missing to write `\uXXXX` for each code. A hexadecimal letter is missing only if both of its cases are.
    fn missing_of_codes(&self) -> Option<u8> {
        let letters = (b'a'..=b'f').find(|&digit| self.missing(&[digit]).and(self.missing(&[digit - 32])).is_some());
        self.missing(b"u0123456789").or(letters)
    }

    /// The part of a language of numbers that can be written, and of these the multiples of `divisor`. Only numbers are written with tokens
    /// of several bytes too, because some vocabularies have no other tokens for a digit.
    ///
    /// # Errors
    /// [`TooManyStates`] where remainders cannot be counted beside the automaton.
    pub(crate) fn numbers(&self, numbers: Dfa, divisor: Option<u64>) -> Result<Numbers, TooManyStates> {
        if self.is_complete() {
            return Numbers::new(numbers, divisor);
        }
        let is_token = |byte| self.bytes.contains(byte);
        if let Some(pieces) = &self.pieces {
            let spelled = numbers.with_bytes(|byte| is_token(byte) || pieces.bytes.contains(byte));
            if let Some(found) = by_tokens(&spelled, is_token, Some(&pieces.trie)) {
                // Costs in tokens are those of states of the automaton alone.
                if divisor.is_some() {
                    return Err(TooManyStates);
                }
                return match found.costs[spelled.start() as usize] {
                    Cost::NEVER => Numbers::new(spelled.with_bytes(|_| false), None),
                    _ => Ok(Numbers::with_costs(spelled, found.costs)),
                };
            }
        }
        Numbers::new(numbers.with_bytes(is_token), divisor)
    }

    /// Whether numbers are written with tokens of several bytes. Then a token may end only in some states within a number.
    pub(crate) fn has_pieces(&self) -> bool {
        self.pieces.is_some()
    }

    /// Whether a token has only bytes of texts that can be written.
    pub(crate) fn is_used(&self, token: &[u8]) -> bool {
        let pieces = self.pieces.as_ref().map_or(ByteSet::default(), |pieces| pieces.bytes);
        token.iter().all(|&byte| self.bytes.or(pieces).contains(byte))
    }

    /// The part of a language of strings that can be written.
    pub(crate) fn part_of_strings(&self, strings: Dfa, limit: usize) -> Result<Dfa, TooManyStates> {
        match &self.any {
            None => Ok(strings),
            Some(any) => strings.intersection(&any.dfa, limit),
        }
    }

    /// The first byte that is no token in a text, written as a JSON string.
    pub(crate) fn missing_of_string(&self, text: &str) -> Option<u8> {
        self.missing(write_string(text).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(missing: &[u8]) -> Spellable {
        Spellable::with(ByteSet::ALL.without(ByteSet::of(missing)), std::iter::empty())
    }

    #[test]
    fn a_vocabulary_without_the_bytes_that_no_json_text_has_is_complete() {
        assert!(without(b"\x00\x09\n\x1f\xC0\xC1\xF5\xFF").is_complete());
        assert!(!without(b"\xF1").is_complete() && !without(b"a").is_complete());
    }

    #[test]
    fn strings_with_a_character_that_cannot_be_written_are_excluded() {
        let accepts = |missing: &[u8], text: &str| without(missing).any().expect("small").dfa.accepts(text.as_bytes());
        for (missing, text) in [
            (&b"a"[..], "a"),
            (b"\\", "\""),
            (b"\\", "\n"),
            (b"n", "\n"),
            (b"u", "\u{1}"),
            (b"0", "\u{1}"),
            (b"\xC3", "é"),
            (b"\x82", "€"),
            (b"\xF1", "\u{40000}"),
        ] {
            assert!(!accepts(missing, text), "{missing:?} {text:?}");
            assert!(accepts(b"\xF2", text), "{text:?}");
        }
        // A hexadecimal digit is one in either case, and a control character with a short escape needs none.
        assert!(accepts(b"aBcDeF\x80", "\u{1}") && accepts(b"u", "\n\t\\\"") && !accepts(b"aA", "\u{1f}"));
    }
}
