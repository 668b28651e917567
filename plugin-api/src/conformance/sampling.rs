//! `sample`: masks, numbers, and what it refuses.

use super::case::{Case, Check};
use super::subject::{Subject, Verdict, ensure, fail, plain, refused};
use crate::sampler::{self, Scratch};
use crate::{Chunk, ErrorCode, LogitsWanted, SampleRow, SamplingParams, mask};

pub(super) const CASES: &[Case] = &[
    Case {
        name: "sample.greedy",
        promise: "temperature 0 takes the largest logit, the lowest id among equals",
        check: Check::Model(greedy),
    },
    Case { name: "sample.masks", promise: "only tokens of the mask are drawn", check: Check::Model(masks) },
    Case {
        name: "sample.mask-refusals",
        promise: "a mask of a wrong length, and one that allows nothing, is refused",
        check: Check::Model(mask_refusals),
    },
    Case {
        name: "sample.uniform",
        promise: "the same uniform number draws the same token, in any company",
        check: Check::Model(uniform),
    },
    Case {
        name: "sample.reference",
        promise: "temperature, min_p, top_k and top_p draw what the reference sampler draws",
        check: Check::Model(reference),
    },
    Case {
        name: "sample.penalties",
        promise: "penalties, bias and banned tokens draw what the reference sampler draws",
        check: Check::Model(penalties),
    },
    Case {
        name: "sample.logprobs",
        promise: "log-probabilities are those of the raw logits, the most likely first",
        check: Check::Model(logprobs),
    },
    Case {
        name: "sample.refusals",
        promise: "a row that is not there, and parameters out of range, are refused",
        check: Check::Model(refusals),
    },
];

/// Draws to compare in a case.
const ROUNDS: usize = 64;

/// Some rows of logits, of one sequence.
fn rows(subject: &mut Subject) -> Verdict<Vec<Vec<f32>>> {
    let tokens = subject.tokens(6);
    let sequence = subject.open()?;
    subject.model.forward(&[Chunk { sequence, tokens: &tokens, logits: LogitsWanted::All }])?;
    (0..tokens.len() as u32).map(|row| subject.logits(row)).collect()
}

/// A mask that allows about one token in `share`, and at least one.
fn random_mask(subject: &mut Subject, share: u32) -> Vec<u32> {
    let width = subject.info.vocab_size;
    let always = subject.random.below(width);
    let chosen = (0..width).filter(|&token| token == always || subject.random.below(share) == 0).collect::<Vec<_>>();
    mask::pack(width as usize, chosen)
}

/// Fails unless the model draws what the reference sampler draws from the model's logits.
fn agrees(subject: &mut Subject, logits: &[Vec<f32>], row: &SampleRow<'_>) -> Verdict {
    let expected = sampler::sample(&logits[row.row as usize], row, &mut Scratch::default())?;
    let found = subject.draw(row)?;
    ensure(found.token == expected.token, || {
        let (params, uniform) = (row.params, row.uniform);
        format!("drew {} instead of {}, with uniform {uniform} and {params:?}", found.token, expected.token)
    })
}

fn greedy(subject: &mut Subject) -> Verdict {
    let logits = rows(subject)?;
    let params = SamplingParams::greedy();
    for row in 0..logits.len() as u32 {
        agrees(subject, &logits, &plain(row, &params))?;
        let mask = random_mask(subject, 4);
        agrees(subject, &logits, &SampleRow { mask: &mask, ..plain(row, &params) })?;
    }
    Ok(())
}

fn masks(subject: &mut Subject) -> Verdict {
    let logits = rows(subject)?;
    let width = subject.info.vocab_size;
    let hot = SamplingParams { temperature: 2.0, ..SamplingParams::default() };
    let filtered = SamplingParams { top_k: 3, top_p: 0.8, min_p: 0.05, ..SamplingParams::default() };
    for round in 0..ROUNDS {
        let row = (round % logits.len()) as u32;
        let share = [2, 10, 100, width][round % 4];
        // The last word of a mask has bits past the vocabulary: they mean nothing.
        let mut mask = random_mask(subject, share);
        if !width.is_multiple_of(32)
            && let Some(word) = mask.last_mut()
        {
            *word |= u32::MAX << (width % 32);
        }
        let params = [&hot, &filtered, &SamplingParams::greedy()][round % 3].clone();
        let uniform = subject.random.uniform();
        let token = subject.draw(&SampleRow { mask: &mask, uniform, ..plain(row, &params) })?.token;
        ensure(token < width && mask::allows(&mask, token), || format!("drew token {token}, which is masked"))?;

        let only = subject.random.below(width);
        let mask = mask::pack(width as usize, [only]);
        let token = subject.draw(&SampleRow { mask: &mask, uniform, ..plain(row, &params) })?.token;
        ensure(token == only, || format!("drew token {token} where only {only} is allowed"))?;
    }
    Ok(())
}

fn mask_refusals(subject: &mut Subject) -> Verdict {
    rows(subject)?;
    let width = subject.info.vocab_size as usize;
    let params = SamplingParams::default();
    let words = mask::words(width);
    let nothing = vec![0; words];
    let long = vec![u32::MAX; words + 1];
    let mut masks = vec![("a mask that allows nothing", &nothing[..]), ("a mask with a word too many", &long[..])];
    if words > 1 {
        masks.push(("a mask with a word too few", &long[..words - 1]));
    }
    let codes = &[ErrorCode::InvalidArgument];
    for (what, mask) in masks {
        refused(what, subject.model.sample(&[SampleRow { mask, ..plain(0, &params) }]), codes)?;
    }
    let only = mask::pack(width, [0]);
    let banned = SampleRow { mask: &only, banned: &[0], ..plain(0, &params) };
    refused("a mask whose only token is banned", subject.model.sample(&[banned]), codes)?;
    subject.draw(&plain(0, &params))?;
    Ok(())
}

fn uniform(subject: &mut Subject) -> Verdict {
    let logits = rows(subject)?;
    let params = [
        SamplingParams::default(),
        SamplingParams { temperature: 1.5, top_k: 20, ..SamplingParams::default() },
        SamplingParams { temperature: 0.7, top_p: 0.9, ..SamplingParams::default() },
    ];
    let mask = random_mask(subject, 3);
    let mut asked = Vec::new();
    for round in 0..24 {
        let row = (round % logits.len()) as u32;
        let uniform = subject.random.uniform();
        let mask: &[u32] = if round % 2 == 0 { &[] } else { &mask };
        asked.push(SampleRow { mask, uniform, ..plain(row, &params[round % params.len()]) });
    }
    let together = subject.model.sample(&asked)?;
    ensure(together.len() == asked.len(), || format!("{} tokens for {} rows", together.len(), asked.len()))?;
    for (row, together) in asked.iter().zip(&together) {
        let alone = subject.draw(row)?;
        ensure(alone.token == together.token, || {
            format!("drew {} in a batch and {} alone, with uniform {}", together.token, alone.token, row.uniform)
        })?;
    }
    Ok(())
}

fn reference(subject: &mut Subject) -> Verdict {
    let logits = rows(subject)?;
    let width = subject.info.vocab_size;
    for round in 0..ROUNDS {
        let random = &mut subject.random;
        let params = SamplingParams {
            temperature: random.between(0.05, 2.0),
            top_k: if random.below(2) == 0 { 0 } else { 1 + random.below(width) },
            top_p: if random.below(2) == 0 { 1.0 } else { random.between(0.05, 1.0) },
            min_p: if random.below(2) == 0 { 0.0 } else { random.between(0.0, 0.5) },
            ..SamplingParams::default()
        };
        let uniform = random.uniform();
        let mask = if random.below(2) == 0 { Vec::new() } else { random_mask(subject, 3) };
        let row = SampleRow { mask: &mask, uniform, ..plain((round % logits.len()) as u32, &params) };
        agrees(subject, &logits, &row)?;
    }
    Ok(())
}

fn penalties(subject: &mut Subject) -> Verdict {
    let logits = rows(subject)?;
    let width = subject.info.vocab_size;
    for round in 0..ROUNDS {
        let row = (round % logits.len()) as u32;
        // Tokens with large logits are those whose penalties can be seen.
        let mut likely: Vec<u32> = (0..width).collect();
        let values = &logits[row as usize];
        likely.sort_by(|&a, &b| values[b as usize].total_cmp(&values[a as usize]));
        likely.truncate(12);
        let mut some = |count: u32| -> Vec<u32> {
            (0..count).map(|_| likely[subject.random.below(likely.len() as u32) as usize]).collect()
        };
        let (prompt, output, banned, biased) = (some(6), some(6), some(1), some(2));
        let random = &mut subject.random;
        let params = SamplingParams {
            temperature: if round % 2 == 0 { 0.0 } else { random.between(0.3, 1.5) },
            repetition_penalty: random.between(0.5, 2.0),
            presence_penalty: random.between(-2.0, 2.0),
            frequency_penalty: random.between(-2.0, 2.0),
            logit_bias: biased.into_iter().map(|token| (token, random.between(-4.0, 4.0))).collect(),
            ..SamplingParams::default()
        };
        let uniform = random.uniform();
        let banned: &[u32] = if width > 1 { &banned } else { &[] };
        let row = SampleRow { banned, uniform, prompt: &prompt, output: &output, ..plain(row, &params) };
        agrees(subject, &logits, &row)?;
    }
    Ok(())
}

fn logprobs(subject: &mut Subject) -> Verdict {
    let logits = rows(subject)?;
    let width = subject.info.vocab_size;
    for wanted in [0, 1, 5, u32::MAX] {
        // They are of the raw logits: temperature and mask do not show in them.
        let params = SamplingParams { temperature: 0.5, logprobs: Some(wanted), ..SamplingParams::default() };
        let mask = random_mask(subject, 2);
        let row = SampleRow { mask: &mask, ..plain(0, &params) };
        let expected = sampler::sample(&logits[0], &row, &mut Scratch::default())?;
        let found = subject.draw(&row)?;
        let close = |a: f32, b: f32| a == b || (a - b).abs() <= 1e-3;
        ensure(close(found.logprob, expected.logprob), || {
            format!("the drawn token's is {} instead of {}", found.logprob, expected.logprob)
        })?;
        let count = wanted.min(width) as usize;
        ensure(found.top_logprobs.len() == count, || {
            format!("{} of {count} log-probabilities", found.top_logprobs.len())
        })?;
        for (rank, (found, expected)) in found.top_logprobs.iter().zip(&expected.top_logprobs).enumerate() {
            if found.0 != expected.0 || !close(found.1, expected.1) {
                return fail(format!("number {rank} is {found:?} instead of {expected:?}"));
            }
        }
    }
    let quiet = subject.draw(&plain(0, &SamplingParams::default()))?;
    ensure(quiet.top_logprobs.is_empty(), || "log-probabilities that nobody asked for".to_owned())
}

fn refusals(subject: &mut Subject) -> Verdict {
    let logits = rows(subject)?;
    let good = SamplingParams::default();
    let codes = &[ErrorCode::InvalidArgument];
    for row in [logits.len() as u32, u32::MAX] {
        refused(format_args!("row {row}"), subject.model.sample(&[plain(row, &good)]), codes)?;
    }
    let bad = [
        ("temperature -1", SamplingParams { temperature: -1.0, ..good.clone() }),
        ("temperature NaN", SamplingParams { temperature: f32::NAN, ..good.clone() }),
        ("top_p 0", SamplingParams { top_p: 0.0, ..good.clone() }),
        ("min_p 2", SamplingParams { min_p: 2.0, ..good.clone() }),
        ("repetition_penalty 0", SamplingParams { repetition_penalty: 0.0, ..good.clone() }),
        ("a bias past the vocabulary", SamplingParams { logit_bias: vec![(u32::MAX, 1.0)], ..good.clone() }),
    ];
    for (what, params) in &bad {
        refused(what, subject.model.sample(&[plain(0, params)]), codes)?;
    }
    subject.draw(&plain(0, &good))?;
    Ok(())
}
