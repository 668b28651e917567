//! `jig-bench hostile`: sources that are made to take much time or memory must be answered or refused quickly.
//!
//! Each source runs in a process of its own, so that its memory can be measured. The process compiles the source, computes the first
//! mask, and walks to the end of an answer with a budget close to the minimum.

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

/// Time limit for compilation and first mask together, and for each further mask.
const MOST_TIME: Duration = Duration::from_secs(1);

/// Memory limit of a source, without the vocabulary.
const MOST_MEMORY: u64 = 256 << 20;

/// A process that has not answered after this time is killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longer answers are not walked to their end.
const LONGEST_WALK: u32 = 2000;

/// Check that hostile schemas and regexes are answered or refused within 1 s and 256 MB
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// A tokenizer.json, or its directory
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    /// Use only sources whose name contains this text
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

/// The report of a source's process.
#[derive(Debug, Deserialize, Serialize)]
struct Report {
    /// An answer, or the reason for a refusal or a failure.
    outcome: String,
    /// Compilation and first mask, in seconds.
    compile: f64,
    /// The slowest mask of the walk, in seconds.
    slowest: f64,
    /// Peak memory before and after, in bytes.
    before: u64,
    after: u64,
    /// Whether the walk ended in a complete answer.
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
    if failed > 0 { Err(format!("{failed} sources exceeded a limit or failed").into()) } else { Ok(()) }
}

/// Starts the process of a source; `None` if it does not answer.
fn endured(file: &std::path::Path, name: &str) -> Outcome<Option<Report>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["endure", "--name", name, "--file"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let begun = Instant::now();
    // The report is shorter than a pipe's buffer, so the process can end before it is read.
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

/// Runs in the process of a source.
pub(crate) fn endure(args: &EndureArgs) -> Outcome {
    let tokens: Tokens = serde_json::from_reader(BufReader::new(std::fs::File::open(&args.file)?))?;
    let compiler = Compiler::new(tokens.vocabulary()?, Limits::default());
    // A server computes the data that all guides share before the first request.
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

/// Walks to the end of an answer. Returns the outcome, the time of the slowest mask, and whether the answer is complete.
fn follow(guide: &Guide) -> (String, Duration, bool) {
    let least = guide.min_tokens();
    if least > LONGEST_WALK {
        return (format!("accepted: its answers have {least} tokens or more"), Duration::ZERO, true);
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
