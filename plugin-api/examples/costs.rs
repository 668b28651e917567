//! What the boundary and the reference sampler cost, in nanoseconds:
//!
//! ```text
//! cargo build --release -p jig-plugin-api --example echo
//! cargo run --release -p jig-plugin-api --example costs
//! ```
//!
//! The same backend is called natively and through its shared library. With a vocabulary of one token it does next to
//! nothing, so that the difference is the boundary's.

#[path = "echo.rs"]
mod echo;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jig_plugin_api::sampler::{self, Scratch};
use jig_plugin_api::{
    Backend, Chunk, LogitsWanted, Model, ModelSpec, Result, SampleRow, SamplingParams, SequenceId, host, load, mask,
};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    boundary()?;
    sampling()?;
    Ok(())
}

/// The least time of a call, over many batches of calls.
fn nanoseconds(mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    let end = Instant::now() + Duration::from_millis(300);
    let mut calls = 1;
    while Instant::now() < end {
        let start = Instant::now();
        for _ in 0..calls {
            call()?;
        }
        let elapsed = start.elapsed().as_nanos() as f64;
        best = best.min(elapsed / f64::from(calls));
        if elapsed < 1e6 {
            calls *= 2;
        }
    }
    Ok(best)
}

/// Keeps the compiler from leaving out the call.
fn ignore<T>(value: T) -> Result<()> {
    black_box(value);
    Ok(())
}

fn boundary() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let library = std::env::current_exe()?.with_file_name("libecho.so");
    let loaded = load::backend(&library)?;
    let mut spec = ModelSpec::new(std::env::temp_dir());
    spec.options.push(("vocab_size".to_owned(), "1".to_owned()));
    let mut native = echo::Echo.load(&spec, Arc::new(host::Silent))?;
    let mut loaded = loaded.load(&spec, Arc::new(host::Silent))?;

    println!("{:<44}{:>10}{:>10}{:>10}", "call", "native", "plugin", "boundary");
    let mut compare = |name: &str, call: &dyn Fn(&mut dyn Model) -> Result<f64>| -> Result<()> {
        let (native, plugin) = (call(&mut *native)?, call(&mut *loaded)?);
        println!("{name:<44}{native:>7.0} ns{plugin:>7.0} ns{:>7.0} ns", plugin - native);
        Ok(())
    };
    compare("memory", &|model| nanoseconds(|| ignore(model.memory())))?;
    compare("truncate a sequence that is not open (error)", &|model| {
        nanoseconds(|| ignore(model.truncate(SequenceId(u64::MAX), 0)))
    })?;
    for rows in [1, 64] {
        compare(&format!("forward + truncate, {rows} sequences"), &|model| {
            let sequences = (0..rows).map(|_| model.open()).collect::<Result<Vec<_>>>()?;
            let chunk = |&sequence| Chunk { sequence, tokens: &[0], logits: LogitsWanted::Last };
            let batch: Vec<Chunk<'_>> = sequences.iter().map(chunk).collect();
            let time = nanoseconds(|| {
                model.forward(&batch)?;
                sequences.iter().try_for_each(|&sequence| model.truncate(sequence, 0))
            });
            sequences.iter().try_for_each(|&sequence| model.close(sequence))?;
            time
        })?;
        compare(&format!("sample, {rows} rows"), &|model| {
            let sequence = model.open()?;
            model.forward(&[Chunk { sequence, tokens: &[0], logits: LogitsWanted::Last }])?;
            let params = SamplingParams::greedy();
            let row =
                SampleRow { row: 0, mask: &[1], banned: &[], params: &params, uniform: 0.0, prompt: &[], output: &[] };
            let asked = vec![row; rows];
            let time = nanoseconds(|| ignore(model.sample(&asked)?));
            model.close(sequence)?;
            time
        })?;
    }
    Ok(())
}

fn sampling() -> Result<()> {
    const VOCAB_SIZE: u32 = 128_256;
    let mut state = 1_u32;
    let logits: Vec<f32> = (0..VOCAB_SIZE)
        .map(|_| {
            // The sum of four numbers is about normal, as logits are.
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            };
            5.0 * (next() + next() + next() + next())
        })
        .collect();
    let half = mask::pack(VOCAB_SIZE as usize, (0..VOCAB_SIZE).filter(|token| token % 2 == 0));
    let few = mask::pack(VOCAB_SIZE as usize, (0..VOCAB_SIZE).step_by(4000));
    let greedy = SamplingParams::greedy();
    let plain = SamplingParams::default();
    let top_k = SamplingParams { top_k: 50, ..plain.clone() };
    let top_p = SamplingParams { top_p: 0.9, ..plain.clone() };
    let logprobs = SamplingParams { logprobs: Some(5), ..greedy.clone() };
    let cases: [(&str, &SamplingParams, &[u32]); 8] = [
        ("greedy", &greedy, &[]),
        ("greedy, mask of half", &greedy, &half),
        ("greedy, mask of 33", &greedy, &few),
        ("greedy, 5 logprobs", &logprobs, &[]),
        ("temperature 1", &plain, &[]),
        ("temperature 1, mask of 33", &plain, &few),
        ("temperature 1, top_k 50", &top_k, &[]),
        ("temperature 1, top_p 0.9", &top_p, &[]),
    ];
    println!("\nreference sampler, {VOCAB_SIZE} logits, one row");
    let mut scratch = Scratch::default();
    for (name, params, mask) in cases {
        let row = SampleRow { row: 0, mask, banned: &[], params, uniform: 0.5, prompt: &[], output: &[] };
        let time = nanoseconds(|| ignore(sampler::sample(&logits, &row, &mut scratch)?))?;
        println!("{name:<44}{:>7.0} us", time / 1000.0);
    }
    Ok(())
}
