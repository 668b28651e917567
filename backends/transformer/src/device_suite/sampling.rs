//! Sampling tokens, and recorded steps.

use std::cell::Cell;

use jig_plugin_api::{SampleRow, SamplingParams, mask, sampler};

use super::reference;
use super::suite::{Found, Suite, Tolerance, compare, filled, numbers, plain_batch, read};
use crate::device::{Device, MatrixPart, MatrixSource};
use crate::weights::{DType, Tensor};

pub(super) fn cases<D: Device>(suite: &mut Suite<'_, D>) {
    for vocabulary in [1000, 5003] {
        let name = format!("sample: the tokens of the reference sampler, of {vocabulary}");
        suite.case(name, |device, _| sample(device, vocabulary));
    }
    suite.case("record: a step computes its own batch, replayed or not".to_owned(), record);
}

fn sample<D: Device>(device: &D, vocabulary: usize) -> Found {
    let rows = 5;
    let mut values: Vec<f32> = numbers(rows * vocabulary, 40).iter().map(|x| x * 8.0).collect();
    // One row with many equal logits, and one with all equal.
    values[..vocabulary].iter_mut().for_each(|x| *x = (*x / 16.0).round());
    values[vocabulary..][..vocabulary].fill(1.5);
    let logits = filled(device, vocabulary, &values)?;
    let some = mask::pack(vocabulary, (0..vocabulary as u32).step_by(3));
    let base = SamplingParams::default();
    let all = [
        SamplingParams::greedy(),
        base.clone(),
        SamplingParams { temperature: 0.7, top_k: 40, top_p: 0.9, min_p: 0.01, ..base.clone() },
        SamplingParams { repetition_penalty: 1.3, presence_penalty: 0.5, frequency_penalty: 0.25, ..base.clone() },
        SamplingParams { logit_bias: vec![(3, 9.0), (999, -5.0)], logprobs: Some(4), ..base.clone() },
        SamplingParams { top_k: 3, logprobs: Some(20), ..base },
    ];
    let uniforms = numbers(60, 41);
    let (prompt, output) = ([1, 2, 3, 4], [3, 3, 9]);
    let mut asked = Vec::new();
    for (index, uniform) in uniforms.iter().enumerate() {
        asked.push(SampleRow {
            row: (index % rows) as u32,
            mask: if index % 2 == 0 { &some } else { &[] },
            banned: if index % 3 == 0 { &[0, 6] } else { &[] },
            params: &all[index % all.len()],
            uniform: uniform.abs().min(0.999),
            prompt: &prompt,
            output: &output,
        });
    }
    let drawn = device.sample(&logits, vocabulary, &asked)?;
    let mut scratch = sampler::Scratch::default();
    for (index, (row, drawn)) in asked.iter().zip(&drawn).enumerate() {
        let values = &values[row.row as usize * vocabulary..][..vocabulary];
        let right = sampler::sample(values, row, &mut scratch)?;
        if drawn.token != right.token {
            return Ok(Some(format!("draw {index}: token {}, not {}", drawn.token, right.token)));
        }
        let close =
            |(found, right): (&(u32, f32), &(u32, f32))| found.0 == right.0 && (found.1 - right.1).abs() <= 1e-4;
        let tops = drawn.top_logprobs.len() == right.top_logprobs.len()
            && drawn.top_logprobs.iter().zip(&right.top_logprobs).all(close);
        if (drawn.logprob - right.logprob).abs() > 1e-4 || !tops {
            return Ok(Some(format!("draw {index}: log-probabilities {drawn:?}, not {right:?}")));
        }
    }
    Ok((drawn.len() != asked.len()).then(|| format!("{} tokens for {} rows", drawn.len(), asked.len())))
}

/// Runs the same shape three times with different tokens.
fn record<D: Device>(device: &D, tolerance: Tolerance) -> Found {
    let (ids, width) = (50, 16);
    let values = numbers(ids * width, 42);
    let table = Tensor::from_values(DType::BF16, &[ids, width], &values);
    let table = device.matrix(&MatrixSource {
        parts: &[MatrixPart { weight: &table, bias: None, scale: None, groups: None }],
        dtype: DType::BF16,
    })?;
    let out = device.buffer(4, width)?;
    for first in [0u32, 7, 31] {
        let tokens: Vec<u32> = (first..first + 4).collect();
        let batch = plain_batch(&tokens, &[0; 4]);
        device.begin(&batch)?;
        let called = Cell::new(0);
        device.record(batch.shape(), &mut || {
            called.set(called.get() + 1);
            device.embed(&table, &out)
        })?;
        let right: Vec<_> =
            tokens.iter().map(|token| reference::wide(&values[*token as usize * width..][..width])).collect();
        let problem = compare(tolerance, &read(device, &out, 4)?, &right);
        if problem.is_some() || called.get() > 1 {
            return Ok(problem.or(Some("the operations were enqueued twice".to_owned())));
        }
    }
    Ok(None)
}
