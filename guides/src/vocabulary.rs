//! The vocabulary of a model: what bytes each token spells.

use crate::error::VocabularyError;
use crate::json::classes::{ClassesCache, StringClasses};
use crate::json::digits::NumberClasses;
use crate::json::shape::Numbers;
use crate::json::strings::{StringState, Strings};
use crate::trie::Trie;
use std::sync::Arc;

/// Tokens longer than this are refused: no tokenizer has them, and walks keep one state per byte.
const LONGEST_TOKEN: usize = 4096;

/// Token ids and the bytes that they spell, with what is computed from them once and used by every guide.
#[derive(Debug)]
pub struct Vocabulary {
    tokens: Vec<Option<Vec<u8>>>,
    end_tokens: Vec<u32>,
    trie: Trie,
    byte_tokens: [Option<u32>; 256],
    classes: ClassesCache,
}

/// Bytes of what is remembered of strings for all guides together.
const CLASSES_BYTES: usize = 64 << 20;

impl Vocabulary {
    /// `tokens[id]` is what token `id` spells; `None` marks a special token, which never matches text. `end_tokens`
    /// end the output; whether they have bytes does not matter, they never match text either.
    pub fn new(tokens: Vec<Option<Vec<u8>>>, end_tokens: Vec<u32>) -> Result<Vocabulary, VocabularyError> {
        let (mut tokens, mut end_tokens) = (tokens, end_tokens);
        if tokens.len() >= u32::MAX as usize / 64 {
            return Err(VocabularyError::TooBig("more than 67 million tokens"));
        }
        end_tokens.sort_unstable();
        end_tokens.dedup();
        if end_tokens.is_empty() {
            return Err(VocabularyError::NoEndToken);
        }
        for &id in &end_tokens {
            match tokens.get_mut(id as usize) {
                Some(token) => *token = None,
                None => return Err(VocabularyError::EndToken(id, tokens.len())),
            }
        }
        let mut byte_tokens = [None; 256];
        for (id, bytes) in (0u32..).zip(&tokens) {
            match bytes.as_deref() {
                None => {}
                Some([]) => return Err(VocabularyError::EmptyToken(id)),
                Some(&[byte]) => {
                    byte_tokens[byte as usize].get_or_insert(id);
                }
                Some(bytes) if bytes.len() > LONGEST_TOKEN => {
                    return Err(VocabularyError::TooBig("a token of more than 4096 bytes"));
                }
                Some(_) => {}
            }
        }
        let trie = Trie::new(&tokens);
        if trie.len() == 1 {
            return Err(VocabularyError::Empty);
        }
        let classes = ClassesCache::new(CLASSES_BYTES);
        classes.prepare(&trie, tokens.len().div_ceil(32));
        Ok(Vocabulary { tokens, end_tokens, trie, byte_tokens, classes })
    }

    /// Number of token ids, special ones included.
    #[allow(clippy::len_without_is_empty, reason = "an empty vocabulary cannot be built")]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// What the token spells; `None` for special tokens, end tokens and ids outside the vocabulary.
    pub fn bytes(&self, id: u32) -> Option<&[u8]> {
        self.tokens.get(id as usize)?.as_deref()
    }

    /// The tokens that end the output, in ascending order.
    pub fn end_tokens(&self) -> &[u32] {
        &self.end_tokens
    }

    /// Length of a mask in words of 32 tokens.
    pub(crate) fn mask_words(&self) -> usize {
        self.tokens.len().div_ceil(32)
    }

    pub(crate) fn trie(&self) -> &Trie {
        &self.trie
    }

    /// A token that spells exactly this byte.
    pub(crate) fn byte_token(&self, byte: u8) -> Option<u32> {
        self.byte_tokens[byte as usize]
    }

    /// What the tokens below a node of the trie do to a JSON string in a state between characters, `None` in the midst of one;
    /// remembered.
    pub(crate) fn string_classes(&self, strings: &Strings, at: &StringState, node: u32) -> Option<Arc<StringClasses>> {
        self.classes.get(strings, at, node, &self.trie, self.mask_words())
    }

    /// What the tokens below a node of the trie do to a number in a state; remembered.
    pub(crate) fn number_classes(&self, numbers: &Numbers, state: u32, node: u32) -> Arc<NumberClasses> {
        self.classes.of_number(numbers, state, node, &self.trie, self.mask_words())
    }
}
