//! The set of tokens that may come next.

use std::sync::Arc;

/// The tokens that may come next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mask {
    /// Every token of the vocabulary.
    All,
    /// Exactly this token.
    One(u32),
    /// Bit `i % 32` of word `i / 32` stands for token `i`; as many words as the vocabulary needs, spare bits zero.
    Words(Arc<[u32]>),
}

impl Mask {
    /// Whether the token is in the set.
    pub fn contains(&self, token: u32) -> bool {
        match self {
            Mask::All => true,
            Mask::One(only) => *only == token,
            Mask::Words(words) => words.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1),
        }
    }

    /// Number of tokens in the set, of a vocabulary with `len` tokens.
    pub fn count(&self, len: usize) -> usize {
        match self {
            Mask::All => len,
            Mask::One(_) => 1,
            Mask::Words(words) => words.iter().map(|word| word.count_ones() as usize).sum(),
        }
    }

    /// The tokens of the set in ascending order, of a vocabulary with `len` tokens.
    pub fn tokens(&self, len: usize) -> Vec<u32> {
        (0..len as u32).filter(|&token| self.contains(token)).collect()
    }
}

/// A set of tokens under construction.
#[derive(Debug, Clone)]
pub(crate) struct TokenSet {
    words: Vec<u32>,
}

impl TokenSet {
    pub(crate) fn new(words: usize) -> TokenSet {
        TokenSet { words: vec![0; words] }
    }

    pub(crate) fn insert(&mut self, token: u32) {
        self.words[token as usize / 32] |= 1 << (token % 32);
    }

    pub(crate) fn remove(&mut self, token: u32) {
        self.words[token as usize / 32] &= !(1 << (token % 32));
    }

    pub(crate) fn insert_all(&mut self, tokens: &[u32]) {
        for &token in tokens {
            self.insert(token);
        }
    }

    pub(crate) fn union(&mut self, other: &[u32]) {
        for (word, other) in self.words.iter_mut().zip(other) {
            *word |= other;
        }
    }

    pub(crate) fn words(&self) -> &[u32] {
        &self.words
    }

    /// The mask in its simplest form.
    pub(crate) fn into_mask(self) -> Mask {
        let mut only = None;
        for (i, &word) in self.words.iter().enumerate() {
            if word != 0 {
                if only.is_some() || !word.is_power_of_two() {
                    return Mask::Words(self.words.into());
                }
                only = Some(i as u32 * 32 + word.trailing_zeros());
            }
        }
        match only {
            Some(token) => Mask::One(token),
            None => Mask::Words(self.words.into()),
        }
    }
}
