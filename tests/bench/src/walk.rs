//! A random walk: samples tokens from the masks of a guide, within a budget, until the output ends.

use std::time::{Duration, Instant};

use jig_guides::{GuideState, Mask, Vocabulary};

use crate::random::Random;

/// The distribution of tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Uniform over the mask. The walk is mostly long text.
    Even,
    /// The shortest of a few tokens, which favours the end of the output. The walk has more of JSON's structure.
    Short,
}

/// The result of a walk.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) end: End,
    /// The time of the slowest mask.
    pub(crate) slowest: Duration,
}

/// The end of a walk.
#[derive(Debug)]
pub(crate) enum End {
    /// The output is complete.
    Whole(Vec<u8>),
    /// The mask was empty, or the guide refused a token of the mask, or the budget was spent before the output was complete.
    Dead { text: Vec<u8>, reason: String },
}

/// Walks from a state with at most `budget` tokens.
pub(crate) fn walk(state: GuideState, budget: u32, manner: Manner, random: &mut Random) -> Walk {
    let mut slowest = Duration::ZERO;
    let end = run(state, budget, manner, random, &mut slowest);
    Walk { end, slowest }
}

fn run(mut state: GuideState, budget: u32, manner: Manner, random: &mut Random, slowest: &mut Duration) -> End {
    let vocabulary = state.guide().vocabulary().clone();
    let mut text = Vec::new();
    let mut left = budget;
    loop {
        if state.must_end() {
            return End::Whole(text);
        }
        let begun = Instant::now();
        let mask = state.mask(Some(left));
        *slowest = begun.elapsed().max(*slowest);
        let Some(token) = draw(&mask, &vocabulary, manner, random) else {
            return End::Dead { text, reason: format!("no token is allowed with {left} left of {budget}") };
        };
        if vocabulary.end_tokens().binary_search(&token).is_ok() {
            let ended = state.advance(token).is_ok() && state.may_end();
            let reason = || "the end is allowed where the output is not whole".to_owned();
            return if ended { End::Whole(text) } else { End::Dead { text, reason: reason() } };
        }
        if left == 0 {
            return End::Dead { text, reason: format!("the budget of {budget} is spent and token {token} is allowed") };
        }
        if let Err(refused) = state.advance(token) {
            return End::Dead { text, reason: format!("the mask allows what the guide refuses: {refused}") };
        }
        text.extend_from_slice(vocabulary.bytes(token).unwrap_or_default());
        left -= 1;
    }
}

/// A random token of the mask; `None` if the mask is empty.
pub(crate) fn draw(mask: &Mask, vocabulary: &Vocabulary, manner: Manner, random: &mut Random) -> Option<u32> {
    let words = match mask {
        Mask::One(token) => return Some(*token),
        Mask::Words(words) => words,
    };
    let count = mask.count();
    if count == 0 {
        return None;
    }
    let length = |token: u32| vocabulary.bytes(token).map_or(0, <[u8]>::len);
    match manner {
        Manner::Even => nth(words, random.below(count)),
        Manner::Short => (0..4).filter_map(|_| nth(words, random.below(count))).min_by_key(|&token| length(token)),
    }
}

/// The n-th token of a mask, counted from zero.
fn nth(words: &[u32], n: usize) -> Option<u32> {
    let mut n = n as u32;
    for (i, &word) in words.iter().enumerate() {
        if n < word.count_ones() {
            let rest = (0..n).fold(word, |word, _| word & (word - 1));
            return Some(i as u32 * 32 + rest.trailing_zeros());
        }
        n -= word.count_ones();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::nth;

    #[test]
    fn the_nth_token_is_found_across_words() {
        let words = [0b1010, 0, 0x8000_0001];
        let all: Vec<Option<u32>> = (0..5).map(|n| nth(&words, n)).collect();
        assert_eq!(all, [Some(1), Some(3), Some(64), Some(95), None]);
    }
}
