//! `jig check-schema`: what the guides make of a schema, without a model.

mod keywords;
mod longest;
mod sample;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use jig_guides::{CompileError, Compiler, Guide, Interrupt, Options, Source};
use serde_json::Value;

use self::keywords::Keywords;
use super::CommandResult;
use super::schemas::SchemasArgs;
use crate::model::{self, ModelArgs};
use crate::tokenizer::Tokenizer;

/// Places that are listed of each keyword.
const PLACES: usize = 3;

#[derive(Args, Clone, Debug)]
pub(super) struct CheckSchemaArgs {
    /// A JSON Schema; standard input if it is `-`
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The tokenizer whose tokens are counted: a directory, a model of the hub, or `demo`
    #[arg(long, value_name = "DIR|ORG/NAME", default_value = "demo")]
    tokenizer: String,
    /// Random valid answers that are shown
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
    let begun = Instant::now();
    let interrupt = Interrupt::at(begun + args.schemas.compile_timeout());
    let guide = compiler.compile_until(&Source::JsonSchema(text.clone()), &Options::default(), &interrupt);
    let compiling = begun.elapsed();
    let guide = guide.map_err(|error| refusal(&args.file, &error))?;
    let begun = Instant::now();
    guide.start().mask(None);
    let first_mask = begun.elapsed();
    // A text that compiled is JSON.
    let schema: Value = serde_json::from_str(&text)?;

    println!("{}: can be enforced", name(&args.file));
    print_cost(&guide, compiling, first_mask);
    let least = guide.min_tokens();
    let most = longest::bytes(&schema).map_or_else(|| "no limit found".to_owned(), |most| format!("{most} at most"));
    println!("tokens of an answer with the tokenizer {}: {least} at least, {most}", args.tokenizer);
    print_keywords(&Keywords::of(&schema));
    print_samples(&guide, args.samples, args.seed);
    let (masks, bytes) = (guide.known_masks(), guide.bytes());
    println!("\n{masks} states have been met so far; with their masks they take {:.1} KB", bytes as f64 / 1e3);
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

fn print_cost(guide: &Guide, compiling: Duration, first_mask: Duration) {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "compiled in {:.2} ms, first mask in {:.2} ms, over {} tokens",
        milliseconds(compiling),
        milliseconds(first_mask),
        guide.vocabulary().len()
    );
}

fn print_keywords(keywords: &Keywords) {
    println!("\nenforced:");
    for (keyword, places) in &keywords.enforced {
        println!("  {keyword:24} {}", listed(places));
    }
    if keywords.enforced.is_empty() {
        println!("  nothing: every JSON value is valid");
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
            println!("\n{head}");
            for (name, places) in group {
                println!("  {name:24} {}", listed(places));
            }
        }
    }
}

/// The first of some places, and how many more there are.
fn listed(places: &[String]) -> String {
    let shown: Vec<&str> =
        places.iter().take(PLACES).map(|place| if place.is_empty() { "(root)" } else { place.as_str() }).collect();
    let more = places.len() - shown.len();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn print_samples(guide: &Guide, count: u32, seed: u64) {
    if count > 0 {
        println!("\nrandom valid answers:");
    }
    for number in 0..count {
        match sample::draw(guide, seed.wrapping_add(u64::from(number))) {
            Some(text) => println!("  {}", String::from_utf8_lossy(&text)),
            None => {
                println!("  (every answer is too long to show)");
                break;
            }
        }
    }
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
