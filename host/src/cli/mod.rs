//! The command line: `jig` (which is `jig serve`), `jig generate`, `jig chat`, `jig backends`, `jig check-plugin`,
//! `jig check-schema`.

mod answer;
mod api;
mod backends;
mod chat;
mod check_plugin;
mod check_schema;
mod generate;
mod load;
mod logs;
mod out;
mod schemas;
mod serve;
mod services;
mod table;
mod template;
mod vllm;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// How long the program waits at its end for the backend to free the model.
const MODEL_FREED_WITHIN: Duration = Duration::from_secs(10);

/// What a command ends with: nothing, or an error for a person.
type CommandResult = Result<(), Box<dyn Error + Send + Sync>>;

/// Serves a language model whose output always matches the JSON Schema or the regular expression of the request.
///
/// Without a command it serves: `jig --model demo` starts a server on a small embedded model. Every flag can be given by
/// an environment variable, too: JIG_ and the flag's name. Flags of vLLM that make no difference here are taken with a
/// warning.
#[derive(Debug, Parser)]
#[command(name = "jig", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
#[command(after_help = "\
Examples:
  jig --model demo
  jig --model Qwen/Qwen2.5-0.5B-Instruct --port 8080
  jig generate --model demo --schema '{\"type\":\"string\"}' 'What is the capital of France?'
  jig chat --model demo
  curl http://127.0.0.1:8000/generate -d '{\"prompt\":\"What is the capital of France?\",\"schema\":{\"type\":\"string\"}}'")]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
    #[command(flatten)]
    logs: LogArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a model over HTTP (the same as no command)
    Serve(Box<serve::ServeArgs>),
    /// Answer one prompt on the terminal, without a server
    Generate(generate::GenerateArgs),
    /// Talk with a model on the terminal, without a server
    Chat(chat::ChatArgs),
    /// List the backends that were found, and why some can't be used
    Backends(backends::BackendsArgs),
    /// Run the conformance kit on a backend's file
    CheckPlugin(check_plugin::CheckPluginArgs),
    /// Report which parts of a JSON Schema are enforced and how long answers are, with random samples
    CheckSchema(check_schema::CheckSchemaArgs),
}

/// What goes to the log.
#[derive(Args, Clone, Debug)]
struct LogArgs {
    /// What to log, to standard error: error, warn, info, debug, trace, off, or a filter as `warn,jig=debug`
    #[arg(long, global = true, env = "JIG_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    log_level: String,
    /// How to log: text, or json (an object in each line)
    #[arg(long, global = true, env = "JIG_LOG_FORMAT", value_enum, default_value_t = logs::LogFormat::Text)]
    log_format: logs::LogFormat,
}

/// Runs the program: parses the command line, runs the command, and prints the error if it fails.
#[must_use]
pub fn main() -> ExitCode {
    let taking = match vllm::take(std::env::args_os()) {
        Ok(taking) => taking,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let line = CommandLine::parse_from(taking.rest);
    let started = logs::start(&line.logs.log_level, line.logs.log_format);
    taking.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let result = started.and_then(|()| match line.command {
        None => serve::run(&line.serve),
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Generate(args)) => generate::run(&args),
        Some(Command::Chat(args)) => chat::run(&args),
        Some(Command::Backends(args)) => backends::run(&args),
        Some(Command::CheckPlugin(args)) => check_plugin::run(&args),
        Some(Command::CheckSchema(args)) => check_schema::run(&args),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads has seen enough: `jig backends | head -1`.
        Err(error) if out::is_closed(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut said = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                // Many errors have their cause in their own text.
                let text = error.to_string();
                if !said.contains(&text) {
                    eprintln!("  because: {text}");
                }
                said = text;
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable_of_its_name() {
        let command = CommandLine::command();
        for argument in command.get_arguments() {
            let Some(flag) = argument.get_long().filter(|flag| !matches!(*flag, "help" | "version")) else { continue };
            let variable = format!("JIG_{}", flag.replace('-', "_").to_uppercase());
            assert_eq!(argument.get_env().and_then(|name| name.to_str()), Some(&*variable), "--{flag}");
        }
    }

    #[test]
    fn no_command_serves_with_the_same_flags_as_serve() {
        let plain = CommandLine::try_parse_from(["jig", "--model", "demo", "--port", "1"]).unwrap();
        assert!(plain.command.is_none());
        let named = CommandLine::try_parse_from(["jig", "serve", "--model", "demo", "--port", "1"]).unwrap();
        let Some(Command::Serve(serve)) = named.command else { panic!("serve is a command") };
        assert_eq!(format!("{:?}", plain.serve), format!("{serve:?}"));
    }
}
