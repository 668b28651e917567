//! The tokens that stay inside a string, by number of characters: the answer to `maxLength`.
//!
//! A vocabulary has many such tokens and few lengths, so a cumulative bitset for each length turns "at most `n` characters" into one
//! union or intersection. A small subtree keeps a sorted list instead, since a bitset would be as long as the vocabulary.

use crate::automaton::cost::Cost;
use crate::vocabulary::mask::{FEW_TOKENS, TokenSet};

/// Tokens that end inside the string and between characters.
#[derive(Debug)]
pub(super) enum ByLength {
    /// Bitset `n` has the tokens with at most `n` characters.
    Sets(Vec<Box<[u32]>>),
    /// The shortest token first; the tokens with at most `n` characters end at `ends[n]`.
    List { tokens: Vec<u32>, ends: Vec<u32> },
}

impl ByLength {
    /// `tokens[n]` are the tokens with `n` characters.
    pub(super) fn new(tokens: &[Vec<u32>], words: usize) -> ByLength {
        if tokens.iter().map(Vec::len).sum::<usize>() < FEW_TOKENS {
            let ends = tokens.iter().scan(0, |end, level| {
                *end += level.len() as u32;
                Some(*end)
            });
            return ByLength::List { ends: ends.collect(), tokens: tokens.concat() };
        }
        let mut set = TokenSet::new(words);
        let sets = tokens.iter().map(|level| {
            set.insert_all(level);
            set.words().into()
        });
        ByLength::Sets(sets.collect())
    }

    /// Removes the tokens with more than `most` characters from a set of tokens that end between characters.
    pub(super) fn keep_short(&self, most: u32, set: &mut TokenSet) {
        match self {
            ByLength::Sets(sets) => {
                if let Some(words) = sets.get(most as usize) {
                    set.intersect(words);
                }
            }
            ByLength::List { tokens, ends } => {
                let end = ends.get(most as usize).map_or(tokens.len(), |&end| end as usize);
                tokens[end..].iter().for_each(|&token| set.remove(token));
            }
        }
    }

    /// Adds the tokens with `least` to `most` characters; `least` is not zero.
    pub(super) fn add_between(&self, least: u32, most: u32, set: &mut TokenSet) {
        let (shorter, most) = (least as usize - 1, most as usize);
        match self {
            ByLength::Sets(sets) => {
                if let (Some(shorter), Some(all)) = (sets.get(shorter), sets.get(most).or(sets.last())) {
                    let mut own = TokenSet::new(all.len());
                    own.union(all);
                    own.subtract(shorter);
                    set.union(own.words());
                }
            }
            ByLength::List { tokens, ends } => {
                if let (Some(&begin), Some(&end)) = (ends.get(shorter), ends.get(most).or(ends.last())) {
                    set.insert_all(&tokens[begin as usize..end.max(begin) as usize]);
                }
            }
        }
    }

    /// Memory in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            ByLength::Sets(sets) => sets.iter().map(|set| set.len() * 4).sum(),
            ByLength::List { tokens, ends } => (tokens.len() + ends.len()) * 4,
        }
    }
}

/// The tokens that stay inside a string of any characters.
#[derive(Debug)]
pub(super) struct InsideTokens {
    /// The tokens that end between characters.
    pub(super) whole: ByLength,
    /// The most bytes that complete the character or escape inside which another token ends.
    pub(super) most_tail: Cost,
}
