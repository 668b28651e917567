//! `jig-bench grammars`: compares engines on the grammars of a folder and their documents.

use std::path::PathBuf;

use serde_json::json;

use crate::Outcome;
use crate::cases::DocumentFile;
use crate::engines::{Choices, Engine, EngineName, Matcher, Order, Whitespace};
use crate::samples::{self, GrammarFile};
use crate::timer::Stopwatch;
use crate::tokens::Splitter;

/// Compare engines on the grammars of a folder: compilation, and masks over each grammar's document
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// A tokenizer.json, or its directory
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// Folder of grammars, NAME.lark and NAME.gbnf, with documents/NAME.txt, and plain/NAME.lark for engines that lack templates
    #[arg(long, value_name = "DIR")]
    grammars: PathBuf,
    /// Engine; may be given several times. The ratios are those of the first one to each other one
    #[arg(long, value_enum, value_name = "ENGINE", default_values = ["jig", "llguidance"])]
    engine: Vec<EngineName>,
    /// Number of rounds; in each, each engine compiles each grammar anew and follows its document twice
    #[arg(long, value_name = "N", default_value_t = 20)]
    rounds: usize,
    /// Print so many places of each document at which the first engine's masks of a new guide are slowest
    #[arg(long, value_name = "N", default_value_t = 0)]
    slowest: usize,
    /// Write the tokens, the grammars and the documents as JSON, for tests/bench/xgrammar.py
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
}

/// Times in microseconds.
#[derive(Default)]
struct Times {
    compile: Vec<f64>,
    /// Masks of a guide that has made none.
    first: Vec<f64>,
    /// Masks when the document is followed once more.
    again: Vec<f64>,
    refused: Option<String>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let splitter = Splitter::load(&args.tokenizer)?;
    let choices = Choices { whitespace: Whitespace::Optional, order: Order::Any };
    let engines = args.engine.iter().map(|name| name.start(splitter.tokens(), choices, &DocumentFile::default()));
    let engines = engines.collect::<Outcome<Vec<_>>>()?;
    let grammars = samples::grammars(&args.grammars)?;
    let documents = grammars.iter().map(|grammar| splitter.split(&grammar.document)).collect::<Outcome<Vec<_>>>()?;
    if let Some(path) = &args.tokens {
        write(path, &splitter, &grammars, &documents)?;
    }
    let mut times: Vec<Vec<Times>> = Vec::new();
    times.resize_with(grammars.len(), || engines.iter().map(|_| Times::default()).collect());
    for round in 0..args.rounds {
        for ((grammar, document), times) in grammars.iter().zip(&documents).zip(&mut times) {
            // In turns, so that a change of the machine's speed affects all engines.
            for turn in 0..engines.len() {
                let at = (turn + round) % engines.len();
                let text = match args.engine[at] {
                    EngineName::Jig => &grammar.text,
                    _ => &grammar.plain,
                };
                // Engines know a text again that they have compiled; another comment makes it another text.
                let comment = if text.contains("::=") { "#" } else { "//" };
                let text = format!("{text}\n{comment} {round}\n");
                measure(engines[at].as_ref(), &text, document, &mut times[at]);
            }
        }
    }
    for ((grammar, document), times) in grammars.iter().zip(&documents).zip(&times) {
        let refused = times[0].refused.is_some();
        for (time, at) in slowest(&times[0].first, document.len(), if refused { 0 } else { args.slowest }) {
            let text = splitter.tokens().text(&document[..at]);
            let text = String::from_utf8_lossy(&text);
            let begin = text.char_indices().rev().nth(30).map_or(0, |(at, _)| at);
            println!("{}: {time:.0} us at token {at}, after {:?}", grammar.name, &text[begin..]);
        }
    }
    println!("microseconds over {} rounds; masks at each token of the document", args.rounds);
    println!("| grammar | tokens | engine | compile | first masks: mean | p99 | max | once more: mean | p99 | max |");
    println!("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|");
    for ((grammar, document), times) in grammars.iter().zip(&documents).zip(&mut times) {
        for (engine, times) in args.engine.iter().zip(times.iter_mut()) {
            print!("| {} | {} | {} |", grammar.name, document.len(), engine.text());
            match &times.refused {
                Some(reason) => println!(" refused: {} |", reason.replace('\n', " ")),
                None => {
                    println!(" {:.0} | {} | {} |", mean(&times.compile), row(&mut times.first), row(&mut times.again))
                }
            }
        }
        let (first, others) = times.split_at(1);
        for (engine, other) in args.engine[1..].iter().zip(others).filter(|(_, other)| other.refused.is_none()) {
            let ratio = |of: fn(&Times) -> &[f64]| mean(of(&first[0])) / mean(of(other));
            println!(
                "| {} | | {} / {} | {:.2} | {:.2} | | | {:.2} | | |",
                grammar.name,
                args.engine[0].text(),
                engine.text(),
                ratio(|times| &times.compile),
                ratio(|times| &times.first),
                ratio(|times| &times.again)
            );
        }
    }
    Ok(())
}

/// Adds the times of one compilation and of two ways through the document.
fn measure(engine: &dyn Engine, grammar: &str, document: &[u32], times: &mut Times) {
    let begun = Stopwatch::start();
    let compiled = engine.compile_grammar(grammar);
    let compile = begun.microseconds();
    let followed = compiled.map_err(|refusal| refusal.reason).and_then(|mut matcher| {
        times.compile.push(compile);
        follow(matcher.as_mut(), document, &mut times.first)?;
        matcher.restart()?;
        follow(matcher.as_mut(), document, &mut times.again)
    });
    if let Err(reason) = followed {
        times.refused = Some(reason);
    }
}

fn follow(matcher: &mut dyn Matcher, document: &[u32], times: &mut Vec<f64>) -> Result<(), String> {
    for (at, &token) in document.iter().enumerate() {
        let begun = Stopwatch::start();
        matcher.mask()?;
        times.push(begun.microseconds());
        if !matcher.allows(token) {
            return Err(format!("the document is refused at its token {at}"));
        }
        matcher.advance(token)?;
    }
    if matcher.may_end() { Ok(()) } else { Err("the document is not whole".to_owned()) }
}

/// The places of a document with the greatest times, and the least time of each over all rounds.
fn slowest(times: &[f64], length: usize, count: usize) -> Vec<(f64, usize)> {
    let least = |at: usize| times.iter().skip(at).step_by(length).copied().fold(f64::INFINITY, f64::min);
    let mut places: Vec<(f64, usize)> = (0..length).map(|at| (least(at), at)).collect();
    places.sort_by(|one, other| other.0.total_cmp(&one.0));
    places.truncate(count);
    places
}

fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / times.len().max(1) as f64
}

/// Mean, p99 and the greatest.
fn row(times: &mut [f64]) -> String {
    times.sort_by(f64::total_cmp);
    let rank = (times.len() as f64 * 0.99).ceil() as usize;
    let p99 = times.get(rank.saturating_sub(1)).copied().unwrap_or_default();
    format!("{:.1} | {p99:.1} | {:.0}", mean(times), times.last().copied().unwrap_or_default())
}

fn write(path: &PathBuf, splitter: &Splitter, grammars: &[GrammarFile], documents: &[Vec<u32>]) -> Outcome {
    let files = grammars
        .iter()
        .zip(documents)
        .map(|(grammar, document)| json!({"name": grammar.name, "grammar": grammar.text, "tokens": document}));
    // The bytes as characters of the same codes.
    let latin = |bytes: &Vec<u8>| bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
    let tokens: Vec<_> = splitter.tokens().bytes.iter().map(|bytes| bytes.as_ref().map(latin)).collect();
    let all = json!({"tokens": tokens, "end": splitter.tokens().end, "grammars": files.collect::<Vec<_>>()});
    std::fs::write(path, all.to_string()).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(())
}
