//! Whole models on the kernels that run on the CPU: the golden models, and the promises of the plugin API.

use std::sync::Arc;

use jig_backend_cuda::device::{CudaDevice, Settings};
use jig_plugin_api::conformance::{self, Outcome};
use jig_plugin_api::host::Silent;
use jig_plugin_api::{
    Backend, BackendInfo, Chunk, DeviceInfo, Error, ErrorCode, HostServices, LogitsWanted, Model, ModelSpec, Result,
    SampleRow, SamplingParams, SequenceId,
};
use jig_transformer::golden::{Golden, OF_4_BITS, OF_8_BITS, difference, quantized};
use jig_transformer::{DType, Transformer};

use crate::available;
use crate::emulator::Emulator;

/// The largest difference that counts as equal, as a share of the largest logit of a row: where keys and values are kept in `f32`,
/// and where they are rounded to 16 bits.
const TOLERANCE: f32 = 1e-4;
const ROUNDED_TOLERANCE: f32 = 4e-2;

/// The CUDA backend without a GPU.
struct Emulated {
    runtime: Arc<Emulator>,
    settings: Settings,
}

impl Emulated {
    fn new(settings: Settings) -> Self {
        Self { runtime: Emulator::new(64 << 20), settings }
    }
}

impl Backend for Emulated {
    fn describe(&self) -> BackendInfo {
        BackendInfo {
            name: "cuda".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "The CUDA backend without a GPU".to_owned(),
            devices: vec![DeviceInfo { id: "emulated".to_owned(), name: "none".to_owned(), memory_bytes: 64 << 20 }],
            problem: None,
            options: Vec::new(),
        }
    }

    fn load(&self, spec: &ModelSpec, host: Arc<dyn HostServices>) -> Result<Box<dyn Model>> {
        jig_backend_cuda::check_options(&spec.options)?;
        if !matches!(spec.device.as_str(), "auto" | "emulated") {
            return Err(Error::invalid_argument(format!("device `{}`: there is `emulated` only", spec.device)));
        }
        let device = CudaDevice::new(self.runtime.clone(), self.settings)?;
        Ok(Box::new(Transformer::load(device, spec, &host)?))
    }
}

fn spec(golden: &Golden) -> ModelSpec {
    let mut spec = ModelSpec::new(&golden.directory);
    (spec.max_sequences, spec.kv_cache_bytes) = (16, Some(1 << 20));
    spec
}

fn load(backend: &Emulated, golden: &Golden) -> Box<dyn Model> {
    backend.load(&spec(golden), Arc::new(Silent)).unwrap_or_else(|error| panic!("{}: {error}", golden.name))
}

fn chunk(sequence: SequenceId, tokens: &[u32], logits: LogitsWanted) -> Chunk<'_> {
    Chunk { sequence, tokens, logits }
}

#[test]
fn logits_of_prompt_and_decode_steps_equal_those_of_the_reference() {
    if !available() {
        return;
    }
    let types = [(Some(DType::F32), TOLERANCE), (Some(DType::F16), ROUNDED_TOLERANCE), (None, ROUNDED_TOLERANCE)];
    let all = Golden::all();
    for (golden, (kv_type, tolerance)) in all.iter().flat_map(|golden| types.map(|chosen| (golden, chosen))) {
        let backend = Emulated::new(Settings { kv_type, ..Settings::default() });
        let mut model = load(&backend, golden);
        let sequence = model.open().expect("a sequence");
        // In two pieces, so that the second one sees pages that the first one has written.
        let (head, tail) = golden.prompt.split_at(golden.prompt.len() / 2);
        let mut found = Vec::new();
        for piece in [head, tail] {
            model.forward(&[chunk(sequence, piece, LogitsWanted::All)]).expect("a piece");
            found.extend((0..piece.len()).map(|row| model.logits(row as u32).expect("a row")));
        }
        for (found, right) in found.iter().zip(&golden.prompt_logits) {
            let difference = difference(found, right);
            assert!(difference <= tolerance, "{}: {difference}", golden.name);
        }
        for (token, right) in &golden.steps {
            model.forward(&[chunk(sequence, &[*token], LogitsWanted::Last)]).expect("a step");
            let difference = difference(&model.logits(0).expect("a row"), right);
            assert!(difference <= tolerance, "{}: {difference}", golden.name);
        }
        let replayed = golden.steps.len() - 1;
        assert_eq!(backend.runtime.replays(), replayed, "{}: all steps but the first are replayed", golden.name);
        drop(model);
        assert_eq!(backend.runtime.used(), 0, "{}: all memory is given back", golden.name);
    }
}

#[test]
fn greedy_decoding_draws_the_tokens_of_the_reference() {
    if !available() {
        return;
    }
    let params = SamplingParams::greedy();
    let row = SampleRow { row: 0, mask: &[], banned: &[], params: &params, uniform: 0.0, prompt: &[], output: &[] };
    for golden in Golden::all() {
        let mut model = load(&Emulated::new(Settings::default()), &golden);
        let sequence = model.open().expect("a sequence");
        model.forward(&[chunk(sequence, &golden.prompt, LogitsWanted::Last)]).expect("the prompt");
        for (token, _) in &golden.steps {
            let drawn = model.sample(&[row]).expect("a token")[0].token;
            assert_eq!(drawn, *token, "{}", golden.name);
            model.forward(&[chunk(sequence, &[drawn], LogitsWanted::Last)]).expect("a step");
        }
    }
}

/// Sequences that come and go, in batches whose sizes change: replayed steps have the bits of those that are not.
#[test]
fn replayed_steps_have_the_bits_of_steps_that_are_run() {
    if !available() {
        return;
    }
    for name in ["llama2", "qwen3", "opt", "mistral"] {
        let golden = Golden::named(name);
        let tokens = golden.tokens();
        let backends = [true, false].map(|record| Emulated::new(Settings { record, ..Settings::default() }));
        let run = |backend: &Emulated| {
            let mut model = load(backend, &golden);
            let mut sequences = Vec::new();
            let mut found = Vec::new();
            for size in [1, 1, 1, 3, 3, 3, 5, 5, 5, 2, 2, 1, 1, 3, 5] {
                while sequences.len() < size {
                    let sequence = model.open().expect("a sequence");
                    let length = 3 + sequences.len();
                    model.forward(&[chunk(sequence, &tokens[..length], LogitsWanted::None)]).expect("a prompt");
                    sequences.push((sequence, length));
                }
                for (sequence, _) in sequences.drain(size..) {
                    model.close(sequence).expect("open");
                }
                let batch: Vec<_> = sequences
                    .iter()
                    .map(|(sequence, length)| chunk(*sequence, &tokens[*length..=*length], LogitsWanted::Last))
                    .collect();
                model.forward(&batch).expect("a step");
                found.extend((0..size).map(|row| model.logits(row as u32).expect("a row")));
                sequences.iter_mut().for_each(|(_, length)| *length += 1);
            }
            found
        };
        let [recorded, plain] = backends.each_ref().map(run);
        assert!(recorded == plain, "{name}");
        assert!(backends[0].runtime.replays() > 5 && backends[1].runtime.replays() == 0, "{name}");
    }
}

#[test]
fn the_conformance_kit_passes() {
    if !available() {
        return;
    }
    for name in ["llama2", "qwen3", "opt-post-norm"] {
        let backend = Emulated::new(Settings::default());
        let mut wrong = Vec::new();
        let spec = ModelSpec::new(&Golden::named(name).directory);
        let summary = conformance::run(&backend, &spec, &mut |result| match &result.outcome {
            // Some cases want longer texts than these models take.
            Outcome::Passed | Outcome::Skipped(_) => {}
            Outcome::Failed(reason) => wrong.push(format!("{}: {reason}", result.name)),
        });
        assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
        assert!(summary.passed > 20, "{summary:?}");
    }
}

#[test]
fn the_cache_takes_the_share_of_the_memory_that_is_left_and_too_little_is_said() {
    if !available() {
        return;
    }
    let golden = Golden::named("llama2");
    let blocks = |memory_share: f64| {
        let backend = Emulated::new(Settings { memory_share, ..Settings::default() });
        let mut spec = ModelSpec::new(&golden.directory);
        spec.max_sequences = 1 << 20;
        let model = backend.load(&spec, Arc::new(Silent))?;
        let share = (64u64 << 20) as f64 * memory_share;
        assert!(backend.runtime.used() as f64 <= share, "{} of {share}", backend.runtime.used());
        Ok::<_, jig_plugin_api::Error>(model.memory().total_blocks)
    };
    let (half, most) = (blocks(0.5).expect("half"), blocks(0.9).expect("most"));
    assert!(half > 0 && most > half, "{half} and {most}");
    let error = blocks(0.001).expect_err("less than the weights take");
    assert!(error.code == ErrorCode::OutOfMemory && error.message.contains("KV cache"), "{error}");
}

#[test]
fn keys_and_values_are_kept_in_the_type_that_is_asked_for() {
    if !available() {
        return;
    }
    let golden = Golden::named("llama2");
    let load = |kv_type| load(&Emulated::new(Settings { kv_type, ..Settings::default() }), &golden);
    let block = |model: &dyn Model| model.memory().kv_capacity_bytes / u64::from(model.memory().total_blocks);
    let (wide, mut narrow) = (load(None), load(Some(DType::BF16)));
    assert_eq!(block(&*wide), 2 * block(&*narrow));
    let sequence = narrow.open().expect("a sequence");
    narrow.forward(&[chunk(sequence, &golden.prompt, LogitsWanted::Last)]).expect("the prompt");
    let right = golden.prompt_logits.last().expect("logits");
    let difference = difference(&narrow.logits(0).expect("a row"), right);
    assert!(difference > 1e-6 && difference < ROUNDED_TOLERANCE, "{difference}");
}

#[test]
fn weights_in_8_bits_stay_so_and_give_what_their_numbers_give() {
    if !available() {
        return;
    }
    for (name, block) in OF_8_BITS {
        let golden = Golden::named(name);
        let directory = tempfile::tempdir().expect("a directory");
        let run = |directory: &std::path::Path| {
            let backend = Emulated::new(Settings { kv_type: Some(DType::F32), ..Settings::default() });
            let mut model = load(&backend, &Golden { directory: directory.to_owned(), ..golden.clone() });
            let sequence = model.open().expect("a sequence");
            let mut found = Vec::new();
            // Rows by the kernels for few, and by products of widened weights.
            for piece in [&golden.prompt[..3], &golden.prompt[3..], &golden.prompt.repeat(2)] {
                model.forward(&[chunk(sequence, piece, LogitsWanted::All)]).expect("a piece");
                found.extend((0..piece.len()).map(|row| model.logits(row as u32).expect("a row")));
            }
            (found, model.memory().weight_bytes)
        };
        let [of_8_bits, plain] = quantized(&golden, directory.path(), block);
        let ((found, bytes), (right, plain_bytes)) = (run(&of_8_bits), run(&plain));
        assert!(bytes < plain_bytes * 2 / 3, "{name}: {bytes} of {plain_bytes} bytes");
        for (row, (found, right)) in found.iter().zip(&right).enumerate() {
            // Products of many rows are of activations in 16 bits; and where only some of stacked matrices have 8 bits, those of a model in
            // bf16 are rounded to that with their scales.
            let tolerance = if row < 3 && name != "mistral" { TOLERANCE } else { ROUNDED_TOLERANCE };
            let difference = difference(found, right);
            assert!(difference <= tolerance, "{name}, row {row}: {difference}");
        }
    }
}

#[test]
fn weights_in_4_bits_stay_so_and_give_what_their_numbers_stand_for() {
    if !available() {
        return;
    }
    for name in OF_4_BITS {
        let golden = Golden::named(name);
        let run = |dtype: &str| {
            let backend = Emulated::new(Settings { kv_type: Some(DType::F32), ..Settings::default() });
            let spec = ModelSpec { dtype: dtype.to_owned(), ..spec(&golden) };
            let mut model = backend.load(&spec, Arc::new(Silent)).expect("a model");
            let sequence = model.open().expect("a sequence");
            let mut found = Vec::new();
            // Rows by the kernels for few, and by products of widened weights.
            for piece in [&golden.prompt[..3], &golden.prompt.repeat(2)] {
                model.forward(&[chunk(sequence, piece, LogitsWanted::All)]).expect("a piece");
                found.extend((0..piece.len()).map(|row| model.logits(row as u32).expect("a row")));
            }
            (found, model.info().dtype, model.memory().weight_bytes)
        };
        let ((found, dtype, bytes), (right, wide, wide_bytes)) = (run("auto"), run("f32"));
        assert_eq!((dtype.as_str(), wide.as_str()), ("i4", "f32"));
        // Tables and the last projection, which are as large, have 16.
        assert!(bytes < wide_bytes * 2 / 5, "{name}: {bytes} of {wide_bytes} bytes");
        for (row, (found, right)) in found.iter().zip(&right).enumerate() {
            let tolerance = if row < 3 { TOLERANCE } else { ROUNDED_TOLERANCE };
            let difference = difference(found, right);
            assert!(difference <= tolerance, "{name}, row {row}: {difference}");
        }
    }
}
