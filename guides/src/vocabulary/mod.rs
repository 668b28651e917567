//! The vocabulary of a model: what bytes each token spells.

pub(crate) mod mask;
pub(crate) mod trie;

use crate::collections::byte_set::ByteSet;
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
    /// The tokens with a byte that is no token, where there are some.
    others: Option<Trie>,
    /// The bytes that are tokens.
    single_bytes: ByteSet,
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

    /// All tokens that have bytes.
    pub(crate) fn trie(&self) -> &Trie {
        &self.trie
    }

    /// The tokens with a byte that is no token, where there are some.
    pub(crate) fn trie_of_others(&self) -> Option<&Trie> {
        self.others.as_ref()
    }

    /// The tokens that are kept; `None` where these are all.
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

    /// A byte for which a text is spelled by no tokens: the one that is no token nearest to where they get.
    pub(crate) fn missing_for(&self, text: &[u8]) -> Option<u8> {
        self.missing(text)?;
        // Whether tokens spell the text up to each place.
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
