//! `jig-bench hostile`: sources made to cost much time or memory must be answered or refused quickly.
//!
//! Each runs in a process of its own, which compiles the source, asks for the first mask, and walks to the end of an
//! answer with little room in the budget.

mod sources;

use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jig_guides::{Compiler, Guide, Limits, Options};
use serde::{Deserialize, Serialize};

use crate::Outcome;
use crate::memory;
use crate::random::Random;
use crate::tokens::{Splitter, Tokens};
use crate::walk::{End, Manner, walk};

/// The longest that compilation and first mask may take, and any later mask.
const MOST_TIME: Duration = Duration::from_secs(1);

/// The most memory that a source may take beyond what the vocabulary takes.
const MOST_MEMORY: u64 = 256 << 20;

/// A process that has not answered by then is ended.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers longer than this are not walked to their end.
const LONGEST_WALK: u32 = 2000;

/// Compile hostile schemas and regexes: each is answered or refused within 1 s and 256 MB
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// A tokenizer.json, or the directory it lies in
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// Take sources whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct EndureArgs {
    #[arg(long)]
    file: PathBuf,
    #[arg(long)]
    name: String,
}

/// What the process of a source tells.
#[derive(Debug, Deserialize, Serialize)]
struct Report {
    /// What came of it.
    outcome: String,
    /// Compilation and first mask, in seconds.
    compile: f64,
    /// The slowest mask of the walk, in seconds.
    slowest: f64,
    /// Peak memory before and after, in bytes.
    before: u64,
    after: u64,
    /// Whether the walk came to its end.
    whole: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), serde_json::to_string(Splitter::load(&args.tokenizer)?.tokens())?)?;
    println!("{:40} {:>10} {:>15} {:>9}  outcome", "source", "compile ms", "slowest mask ms", "memory MB");
    let mut failed = 0;
    for (name, _) in sources::all() {
        if args.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        match endured(file.path(), name)? {
            None => {
                failed += 1;
                println!("{name:40} FAILED: ended, or no answer within {} s", PATIENCE.as_secs());
            }
            Some(report) => {
                let memory = report.after.saturating_sub(report.before);
                let in_time = report.compile.max(report.slowest) <= MOST_TIME.as_secs_f64();
                let within = in_time && memory <= MOST_MEMORY && report.whole;
                failed += usize::from(!within);
                let verdict = if within { "" } else { "FAILED: " };
                let (compile, slowest) = (report.compile * 1e3, report.slowest * 1e3);
                let (megabytes, outcome) = (memory as f64 / 1e6, report.outcome);
                println!("{name:40} {compile:10.1} {slowest:15.1} {megabytes:9.1}  {verdict}{outcome}");
            }
        }
    }
    if failed > 0 { Err(format!("{failed} sources were not endured").into()) } else { Ok(()) }
}

/// Starts the process of a source; `None` where it does not answer.
fn endured(file: &std::path::Path, name: &str) -> Outcome<Option<Report>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["endure", "--name", name, "--file"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let begun = Instant::now();
    // The report is shorter than a pipe's buffer: the process does not wait for its being read.
    while child.try_wait()?.is_none() {
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let out = child.stdout.take().ok_or("the process has no standard output")?;
    Ok(serde_json::from_reader(BufReader::new(out)).ok())
}

/// What the process of a source does.
pub(crate) fn endure(args: &EndureArgs) -> Outcome {
    let tokens: Tokens = serde_json::from_reader(BufReader::new(std::fs::File::open(&args.file)?))?;
    let compiler = Compiler::new(tokens.vocabulary()?, Limits::default());
    // What all guides share is there before the first request.
    compiler.compile(&jig_guides::Source::JsonObject, &Options::default())?.start().mask(None);
    let (_, source) = sources::all().into_iter().find(|(name, _)| *name == args.name).ok_or("no such source")?;
    let source = source();
    memory::reset_peak();
    let before = memory::peak();
    let begun = Instant::now();
    let guide = compiler.compile(&source, &Options::default());
    if let Ok(guide) = &guide {
        guide.start().mask(None);
    }
    let compile = begun.elapsed().as_secs_f64();
    let (outcome, slowest, whole) = match &guide {
        Err(error) => (format!("refused: {}", shortened(&error.to_string())), Duration::ZERO, true),
        Ok(guide) => follow(guide),
    };
    let report = Report { outcome, compile, slowest: slowest.as_secs_f64(), before, after: memory::peak(), whole };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// Walks to the end of an answer. What came of it, the slowest mask, and whether the answer is whole.
fn follow(guide: &Guide) -> (String, Duration, bool) {
    let least = guide.min_tokens();
    if least > LONGEST_WALK {
        return (format!("taken: its answers have {least} tokens or more"), Duration::ZERO, true);
    }
    let walk = walk(guide.start(), least + 20, Manner::Short, &mut Random::new(1));
    match walk.end {
        End::Whole(text) => (format!("answered: {}", shortened(&String::from_utf8_lossy(&text))), walk.slowest, true),
        End::Dead { reason, .. } => (reason, walk.slowest, false),
    }
}

fn shortened(text: &str) -> String {
    let short: String = text.chars().take(110).collect();
    if short.len() < text.len() { format!("{short}...") } else { short }
}
