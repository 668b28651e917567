//! The vocabulary of a model: the bytes that each token spells.
//!
//! | file | what it holds |
//! |---|---|
//! | [`trie`] | the tokens as a trie, which a mask walks |
//! | [`mask`] | sets of tokens |
//! | [`shared_sets`] | sets with the same tokens, as one |
//!
//! # Invariants
//!
//! - A token has at least one byte, or none at all (`None`): special tokens and end tokens never match text.
//! - Token ids are positions in the list that the vocabulary was made of. A mask has a bit for each.

pub(crate) mod mask;
pub(crate) mod shared_sets;
pub(crate) mod trie;

use crate::collections::byte_set::ByteSet;
use crate::error::VocabularyError;
use crate::vocabulary::trie::Trie;

/// The longest token, in bytes. No tokenizer has a longer one, and a walk keeps a state for each byte of the current token.
const LONGEST_TOKEN: usize = 4096;

/// Token ids and the bytes that they spell, with a trie of them.
#[derive(Debug)]
pub struct Vocabulary {
    tokens: Vec<Option<Vec<u8>>>,
    end_tokens: Vec<u32>,
    trie: Trie,
    /// The tokens with a byte that is no token by itself, if there are any.
    others: Option<Trie>,
    /// The bytes that are tokens.
    single_bytes: ByteSet,
}

impl Vocabulary {
    /// `tokens[id]` is the bytes that token `id` spells; `None` is a special token, which never matches text. `end_tokens` are the ids that
    /// end the output; they never match text either, whether they have bytes or not.
    ///
    /// # Errors
    /// There is no end token or one outside the list, no token with bytes, a token with an empty list of bytes or more than 4,096, or more
    /// than 67 million ids.
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
        let mut bytes_spelled = ByteSet::default();
        for (id, bytes) in (0u32..).zip(&tokens) {
            match bytes.as_deref() {
                None => {}
                Some([]) => return Err(VocabularyError::EmptyToken(id)),
                Some([byte]) => bytes_spelled.add(std::slice::from_ref(byte)),
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
        let is_other = |token: &[u8]| token.iter().any(|&byte| !bytes_spelled.contains(byte));
        let others = tokens.iter().flatten().any(|token| is_other(token)).then(|| trie_where(&tokens, is_other));
        Ok(Vocabulary { tokens, end_tokens, trie, others, single_bytes: bytes_spelled })
    }

    /// Number of token ids, special ones included.
    #[allow(clippy::len_without_is_empty, reason = "an empty vocabulary cannot be built")]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The bytes that the token spells; `None` for special tokens, end tokens and ids outside the vocabulary.
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

    /// All tokens that have bytes.
    pub(crate) fn trie(&self) -> &Trie {
        &self.trie
    }

    /// The tokens with a byte that is no token by itself, if there are any.
    pub(crate) fn trie_of_others(&self) -> Option<&Trie> {
        self.others.as_ref()
    }

    /// A trie of the tokens for which `keep` is true; `None` if it is true for all, or if each byte is a token.
    pub(crate) fn trie_where(&self, keep: impl Fn(&[u8]) -> bool) -> Option<Trie> {
        let drops_some = self.others.is_some() && self.tokens.iter().flatten().any(|token| !keep(token));
        drops_some.then(|| trie_where(&self.tokens, keep))
    }

    /// The bytes that are tokens.
    pub(crate) fn single_bytes(&self) -> ByteSet {
        self.single_bytes
    }

    /// What each token spells.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = Option<&[u8]>> + Clone {
        self.tokens.iter().map(Option::as_deref)
    }

    /// The first byte of a text that is no token.
    fn missing(&self, text: &[u8]) -> Option<u8> {
        text.iter().copied().find(|&byte| !self.single_bytes.contains(byte))
    }

    /// A byte that keeps tokens from spelling a text: the first missing one behind the longest prefix that they spell. `None` if they spell
    /// the text.
    pub(crate) fn missing_for(&self, text: &[u8]) -> Option<u8> {
        self.missing(text)?;
        // For each prefix, by its length, whether tokens spell it.
        let mut spelled = vec![false; text.len() + 1];
        spelled[0] = true;
        let mut furthest = 0;
        for start in 0..text.len() {
            if !spelled[start] {
                continue;
            }
            furthest = start;
            let mut node = 0;
            for (end, &byte) in text.iter().enumerate().skip(start) {
                let Some(child) = self.trie.child(node, byte) else { break };
                node = child;
                spelled[end + 1] |= !self.trie.own(node).is_empty();
            }
        }
        if spelled[text.len()] { None } else { self.missing(&text[furthest..]) }
    }
}

fn trie_where(tokens: &[Option<Vec<u8>>], keep: impl Fn(&[u8]) -> bool) -> Trie {
    let kept = tokens.iter().map(|token| token.clone().filter(|token| keep(token)));
    Trie::new(&kept.collect::<Vec<_>>())
}
