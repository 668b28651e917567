//! `min_p`, `top_k` and `top_p`: which candidates stay.

use super::draw::Candidate;
use super::weight::WEIGHT_ONE;
use crate::SamplingParams;

/// A candidate without its id, to look for thresholds in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranked {
    value: f32,
    weight: u64,
}

/// Whether every candidate stays.
pub(super) fn changes_nothing(params: &SamplingParams) -> bool {
    params.min_p == 0.0 && params.top_k == 0 && params.top_p == 1.0
}

/// Removes what the parameters exclude; the order of ids stays.
pub(super) fn apply(candidates: &mut Vec<Candidate>, params: &SamplingParams, ranking: &mut Vec<Ranked>) {
    if params.min_p > 0.0 {
        let least = (f64::from(params.min_p) * WEIGHT_ONE as f64).ceil() as u64;
        candidates.retain(|candidate| candidate.weight >= least);
    }
    let top_k = params.top_k as usize;
    if top_k > 0 && top_k < candidates.len() {
        let ranked = rank(candidates, ranking);
        let (_, threshold, _) = ranked.select_nth_unstable_by(top_k - 1, descending);
        let threshold = threshold.value;
        candidates.retain(|candidate| candidate.value >= threshold);
    }
    if params.top_p < 1.0 {
        let threshold = nucleus(rank(candidates, ranking), params.top_p);
        candidates.retain(|candidate| candidate.value >= threshold);
    }
}

fn rank<'a>(candidates: &[Candidate], ranking: &'a mut Vec<Ranked>) -> &'a mut [Ranked] {
    ranking.clear();
    ranking.extend(candidates.iter().map(|&Candidate { value, weight, .. }| Ranked { value, weight }));
    ranking
}

fn descending(left: &Ranked, right: &Ranked) -> std::cmp::Ordering {
    right.value.total_cmp(&left.value)
}

/// The largest value at which the weights at or above it are at least `top_p` of the whole.
///
/// Selection halves the part that holds the answer, so the work is linear in the number of candidates.
fn nucleus(mut part: &mut [Ranked], top_p: f32) -> f32 {
    let total: u64 = part.iter().map(|ranked| ranked.weight).sum();
    let mut missing = ((f64::from(top_p) * total as f64).ceil() as u64).clamp(1, total.max(1));
    while part.len() > 1 {
        let middle = part.len() / 2;
        part.select_nth_unstable_by(middle, descending);
        let (upper, lower) = part.split_at_mut(middle);
        let weight = upper.iter().map(|ranked| ranked.weight).sum::<u64>();
        if weight >= missing {
            part = upper;
        } else {
            missing -= weight;
            part = lower;
        }
    }
    part.first().map_or(f32::MIN, |ranked| ranked.value)
}
