//! `jig-bench`: compares the guides with other engines, and checks them on suites, random walks and hostile schemas.
//!
//! | command | what it shows |
//! |---|---|
//! | `maskbench` | time and memory of each engine per schema, mask and token, and its verdicts on instances |
//! | `suite` | right, wrong and refused answers on the official JSON-Schema-Test-Suite |
//! | `walks` | that random walks through guides end in valid documents, over schemas, grammars and trees of parts |
//! | `masks` | that a mask has exactly the tokens that the guide accepts |
//! | `grammars` | time of compilation and masks of each engine on grammars |
//! | `streams` | tokens per second of a server under guided and unguided streams, and its share of time in masks |
//! | `curves` | how the time of a mask grows with the schema |
//! | `hostile` | that expensive sources are answered or refused quickly |
//!
//! Times are meaningful only in a release build: `cargo run --release -p jig-bench --features peers -- maskbench ...`.

mod cases;
mod curves;
mod document;
mod engines;
mod grammars;
mod hostile;
mod maskbench;
mod masks;
mod memory;
mod random;
mod samples;
mod spelling;
mod streams;
mod suite;
mod timer;
mod tokens;
mod walk;
mod walks;

use std::error::Error;
use std::process::ExitCode;

/// The allocator of the `jig` program, for all engines, so that it does not affect their comparison.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use clap::{Parser, Subcommand};

/// The result of a command. An error is printed.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures Jig's guides and checks their correctness
#[derive(Debug, Parser)]
#[command(name = "jig-bench", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure engines on the cases of MaskBench
    Maskbench(maskbench::Args),
    /// The process that `maskbench` starts for each engine
    #[command(hide = true)]
    Measure(maskbench::MeasureArgs),
    /// Run the official JSON-Schema-Test-Suite
    Suite(suite::Args),
    /// Sample random answers from the guides of schemas and check that every one is a valid document
    Walks(walks::Args),
    /// Compare masks at random positions of instances with every token of the vocabulary
    Masks(masks::Args),
    /// Compare engines on the grammars of a folder: compilation, and masks over each grammar's document
    Grammars(grammars::Args),
    /// Measure a server with the embedded model under guided and unguided streams
    Streams(streams::Args),
    /// Show how the time of a mask grows with the schema
    Curves(curves::Args),
    /// Check that hostile schemas and regexes are answered or refused within 1 s and 256 MB
    Hostile(hostile::Args),
    /// The process that `hostile` starts for each source
    #[command(hide = true)]
    Endure(hostile::EndureArgs),
}

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Maskbench(args) => maskbench::run(&args),
        Command::Measure(args) => maskbench::measure(&args),
        Command::Suite(args) => suite::run(&args),
        Command::Walks(args) => walks::run(&args),
        Command::Masks(args) => masks::run(&args),
        Command::Grammars(args) => grammars::run(&args),
        Command::Streams(args) => streams::run(&args),
        Command::Curves(args) => curves::run(&args),
        Command::Hostile(args) => hostile::run(&args),
        Command::Endure(args) => hostile::endure(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
