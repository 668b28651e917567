//! How fast the CPU backend decodes a model, beside the bound that the memory sets.
//!
//! `cargo run --release -p jig-backend-cpu --example decode_speed -- --model DIR [--threads N] [--json]`
//!
//! Decoding one sequence reads all weights once for each token, so it can't be faster than reading them:
//! the bound is the measured read bandwidth over the bytes of the weights that a token needs.

use std::sync::Arc;
use std::time::Instant;

use jig_backend_cpu::Level;
use jig_backend_cpu::threads::Threads;
use jig_plugin_api::host::Silent;
use jig_plugin_api::{Chunk, LogitsWanted, Model, ModelSpec, SampleRow, SamplingParams, SequenceId};

const PROMPT: usize = 512;
const TOKENS: usize = 32;
const ROUNDS: usize = 15;
const BATCH: usize = 8;

type AnyResult<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> AnyResult<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let directory = value("--model").ok_or("--model DIR is needed: a directory with config.json and safetensors")?;
    let threads = value("--threads").map(|count| count.parse::<usize>()).transpose()?;

    let mut spec = ModelSpec::new(directory);
    spec.max_sequences = BATCH as u32;
    spec.max_batch_tokens = PROMPT as u32;
    spec.max_model_len = Some(1024);
    if let Some(threads) = threads {
        spec.options.push(("threads".to_owned(), threads.to_string()));
    }
    let mut model = jig_backend_cpu::backend().load(&spec, Arc::new(Silent))?;
    let threads = Threads::new(threads)?;

    let bytes = model.memory().weight_bytes as f64;
    // Of the embedding table a token reads one row, unless the table is the output matrix too.
    let bytes = bytes - embedding_bytes(directory)?;
    let stream = Stream::new(bytes as usize)?;
    decode(&mut *model, 1, 4)?;
    // A shared machine's memory is faster one second and slower the next: both are measured in turn, and the medians count.
    let (mut read, mut decoded) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        read.push(stream.read(&threads));
        decoded.push(decode(&mut *model, 1, TOKENS / 8)?);
    }
    let (bandwidth, one) = (median(read), median(decoded));
    let eight = decode(&mut *model, BATCH, TOKENS)?;
    let prefill = prefill(&mut *model)?;
    if arguments.iter().any(|argument| argument == "--json") {
        println!(
            r#"{{"bandwidth":{bandwidth},"bytes_per_token":{bytes},"decode_1":{one},"decode_8":{eight},"prefill":{prefill},"level":"{}"}}"#,
            Level::best().name()
        );
        return Ok(());
    }
    println!("{} threads, {}", threads.count(), Level::best().name());
    println!("| | |\n|---|---|");
    println!("| read bandwidth | {:.1} GB/s |\n| weights a token reads | {:.3} GB |", bandwidth / 1e9, bytes / 1e9);
    println!("| bound at batch 1 | {:.1} tokens/s |", bandwidth / bytes);
    println!("| decode, batch 1 | {one:.1} tokens/s, {:.0} % of the bound |", 100.0 * one * bytes / bandwidth);
    println!("| decode, batch {BATCH} | {eight:.1} tokens/s |\n| prefill of {PROMPT} | {prefill:.1} tokens/s |");
    Ok(())
}

/// Bytes of the embedding table where it is not the output matrix.
fn embedding_bytes(directory: &str) -> AnyResult<f64> {
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(format!("{directory}/config.json"))?)?;
    if config["tie_word_embeddings"] == true {
        return Ok(0.0);
    }
    let size = |name: &str| config[name].as_f64().ok_or_else(|| format!("config.json has no number `{name}`"));
    let element = if config["torch_dtype"] == "float32" { 4.0 } else { 2.0 };
    Ok(size("vocab_size")? * size("hidden_size")? * element)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// As much memory as a token reads, in pages of the same size.
struct Stream(memmap2::MmapMut);

impl Stream {
    fn new(bytes: usize) -> AnyResult<Self> {
        let mut map = memmap2::MmapMut::map_anon(bytes)?;
        #[cfg(target_os = "linux")]
        map.advise(memmap2::Advice::HugePage)?;
        map.fill(1);
        Ok(Self(map))
    }

    /// Bytes a second that all threads read together.
    fn read(&self, threads: &Threads) -> f64 {
        let piece = self.0.len() / (threads.count() * 8) / 64 * 64;
        let start = Instant::now();
        threads.each(self.0.len() / piece, usize::MAX, |index| {
            // Eight sums side by side, so that adding is never what takes the time.
            let (words, _) = self.0[index * piece..][..piece].as_chunks::<8>();
            let (chunks, _) = words.as_chunks::<8>();
            let mut sums = [0u64; 8];
            for chunk in chunks {
                for (sum, word) in sums.iter_mut().zip(chunk) {
                    *sum = sum.wrapping_add(u64::from_ne_bytes(*word));
                }
            }
            std::hint::black_box(sums);
        });
        self.0.len() as f64 / start.elapsed().as_secs_f64()
    }
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

/// Tokens a second of `count` sequences that decode together.
fn decode(model: &mut dyn Model, count: usize, tokens: usize) -> AnyResult<f64> {
    let mut sequences = Vec::new();
    for _ in 0..count {
        sequences.push((model.open()?, (7..23).collect::<Vec<u32>>()));
    }
    let mut drawn = step(model, &sequences)?;
    let start = Instant::now();
    for _ in 0..tokens {
        for ((_, next), token) in sequences.iter_mut().zip(&drawn) {
            *next = vec![*token];
        }
        drawn = step(model, &sequences)?;
    }
    let speed = (count * tokens) as f64 / start.elapsed().as_secs_f64();
    for (sequence, _) in sequences {
        model.close(sequence)?;
    }
    Ok(speed)
}

/// Tokens a second of a prompt, to its first drawn token.
fn prefill(model: &mut dyn Model) -> AnyResult<f64> {
    let prompt = (0..PROMPT as u32).map(|i| 7 + i % 1000).collect();
    let sequence = model.open()?;
    let start = Instant::now();
    step(model, &[(sequence, prompt)])?;
    let speed = PROMPT as f64 / start.elapsed().as_secs_f64();
    model.close(sequence)?;
    Ok(speed)
}
