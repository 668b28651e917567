//! `jig check-schema`: prints the report on a schema.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use jig_guides::{CompileError, Compiler, Interrupt};

use super::CommandResult;
use super::out::say;
use super::schemas::SchemasArgs;
use crate::model::{self, ModelArgs};
use crate::schema_report::{Failure, Keywords, SchemaReport, Wanted};
use crate::tokenizer::Tokenizer;

/// How many places are listed for each keyword.
const PLACES: usize = 3;

#[derive(Args, Clone, Debug)]
pub(super) struct CheckSchemaArgs {
    /// A JSON Schema; standard input if it is `-`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Tokenizer to count tokens with: a directory, a model of the hub, or `demo`
    #[arg(long, value_name = "DIR|ORG/NAME", default_value = "demo")]
    tokenizer: String,
    /// Number of random valid answers to show
    #[arg(long, value_name = "N", default_value_t = 3)]
    samples: u32,
    /// The same seed gives the same answers
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    schemas: SchemasArgs,
}

pub(super) fn run(args: &CheckSchemaArgs) -> CommandResult {
    let text = read(&args.file)?;
    let compiler = Compiler::new(Arc::new(vocabulary(&args.tokenizer)?), args.schemas.limits());
    let compiler = compiler.with_documents(args.schemas.documents()?);
    let interrupt = Interrupt::at(Instant::now() + args.schemas.compile_timeout());
    let wanted = Wanted { samples: args.samples, seed: args.seed };
    let report = SchemaReport::new(&compiler, &text, wanted, &interrupt).map_err(|failure| match failure {
        Failure::Refused(error) => refusal(&args.file, &error).into(),
        Failure::Unreadable(error) => Box::<dyn std::error::Error + Send + Sync>::from(error),
    })?;

    say!("{}: can be enforced", name(&args.file));
    print_cost(&report)?;
    let least = report.min_tokens;
    let most = report.max_bytes.map_or_else(|| "no limit found".to_owned(), |most| format!("{most} at most"));
    say!("tokens of an answer with the tokenizer {}: {least} at least, {most}", args.tokenizer);
    print_keywords(&report.keywords)?;
    print_samples(&report, args.samples)?;
    say!(
        "\n{} states have been met so far; with their masks they take {:.1} KB",
        report.states,
        report.bytes as f64 / 1e3
    );
    Ok(())
}

fn read(file: &Path) -> Result<String, String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|error| format!("standard input: {error}"))?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn vocabulary(tokenizer: &str) -> Result<jig_guides::Vocabulary, Box<dyn std::error::Error + Send + Sync>> {
    // The demo model is at hand always; only its place is needed, for a tokenizer to be found beside it.
    let resolved = model::resolve(&ModelArgs { tokenizer: Some(tokenizer.to_owned()), ..ModelArgs::new("demo") })?;
    let tokenizer = Tokenizer::load(&resolved.tokenizer_directory)?;
    Ok(tokenizer.vocabulary(tokenizer.len())?)
}

fn refusal(file: &Path, error: &CompileError) -> String {
    let what = match error {
        CompileError::Syntax { .. } => "is no schema",
        CompileError::Unsupported { .. } => "is refused, since this would not be enforced",
        CompileError::Unsatisfiable { .. } => "is refused, since no answer is possible",
        CompileError::TooBig { .. } | CompileError::TooSlow { .. } => "is refused, since it is beyond a limit",
        CompileError::Interrupted => "was not looked at to its end",
        CompileError::Vocabulary { .. } => "cannot be used with this tokenizer",
    };
    format!("{} {what}: {error}", name(file))
}

fn name(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

fn print_cost(report: &SchemaReport) -> std::io::Result<()> {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    say!(
        "compiled in {:.2} ms, first mask in {:.2} ms, over {} tokens",
        milliseconds(report.compile_time),
        milliseconds(report.first_mask_time),
        report.vocabulary_size
    );
    Ok(())
}

fn print_keywords(keywords: &Keywords) -> std::io::Result<()> {
    say!("\nenforced:");
    for (keyword, places) in &keywords.enforced {
        say!("  {keyword:24} {}", listed(places));
    }
    if keywords.enforced.is_empty() {
        say!("  nothing: every JSON value is valid");
    }
    let groups = [
        ("constrain nothing, since they only describe:", &keywords.annotations),
        ("constrain nothing, since no draft defines them:", &keywords.unknown),
        ("formats that constrain nothing, since no draft defines them:", &keywords.unknown_formats),
        ("constrain nothing, since they stand beside a $ref in this draft:", &keywords.beside_reference),
        ("constrain nothing, since this draft does not have them:", &keywords.later),
    ];
    for (head, group) in groups {
        if !group.is_empty() {
            say!("\n{head}");
            for (name, places) in group {
                say!("  {name:24} {}", listed(places));
            }
        }
    }
    Ok(())
}

/// The first of some places, and how many more there are.
fn listed(places: &[String]) -> String {
    let shown: Vec<&str> =
        places.iter().take(PLACES).map(|place| if place.is_empty() { "(root)" } else { place.as_str() }).collect();
    let more = places.len() - shown.len();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn print_samples(report: &SchemaReport, wanted: u32) -> std::io::Result<()> {
    if wanted > 0 {
        say!("\nrandom valid answers:");
    }
    for sample in &report.samples {
        say!("  {sample}");
    }
    if report.samples.len() < wanted as usize {
        say!("  (every answer is too long to show)");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn many_places_are_cut_short() {
        let places =
            |n: usize| (0..n).map(|i| if i == 0 { String::new() } else { format!("/{i}") }).collect::<Vec<_>>();
        assert_eq!(listed(&places(2)), "(root), /1");
        assert_eq!(listed(&places(5)), "(root), /1, /2 and 2 more");
    }
}
