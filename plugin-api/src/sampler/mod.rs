//! The reference sampler: from a row of logits to a token.
//!
//! A backend whose logits are in host memory calls [`sample`]. A backend that draws on its device does the same
//! arithmetic there; the conformance kit compares the two.
//!
//! # What is drawn
//!
//! In vLLM's order (V1 engine):
//!
//! 1. `logit_bias` is added.
//! 2. Penalties: repetition (tokens of prompt or output, once each: positive logits are divided, others multiplied),
//!    then `frequency_penalty` times the count in the output is subtracted, then `presence_penalty`.
//! 3. Tokens that the mask forbids, and banned ones, leave. What remains are the *candidates*, with values `v`.
//! 4. At temperature 0: the candidate with the largest `v`, the lowest id among equals. Done.
//! 5. Each candidate gets a weight: `exp((v - max v) / temperature)` as a fixed-point number with 40 fractional
//!    bits, computed by [`weight`], an exponential made of IEEE single-precision multiplications and additions only.
//! 6. `min_p`: candidates with a weight under `min_p` leave.
//! 7. `top_k`: candidates with a `v` under the k-th largest leave. Equal ones stay, so more than k may.
//! 8. `top_p`: candidates leave whose `v` is under the largest threshold at which the weights of those at or
//!    above it sum to at least `top_p` of all that are left. Equal ones stay.
//! 9. The draw: with `T` the sum of the weights that are left, the first token in the order of ids at which
//!    the running sum exceeds `floor(uniform * T)` (the product in double precision, at most `T - 1`).
//!
//! No step depends on an order of summation, because weights are integers, and none needs a sort: thresholds
//! are found by selection, and the draw walks in the order of ids. So a device that reduces in parallel
//! draws the same token from the same logits, bit for bit.
//!
//! # What is not a number
//!
//! A logit of minus infinity counts as the least finite number: it is drawn only where nothing else may be, so that a
//! mask can always be met. A candidate whose logit is NaN or plus infinity is an error of the model, and so is any
//! such logit where log-probabilities are asked for.
//!
//! # Log-probabilities
//!
//! By the raw logits, before any of the above, as in vLLM; the most likely first, the lowest id first among equals.

mod bad_words;
mod draw;
mod edits;
mod filter;
mod logits;
mod logprobs;
#[cfg(test)]
mod tests;
mod validate;
mod weight;

pub use self::bad_words::ban_bad_words;
pub use self::logprobs::{log_normalizer, logprob};
pub use self::validate::validate;
pub use self::weight::{WEIGHT_ONE, weight};

use self::draw::{Candidate, Weights, draw, target};
use self::filter::Ranked;
use self::logits::{MaxFinite, blocks, not_a_number};
use crate::{Error, Result, SampleRow, Sampled, mask};

/// Buffers that are used again from row to row. One for each thread that samples.
#[derive(Debug, Default)]
pub struct Scratch {
    edited: Vec<f32>,
    seen: Vec<u32>,
    candidates: Vec<Candidate>,
    ranking: Vec<Ranked>,
}

/// Draws a token from a row of logits. `row.row` is not looked at.
///
/// # Errors
/// `InvalidArgument` for parameters out of range ([`validate`]), a token id past the logits, a mask of a wrong
/// length, or where nothing may be drawn; `Internal` where the logits are not numbers.
pub fn sample(logits: &[f32], row: &SampleRow<'_>, scratch: &mut Scratch) -> Result<Sampled> {
    validate(row.params)?;
    if !(0.0..1.0).contains(&row.uniform) {
        return Err(Error::invalid_argument(format!("uniform must be in [0, 1), and is {}", row.uniform)));
    }
    if !row.mask.is_empty() && row.mask.len() != mask::words(logits.len()) {
        return Err(Error::invalid_argument(format!(
            "a mask over {} tokens has {} words, and this one has {}",
            logits.len(),
            mask::words(logits.len()),
            row.mask.len(),
        )));
    }

    let values = edits::apply(logits, row, &mut scratch.edited, &mut scratch.seen)?;
    let max = largest(values, row.mask)?;
    let token = if row.params.temperature == 0.0 {
        first_at(values, row.mask, max)?
    } else {
        let weights = Weights { values, mask: row.mask, max, temperature: row.params.temperature };
        if filter::changes_nothing(row.params) {
            let target = target(row.uniform, weights.total());
            weights.draw(target)
        } else {
            let candidates = &mut scratch.candidates;
            weights.collect(candidates);
            filter::apply(candidates, row.params, &mut scratch.ranking);
            let target = target(row.uniform, candidates.iter().map(|candidate| candidate.weight).sum());
            draw(candidates, target)
        }
        .ok_or_else(|| Error::internal("no token has a weight"))?
    };
    logprobs::report(logits, token, row.params.logprobs)
}

/// The largest value of a candidate. Banned tokens are told apart by their value.
fn largest(values: &[f32], mask: &[u32]) -> Result<f32> {
    let mut max = None::<f32>;
    for block in blocks(values, mask) {
        // NaN fails the comparison: a block that holds one, banned or not, is looked at in detail.
        if block.is_full() && block.values.iter().fold(true, |fine, &value| fine & (value <= f32::MAX)) {
            let most = |most: f32, &value: &f32| if value > most { value } else { most };
            max = Some(block.values.iter().fold(max.unwrap_or(f32::MIN), most));
            continue;
        }
        for (index, value) in block.allowed() {
            if value <= f32::MAX {
                max = Some(max.map_or(value, |max| max.max(value)));
            } else if !edits::is_banned(value) {
                return Err(not_a_number(block.first + index as u32, value));
            }
        }
    }
    max.ok_or_else(|| Error::invalid_argument("the mask and the banned tokens leave no token to draw"))
}

/// The candidate with the lowest id among those with the largest value.
fn first_at(values: &[f32], mask: &[u32], max: f32) -> Result<u32> {
    for block in blocks(values, mask) {
        if block.values.iter().fold(false, |found, value| found | (value.max_finite() == max))
            && let Some((index, _)) = block.allowed().find(|&(_, value)| value == max)
        {
            return Ok(block.first + index as u32);
        }
    }
    Err(Error::internal("no token has the largest logit"))
}
