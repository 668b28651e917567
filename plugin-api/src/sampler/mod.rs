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
pub use self::logprobs::{log_normalizer, logprob};
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

/// The tokens of a word of the mask: the id of the first, their values, and the word.
struct Block<'a> {
    first: u32,
    values: &'a [f32],
    word: u32,
}

impl Block<'_> {
    /// Whether all of its tokens are allowed, so that loops without branches may run over them.
    fn is_full(&self) -> bool {
        self.word == u32::MAX
    }

    /// The index and the value of each allowed token, with minus infinity made finite.
    fn allowed(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        let allowed = move |(index, _): &(usize, &f32)| self.word >> index & 1 == 1;
        self.values.iter().enumerate().filter(allowed).map(|(index, value)| (index, value.max_finite()))
    }
}

/// The blocks that hold an allowed token, in the order of ids.
fn blocks<'a>(values: &'a [f32], mask: &'a [u32]) -> impl Iterator<Item = Block<'a>> {
    let block = move |(index, values): (usize, &'a [f32])| {
        let word = if mask.is_empty() { u32::MAX } else { mask.get(index).copied().unwrap_or(0) };
        Block { first: index as u32 * 32, values, word }
    };
    values.chunks(32).enumerate().map(block).filter(|block| block.word != 0)
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

fn not_a_number(token: u32, value: f32) -> Error {
    Error::internal(format!(
        "the model gave token {token} a logit of {value}: its weights are damaged, or its data type overflows"
    ))
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

/// The weights of a row.
struct Weights<'a> {
    values: &'a [f32],
    mask: &'a [u32],
    max: f32,
    temperature: f32,
}

impl Weights<'_> {
    /// The weights of a block's tokens; 0 for those that are not allowed or not there.
    fn of(&self, block: &Block<'_>) -> [u64; 32] {
        // All 32, allowed or not, without branches: so they are computed many at a time.
        let mut values = [f32::NAN; 32];
        values[..block.values.len()].copy_from_slice(block.values);
        for value in &mut values {
            *value = weight::scaled((value.max_finite() - self.max) / self.temperature);
        }
        let mut weights = values.map(weight::fixed);
        if !block.is_full() {
            for (index, weight) in weights.iter_mut().enumerate() {
                *weight *= u64::from(block.word >> index & 1);
            }
        }
        weights
    }

    fn total(&self) -> u64 {
        blocks(self.values, self.mask).map(|block| self.of(&block).iter().sum::<u64>()).sum()
    }

    /// The first token at which the running sum exceeds `target`.
    fn draw(&self, target: u64) -> Option<u32> {
        let mut before = 0;
        for block in blocks(self.values, self.mask) {
            let weights = self.of(&block);
            let sum = weights.iter().sum::<u64>();
            if before + sum <= target {
                before += sum;
                continue;
            }
            for (token, weight) in (block.first..).zip(weights) {
                before += weight;
                if before > target {
                    return Some(token);
                }
            }
        }
        None
    }

    /// The candidates that have a weight, in the order of ids.
    fn collect(&self, candidates: &mut Vec<Candidate>) {
        candidates.clear();
        for block in blocks(self.values, self.mask) {
            let weights = self.of(&block).into_iter().zip(block.values);
            let candidates_of_block = (block.first..).zip(weights).filter(|(_, (weight, _))| *weight > 0);
            candidates.extend(candidates_of_block.map(|(token, (weight, value))| {
                let value = value.max_finite();
                Candidate { token, value, weight }
            }));
        }
    }
}

/// Where the uniform number lies in the sum of all weights.
fn target(uniform: f32, total: u64) -> u64 {
    ((f64::from(uniform) * total as f64) as u64).min(total.saturating_sub(1))
}

/// The first candidate at which the running sum exceeds `target`.
fn draw(candidates: &[Candidate], target: u64) -> Option<u32> {
    let mut sum = 0;
    candidates.iter().find_map(|candidate| {
        sum += candidate.weight;
        (sum > target).then_some(candidate.token)
    })
}
