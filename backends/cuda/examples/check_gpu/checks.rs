//! What has to hold on a GPU.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use jig_plugin_api::conformance::{self, Outcome};
use jig_plugin_api::host::Silent;
use jig_plugin_api::{Chunk, LogitsWanted, Model, ModelSpec, Result, SampleRow, SamplingParams};
use jig_transformer::device_suite::{self, Tolerance};
use jig_transformer::golden::{Golden, OF_4_BITS, OF_8_BITS, difference, quantized};

/// The largest difference that counts as equal, as a share of the largest logit of a row: where keys and values are kept in `f32`,
/// and where they are rounded to 16 bits.
const TOLERANCE: f32 = 1e-4;
const ROUNDED_TOLERANCE: f32 = 4e-2;

/// A check: what it is called, and what of it failed.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> Vec<String>,
}

/// All of them.
pub(crate) const ALL: [Check; 6] = [
    Check { name: "operations, keys and values in f32", run: || operations("f32", 2e-5) },
    Check { name: "operations, keys and values in bf16", run: || operations("bf16", 2e-2) },
    Check { name: "golden models", run: golden_models },
    Check { name: "models in 8 bits", run: quantized_models },
    Check { name: "models in 4 bits", run: models_of_4_bits },
    Check { name: "conformance kit", run: promises },
];

/// Options of the backend that hold for all checks.
pub(crate) static OPTIONS: OnceLock<Vec<(String, String)>> = OnceLock::new();

/// Those, for what sets none of its own.
pub(crate) fn options() -> Vec<(String, String)> {
    OPTIONS.get().cloned().unwrap_or_default()
}

/// Those, and one more.
fn option(key: &str, value: &str) -> Vec<(String, String)> {
    let mut options = options();
    options.push((key.to_owned(), value.to_owned()));
    options
}

fn operations(kv_type: &str, relative: f64) -> Vec<String> {
    let device = match jig_backend_cuda::open("auto", &option("kv-cache-dtype", kv_type)) {
        Ok(device) => device,
        Err(error) => return vec![error.to_string()],
    };
    let results = device_suite::run(&device, Tolerance { relative, same_bits_in_any_batch: false });
    let failed = |result: &device_suite::CaseResult| Some(format!("{}: {}", result.name, result.problem.as_ref()?));
    results.iter().filter_map(failed).collect()
}

fn load(golden: &Golden, options: Vec<(String, String)>) -> Result<Box<dyn Model>> {
    let mut spec = ModelSpec::new(&golden.directory);
    (spec.max_sequences, spec.kv_cache_bytes, spec.options) = (16, Some(1 << 20), options);
    jig_backend_cuda::backend().load(&spec, Arc::new(Silent))
}

fn golden_models() -> Vec<String> {
    let types = [("f32", TOLERANCE), ("f16", ROUNDED_TOLERANCE), ("auto", ROUNDED_TOLERANCE)];
    let mut failed = Vec::new();
    for golden in Golden::all() {
        for (kv_type, tolerance) in types {
            let worst =
                load(&golden, option("kv-cache-dtype", kv_type)).and_then(|mut model| worst(&golden, &mut *model));
            match worst {
                Ok((logits, tokens)) if logits <= tolerance && tokens == 0 => {}
                Ok((logits, tokens)) => {
                    failed
                        .push(format!("{}, {kv_type}: logits differ by {logits}, {tokens} tokens differ", golden.name));
                }
                Err(error) => failed.push(format!("{}, {kv_type}: {error}", golden.name)),
            }
        }
    }
    failed
}

/// The largest difference of logits, and how many drawn tokens are others.
fn worst(golden: &Golden, model: &mut dyn Model) -> Result<(f32, usize)> {
    let params = SamplingParams::greedy();
    let row = SampleRow { row: 0, mask: &[], banned: &[], params: &params, uniform: 0.0, prompt: &[], output: &[] };
    let sequence = model.open()?;
    model.forward(&[Chunk { sequence, tokens: &golden.prompt, logits: LogitsWanted::All }])?;
    let mut worst = 0.0f32;
    for (index, right) in golden.prompt_logits.iter().enumerate() {
        worst = worst.max(difference(&model.logits(index as u32)?, right));
    }
    let mut others = 0;
    let last = SampleRow { row: golden.prompt.len() as u32 - 1, ..row };
    let mut drawn = model.sample(&[last])?[0].token;
    for (token, right) in &golden.steps {
        others += usize::from(drawn != *token);
        model.forward(&[Chunk { sequence, tokens: &[*token], logits: LogitsWanted::Last }])?;
        worst = worst.max(difference(&model.logits(0)?, right));
        drawn = model.sample(&[row])?[0].token;
    }
    Ok((worst, others))
}

/// Models whose projections have 8 bits, beside the same numbers in `f32`.
fn quantized_models() -> Vec<String> {
    let mut failed = Vec::new();
    for (name, block) in OF_8_BITS {
        let golden = Golden::named(name);
        let worst = || -> std::result::Result<f32, Box<dyn std::error::Error>> {
            let directory = tempfile::tempdir()?;
            let [of_8_bits, plain] = quantized(&golden, directory.path(), block);
            let (found, right) = (row_by_row(&golden, of_8_bits, "auto")?, row_by_row(&golden, plain, "auto")?);
            Ok(found.iter().zip(&right).map(|(found, right)| difference(found, right)).fold(0.0, f32::max))
        };
        match worst() {
            Ok(worst) if worst <= ROUNDED_TOLERANCE => {}
            Ok(worst) => failed.push(format!("{name}: logits differ by {worst}")),
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    failed
}

/// Models whose projections have 4 bits, beside the same weights in `f32`: as golden models they have few rows at once only.
fn models_of_4_bits() -> Vec<String> {
    let mut failed = Vec::new();
    for name in OF_4_BITS {
        let golden = Golden::named(name);
        let run = |dtype| row_by_row(&golden, golden.directory.clone(), dtype);
        match run("auto").and_then(|found| Ok((found, run("f32")?))) {
            Ok((found, right)) => {
                let worst = found.iter().zip(&right).map(|(found, right)| difference(found, right)).fold(0.0, f32::max);
                if worst > ROUNDED_TOLERANCE {
                    failed.push(format!("{name}: logits differ by {worst}"));
                }
            }
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    failed
}

/// Logits of the prompt of a golden model by another one's weights, kept in a type: a few rows at once, and then many.
fn row_by_row(golden: &Golden, directory: PathBuf, dtype: &str) -> Result<Vec<Vec<f32>>> {
    let mut spec = ModelSpec::new(&directory);
    (spec.max_sequences, spec.kv_cache_bytes, spec.dtype) = (16, Some(1 << 20), dtype.to_owned());
    spec.options = option("kv-cache-dtype", "f32");
    let mut model = jig_backend_cuda::backend().load(&spec, Arc::new(Silent))?;
    let sequence = model.open()?;
    let mut found = Vec::new();
    for tokens in [&golden.prompt[..3], &golden.prompt.repeat(2)] {
        model.forward(&[Chunk { sequence, tokens, logits: LogitsWanted::All }])?;
        for row in 0..tokens.len() as u32 {
            found.push(model.logits(row)?);
        }
    }
    Ok(found)
}

fn promises() -> Vec<String> {
    let mut failed = Vec::new();
    for name in ["llama2", "qwen3", "opt-post-norm"] {
        let backend = jig_backend_cuda::backend();
        let mut spec = ModelSpec::new(&Golden::named(name).directory);
        // What a tiny model leaves of a GPU's memory would be hundreds of millions of pages.
        (spec.kv_cache_bytes, spec.options) = (Some(64 << 20), options());
        conformance::run(&*backend, &spec, &mut |result| {
            if let Outcome::Failed(reason) = &result.outcome {
                failed.push(format!("{name}: {}: {reason}", result.name));
            }
        });
    }
    failed
}
