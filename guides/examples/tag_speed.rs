//! Times compilation and masks of tool calls in free text, over a tokenizer's vocabulary and the cases of a MaskBench file.
//!
//! `cargo run --release -p jig-guides --example tag_speed -- TOKENIZER.json CASES.jsonl [TOOLS]` makes tools of the cases whose schema is of
//! an object. Each request has `TOOLS` of them (60 by default), triggered by `<tool_call>`; it calls the first with its instances.

use jig_guides::{After, Compiler, Limits, Marker, Options, Part, Source, Tag, TriggeredTags, Vocabulary};
use serde_json::Value;
use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Instant;

#[path = "mask_speed.rs"]
#[allow(dead_code, reason = "an example of its own")]
mod mask_speed;

type Failure = Box<dyn std::error::Error>;

const PROSE: &str = "Let me look that up: if a < b then <b>é</b> is bold, a <tool is not a <tool_box>. ";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tokenizer, cases, rest @ ..] = arguments.as_slice() else {
        return Err("usage: tag_speed TOKENIZER.json CASES.jsonl [TOOLS]".into());
    };
    let tools: usize = rest.first().map_or(Ok(60), |tools| tools.parse())?;
    let tokens = mask_speed::read_tokens(tokenizer)?;
    let by_bytes: HashMap<Vec<u8>, u32> =
        (0u32..).zip(&tokens).filter_map(|(id, bytes)| Some((bytes.clone()?, id))).collect();
    let (longest, end) = (by_bytes.keys().map(Vec::len).max().unwrap_or(1), tokens.len() as u32);
    let vocabulary = Arc::new(Vocabulary::new(tokens.into_iter().chain([None]).collect(), vec![end])?);
    let compiler = Compiler::new(vocabulary, Limits::default());
    compiler.compile(&Source::JsonObject, &Options::default())?.start().mask(None);

    let mut found: Vec<Value> = Vec::new();
    for line in std::io::BufReader::new(std::fs::File::open(cases)?).lines() {
        let case: Value = serde_json::from_str(&line?)?;
        let is_object = case["schema"]["type"] == "object";
        let schema = Source::JsonSchema(case["schema"].to_string());
        if is_object && compiler.compile(&schema, &Options::default()).is_ok() {
            found.push(case);
        }
        if found.len() >= 10 * tools {
            break;
        }
    }
    let mut times: Vec<(&str, Vec<f64>)> = Vec::new();
    let mut add = |name: &'static str, begun: Instant| {
        let time = begun.elapsed().as_secs_f64() * 1e6;
        match times.iter_mut().find(|(known, _)| *known == name) {
            Some((_, all)) => all.push(time),
            None => times.push((name, vec![time])),
        }
    };
    for group in found.chunks(tools) {
        let tag = |(index, case): (usize, &Value)| Tag {
            begin: vec![Marker::text(format!("<tool_call>\n{{\"name\": \"tool_{index}\", \"arguments\": "))],
            content: Part::json(case["schema"].to_string()),
            ends: vec![Marker::text("}\n</tool_call>")],
        };
        let source = Source::Tags(Part::triggered(TriggeredTags {
            triggers: vec![Marker::text("<tool_call>")],
            tags: group.iter().enumerate().map(tag).collect(),
            excludes: Vec::new(),
            min: 0,
            max: None,
            after: After::Free,
        }));
        let begun = Instant::now();
        let guide = compiler.compile(&source, &Options::default())?;
        add("compile", begun);
        let begun = Instant::now();
        guide.start().mask(None);
        add("first mask", begun);
        let instances = group[0]["tests"].as_array().cloned().unwrap_or_default();
        for instance in instances.iter().filter(|test| test["valid"] == true).take(3) {
            let call =
                format!("<tool_call>\n{{\"name\": \"tool_0\", \"arguments\": {}}}\n</tool_call>", instance["data"]);
            let text = [PROSE, &call, "\n", PROSE, &call].concat();
            let (second, bytes) = (text.len() - call.len() - PROSE.len(), text.as_bytes());
            let (mut at, mut state) = (0, guide.start());
            while at < bytes.len() {
                let inside = at % second >= PROSE.len();
                let begun = Instant::now();
                state.mask(None);
                add(if inside { "mask in a call" } else { "mask in free text" }, begun);
                let begun = Instant::now();
                state.mask(None);
                add("mask again", begun);
                let begun = Instant::now();
                state.mask(Some(100_000));
                add("mask again, with budget", begun);
                let length =
                    (1..=longest.min(bytes.len() - at)).rev().find(|n| by_bytes.contains_key(&bytes[at..at + n]));
                let length = length.ok_or("a byte without a token")?;
                let begun = Instant::now();
                if state.advance(by_bytes[&bytes[at..at + length]]).is_err() {
                    break;
                }
                add(if inside { "advance in a call" } else { "advance in free text" }, begun);
                at += length;
            }
        }
    }
    println!("{} tools in requests of {tools}; microseconds:", found.len());
    for (name, mut times) in times {
        mask_speed::print(name, &mut times);
    }
    Ok(())
}
