//! Times compilation and masks of grammars, over a tokenizer's vocabulary.
//!
//! `cargo run --release -p jig-guides --example grammar_speed -- TOKENIZER.json GRAMMAR DOCUMENT [GRAMMAR DOCUMENT ...]` compiles each grammar
//! and follows the document with it, with the longest token at each place.

use jig_guides::{Compiler, Limits, Options, Source, Vocabulary};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

#[path = "mask_speed.rs"]
#[allow(dead_code, reason = "an example of its own")]
mod mask_speed;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((tokenizer, pairs)) = arguments.split_first().filter(|(_, pairs)| pairs.len() % 2 == 0) else {
        return Err("usage: grammar_speed TOKENIZER.json GRAMMAR DOCUMENT [GRAMMAR DOCUMENT ...]".into());
    };
    let tokens = mask_speed::read_tokens(tokenizer)?;
    let by_bytes: HashMap<Vec<u8>, u32> =
        (0u32..).zip(&tokens).filter_map(|(id, bytes)| Some((bytes.clone()?, id))).collect();
    let (longest, end) = (by_bytes.keys().map(Vec::len).max().unwrap_or(1), tokens.len() as u32);
    let vocabulary = Arc::new(Vocabulary::new(tokens.into_iter().chain([None]).collect(), vec![end])?);
    let compiler = Compiler::new(vocabulary, Limits::default());
    compiler.compile(&Source::JsonObject, &Options::default())?.start().mask(None);
    for pair in pairs.chunks(2) {
        let source = Source::Grammar(std::fs::read_to_string(&pair[0])?);
        let document = std::fs::read(&pair[1])?;
        let begun = Instant::now();
        let guide = compiler.compile(&source, &Options::default())?;
        println!("{}: compiled in {:.0} us", pair[0], begun.elapsed().as_secs_f64() * 1e6);
        for turn in ["first", "second"] {
            let (mut masks, mut advances, mut state, mut at) = (Vec::new(), Vec::new(), guide.start(), 0);
            while at < document.len() {
                let begun = Instant::now();
                state.mask(None);
                masks.push(begun.elapsed().as_secs_f64() * 1e6);
                let most = longest.min(document.len() - at);
                let length = (1..=most).rev().find(|n| by_bytes.contains_key(&document[at..at + n]));
                let length = length.ok_or("a byte without a token")?;
                let begun = Instant::now();
                state.advance(by_bytes[&document[at..at + length]]).map_err(|_| {
                    format!("refused at byte {at}: {:?}", String::from_utf8_lossy(&document[at..at + length]))
                })?;
                advances.push(begun.elapsed().as_secs_f64() * 1e6);
                at += length;
            }
            mask_speed::print(&format!("mask, {turn} time"), &mut masks);
            mask_speed::print(&format!("advance, {turn} time"), &mut advances);
            println!("may end: {}, {} kB", state.may_end(), guide.bytes() / 1000);
        }
    }
    Ok(())
}
