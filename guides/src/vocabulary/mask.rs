//! Sets of tokens: [`Mask`], the result, and [`TokenSet`], the set under construction.

use std::cell::RefCell;
use std::sync::Arc;

/// The tokens that may come next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mask {
    /// Exactly this token.
    One(u32),
    /// Bit `i % 32` of word `i / 32` is token `i`. There are as many words as the vocabulary needs, and spare bits are zero.
    Words(Arc<[u32]>),
}

impl Mask {
    /// Whether the token is in the set.
    pub fn contains(&self, token: u32) -> bool {
        match self {
            Mask::One(only) => *only == token,
            Mask::Words(words) => words.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1),
        }
    }

    /// Number of tokens in the set.
    pub fn count(&self) -> usize {
        match self {
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

thread_local! {
    /// The words of dropped sets, for the next ones. A set lives for one mask. Fresh memory of its size comes from the system each time,
    /// and the page faults take longer than the mask.
    static SPARE: RefCell<Vec<Vec<u32>>> = const { RefCell::new(Vec::new()) };
}

/// The most spare sets of a thread: as many as one mask has at the same time.
const MOST_SPARE: usize = 4;

impl Drop for TokenSet {
    fn drop(&mut self) {
        let words = std::mem::take(&mut self.words);
        // At the end of a thread its spare sets may be gone already.
        let _ = SPARE.try_with(|spare| {
            if let Ok(mut spare) = spare.try_borrow_mut()
                && spare.len() < MOST_SPARE
            {
                spare.push(words);
            }
        });
    }
}

impl TokenSet {
    pub(crate) fn new(words: usize) -> TokenSet {
        let spare = SPARE.try_with(|spare| spare.try_borrow_mut().ok().and_then(|mut spare| spare.pop()));
        let mut set = TokenSet { words: spare.ok().flatten().unwrap_or_default() };
        set.words.clear();
        set.words.resize(words, 0);
        set
    }

    pub(crate) fn insert(&mut self, token: u32) {
        self.words[token as usize / 32] |= 1 << (token % 32);
    }

    pub(crate) fn contains(&self, token: u32) -> bool {
        self.words[token as usize / 32] >> (token % 32) & 1 == 1
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

    pub(crate) fn subtract(&mut self, other: &[u32]) {
        for (word, other) in self.words.iter_mut().zip(other) {
            *word &= !other;
        }
    }

    pub(crate) fn intersect(&mut self, other: &[u32]) {
        for (word, other) in self.words.iter_mut().zip(other) {
            *word &= other;
        }
    }

    pub(crate) fn words(&self) -> &[u32] {
        &self.words
    }

    /// The mask of the set: `One` exactly if it has one token.
    pub(crate) fn into_mask(self) -> Mask {
        self.into_mask_with(|words| words.into())
    }

    /// As [`Self::into_mask`], with the words from `share`.
    pub(crate) fn into_mask_with(self, share: impl FnOnce(&[u32]) -> Arc<[u32]>) -> Mask {
        let mut only = None;
        for (i, &word) in self.words.iter().enumerate() {
            if word != 0 {
                if only.is_some() || !word.is_power_of_two() {
                    return Mask::Words(share(&self.words));
                }
                only = Some(i as u32 * 32 + word.trailing_zeros());
            }
        }
        match only {
            Some(token) => Mask::One(token),
            None => Mask::Words(share(&self.words)),
        }
    }
}

/// From this number of tokens on, a list would take more memory than the set of a usual vocabulary (128,000 tokens).
pub(crate) const FEW_TOKENS: usize = 4096;

/// A fixed set of tokens that is added to many sets, in the smaller of two forms.
#[derive(Debug)]
pub(crate) enum Tokens {
    /// The words of a set.
    Set(Arc<[u32]>),
    List(Box<[u32]>),
}

impl Tokens {
    /// Of distinct tokens, for sets of `words` words.
    pub(crate) fn new(tokens: Vec<u32>, words: usize) -> Tokens {
        if tokens.len() < FEW_TOKENS {
            return Tokens::List(tokens.into());
        }
        let mut set = TokenSet::new(words);
        set.insert_all(&tokens);
        Tokens::Set(set.words().into())
    }

    /// Of a set.
    pub(crate) fn of_set(set: &TokenSet) -> Tokens {
        let count: u32 = set.words.iter().map(|word| word.count_ones()).sum();
        if count as usize >= FEW_TOKENS {
            return Tokens::Set(set.words().into());
        }
        let tokens = (0..).zip(&set.words).flat_map(|(at, &word)| {
            let bits = std::iter::successors(Some(word), |word| Some(word & word.wrapping_sub(1)));
            bits.take_while(|&word| word != 0).map(move |word| at * 32 + word.trailing_zeros())
        });
        Tokens::List(tokens.collect())
    }

    /// Memory in bytes.
    pub(crate) fn size(&self) -> usize {
        4 * match self {
            Tokens::Set(words) => words.len(),
            Tokens::List(tokens) => tokens.len(),
        }
    }

    pub(crate) fn add_to(&self, set: &mut TokenSet) {
        match self {
            Tokens::Set(words) => set.union(words),
            Tokens::List(tokens) => set.insert_all(tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(tokens: &[u32], words: usize) -> TokenSet {
        let mut set = TokenSet::new(words);
        set.insert_all(tokens);
        set
    }

    #[test]
    fn tokens_at_the_borders_of_words_are_told_apart() {
        let tokens = [0, 31, 32, 63, 64, 95];
        let mask = set(&tokens, 3).into_mask();
        assert_eq!((mask.tokens(96), mask.count()), (tokens.to_vec(), 6));
        assert!(!mask.contains(1) && !mask.contains(33) && !mask.contains(96) && !mask.contains(u32::MAX));
    }

    #[test]
    fn a_single_token_becomes_one_and_none_or_several_become_words() {
        for token in [0, 31, 32, 95] {
            assert_eq!(set(&[token], 3).into_mask(), Mask::One(token));
        }
        assert_eq!(set(&[], 3).into_mask(), Mask::Words([0, 0, 0].into()));
        assert_eq!(set(&[1, 2], 3).into_mask(), Mask::Words([6, 0, 0].into()));
        assert_eq!(set(&[0, 64], 3).into_mask(), Mask::Words([1, 0, 1].into()));
        assert_eq!((Mask::One(70).tokens(96), Mask::One(70).count()), (vec![70], 1));
    }

    #[test]
    fn a_set_in_the_words_of_a_dropped_one_is_empty_and_of_its_own_size() {
        let all: Vec<u32> = (0..128).collect();
        for (before, after) in [(4, 2), (2, 4), (4, 4)] {
            drop(set(&all[..before * 32], before));
            assert_eq!(TokenSet::new(after).words(), vec![0; after]);
        }
        // More at a time than are kept.
        let sets: Vec<TokenSet> = (0..=MOST_SPARE).map(|_| set(&all, 4)).collect();
        drop(sets);
        SPARE.with(|spare| assert_eq!(spare.borrow().len(), MOST_SPARE));
        let fresh: Vec<TokenSet> = (0..=MOST_SPARE).map(|_| TokenSet::new(4)).collect();
        assert!(fresh.iter().all(|set| set.words() == [0; 4]));
    }

    #[test]
    fn sets_are_joined_subtracted_and_intersected_word_by_word() {
        let (mut joined, mut without, mut common) = (set(&[1, 40], 2), set(&[1, 40], 2), set(&[1, 40], 2));
        let other = set(&[40, 41], 2);
        joined.union(other.words());
        without.subtract(other.words());
        common.intersect(other.words());
        assert_eq!(joined.into_mask().tokens(64), [1, 40, 41]);
        assert_eq!((without.into_mask(), common.into_mask()), (Mask::One(1), Mask::One(40)));
        let mut less = set(&[3, 35], 2);
        less.remove(3);
        assert!(!less.contains(3) && less.contains(35));
    }

    #[test]
    fn few_tokens_are_a_list_and_many_a_set_and_both_add_the_same() {
        let words = FEW_TOKENS / 16;
        for len in [0, 1, FEW_TOKENS - 1, FEW_TOKENS, FEW_TOKENS + 1] {
            let list: Vec<u32> = (0..len as u32).map(|token| token * 2 % (words as u32 * 32)).collect();
            let of_set = Tokens::of_set(&set(&list, words));
            for tokens in [Tokens::new(list.clone(), words), of_set] {
                assert_eq!(matches!(tokens, Tokens::List(_)), len < FEW_TOKENS);
                assert_eq!(tokens.size(), 4 * if len < FEW_TOKENS { len } else { words });
                let mut added = set(&[5], words);
                tokens.add_to(&mut added);
                let expected = set(&[&list[..], &[5]].concat(), words);
                assert_eq!(added.words(), expected.words());
            }
        }
    }
}
