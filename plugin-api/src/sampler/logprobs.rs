//! Log-probabilities by the raw logits.

use super::logits::{MaxFinite, not_a_number};
use super::weight::{self, WEIGHT_ONE};
use crate::{Result, Sampled};

/// `ln(sum(exp(x)))` of a row of logits: from the largest one, minus infinity taken as the least finite number, and the sum of
/// `exp(x - largest)` times [`WEIGHT_ONE`]. For a backend that sums on its device.
#[must_use]
pub fn log_normalizer(largest: f32, sum: f64) -> f64 {
    f64::from(largest) + (sum / WEIGHT_ONE as f64).ln()
}

/// The log-probability of a token with this logit, in a row with this [`log_normalizer`].
#[must_use]
pub fn logprob(logit: f32, normalizer: f64) -> f32 {
    (f64::from(logit) - normalizer) as f32
}

/// The answer for a drawn token, with the log-probabilities that were asked for.
pub(super) fn report(logits: &[f32], token: u32, wanted: Option<u32>) -> Result<Sampled> {
    let Some(wanted) = wanted else {
        return Ok(Sampled { token, ..Sampled::default() });
    };
    let normalizer = log_sum_exp(logits)?;
    let logprob = |token: u32| logits.get(token as usize).map_or(f32::NEG_INFINITY, |&x| logprob(x, normalizer));
    let top = most_likely(logits, wanted as usize);
    Ok(Sampled {
        token,
        logprob: logprob(token),
        top_logprobs: top.into_iter().map(|token| (token, logprob(token))).collect(),
    })
}

/// `ln(sum(exp(x)))`.
fn log_sum_exp(logits: &[f32]) -> Result<f64> {
    // NaN is not at most anything.
    if let Some(token) = logits.iter().position(|&value| !is_number(value)) {
        return Err(not_a_number(token as u32, logits[token]));
    }
    let max = logits.iter().fold(f32::MIN, |max, &value| if value > max { value } else { max });
    let mut sum = 0.0;
    for block in logits.chunks(32) {
        let mut scaled = [0.0; 32];
        for (scaled, value) in scaled.iter_mut().zip(block) {
            *scaled = weight::scaled(value.max_finite() - max);
        }
        sum += scaled.iter().map(|&scaled| f64::from(scaled)).sum::<f64>();
    }
    Ok(log_normalizer(max, sum))
}

/// Neither NaN nor plus infinity.
fn is_number(value: f32) -> bool {
    value <= f32::MAX
}

/// Up to here, the most likely tokens are kept in order while the logits are read once; past it, all are sorted.
const FEW: usize = 64;

/// The ids of the `count` largest logits, the largest first, the lowest id first among equals.
fn most_likely(logits: &[f32], count: usize) -> Vec<u32> {
    let before = |left: u32, right: u32| {
        let (a, b) = (logits[left as usize], logits[right as usize]);
        a > b || (a == b && left < right)
    };
    let all = 0..logits.len() as u32;
    if count > FEW {
        let mut tokens = all.collect::<Vec<_>>();
        let order = |&left: &u32, &right: &u32| before(right, left).cmp(&before(left, right));
        if count < tokens.len() {
            tokens.select_nth_unstable_by(count - 1, order);
            tokens.truncate(count);
        }
        tokens.sort_unstable_by(order);
        return tokens;
    }
    let mut tokens = Vec::with_capacity(count + 1);
    let mut least = f32::NEG_INFINITY;
    for token in all {
        // Where the list is full, a later token enters only if it is larger than the last.
        if tokens.len() == count && logits[token as usize] <= least {
            continue;
        }
        let place = tokens.partition_point(|&other| before(other, token));
        tokens.insert(place, token);
        tokens.truncate(count);
        least = tokens.last().map_or(f32::INFINITY, |&last: &u32| logits[last as usize]);
    }
    tokens
}
