//! The sampler beside a slow formulation in double precision that shares no code with it.

use proptest::prelude::*;

use super::*;
use crate::{ErrorCode, SamplingParams};

fn row<'a>(params: &'a SamplingParams, mask: &'a [u32], uniform: f32) -> SampleRow<'a> {
    SampleRow { row: 0, mask, banned: &[], params, uniform, prompt: &[], output: &[] }
}

fn token(logits: &[f32], row: &SampleRow<'_>) -> u32 {
    sample(logits, row, &mut Scratch::default()).unwrap().token
}

fn error(logits: &[f32], row: &SampleRow<'_>) -> Error {
    sample(logits, row, &mut Scratch::default()).unwrap_err()
}

/// Logits, bias and penalties as the field writes them down: dense, one after the other.
fn slow_values(logits: &[f32], row: &SampleRow<'_>) -> Vec<f64> {
    let params = row.params;
    let mut values: Vec<f64> = logits.iter().map(|&x| f64::from(x)).collect();
    for (token, value) in values.iter_mut().enumerate() {
        let token = token as u32;
        for &(biased, bias) in &params.logit_bias {
            if biased == token {
                *value += f64::from(bias);
            }
        }
        let count = row.output.iter().filter(|&&seen| seen == token).count();
        if row.prompt.contains(&token) || count > 0 {
            let r = f64::from(params.repetition_penalty);
            *value = if *value > 0.0 { *value / r } else { *value * r };
        }
        *value -= f64::from(params.frequency_penalty) * count as f64;
        if count > 0 {
            *value -= f64::from(params.presence_penalty);
        }
        if row.banned.contains(&token) || !mask::allows(row.mask, token) {
            *value = f64::NEG_INFINITY;
        }
    }
    values
}

/// The distribution that the parameters define, by sorting: probability of each token.
fn slow_distribution(values: &[f64], params: &SamplingParams) -> Vec<f64> {
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut p: Vec<f64> = values.iter().map(|v| ((v - max) / f64::from(params.temperature)).exp()).collect();
    let top = p.iter().copied().fold(0.0, f64::max);
    p.iter_mut().filter(|p| **p < f64::from(params.min_p) * top).for_each(|p| *p = 0.0);
    let sorted = |p: &[f64]| {
        let mut sorted = p.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        sorted
    };
    if params.top_k > 0 && (params.top_k as usize) < p.len() {
        let threshold = sorted(&p)[params.top_k as usize - 1];
        p.iter_mut().filter(|p| **p < threshold).for_each(|p| *p = 0.0);
    }
    if params.top_p < 1.0 {
        let total: f64 = p.iter().sum();
        let mut sum = 0.0;
        let mut threshold = 0.0;
        for value in sorted(&p) {
            threshold = value;
            sum += value;
            if sum >= f64::from(params.top_p) * total {
                break;
            }
        }
        p.iter_mut().filter(|p| **p < threshold).for_each(|p| *p = 0.0);
    }
    let total: f64 = p.iter().sum();
    p.into_iter().map(|p| p / total).collect()
}

#[derive(Clone, Debug)]
struct Case {
    logits: Vec<f32>,
    params: SamplingParams,
    mask: Vec<u32>,
    banned: Vec<u32>,
    prompt: Vec<u32>,
    output: Vec<u32>,
    uniform: f32,
}

impl Case {
    fn row(&self) -> SampleRow<'_> {
        SampleRow {
            row: 0,
            mask: &self.mask,
            banned: &self.banned,
            params: &self.params,
            uniform: self.uniform,
            prompt: &self.prompt,
            output: &self.output,
        }
    }
}

fn params(width: u32) -> impl Strategy<Value = SamplingParams> {
    (
        (0.05_f32..2.0, 0..width + 2, prop_oneof![Just(1.0_f32), 0.05_f32..1.0]),
        (prop_oneof![Just(0.0_f32), 0.0_f32..0.6], 0.5_f32..2.0, -2.0_f32..2.0, -2.0_f32..2.0),
        prop::collection::vec((0..width, -5.0_f32..5.0), 0..4),
    )
        .prop_map(|((temperature, top_k, top_p), (min_p, repetition, presence, frequency), logit_bias)| {
            SamplingParams {
                temperature,
                top_k,
                top_p,
                min_p,
                repetition_penalty: repetition,
                presence_penalty: presence,
                frequency_penalty: frequency,
                logit_bias,
                logprobs: Some(3),
            }
        })
}

fn case() -> impl Strategy<Value = Case> {
    (2_u32..100).prop_flat_map(|width| {
        let tokens = || prop::collection::vec(0..width, 0..12);
        (
            prop::collection::vec(-12.0_f32..12.0, width as usize),
            params(width),
            prop_oneof![Just(None), prop::collection::vec(0..width, 1..40).prop_map(Some),],
            (prop::collection::vec(0..width, 0..2), tokens(), tokens()),
            (0_u32..1 << 24).prop_map(|bits| bits as f32 / 16_777_216.0),
        )
            .prop_map(move |(logits, params, allowed, (banned, prompt, output), uniform)| {
                let mask = allowed.map_or_else(Vec::new, |allowed| mask::pack(width as usize, allowed));
                Case { logits, params, mask, banned, prompt, output, uniform }
            })
    })
}

proptest! {
    /// The token's piece of the cumulative distribution holds the uniform number, up to rounding.
    #[test]
    fn a_draw_inverts_the_distribution_that_the_slow_formulation_defines(case in case()) {
        let row = case.row();
        let values = slow_values(&case.logits, &row);
        prop_assume!(values.iter().any(|value| value.is_finite()));
        let sampled = sample(&case.logits, &row, &mut Scratch::default()).unwrap();
        let p = slow_distribution(&values, &case.params);

        // Where a threshold lies within rounding of a candidate, either answer is right.
        let shifted = |by: f32| {
            let params = SamplingParams {
                top_p: (case.params.top_p * (1.0 + by)).min(1.0),
                min_p: case.params.min_p * (1.0 + by),
                ..case.params.clone()
            };
            slow_distribution(&values, &params)
        };
        prop_assume!(shifted(2e-5) == p && shifted(-2e-5) == p);

        let token = sampled.token as usize;
        let before: f64 = p[..token].iter().sum();
        let uniform = f64::from(case.uniform);
        prop_assert!(p[token] > 0.0, "{sampled:?} of {p:?}");
        prop_assert!(before - 1e-5 <= uniform && uniform <= before + p[token] + 1e-5, "{token} at {uniform} of {p:?}");
    }

    #[test]
    fn greedy_takes_the_largest_value_and_the_lowest_id(mut case in case()) {
        case.params.temperature = 0.0;
        // Few distinct values, so that there are equals; and no edits that round.
        case.logits.iter_mut().for_each(|logit| *logit = logit.round() / 4.0);
        case.params.logit_bias.clear();
        case.params.repetition_penalty = 1.0;
        case.params.presence_penalty = 0.5;
        case.params.frequency_penalty = -0.25;
        let values = slow_values(&case.logits, &case.row());
        prop_assume!(values.iter().any(|value| value.is_finite()));
        let mut best = 0;
        for token in 1..values.len() {
            if values[token] > values[best] {
                best = token;
            }
        }
        prop_assert_eq!(token(&case.logits, &case.row()), best as u32);
    }

    #[test]
    fn a_used_scratch_draws_what_a_new_one_does(first in case(), second in case()) {
        let mut scratch = Scratch::default();
        let _ = sample(&first.logits, &first.row(), &mut scratch);
        let again = sample(&second.logits, &second.row(), &mut scratch);
        prop_assert_eq!(again, sample(&second.logits, &second.row(), &mut Scratch::default()));
    }

    #[test]
    fn log_probabilities_are_those_of_the_raw_logits(case in case(), wanted in 0_u32..120) {
        let params = SamplingParams { logprobs: Some(wanted), ..case.params.clone() };
        let row = SampleRow { params: &params, ..case.row() };
        let Ok(sampled) = sample(&case.logits, &row, &mut Scratch::default()) else { return Ok(()) };
        let sum: f64 = case.logits.iter().map(|&x| f64::from(x).exp()).sum();
        let logprob = |token: u32| f64::from(case.logits[token as usize]) - sum.ln();
        prop_assert!((f64::from(sampled.logprob) - logprob(sampled.token)).abs() < 1e-5);
        let mut order: Vec<u32> = (0..case.logits.len() as u32).collect();
        order.sort_by(|&a, &b| case.logits[b as usize].total_cmp(&case.logits[a as usize]));
        order.truncate(wanted as usize);
        prop_assert_eq!(sampled.top_logprobs.iter().map(|top| top.0).collect::<Vec<_>>(), order);
        for (token, value) in sampled.top_logprobs {
            prop_assert!((f64::from(value) - logprob(token)).abs() < 1e-5);
        }
    }
}

#[test]
fn frequencies_are_those_of_the_distribution() {
    let logits = [1.0_f32, 0.0, -1.0, 2.0];
    let params = SamplingParams::default();
    let mut counts = [0_u32; 4];
    let draws = 1 << 16;
    for step in 0..draws {
        counts[token(&logits, &row(&params, &[], step as f32 / draws as f32)) as usize] += 1;
    }
    let sum: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
    for (count, logit) in counts.iter().zip(logits) {
        let expected = f64::from(logit).exp() / sum * f64::from(draws);
        assert!((f64::from(*count) - expected).abs() <= 2.0, "{counts:?}");
    }
}

#[test]
fn candidates_as_likely_as_the_last_that_stays_stay_too() {
    let logits = [1.0, 3.0, 2.0, 2.0, 2.0];
    let drawn = |params: SamplingParams| {
        let mut drawn =
            (0..1000).map(|step| token(&logits, &row(&params, &[], step as f32 / 1000.0))).collect::<Vec<_>>();
        drawn.dedup();
        drawn
    };
    assert_eq!(drawn(SamplingParams { top_k: 1, ..SamplingParams::default() }), [1]);
    assert_eq!(drawn(SamplingParams { top_k: 2, ..SamplingParams::default() }), [1, 2, 3, 4]);
    assert_eq!(drawn(SamplingParams { top_p: 0.1, ..SamplingParams::default() }), [1]);
    assert_eq!(drawn(SamplingParams { top_p: 0.6, ..SamplingParams::default() }), [1, 2, 3, 4]);
    assert_eq!(drawn(SamplingParams { min_p: 1.0, ..SamplingParams::default() }), [1]);
    assert_eq!(drawn(SamplingParams { top_k: 9, ..SamplingParams::default() }), [0, 1, 2, 3, 4]);
}

#[test]
fn the_repetition_penalty_counts_a_token_once_and_follows_the_bias() {
    let params = SamplingParams { repetition_penalty: 2.0, logit_bias: vec![(0, 2.0)], ..SamplingParams::greedy() };
    let with = |prompt: &'static [u32], output: &'static [u32], logits: &[f32]| {
        token(logits, &SampleRow { prompt, output, ..row(&params, &[], 0.0) })
    };
    // (2 + 2) / 2 = 2, not 2 / 2 + 2 = 3, and not 1 for the token that stands in both.
    assert_eq!(with(&[0], &[0], &[2.0, 2.5]), 1);
    assert_eq!(with(&[0], &[0], &[2.0, 1.5]), 0);
    assert_eq!(with(&[1], &[], &[-5.0, -1.4]), 1);
    assert_eq!(with(&[1], &[], &[-5.0, -1.6]), 0);
}

#[test]
fn infinite_logits_never_leave_a_mask_without_an_answer() {
    let minus = f32::NEG_INFINITY;
    let logits = [minus, 1.0, minus, minus];
    for params in [SamplingParams::greedy(), SamplingParams::default()] {
        assert_eq!(token(&logits, &row(&params, &[], 0.999)), 1);
        assert!([0, 2].contains(&token(&logits, &row(&params, &[0b0101], 0.999))));
        assert_eq!(token(&[f32::MIN, f32::MAX], &row(&params, &[], 0.999)), 1);
    }
    let params = SamplingParams { logprobs: Some(2), ..SamplingParams::greedy() };
    let sampled = sample(&logits, &row(&params, &[0b1000], 0.0), &mut Scratch::default()).unwrap();
    assert_eq!((sampled.token, sampled.logprob), (3, minus));
    assert_eq!(sampled.top_logprobs, [(1, 0.0), (0, minus)]);
}

#[test]
fn logits_that_are_no_numbers_are_an_error_of_the_model_where_they_could_be_drawn() {
    for bad in [f32::NAN, f32::INFINITY] {
        let logits = [0.0, bad];
        for params in [SamplingParams::greedy(), SamplingParams::default()] {
            let error = error(&logits, &row(&params, &[], 0.0));
            assert_eq!(error.code, ErrorCode::Internal);
            assert!(error.message.starts_with("the model gave token 1 a logit of"), "{error}");
            assert_eq!(token(&logits, &row(&params, &[0b01], 0.0)), 0);
        }
        let params = SamplingParams { logprobs: Some(0), ..SamplingParams::greedy() };
        assert_eq!(error(&logits, &row(&params, &[0b01], 0.0)).code, ErrorCode::Internal);
        let params = SamplingParams { logit_bias: vec![(1, 1.0)], ..SamplingParams::greedy() };
        assert_eq!(error(&logits, &row(&params, &[], 0.0)).code, ErrorCode::Internal);
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let good = SamplingParams::default();
    let refused = |params: SamplingParams, name: &str| {
        let error = error(&[0.0, 1.0], &row(&params, &[], 0.0));
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert!(error.message.contains(name), "{error}");
    };
    for bad in [f32::NAN, -1.0, f32::INFINITY] {
        refused(SamplingParams { temperature: bad, ..good.clone() }, "temperature");
        refused(SamplingParams { top_p: bad, ..good.clone() }, "top_p");
        refused(SamplingParams { min_p: bad, ..good.clone() }, "min_p");
        refused(SamplingParams { repetition_penalty: bad, ..good.clone() }, "repetition_penalty");
    }
    refused(SamplingParams { top_p: 0.0, ..good.clone() }, "top_p");
    refused(SamplingParams { repetition_penalty: 0.0, ..good.clone() }, "repetition_penalty");
    refused(SamplingParams { presence_penalty: f32::NAN, ..good.clone() }, "presence_penalty");
    refused(SamplingParams { frequency_penalty: f32::INFINITY, ..good.clone() }, "frequency_penalty");
    refused(SamplingParams { logit_bias: vec![(0, f32::NAN)], ..good.clone() }, "logit_bias of token 0");
    refused(SamplingParams { logit_bias: vec![(2, 1.0)], ..good.clone() }, "logit_bias holds token 2");

    assert!(error(&[0.0; 33], &row(&good, &[1], 0.0)).message.contains("has 2 words, and this one has 1"));
    assert!(error(&[0.0; 2], &row(&good, &[0b100], 0.0)).message.contains("no token to draw"));
    let banned = SampleRow { banned: &[0, 1, 7], ..row(&good, &[], 0.0) };
    assert!(error(&[0.0; 2], &banned).message.contains("no token to draw"));
    assert!(error(&[0.0; 2], &row(&good, &[], 1.0)).message.contains("uniform"));
    let penalties = SamplingParams { presence_penalty: 1.0, ..good };
    let past = SampleRow { prompt: &[2], ..row(&penalties, &[], 0.0) };
    assert!(error(&[0.0; 2], &past).message.contains("prompt holds token 2"));
    assert!(error(&[], &row(&SamplingParams::greedy(), &[], 0.0)).message.contains("no token to draw"));
}

#[test]
fn bad_words_ban_the_token_that_would_complete_them() {
    let words = [vec![7], vec![1, 2, 3], vec![], vec![9, 4]];
    let banned = |output: &[u32]| {
        let mut banned = Vec::new();
        ban_bad_words(&words, output, &mut banned);
        banned
    };
    assert_eq!(banned(&[]), [7]);
    assert_eq!(banned(&[1]), [7]);
    assert_eq!(banned(&[0, 1, 2]), [7, 3]);
    assert_eq!(banned(&[1, 2, 9]), [7, 4]);
}
