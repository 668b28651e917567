//! Log-probabilities by the raw logits.

use super::{MaxFinite, WEIGHT_ONE, not_a_number, weight};
use crate::{Result, Sampled};

/// The answer for a drawn token, with the log-probabilities that were asked for.
pub(super) fn report(logits: &[f32], token: u32, wanted: Option<u32>) -> Result<Sampled> {
    let Some(wanted) = wanted else {
        return Ok(Sampled { token, ..Sampled::default() });
    };
    let normalizer = log_sum_exp(logits)?;
    let logprob =
        |token: u32| logits.get(token as usize).map_or(f32::NEG_INFINITY, |&x| (f64::from(x) - normalizer) as f32);
    let top = most_likely(logits, wanted as usize);
    Ok(Sampled {
        token,
        logprob: logprob(token),
        top_logprobs: top.into_iter().map(|token| (token, logprob(token))).collect(),
    })
}

/// `ln(sum(exp(x)))`.
fn log_sum_exp(logits: &[f32]) -> Result<f64> {
    let mut max = f32::MIN;
    for (token, &value) in logits.iter().enumerate() {
        // NaN is not at most anything.
        if !matches!(value.partial_cmp(&f32::MAX), Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)) {
            return Err(not_a_number(token as u32, value));
        }
        max = max.max(value);
    }
    let sum: u64 = logits.iter().map(|&value| weight(value.max_finite() - max)).sum();
    Ok(f64::from(max) + (sum as f64 / WEIGHT_ONE as f64).ln())
}

/// The ids of the `count` largest logits, the largest first, the lowest id first among equals.
fn most_likely(logits: &[f32], count: usize) -> Vec<u32> {
    if count == 0 {
        return Vec::new();
    }
    let order = |&left: &u32, &right: &u32| {
        let (a, b) = (logits[left as usize], logits[right as usize]);
        b.partial_cmp(&a).unwrap_or(std::cmp::Ordering::Equal).then(left.cmp(&right))
    };
    let mut tokens = (0..logits.len() as u32).collect::<Vec<_>>();
    if count < tokens.len() {
        tokens.select_nth_unstable_by(count - 1, order);
        tokens.truncate(count);
    }
    tokens.sort_unstable_by(order);
    tokens
}
