//! `jig-bench walks`: random walks through the guides of schemas must end in valid documents, those through grammars and trees of parts in
//! outputs that are whole in any spelling.

use std::path::PathBuf;
use std::time::Instant;

use jig_guides::{Compiler, Guide, Limits, Options, Source};
use serde_json::Value;

use crate::Outcome;
use crate::cases::{Case, DocumentFile, Selection};
use crate::document::{self, Verdict};
use crate::engines::Whitespace;
use crate::random::Random;
use crate::samples::{self, is_whole};
use crate::tokens::{Splitter, Tokens};
use crate::walk::{End, Manner, walk};

/// Sample random answers from the guides of schemas and check that every one is a valid document
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// A tokenizer.json, or its directory [default: each byte is a token]
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    #[command(flatten)]
    selection: Selection,
    /// Folder of grammars with documents: walk through these, and through trees of parts
    #[arg(long, value_name = "DIR")]
    grammars: Option<PathBuf>,
    #[command(flatten)]
    documents: DocumentFile,
    /// Number of walks, over all sources together
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    walks: u64,
    /// Seed of the walks
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Maximum number of tokens that a walk's budget exceeds the shortest answer by
    #[arg(long, value_name = "TOKENS", default_value_t = 200)]
    slack: usize,
    /// White space that the guides allow
    #[arg(long, value_enum, default_value = "optional")]
    whitespace: Whitespace,
    /// Maximum number of failures to print
    #[arg(long, value_name = "N", default_value_t = 100)]
    print: usize,
}

#[derive(Default)]
struct Count {
    sources: u64,
    walks: u64,
    dead: u64,
    invalid: u64,
    unjudged: u64,
    printed: usize,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let tokens = match &args.tokenizer {
        Some(path) => Splitter::load(path)?.tokens().clone(),
        None => Tokens::of_bytes(),
    };
    let mut limits = Limits::default();
    limits.cache_bytes = 0;
    let compiler = Compiler::new(tokens.vocabulary()?, limits).with_documents(args.documents.documents()?);
    let documents = args.documents.read()?;
    let begun = Instant::now();
    let samples = args.grammars.as_deref().map(samples::samples).transpose()?.unwrap_or_default();
    let mut compiled = samples.len() as u64;
    for case in args.selection.read(args.grammars.is_some())? {
        compiled += u64::from(compile(&compiler, args.whitespace, &case?).is_some());
    }
    let each = args.walks.div_ceil(compiled.max(1));
    let mut count = Count::default();
    for case in args.selection.read(args.grammars.is_some())? {
        let case = case?;
        if let Some(guide) = compile(&compiler, args.whitespace, &case) {
            let schema: Value = serde_json::from_str(case.schema.get())?;
            let validator = document::validator(&schema, &documents);
            let judge = |text: &[u8]| document::judge(validator.as_ref(), text);
            walk_source(args, &case.id, &guide, &judge, each, &mut count);
        }
    }
    for sample in &samples {
        let guide = compiler.compile(&sample.source, &Options::default());
        let guide = guide.map_err(|error| format!("{}: {error}", sample.id))?;
        let judge = |text: &[u8]| match is_whole(&guide, text) {
            Some(true) => Verdict::Valid,
            Some(false) => Verdict::Invalid("it is refused byte by byte".to_owned()),
            None => Verdict::Unjudged,
        };
        walk_source(args, &sample.id, &guide, &judge, each, &mut count);
    }
    println!(
        "{} walks over {} sources in {:.0} s: {} dead ends, {} invalid documents, {} not judged (the validator cannot \
         read the schema, or reads numbers of the document inexactly)",
        count.walks,
        count.sources,
        begun.elapsed().as_secs_f64(),
        count.dead,
        count.invalid,
        count.unjudged
    );
    if count.dead + count.invalid > 0 { Err("not every walk ended in a valid document".into()) } else { Ok(()) }
}

fn compile(compiler: &Compiler, whitespace: Whitespace, case: &Case) -> Option<Guide> {
    let mut options = Options::default();
    options.whitespace = whitespace.into();
    compiler.compile(&Source::JsonSchema(case.schema.get().to_owned()), &options).ok()
}

fn walk_source(args: &Args, id: &str, guide: &Guide, judge: &dyn Fn(&[u8]) -> Verdict, walks: u64, count: &mut Count) {
    count.sources += 1;
    let name = id.bytes().fold(args.seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut random = Random::new(name);
    let least = guide.min_tokens();
    for i in 0..walks {
        // Bugs are likely near the minimum, so most budgets are small.
        let slack = match i % 4 {
            0 => 0,
            1 => random.below(8),
            2 => random.below(40),
            _ => random.below(args.slack + 1),
        };
        let manner = if random.below(3) == 0 { Manner::Even } else { Manner::Short };
        let budget = least.saturating_add(slack as u32);
        let ended = walk(guide.start(), budget, manner, &mut random).end;
        count.walks += 1;
        let failure = match ended {
            End::Dead { text, reason } => {
                count.dead += 1;
                Some((text, format!("dead end: {reason}")))
            }
            End::Whole(text) => match judge(&text) {
                Verdict::Valid => None,
                Verdict::Unjudged => {
                    count.unjudged += 1;
                    None
                }
                Verdict::Invalid(reason) => {
                    count.invalid += 1;
                    Some((text, format!("invalid: {reason}")))
                }
            },
        };
        if let Some((text, reason)) = failure
            && count.printed < args.print
        {
            count.printed += 1;
            println!("{id}: {reason}\n    {}", String::from_utf8_lossy(&text));
        }
    }
}
