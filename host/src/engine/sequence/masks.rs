//! Which tokens an output may draw next: the guide's mask, `allowed_token_ids`, bad words and early ends in one.
//!
//! Masks are made on the CPU's cores while the device works on `forward`.

use std::sync::Arc;

use jig_guides::Mask;
use jig_plugin_api::{Error, ErrorCode, mask, sampler};

use super::Sequence;
use crate::engine::crew;
use crate::engine::guard::guarded;

/// The tokens that an output may draw.
#[derive(Debug, PartialEq)]
pub(in crate::engine) enum Choice {
    /// Just this token: nothing is to be drawn.
    One(u32),
    /// One of those that `mask` allows (empty: all) and that are not `banned`.
    Among { mask: Words, banned: Vec<u32> },
}

/// A packed mask, shared with the guide's cache where nothing is added to it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::engine) enum Words {
    Shared(Arc<[u32]>),
    Own(Vec<u32>),
}

impl Words {
    pub(in crate::engine) fn as_slice(&self) -> &[u32] {
        match self {
            Words::Shared(words) => words,
            Words::Own(words) => words,
        }
    }
}

/// The choices of many outputs. Masks that have to be made are made on all cores.
///
/// # Errors
/// Each on its own: where nothing is left to draw, with what left nothing.
pub(in crate::engine) fn choices(sequences: &[&Sequence], vocab_size: usize) -> Vec<Result<Choice, Error>> {
    let known = |sequence: &&Sequence| {
        let known = || sequence.guide.as_ref().and_then(|guide| guide.known_mask(Some(sequence.tokens_to_end())));
        guarded("the guide", || Ok(known()))
    };
    let mut masks: Vec<Result<Option<Mask>, Error>> = sequences.iter().map(known).collect();

    let mut missing = Vec::new();
    for (at, (sequence, mask)) in sequences.iter().zip(&masks).enumerate() {
        if let (Some(guide), Ok(None)) = (&sequence.guide, mask) {
            missing.push((at, guide.clone(), sequence.tokens_to_end()));
        }
    }
    let places: Vec<usize> = missing.iter().map(|(at, ..)| *at).collect();
    let made = crew::map(missing, |(_, guide, left)| guarded("the guide", || Ok(Some(guide.mask(Some(*left))))));
    for (at, mask) in places.into_iter().zip(made) {
        masks[at] = mask.unwrap_or_else(|| Err(Error::internal("a mask was not made")));
    }
    let choose = |(sequence, mask): (&&Sequence, Result<Option<Mask>, Error>)| choice(sequence, mask?, vocab_size);
    sequences.iter().zip(masks).map(|pair| guarded("the guide", || choose(pair))).collect()
}

/// What one output may draw next, `mask` being that of its guide.
fn choice(sequence: &Sequence, mask: Option<Mask>, vocab_size: usize) -> Result<Choice, Error> {
    let job = &*sequence.job;
    let params = job.params();
    let mut banned = Vec::new();
    sampler::ban_bad_words(&params.bad_words, sequence.output(), &mut banned);
    let early = early_ends(sequence);
    let allowed = job.allowed.as_deref();
    let Some(mask) = mask else {
        banned.extend_from_slice(early);
        if sequence.is_below_minimum() {
            banned.extend_from_slice(&params.stop_token_ids);
        }
        let mask = Words::Own(allowed.map(<[u32]>::to_vec).unwrap_or_default());
        if !mask.as_slice().is_empty() && !leaves_any(mask.as_slice(), &banned) {
            return Err(nothing_left(
                "allowed_token_ids, without the tokens of bad_words and those that end a text, has",
            ));
        }
        return Ok(Choice::Among { mask, banned });
    };

    let words = match mask {
        Mask::One(token) => {
            let barred = allowed.is_some_and(|allowed| !mask::allows(allowed, token)) || banned.contains(&token);
            // Log-probabilities are known to the device alone.
            return match (barred, params.sampling.logprobs) {
                (true, _) => Err(nothing_left(
                    "the schema or regex allows a single token, and allowed_token_ids or bad_words has",
                )),
                (false, None) => Ok(Choice::One(token)),
                (false, Some(_)) => {
                    let mask = Words::Own(mask::pack(vocab_size, [token]));
                    Ok(Choice::Among { mask, banned: Vec::new() })
                }
            };
        }
        Mask::Words(words) => words,
    };
    let words = match allowed {
        None => Words::Shared(words),
        Some(allowed) => Words::Own(words.iter().zip(allowed).map(|(guide, allowed)| guide & allowed).collect()),
    };
    if !leaves_any(words.as_slice(), &banned) {
        return Err(nothing_left(
            "of the tokens that the schema or regex allows, allowed_token_ids and bad_words have",
        ));
    }
    // The guide has the last word: where its text can only end, it ends, however few tokens it has.
    let with_early: Vec<u32> = banned.iter().chain(early).copied().collect();
    if leaves_any(words.as_slice(), &with_early) {
        banned = with_early;
    }
    Ok(Choice::Among { mask: words, banned })
}

/// The end-of-text tokens, where they may not end the text yet.
fn early_ends(sequence: &Sequence) -> &[u32] {
    let ignored = sequence.guide.is_some() && sequence.job.params().ignore_eos;
    if sequence.is_below_minimum() || ignored { sequence.job.end_tokens() } else { &[] }
}

/// Whether a mask allows a token that is not banned.
fn leaves_any(words: &[u32], banned: &[u32]) -> bool {
    if banned.is_empty() {
        return words.iter().any(|&word| word != 0);
    }
    words.iter().enumerate().any(|(index, &word)| {
        word != 0
            && banned
                .iter()
                .filter(|&&token| token as usize / 32 == index)
                .fold(word, |word, &token| word & !(1 << (token % 32)))
                != 0
    })
}

fn nothing_left(what: &str) -> Error {
    Error::new(ErrorCode::InvalidArgument, format!("no token can follow: {what} none left"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn something_is_left_exactly_if_a_token_is_allowed_and_not_banned(
            allowed in prop::collection::btree_set(0u32..70, 0..5),
            banned in prop::collection::vec(0u32..70, 0..40),
        ) {
            let words = mask::pack(70, allowed.iter().copied());
            prop_assert_eq!(leaves_any(&words, &banned), allowed.iter().any(|token| !banned.contains(token)));
        }
    }
}
