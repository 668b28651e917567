//! `jig-bench maskbench`: runs engines on the same schemas, instances and tokens, with one thread each.
//!
//! The instances are first tokenized into a file. Each engine runs in a process of its own, which reads the file line by line, so that
//! its peak memory is that of the engine and the vocabulary. The processes take turns of a hundred schemas, because the speed of a
//! shared machine varies and must not change the ratio of two engines. A process that exceeds the time limit on a schema is killed, and
//! a new one starts after that schema.

mod measure;
mod prepare;
mod process;
mod report;

use std::path::PathBuf;

use crate::Outcome;
use crate::cases::{DocumentFile, Selection};
use crate::engines::{Choices, EngineName, Order, Whitespace};
use crate::tokens::Splitter;

pub(crate) use measure::{MeasureArgs, measure};

/// Measure engines on the cases of MaskBench
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// A tokenizer.json, or its directory
    #[arg(long, value_name = "FILE")]
    tokenizer: PathBuf,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    documents: DocumentFile,
    /// Engine to measure; may be repeated
    #[arg(long = "engine", value_enum, value_name = "ENGINE", default_value = "jig")]
    engines: Vec<EngineName>,
    /// White space in masks and instances
    #[arg(long, value_enum, default_value = "optional")]
    whitespace: Whitespace,
    /// Order of an object's members in Jig
    #[arg(long, value_enum, default_value = "any")]
    order: Order,
    /// Time limit per schema, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    timeout: u64,
    /// Write all measurements to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let file = tempfile::NamedTempFile::new()?;
    let count = {
        let splitter = Splitter::load(&args.tokenizer)?;
        prepare::write(file.path(), &splitter, args.selection.read(false)?, args.whitespace)?
    };
    eprintln!("{count} cases prepared");
    let results = process::run(
        &args.engines,
        process::Task {
            choices: Choices { whitespace: args.whitespace, order: args.order },
            file: file.path(),
            count,
            documents: &args.documents,
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
