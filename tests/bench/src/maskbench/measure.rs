//! `jig-bench measure`: runs one engine over a prepared file and prints one line of JSON per case.

use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::prepare::{Prepared, PreparedTest, Reader};
use crate::Outcome;
use crate::cases::DocumentFile;
use crate::engines::{Choices, Engine, EngineName, Matcher, Order, Whitespace};
use crate::memory;
use crate::timer::Stopwatch;
use crate::tokens::Tokens;

/// The line before the first case. It says that the engine is prepared.
pub(super) const READY: &str = "ready";

/// Number of slowest masks that are reported per case.
const SLOWEST: usize = 3;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct MeasureArgs {
    #[arg(long, value_enum)]
    pub(super) engine: EngineName,
    #[arg(long, value_enum)]
    pub(super) whitespace: Whitespace,
    #[arg(long, value_enum)]
    pub(super) order: Order,
    /// The file that `maskbench` has prepared
    #[arg(long)]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) documents: DocumentFile,
    /// Number of the first case
    #[arg(long)]
    pub(super) from: usize,
}

/// The measurements of one case. Times are in microseconds, see [`Stopwatch`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct CaseResult {
    pub(super) id: String,
    /// The reason that the engine refused the schema.
    pub(super) refused: Option<String>,
    /// Whether the engine says that no instance is valid.
    pub(super) unsatisfiable: bool,
    /// Compilation and first mask.
    pub(super) first: f64,
    /// Compilation alone.
    pub(super) compile: f64,
    /// Each further mask.
    pub(super) masks: Vec<f32>,
    /// Each token appended.
    pub(super) advances: Vec<f32>,
    /// The slowest masks.
    pub(super) slowest: Vec<SlowMask>,
    /// Instances with a wrong verdict.
    pub(super) wrong: Vec<Wrong>,
    /// Peak memory of the process so far, in bytes.
    pub(super) peak: u64,
}

/// A slow mask.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct SlowMask {
    pub(super) microseconds: f32,
    /// The end of the text before the mask.
    pub(super) before: String,
}

/// An instance that was accepted or rejected wrongly.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Wrong {
    /// The instance's index in the case.
    pub(super) test: usize,
    /// Whether the instance is valid, so that rejecting it was wrong.
    pub(super) valid: bool,
    /// The end of the accepted text, and the rejected token.
    pub(super) at: String,
}

pub(crate) fn measure(args: &MeasureArgs) -> Outcome {
    let (tokens, reader) = Reader::open(&args.file)?;
    let choices = Choices { whitespace: args.whitespace, order: args.order };
    let engine = args.engine.start(&tokens, choices, &args.documents)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{READY}")?;
    out.flush()?;
    let mut orders = std::io::stdin().lines();
    for case in reader.skip(args.from) {
        // Each line of the input asks for the next case.
        if orders.next().transpose()?.is_none() {
            break;
        }
        let result = run(engine.as_ref(), &tokens, &case?);
        writeln!(out, "{}", serde_json::to_string(&result)?)?;
        out.flush()?;
    }
    Ok(())
}

fn run(engine: &dyn Engine, tokens: &Tokens, case: &Prepared) -> CaseResult {
    let mut result = CaseResult { id: case.id.clone(), ..CaseResult::default() };
    let begun = Stopwatch::start();
    let compiled = engine.compile(&case.schema);
    result.compile = begun.microseconds();
    let compiled = compiled.and_then(|mut matcher| match matcher.mask() {
        Ok(()) => Ok(matcher),
        Err(reason) => Err(crate::engines::Refusal { unsatisfiable: false, reason }),
    });
    result.first = begun.microseconds();
    match compiled {
        Ok(mut matcher) => {
            for (i, test) in case.tests.iter().enumerate() {
                let outcome = walk(matcher.as_mut(), tokens, test, i == 0, &mut result);
                if outcome.is_ok() != test.valid {
                    let at = outcome.err().unwrap_or_default();
                    result.wrong.push(Wrong { test: i, valid: test.valid, at });
                }
                if let Err(reason) = matcher.restart() {
                    result.refused = Some(format!("cannot start a new output: {reason}"));
                    break;
                }
            }
        }
        Err(refusal) if refusal.unsatisfiable => {
            result.unsatisfiable = true;
            let valid = case.tests.iter().enumerate().filter(|(_, test)| test.valid);
            result.wrong = valid.map(|(test, _)| Wrong { test, valid: true, at: refusal.reason.clone() }).collect();
        }
        Err(refusal) => result.refused = Some(refusal.reason),
    }
    result.slowest.sort_by(|a, b| b.microseconds.total_cmp(&a.microseconds));
    result.slowest.truncate(SLOWEST);
    result.peak = memory::peak();
    result
}

/// Follows an instance to its end; an error says where it was rejected. With `first`, the mask of the start is already computed.
fn walk(
    matcher: &mut dyn Matcher,
    tokens: &Tokens,
    test: &PreparedTest,
    first: bool,
    result: &mut CaseResult,
) -> Result<(), String> {
    let before = |n: usize| {
        let text = tokens.text(&test.tokens[n.saturating_sub(12)..n]);
        String::from_utf8_lossy(&text).into_owned()
    };
    for (i, &token) in test.tokens.iter().enumerate() {
        if i > 0 || !first {
            let begun = Stopwatch::start();
            let mask = matcher.mask();
            let time = begun.microseconds() as f32;
            mask.map_err(|reason| format!("{} ({reason})", before(i)))?;
            result.masks.push(time);
            let slow = result.slowest.last().map_or(0.0, |slow| slow.microseconds);
            if result.slowest.len() < SLOWEST || time > slow {
                result.slowest.push(SlowMask { microseconds: time, before: before(i) });
                result.slowest.sort_by(|a, b| b.microseconds.total_cmp(&a.microseconds));
                result.slowest.truncate(SLOWEST);
            }
        }
        if !matcher.allows(token) {
            let text = tokens.text(&[token]);
            return Err(format!("{} >>> {}", before(i), String::from_utf8_lossy(&text)));
        }
        let begun = Stopwatch::start();
        let advanced = matcher.advance(token);
        result.advances.push(begun.microseconds() as f32);
        advanced.map_err(|reason| format!("{} ({reason})", before(i + 1)))?;
    }
    if matcher.may_end() { Ok(()) } else { Err(format!("{} >>> the end", before(test.tokens.len()))) }
}
