//! Tokens by how many characters they add.

use crate::automaton::cost::Cost;
use crate::vocabulary::mask::{FEW_TOKENS, TokenSet};

/// Tokens that do not close the string and end between characters, by the characters that they begin.
#[derive(Debug)]
pub(crate) enum ByLength {
    /// With at most `n` characters, as a set.
    Sets(Vec<Box<[u32]>>),
    /// Ordered by their characters; those with at most `n` end at `ends[n]`.
    List { tokens: Vec<u32>, ends: Vec<u32> },
}

impl ByLength {
    /// Of tokens by the number of characters.
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

    /// Removes from tokens that end between characters those with more than `most` of them.
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

    /// Memory in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            ByLength::Sets(sets) => sets.iter().map(|set| set.len() * 4).sum(),
            ByLength::List { tokens, ends } => (tokens.len() + ends.len()) * 4,
        }
    }
}

/// The tokens that stay inside a string, of any strings.
#[derive(Debug)]
pub(crate) struct InsideTokens {
    /// Those that end between characters.
    pub(super) whole: ByLength,
    /// The most bytes that complete the character, or the escape of one, in the midst of which a token ends.
    pub(super) most_tail: Cost,
}
