//! Times compilation and masks over a tokenizer's vocabulary and the cases of a MaskBench file.
//!
//! `cargo run --release -p jig-guides --example mask_speed -- TOKENIZER.json CASES.jsonl [LIMIT]` takes a tokenizer with
//! byte-level tokens (GPT-2's alphabet). The instances are cut into the longest tokens of the vocabulary.

use jig_guides::{Compiler, Limits, Options, Source, Vocabulary};
use serde_json::Value;
use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tokenizer, cases, rest @ ..] = arguments.as_slice() else {
        return Err("usage: mask_speed TOKENIZER.json CASES.jsonl [LIMIT]".into());
    };
    let limit: usize = rest.first().map_or(Ok(usize::MAX), |limit| limit.parse())?;
    let tokens = read_tokens(tokenizer)?;
    let by_bytes: HashMap<Vec<u8>, u32> =
        (0u32..).zip(&tokens).filter_map(|(id, bytes)| Some((bytes.clone()?, id))).collect();
    let (longest, end) = (by_bytes.keys().map(Vec::len).max().unwrap_or(1), tokens.len() as u32);
    let vocabulary = Arc::new(Vocabulary::new(tokens.into_iter().chain([None]).collect(), vec![end])?);
    let compiler = Compiler::new(vocabulary, Limits::default());
    compiler.compile(&Source::JsonObject, &Options::default())?.start().mask(None);

    let (mut first, mut masks, mut budgeted, mut steps) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut compiled, mut refused) = (0, 0);
    for line in std::io::BufReader::new(std::fs::File::open(cases)?).lines().take(limit) {
        let case: Value = serde_json::from_str(&line?)?;
        let begun = Instant::now();
        let Ok(guide) = compiler.compile(&Source::JsonSchema(case["schema"].to_string()), &Options::default()) else {
            refused += 1;
            continue;
        };
        compiled += 1;
        guide.start().mask(None);
        first.push(begun.elapsed().as_secs_f64() * 1e6);
        for test in case["tests"].as_array().into_iter().flatten() {
            let (text, mut at, mut state) = (test["data"].to_string().into_bytes(), 0, guide.start());
            while at < text.len() {
                let begun = Instant::now();
                state.mask(None);
                masks.push(begun.elapsed().as_secs_f64() * 1e6);
                let begun = Instant::now();
                state.mask(Some(100_000));
                budgeted.push(begun.elapsed().as_secs_f64() * 1e6);
                let length =
                    (1..=longest.min(text.len() - at)).rev().find(|n| by_bytes.contains_key(&text[at..at + n]));
                let length = length.ok_or("a byte without a token")?;
                let begun = Instant::now();
                if state.advance(by_bytes[&text[at..at + length]]).is_err() {
                    break;
                }
                steps.push(begun.elapsed().as_secs_f64() * 1e6);
                at += length;
            }
        }
    }
    println!("{compiled} schemas compiled, {refused} refused; microseconds:");
    for (name, times) in [
        ("compile and first mask", &mut first),
        ("mask", &mut masks),
        ("mask again, with budget", &mut budgeted),
        ("advance", &mut steps),
    ] {
        print(name, times);
    }
    Ok(())
}

/// A line with the distribution of some times.
pub(crate) fn print(name: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(0.0);
    let mean = times.iter().sum::<f64>() / times.len().max(1) as f64;
    println!(
        "{name:24} n {:8}  p50 {:9.2}  mean {mean:9.2}  p99 {:10.2}  p99.9 {:10.2}  max {:10.1}",
        times.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        times.last().copied().unwrap_or(0.0)
    );
}

/// The tokens of `model.vocab`, with GPT-2's printable stand-ins for bytes undone. Added tokens stay special.
pub(crate) fn read_tokens(path: &str) -> Result<Vec<Option<Vec<u8>>>, Failure> {
    let tokenizer: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let others = (0..=255u8).filter(|byte| !printable(byte)).zip(256u32..);
    let bytes: HashMap<char, u8> = (0..=255u8)
        .filter(printable)
        .map(|byte| (byte as char, byte))
        .chain(others.filter_map(|(byte, code)| Some((char::from_u32(code)?, byte))))
        .collect();
    let vocabulary = tokenizer["model"]["vocab"].as_object().ok_or("the tokenizer has no model.vocab")?;
    let mut tokens = vec![None; vocabulary.len()];
    for (text, id) in vocabulary {
        let id = id.as_u64().ok_or("a token without id")? as usize;
        if id >= tokens.len() {
            tokens.resize(id + 1, None);
        }
        tokens[id] = text.chars().map(|c| bytes.get(&c).copied()).collect();
    }
    Ok(tokens)
}
