//! `jig-bench`: measures guides beside those of other projects, and proves them on suites, random walks and hostile
//! schemas.
//!
//! | command | what it shows |
//! |---|---|
//! | `maskbench` | time and memory per schema, mask and token, and what is accepted, engines side by side |
//! | `suite` | right, wrong and refused answers on the official JSON-Schema-Test-Suite |
//! | `walks` | that random walks through the guides of schemas end in valid documents |
//! | `masks` | that masks are the tokens that a guide accepts one by one |
//! | `streams` | tokens per second of a server under guided and unguided streams, and how much of it waits for masks |
//! | `hostile` | that sources made to cost much are answered or refused quickly |
//!
//! Times mean something in a release build only: `cargo run --release -p jig-bench --features peers -- maskbench ...`.

mod cases;
mod document;
mod engines;
mod hostile;
mod maskbench;
mod masks;
mod memory;
mod random;
mod spelling;
mod streams;
mod suite;
mod tokens;
mod walk;
mod walks;

use std::error::Error;
use std::process::ExitCode;

/// That of the `jig` program, for all engines.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use clap::{Parser, Subcommand};

/// What a command ends with: nothing, or an error for a person.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures and proves Jig's guides
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
    /// What `maskbench` starts for each engine
    #[command(hide = true)]
    Measure(maskbench::MeasureArgs),
    /// Run the official JSON-Schema-Test-Suite
    Suite(suite::Args),
    /// Walk randomly through the guides of schemas: every walk must end in a valid document
    Walks(walks::Args),
    /// Follow the instances of cases and hold masks against every token of the vocabulary, tried one by one
    Masks(masks::Args),
    /// Start a server on the embedded model and measure it under guided and unguided streams
    Streams(streams::Args),
    /// Compile hostile schemas and regexes: each is answered or refused within 1 s and 256 MB
    Hostile(hostile::Args),
    /// What `hostile` starts for each source
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
        Command::Streams(args) => streams::run(&args),
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
