//! Checks the CUDA backend on the GPU of this machine, and measures it.
//!
//! ```text
//! check_gpu checks            operations, golden models and the conformance kit; exit code 1 if one fails
//! check_gpu operations        how fast single operations are
//! check_gpu short             one golden model, for compute-sanitizer
//! check_gpu speed --model DIR decode and prefill, as JSON
//! ```
//!
//! `--option KEY=VALUE` before these sets an option of the backend, and may be given more than once.
//! `JIG_GOLDEN_VALUES` names the folder of golden models where this was built on another machine.

mod checks;
mod operations;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use jig_plugin_api::host::Silent;
use jig_plugin_api::{Chunk, LogitsWanted, Model, ModelSpec, SampleRow, SamplingParams, SequenceId, mask};
use serde_json::json;

type AnyResult<T> = Result<T, Box<dyn std::error::Error>>;

/// The prompt whose prefill is measured, and the length of the prompts before decoding.
const PREFILL: usize = 8192;
const PROMPT: usize = 512;
/// Steps that are measured, after as many that are not.
const STEPS: usize = 64;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = checks::OPTIONS.get_or_init(|| take_options(&mut arguments));
    if let Err(error) = jig_backend_cuda::open("auto", options) {
        eprintln!("check_gpu: {error}");
        return ExitCode::FAILURE;
    }
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["checks"] => Ok(check(checks::ALL.iter())),
        ["short"] => Ok(check(checks::ALL.iter().filter(|check| check.name == "golden models"))),
        ["operations"] => jig_backend_cuda::open("auto", options)
            .and_then(|device| operations::measure(&device, 1))
            .map(|()| true)
            .map_err(Into::into),
        ["speed", "--model", directory] => speed(directory).map(|()| true),
        _ => Err("usage: check_gpu [--option KEY=VALUE]... checks | operations | short | speed --model DIR".into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("check_gpu: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Takes options of the backend from the front of the arguments.
fn take_options(arguments: &mut Vec<String>) -> Vec<(String, String)> {
    let mut options = Vec::new();
    while let [flag, pair, ..] = &arguments[..]
        && flag == "--option"
        && let Some((key, value)) = pair.split_once('=')
    {
        options.push((key.to_owned(), value.to_owned()));
        arguments.drain(..2);
    }
    options
}

fn check<'a>(checks: impl Iterator<Item = &'a checks::Check>) -> bool {
    let mut all = true;
    println!("| check | |\n|---|---|");
    for check in checks {
        let start = Instant::now();
        let failed = (check.run)();
        let verdict = if failed.is_empty() { "passed".to_owned() } else { format!("{} failed", failed.len()) };
        println!("| {} | {verdict} in {:.1} s |", check.name, start.elapsed().as_secs_f64());
        failed.iter().for_each(|problem| eprintln!("{problem}"));
        all &= failed.is_empty();
    }
    all
}

/// Sequences that decode together.
struct Crowd<'a> {
    model: &'a mut dyn Model,
    sequences: Vec<SequenceId>,
    tokens: Vec<u32>,
    vocabulary: usize,
}

impl<'a> Crowd<'a> {
    fn new(model: &'a mut dyn Model, count: usize, prompt: usize) -> AnyResult<Self> {
        let vocabulary = model.info().vocab_size as usize;
        let mut sequences = Vec::new();
        for index in 0..count {
            let sequence = model.open()?;
            let tokens: Vec<u32> = (0..prompt).map(|i| ((i * 7 + index) % 1000) as u32 + 5).collect();
            for piece in tokens.chunks(2048) {
                model.forward(&[Chunk { sequence, tokens: piece, logits: LogitsWanted::Last }])?;
            }
            sequences.push(sequence);
        }
        Ok(Self { model, sequences, tokens: vec![5; count], vocabulary })
    }

    /// Seconds of a step, without masks or with one for each row.
    fn step(&mut self, masks: bool) -> AnyResult<f64> {
        // What a guide inside a string of JSON allows: nearly all.
        let some = mask::pack(self.vocabulary, (0..self.vocabulary as u32).filter(|token| token % 50 != 0));
        let params = SamplingParams::default();
        let mut seconds = Vec::new();
        for round in 0..2 * STEPS {
            let start = Instant::now();
            let batch: Vec<_> = self
                .sequences
                .iter()
                .zip(&self.tokens)
                .map(|(sequence, token)| Chunk {
                    sequence: *sequence,
                    tokens: std::slice::from_ref(token),
                    logits: LogitsWanted::Last,
                })
                .collect();
            self.model.forward(&batch)?;
            let rows: Vec<_> = (0..self.sequences.len() as u32)
                .map(|row| SampleRow {
                    row,
                    mask: if masks { &some } else { &[] },
                    banned: &[],
                    params: &params,
                    uniform: 0.37,
                    prompt: &[],
                    output: &[],
                })
                .collect();
            let drawn = self.model.sample(&rows)?;
            self.tokens = drawn.iter().map(|drawn| drawn.token).collect();
            if round >= STEPS {
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
        seconds.sort_by(f64::total_cmp);
        Ok(seconds[seconds.len() / 2])
    }

    fn close(self) -> AnyResult<()> {
        for sequence in self.sequences {
            self.model.close(sequence)?;
        }
        Ok(())
    }
}

fn speed(directory: &str) -> AnyResult<()> {
    let mut spec = ModelSpec::new(directory);
    (spec.max_sequences, spec.max_batch_tokens, spec.max_model_len) = (64, 8192, Some(16384));
    // The Python side has its own copy of the weights on the same GPU.
    spec.options = checks::options();
    spec.options.push(("gpu-memory-utilization".to_owned(), "0.6".to_owned()));
    let start = Instant::now();
    let mut model = jig_backend_cuda::backend().load(&spec, Arc::new(Silent))?;
    let load = start.elapsed().as_secs_f64();
    let weights = model.memory().weight_bytes;
    let mut decode = Vec::new();
    for (count, prompt) in [(1, PROMPT), (1, PREFILL), (8, PROMPT), (16, PROMPT), (32, PROMPT), (64, PROMPT)] {
        let mut crowd = Crowd::new(&mut *model, count, prompt)?;
        let (plain, masked) = (crowd.step(false)?, crowd.step(true)?);
        crowd.close()?;
        decode.push(json!({
            "sequences": count, "prompt": prompt, "step_seconds": plain, "step_seconds_with_masks": masked,
        }));
    }
    let prompt: Vec<u32> = (0..PREFILL).map(|i| (i % 1000) as u32 + 5).collect();
    let params = SamplingParams::greedy();
    let row = SampleRow { row: 0, mask: &[], banned: &[], params: &params, uniform: 0.0, prompt: &[], output: &[] };
    let mut prefill = Vec::new();
    for _ in 0..5 {
        let sequence = model.open()?;
        let start = Instant::now();
        model.forward(&[Chunk { sequence, tokens: &prompt, logits: LogitsWanted::Last }])?;
        model.sample(&[row])?;
        prefill.push(start.elapsed().as_secs_f64());
        model.close(sequence)?;
    }
    prefill.sort_by(f64::total_cmp);
    let (kv, blocks) = (model.memory().kv_capacity_bytes, model.memory());
    let token_bytes = kv / u64::from(blocks.total_blocks * blocks.block_tokens);
    println!(
        "{}",
        json!({
            "load_seconds": load, "weight_bytes": weights, "kv_bytes_per_token": token_bytes, "decode": decode,
            "prefill_tokens": PREFILL, "prefill_seconds": prefill[prefill.len() / 2],
        })
    );
    Ok(())
}
