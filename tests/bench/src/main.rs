//! `jig-bench`: measures guides beside those of other projects, and proves them on suites, random walks and hostile
//! schemas.
//!
//! | command | what it shows |
//! |---|---|
//! | `maskbench` | time and memory per schema, mask and token, and what is accepted, engines side by side |
//! | `suite` | right, wrong and refused answers on the official JSON-Schema-Test-Suite |
//!
//! Times mean something in a release build only: `cargo run --release -p jig-bench --features peers -- maskbench ...`.

mod cases;
mod engines;
mod maskbench;
mod memory;
mod spelling;
mod suite;
mod tokens;

use std::error::Error;
use std::process::ExitCode;

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
}

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Maskbench(args) => maskbench::run(&args),
        Command::Measure(args) => maskbench::measure(&args),
        Command::Suite(args) => suite::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
