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
mod edits;
mod filter;
mod logprobs;
#[cfg(test)]
mod tests;
mod validate;
mod weight;

pub use self::bad_words::ban_bad_words;
pub use self::validate::validate;
pub use self::weight::{WEIGHT_ONE, weight};

use crate::{Error, Result, SampleRow, Sampled, mask};

/// Buffers that are used again from row to row. One for each thread that samples.
#[derive(Debug, Default)]
pub struct Scratch {
    edited: Vec<f32>,
    seen: Vec<u32>,
    candidates: Vec<Candidate>,
    ranking: Vec<Ranked>,
}

/// A token that may be drawn.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    token: u32,
    value: f32,
    weight: u64,
}

/// A candidate without its id, to look for thresholds in.
#[derive(Clone, Copy, Debug)]
struct Ranked {
    value: f32,
    weight: u64,
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
    let max = largest(values, row)?;
    let token = if row.params.temperature == 0.0 {
        first_at(values, row, max)?
    } else {
        collect(values, row, max, &mut scratch.candidates);
        filter::apply(&mut scratch.candidates, row.params, &mut scratch.ranking);
        draw(&scratch.candidates, row.uniform)?
    };
    logprobs::report(logits, token, row.params.logprobs)
}

/// Calls `visit` for each candidate in the order of ids, with minus infinity made finite.
fn for_each_candidate(values: &[f32], row: &SampleRow<'_>, mut visit: impl FnMut(u32, f32)) {
    let mut visit = |token: usize| visit(token as u32, values[token].max_finite());
    if row.mask.is_empty() {
        (0..values.len()).for_each(visit);
        return;
    }
    for (word, first) in row.mask.iter().zip((0..values.len()).step_by(32)) {
        let mut rest = *word;
        while rest != 0 {
            let token = first + rest.trailing_zeros() as usize;
            if token < values.len() {
                visit(token);
            }
            rest &= rest - 1;
        }
    }
}

trait MaxFinite {
    /// Minus infinity becomes the least finite number; NaN stays.
    fn max_finite(self) -> Self;
}

impl MaxFinite for f32 {
    fn max_finite(self) -> Self {
        if self == f32::NEG_INFINITY { f32::MIN } else { self }
    }
}

/// The largest value of a candidate. Banned tokens are told apart by [`edits::BANNED`].
fn largest(values: &[f32], row: &SampleRow<'_>) -> Result<f32> {
    let mut max = None::<f32>;
    let mut broken = None;
    for_each_candidate(values, row, |token, value| {
        if value <= f32::MAX {
            if max.is_none_or(|max| value > max) {
                max = Some(value);
            }
        } else if !edits::is_banned(value) {
            broken = broken.or(Some((token, value)));
        }
    });
    if let Some((token, value)) = broken {
        return Err(not_a_number(token, value));
    }
    max.ok_or_else(|| Error::invalid_argument("the mask and the banned tokens leave no token to draw"))
}

fn not_a_number(token: u32, value: f32) -> Error {
    Error::internal(format!(
        "the model gave token {token} a logit of {value}: its weights are damaged, or its data type overflows"
    ))
}

/// The candidate with the lowest id among those with the largest value.
fn first_at(values: &[f32], row: &SampleRow<'_>, max: f32) -> Result<u32> {
    let mut first = None;
    for_each_candidate(values, row, |token, value| {
        if value == max && first.is_none() {
            first = Some(token);
        }
    });
    first.ok_or_else(|| Error::internal("no token has the largest logit"))
}

/// The candidates that have a weight, in the order of ids.
fn collect(values: &[f32], row: &SampleRow<'_>, max: f32, candidates: &mut Vec<Candidate>) {
    candidates.clear();
    let temperature = row.params.temperature;
    for_each_candidate(values, row, |token, value| {
        let weight = weight((value - max) / temperature);
        if weight > 0 {
            candidates.push(Candidate { token, value, weight });
        }
    });
}

/// The inverse of the cumulative distribution, in the order of ids.
fn draw(candidates: &[Candidate], uniform: f32) -> Result<u32> {
    let total: u64 = candidates.iter().map(|candidate| candidate.weight).sum();
    let target = ((f64::from(uniform) * total as f64) as u64).min(total.saturating_sub(1));
    let mut sum = 0;
    for candidate in candidates {
        sum += candidate.weight;
        if sum > target {
            return Ok(candidate.token);
        }
    }
    Err(Error::internal("no token has a weight"))
}
