//! A random walk: tokens drawn from the masks of a guide, within a budget, until the output ends.

use std::time::{Duration, Instant};

use jig_guides::{GuideState, Mask, Vocabulary};

use crate::random::Random;

/// How tokens are drawn from a mask.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Each token of the mask is as likely as any other: mostly long text.
    Even,
    /// The shortest of a few tokens, and the end of the output where it may end: more of JSON's structure.
    Short,
}

/// What a walk came to.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) end: End,
    /// The longest that a mask took.
    pub(crate) slowest: Duration,
}

/// How a walk ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The output is whole.
    Whole(Vec<u8>),
    /// There was no token, or one of the mask was not accepted, or the budget was spent in the middle.
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

/// A token of the mask; `None` where it has none.
fn draw(mask: &Mask, vocabulary: &Vocabulary, manner: Manner, random: &mut Random) -> Option<u32> {
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

/// The n-th token of a mask.
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
    fn the_nth_token_counts_set_bits_across_words() {
        let words = [0b1010, 0, 0x8000_0001];
        let all: Vec<Option<u32>> = (0..5).map(|n| nth(&words, n)).collect();
        assert_eq!(all, [Some(1), Some(3), Some(64), Some(95), None]);
    }
}
