//! How fast the ONNX Runtime backend decodes a model.
//!
//! `cargo run --release -p jig-backend-ort --example onnx_speed -- --model DIR [--dtype TYPE] [--threads N] [--batching HOW]
//! [--mixed] [--turns]`; with `--mixed` the sequences have different lengths. With `--turns` each line of the input, `SEQUENCES TOKENS`, has
//! so many sequences decoded by so many tokens more, and is answered by a line with the tokens a second, so that two programs can take
//! turns.

use std::collections::HashMap;
use std::io::BufRead;
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
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let mut spec = ModelSpec::new(value("--model").ok_or("--model DIR is needed: a directory with an ONNX model")?);
    spec.max_sequences = 64;
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
    let mut model = jig_backend_ort::backend().load(&spec, Arc::new(Silent))?;
    if has("--turns") {
        return turns(&mut *model, has("--mixed"));
    }
    println!("| sequences | tokens/s |\n|---|---|");
    for count in BATCHES {
        let mut batch = Batch::open(&mut *model, count, has("--mixed"))?;
        println!("| {count} | {:.1} |", batch.decode(&mut *model, TOKENS)?);
        batch.close(&mut *model)?;
    }
    Ok(())
}

fn turns(model: &mut dyn Model, mixed: bool) -> AnyResult<()> {
    let mut batches = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (count, tokens) = line.split_once(' ').ok_or("a turn is `SEQUENCES TOKENS`")?;
        let (count, tokens): (usize, usize) = (count.parse()?, tokens.parse()?);
        let batch = match batches.remove(&count) {
            Some(batch) => batch,
            None => Batch::open(model, count, mixed)?,
        };
        println!("{}", batches.entry(count).or_insert(batch).decode(model, tokens)?);
    }
    Ok(())
}

/// Sequences that decode together.
struct Batch {
    sequences: Vec<(SequenceId, Vec<u32>)>,
}

impl Batch {
    /// Sequences behind prompts of the same length or of different ones, which have decoded a token together: the step that gathers
    /// their caches belongs to the prompts.
    fn open(model: &mut dyn Model, count: usize, mixed: bool) -> AnyResult<Self> {
        let mut sequences = Vec::new();
        for number in 0..count {
            let length = if mixed { PROMPT - number * 2 } else { PROMPT };
            let prompt = (0..length).map(|place| 7 + ((place * 31 + number) % 1000) as u32).collect();
            sequences.push((model.open()?, prompt));
        }
        for sequence in &mut sequences {
            step(model, std::slice::from_mut(sequence))?;
        }
        step(model, &mut sequences)?;
        Ok(Self { sequences })
    }

    /// Appends `tokens` tokens to each; gives tokens a second of all together.
    fn decode(&mut self, model: &mut dyn Model, tokens: usize) -> AnyResult<f64> {
        let start = Instant::now();
        for _ in 0..tokens {
            step(model, &mut self.sequences)?;
        }
        Ok((self.sequences.len() * tokens) as f64 / start.elapsed().as_secs_f64())
    }

    fn close(self, model: &mut dyn Model) -> AnyResult<()> {
        for (sequence, _) in self.sequences {
            model.close(sequence)?;
        }
        Ok(())
    }
}

/// Appends to each sequence what it is to get, and draws what it is to get next.
fn step(model: &mut dyn Model, sequences: &mut [(SequenceId, Vec<u32>)]) -> AnyResult<()> {
    let batch: Vec<Chunk<'_>> = sequences
        .iter()
        .map(|(sequence, tokens)| Chunk { sequence: *sequence, tokens, logits: LogitsWanted::Last })
        .collect();
    model.forward(&batch)?;
    let params = SamplingParams::greedy();
    let row = |row| SampleRow { row, mask: &[], banned: &[], params: &params, uniform: 0.0, prompt: &[], output: &[] };
    let rows: Vec<SampleRow<'_>> = (0..batch.len() as u32).map(row).collect();
    let sampled = model.sample(&rows)?;
    for ((_, next), sampled) in sequences.iter_mut().zip(sampled) {
        *next = vec![sampled.token];
    }
    Ok(())
}
