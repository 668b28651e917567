//! Models that several devices compute together: each with its part of the weights, and their sums exchanged.

#[path = "../forwarding/mod.rs"]
mod forwarding;
mod ranked;

use std::sync::Arc;
use std::thread;

use jig_plugin_api::host::Silent;
use jig_plugin_api::{Chunk, ErrorCode, HostServices, LogitsWanted, Model, ModelSpec};
use jig_transformer::golden::{Golden, difference};
use jig_transformer::{Device, Tensor, Transformer};

use crate::ranked::{Parts, Ranked, ranks};

/// The largest difference that counts as equal, as a share of the largest logit of a row.
const TOLERANCE: f32 = 1e-4;

fn load<D: Device>(device: D, golden: &Golden) -> jig_plugin_api::Result<Transformer<D>> {
    let mut spec = ModelSpec::new(&golden.directory);
    (spec.max_sequences, spec.kv_cache_bytes) = (4, Some(1 << 20));
    let host: Arc<dyn HostServices> = Arc::new(Silent);
    Transformer::load(device, &spec, &host)
}

/// The logits after each token of the prompt and of the steps.
fn logits(model: &mut dyn Model, golden: &Golden) -> Vec<Vec<f32>> {
    let sequence = model.open().expect("a sequence");
    let mut found = Vec::new();
    let steps = golden.steps.iter().map(|(token, _)| std::slice::from_ref(token));
    for tokens in [&golden.prompt[..]].into_iter().chain(steps) {
        model.forward(&[Chunk { sequence, tokens, logits: LogitsWanted::All }]).expect("a step");
        found.extend((0..tokens.len()).map(|row| model.logits(row as u32).expect("a row")));
    }
    found
}

/// Whether so many ranks can have parts of the model's weights.
fn is_divisible(golden: &Golden, of: usize) -> bool {
    match golden.name.as_str() {
        // Weights in 4 bits whose inputs are in the order of their groups.
        "mistral-gptq" | "mistral-compressed" => of == 1,
        // Weights in few bits of 48 inputs, of which 4 ranks would have 12 each.
        "qwen3-gptq" | "qwen3-compressed" | "qwen3-fp8" => of < 4,
        _ => true,
    }
}

#[test]
fn ranks_that_add_up_what_they_compute_have_the_logits_of_the_reference() {
    for golden in Golden::all() {
        // With 4 ranks, some models have fewer heads of keys than there are ranks.
        for of in [1, 2, 4].into_iter().filter(|of| is_divisible(&golden, *of)) {
            let rank = |device: Ranked| logits(&mut load(device, &golden).expect("a part of the model"), &golden);
            let found: Vec<_> = thread::scope(|scope| {
                let running: Vec<_> = ranks(of).into_iter().map(|device| scope.spawn(|| rank(device))).collect();
                running.into_iter().map(|rank| rank.join().expect("a rank")).collect()
            });
            assert_eq!(found[0].len(), golden.prompt_logits.len() + golden.steps.len());
            let right = golden.prompt_logits.iter().chain(golden.steps.iter().map(|(_, logits)| logits));
            for (found, right) in found[0].iter().zip(right) {
                let difference = difference(found, right);
                assert!(difference <= TOLERANCE, "{} on {of}: {difference}", golden.name);
            }
            assert!(found.iter().all(|other| *other == found[0]), "{} on {of}: ranks differ", golden.name);
        }
    }
}

/// The ranks' parts of a weight put together: by outputs, by inputs, or the same on each.
fn joined(parts: &[&Tensor], whole: &Tensor) -> Vec<f32> {
    let values: Vec<_> = parts.iter().map(|part| part.to_f32()).collect();
    if parts.iter().all(|part| part.shape() == whole.shape()) {
        assert!(values.iter().all(|other| *other == values[0]), "{whole:?}: ranks have different ones");
        return values[0].clone();
    }
    let width = whole.shape().get(1).copied().unwrap_or(1);
    if parts[0].shape().get(1).copied().unwrap_or(1) == width {
        return values.concat();
    }
    let rows = (0..whole.shape()[0]).map(|row| {
        let of_rank =
            |(part, values): (&&Tensor, &Vec<f32>)| values[row * part.shape()[1]..][..part.shape()[1]].to_vec();
        parts.iter().zip(&values).map(of_rank).collect::<Vec<_>>().concat()
    });
    rows.collect::<Vec<_>>().concat()
}

#[test]
fn the_ranks_parts_of_every_weight_are_the_whole_and_each_holds_less() {
    for golden in Golden::all().into_iter().filter(|golden| is_divisible(golden, 2)) {
        let uploaded = |of| -> Vec<(Vec<Parts>, u64)> {
            let load = |device| load(device, &golden).expect("a part of the model");
            let uploaded = |model: Transformer<Ranked>| (model.device().matrices(), model.memory().weight_bytes);
            ranks(of).into_iter().map(load).map(uploaded).collect()
        };
        let whole = uploaded(1).remove(0);
        let ranks = uploaded(2);
        assert!(ranks.iter().all(|(matrices, bytes)| matrices.len() == whole.0.len() && *bytes < whole.1));
        for (index, stacked) in whole.0.iter().enumerate() {
            for (part, (weight, bias)) in stacked.iter().enumerate() {
                let of_ranks: Vec<_> = ranks.iter().map(|(matrices, _)| &matrices[index][part]).collect();
                let weights: Vec<_> = of_ranks.iter().map(|(weight, _)| weight).collect();
                assert_eq!(joined(&weights, weight), weight.to_f32(), "{}: matrix {index}", golden.name);
                let biases: Vec<_> = of_ranks.iter().filter_map(|(_, bias)| bias.as_ref()).collect();
                let Some(bias) = bias else {
                    assert!(biases.is_empty());
                    continue;
                };
                assert_eq!(joined(&biases, bias), bias.to_f32(), "{}: bias {index}", golden.name);
                // What is summed has its bias once.
                let summed = weights[0].shape()[1] < weight.shape()[1];
                assert_eq!(biases.len(), if summed { 1 } else { 2 }, "{}: bias {index}", golden.name);
            }
        }
    }
}

#[test]
fn a_model_that_can_not_be_divided_is_refused_by_name() {
    let device = ranks(3).remove(1);
    let error = load(device, &Golden::named("mistral")).err().expect("4 heads on 3 devices");
    assert_eq!(error.code, ErrorCode::Unsupported);
    assert!(error.message.contains("MistralForCausalLM") && error.message.contains("4 attention heads"), "{error}");
}

#[test]
fn weights_in_4_bits_whose_groups_can_not_be_divided_are_refused_with_the_reason() {
    for (name, of, says) in [("mistral-gptq", 2, "g_idx"), ("qwen3-gptq", 4, "multiples of 8 inputs")] {
        let error = load(ranks(of).remove(1), &Golden::named(name)).err().expect("no part of it");
        assert_eq!(error.code, ErrorCode::Unsupported);
        assert!(error.message.contains("AttentionOutput in 4 bits") && error.message.contains(says), "{error}");
    }
}
