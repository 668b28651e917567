//! `jig-bench maskbench`: engines side by side on the same schemas, instances and tokens, one thread each.
//!
//! The instances are tokenized first, into a file. Then each engine runs in a process of its own, which reads that file
//! line by line, so that its peak memory is the engine's (and the vocabulary's). The processes take turns, a hundred schemas each: a
//! shared machine is now fast and now slow, and a ratio of engines must not show it. A process that takes too long over a schema is
//! ended and begun again after that schema.

mod measure;
mod prepare;
mod process;
mod report;

use std::path::PathBuf;

use crate::Outcome;
use crate::cases::Selection;
use crate::engines::{Choices, EngineName, Order, Whitespace};
use crate::tokens::Splitter;

pub(crate) use measure::{MeasureArgs, measure};

/// Measure engines on the cases of MaskBench
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// A tokenizer.json, or the directory it lies in
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    #[command(flatten)]
    selection: Selection,
    /// An engine; may be given more than once
    #[arg(long = "engine", value_enum, value_name = "ENGINE", default_value = "jig")]
    engines: Vec<EngineName>,
    /// Where white space may stand
    #[arg(long, value_enum, default_value = "optional")]
    whitespace: Whitespace,
    /// In what order Jig lets the members of an object come
    #[arg(long, value_enum, default_value = "any")]
    order: Order,
    /// Give up on a schema after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    timeout: u64,
    /// Write all that was measured to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let file = tempfile::NamedTempFile::new()?;
    let count = {
        let splitter = Splitter::load(&args.tokenizer)?;
        prepare::write(file.path(), &splitter, args.selection.read()?, args.whitespace)?
    };
    eprintln!("{count} cases prepared");
    let results = process::run(
        &args.engines,
        process::Task {
            choices: Choices { whitespace: args.whitespace, order: args.order },
            file: file.path(),
            count,
            timeout: std::time::Duration::from_secs(args.timeout),
        },
    )?;
    report::print(&results);
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_string(&report::json(&results))?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
