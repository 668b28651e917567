//! The vocabulary of a model: what bytes each token spells.

pub(crate) mod mask;
pub(crate) mod trie;

use crate::error::VocabularyError;
use crate::vocabulary::trie::Trie;

/// Tokens longer than this are refused: no tokenizer has them, and walks keep one state per byte.
const LONGEST_TOKEN: usize = 4096;

/// Token ids and the bytes that they spell, and a trie of them.
#[derive(Debug)]
pub struct Vocabulary {
    tokens: Vec<Option<Vec<u8>>>,
    end_tokens: Vec<u32>,
    trie: Trie,
    byte_tokens: [Option<u32>; 256],
}

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
        Ok(Vocabulary { tokens, end_tokens, trie, byte_tokens })
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
}
