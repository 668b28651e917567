//! How fast the ONNX Runtime backend decodes a model.
//!
//! `cargo run --release -p jig-backend-ort --example decode_speed -- --model DIR [--dtype TYPE] [--threads N] [--batching HOW]
//! [--mixed] [--json]`; with `--mixed` the sequences have different lengths.

use std::sync::Arc;
use std::time::Instant;

use jig_plugin_api::host::Silent;
use jig_plugin_api::{Chunk, LogitsWanted, Model, ModelSpec, SampleRow, SamplingParams, SequenceId};

const PROMPT: usize = 128;
const TOKENS: usize = 32;
const BATCHES: [usize; 3] = [1, 8, 32];

type AnyResult<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> AnyResult<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let mut spec = ModelSpec::new(value("--model").ok_or("--model DIR is needed: a directory with an ONNX model")?);
    spec.max_sequences = 32;
    spec.max_batch_tokens = PROMPT as u32;
    spec.max_model_len = Some(1024);
    if let Some(dtype) = value("--dtype") {
        spec.dtype.clone_from(dtype);
    }
    for key in ["threads", "batching"] {
        if let Some(value) = value(&format!("--{key}")) {
            spec.options.push((key.to_owned(), value.clone()));
        }
    }
    let mixed = arguments.iter().any(|argument| argument == "--mixed");
    let mut model = jig_backend_ort::backend().load(&spec, Arc::new(Silent))?;
    decode(&mut *model, 1, 4, mixed)?;
    let mut speeds = Vec::new();
    for batch in BATCHES {
        speeds.push((batch, decode(&mut *model, batch, TOKENS, mixed)?));
    }
    if arguments.iter().any(|argument| argument == "--json") {
        let fields: Vec<String> = speeds.iter().map(|(batch, speed)| format!(r#""{batch}":{speed}"#)).collect();
        println!("{{{}}}", fields.join(","));
        return Ok(());
    }
    println!("| sequences | tokens/s |\n|---|---|");
    for (batch, speed) in speeds {
        println!("| {batch} | {speed:.1} |");
    }
    Ok(())
}

fn step(model: &mut dyn Model, sequences: &[(SequenceId, Vec<u32>)]) -> AnyResult<Vec<u32>> {
    let chunk = |(sequence, tokens): &(SequenceId, Vec<u32>)| (*sequence, tokens.clone());
    let chunks: Vec<_> = sequences.iter().map(chunk).collect();
    let batch: Vec<Chunk<'_>> = chunks
        .iter()
        .map(|(sequence, tokens)| Chunk { sequence: *sequence, tokens, logits: LogitsWanted::Last })
        .collect();
    model.forward(&batch)?;
    let params = SamplingParams::greedy();
    let row = |row| SampleRow { row, mask: &[], banned: &[], params: &params, uniform: 0.0, prompt: &[], output: &[] };
    let rows: Vec<SampleRow<'_>> = (0..batch.len() as u32).map(row).collect();
    Ok(model.sample(&rows)?.into_iter().map(|sampled| sampled.token).collect())
}

/// Tokens a second of `count` sequences that decode together, behind prompts of the same length or of different ones.
fn decode(model: &mut dyn Model, count: usize, tokens: usize, mixed: bool) -> AnyResult<f64> {
    let mut sequences = Vec::new();
    for number in 0..count {
        let length = if mixed { PROMPT - number * 2 } else { PROMPT };
        let prompt = (0..length).map(|place| 7 + ((place * 31 + number) % 1000) as u32).collect();
        sequences.push((model.open()?, prompt));
    }
    let mut drawn = Vec::new();
    for sequence in &sequences {
        drawn.extend(step(model, std::slice::from_ref(sequence))?);
    }
    // The first step together gathers the caches: it belongs to the prompts.
    let mut start = Instant::now();
    for number in 0..=tokens {
        for ((_, next), token) in sequences.iter_mut().zip(&drawn) {
            *next = vec![*token];
        }
        drawn = step(model, &sequences)?;
        if number == 0 {
            start = Instant::now();
        }
    }
    let speed = (count * tokens) as f64 / start.elapsed().as_secs_f64();
    for (sequence, _) in sequences {
        model.close(sequence)?;
    }
    Ok(speed)
}
