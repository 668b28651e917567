//! The golden models in every layout against the values of the reference implementation, which the transformer is held against too.

mod support;

use jig_plugin_api::conformance::{self, Outcome};
use jig_plugin_api::{LogitsWanted, SampleRow, SamplingParams};
use jig_transformer::golden::difference;
use support::{Case, all_logits, case, cases, chunk, load};

/// The largest difference of logits that counts as equal, as a share of the largest logit of a row.
const TOLERANCE: f32 = 1e-4;

fn exact() -> impl Iterator<Item = &'static Case> {
    cases().into_iter().flatten().filter(|case| case.exact)
}

#[test]
fn logits_of_prompt_and_decode_steps_equal_those_of_the_reference() {
    for case in exact() {
        let mut model = case.load();
        let sequence = model.open().expect("a sequence");
        let found = all_logits(&mut *model, sequence, &case.golden.prompt);
        let steps = case.golden.steps.iter().map(|(token, right)| {
            model.forward(&[chunk(sequence, &[*token], LogitsWanted::Last)]).expect("a step");
            (model.logits(0).expect("a row"), right)
        });
        for (found, right) in found.into_iter().zip(&case.golden.prompt_logits).chain(steps) {
            let difference = difference(&found, right);
            assert!(difference <= TOLERANCE, "{}: {difference}", case.name);
        }
    }
}

#[test]
fn greedy_decoding_draws_the_tokens_of_the_reference() {
    let params = SamplingParams::greedy();
    let row = SampleRow { row: 0, mask: &[], banned: &[], params: &params, uniform: 0.0, prompt: &[], output: &[] };
    for case in exact() {
        let mut model = case.load();
        let sequence = model.open().expect("a sequence");
        model.forward(&[chunk(sequence, &case.golden.prompt, LogitsWanted::Last)]).expect("the prompt");
        for (token, _) in &case.golden.steps {
            let drawn = model.sample(&[row]).expect("a token")[0].token;
            assert_eq!(drawn, *token, "{}", case.name);
            model.forward(&[chunk(sequence, &[drawn], LogitsWanted::Last)]).expect("a step");
        }
    }
}

#[test]
fn sequences_of_all_lengths_decode_together_as_they_do_alone() {
    for case in exact() {
        let tokens = case.golden.tokens();
        let mut whole = case.golden.prompt_logits.clone();
        whole.extend(case.golden.steps.iter().map(|step| step.1.clone()));
        for batching in ["auto", "lengths"] {
            let mut spec = case.spec();
            spec.options.push(("batching".to_owned(), batching.to_owned()));
            let mut model = load(&spec).expect("a model");
            let mut lengths = [11usize, 1, 17, 4, 11, 9, 2];
            let mut sequences = Vec::new();
            for length in lengths {
                let sequence = model.open().expect("a sequence");
                model.forward(&[chunk(sequence, &tokens[..length], LogitsWanted::None)]).expect("the beginning");
                sequences.push(sequence);
            }
            for round in 0..4 {
                // Now and then one of them waits, or gets more than one token.
                let amounts: Vec<usize> = (0..7).map(|index| [1, 1, 0, 2][(index * round) % 4]).collect();
                let chosen = (0..7).filter(|index| amounts[*index] > 0);
                let batch: Vec<_> = chosen
                    .clone()
                    .map(|i| chunk(sequences[i], &tokens[lengths[i]..lengths[i] + amounts[i]], LogitsWanted::Last))
                    .collect();
                model.forward(&batch).expect("a step");
                for (row, index) in chosen.enumerate() {
                    lengths[index] += amounts[index];
                    let difference = difference(&model.logits(row as u32).expect("a row"), &whole[lengths[index] - 1]);
                    assert!(difference <= TOLERANCE, "{} at {}: {difference}", case.name, lengths[index]);
                }
            }
        }
    }
}

#[test]
fn smaller_types_are_read_and_stay_near() {
    for (name, dtype, most) in
        [("llama2-fp16", "f16", 0.02), ("llama3-genai-fp16", "f16", 0.02), ("llama2-int8", "quantized", 0.5)]
    {
        let Some(case) = case(name) else { return };
        let mut model = case.load();
        assert_eq!(model.info().dtype, dtype);
        let sequence = model.open().expect("a sequence");
        let found = all_logits(&mut *model, sequence, &case.golden.prompt);
        for (found, right) in found.iter().zip(&case.golden.prompt_logits) {
            let difference = difference(found, right);
            assert!(difference > 1e-6 && difference <= most, "{name}: {difference}");
        }
    }
}

#[test]
fn the_conformance_kit_passes_on_each_model() {
    for case in cases().into_iter().flatten() {
        let mut wrong = Vec::new();
        let backend = jig_backend_ort::backend();
        let summary = conformance::run(&*backend, &case.spec(), &mut |result| match &result.outcome {
            Outcome::Passed => {}
            Outcome::Failed(reason) | Outcome::Skipped(reason) => wrong.push(format!("{}: {reason}", result.name)),
        });
        assert!(wrong.is_empty(), "{}: {}", case.name, wrong.join("\n"));
        assert!(summary.passed > 20, "{summary:?}");
    }
}
