//! Weights of the candidates, and the draw by a running sum.
//!
//! Where nothing is filtered, weights are computed block by block and never stored ([`Weights::draw`]); else the
//! candidates are listed once ([`Weights::collect`]), filtered, and drawn from.

use super::logits::{Block, MaxFinite, blocks};
use super::weight::{fixed, scaled};

/// A token that may be drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) token: u32,
    pub(super) value: f32,
    pub(super) weight: u64,
}

/// The weights of a row.
pub(super) struct Weights<'a> {
    pub(super) values: &'a [f32],
    pub(super) mask: &'a [u32],
    /// The largest value of a candidate.
    pub(super) max: f32,
    pub(super) temperature: f32,
}

impl Weights<'_> {
    /// The weights of a block's tokens; 0 for those that are not allowed or not there.
    fn of(&self, block: &Block<'_>) -> [u64; 32] {
        // All 32, allowed or not, without branches: so they are computed many at a time.
        let mut values = [f32::NAN; 32];
        values[..block.values.len()].copy_from_slice(block.values);
        for value in &mut values {
            *value = scaled((value.max_finite() - self.max) / self.temperature);
        }
        let mut weights = values.map(fixed);
        if !block.is_full() {
            for (index, weight) in weights.iter_mut().enumerate() {
                *weight *= u64::from(block.word >> index & 1);
            }
        }
        weights
    }

    pub(super) fn total(&self) -> u64 {
        blocks(self.values, self.mask).map(|block| self.of(&block).iter().sum::<u64>()).sum()
    }

    /// The first token at which the running sum exceeds `target`.
    pub(super) fn draw(&self, target: u64) -> Option<u32> {
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
    pub(super) fn collect(&self, candidates: &mut Vec<Candidate>) {
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
pub(super) fn target(uniform: f32, total: u64) -> u64 {
    ((f64::from(uniform) * total as f64) as u64).min(total.saturating_sub(1))
}

/// The first candidate at which the running sum exceeds `target`.
pub(super) fn draw(candidates: &[Candidate], target: u64) -> Option<u32> {
    let mut sum = 0;
    candidates.iter().find_map(|candidate| {
        sum += candidate.weight;
        (sum > target).then_some(candidate.token)
    })
}
