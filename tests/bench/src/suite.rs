//! `jig-bench suite`: the official JSON-Schema-Test-Suite.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jig_guides::{CompileError, Compiler, Digits, Documents, Formats, Limits, Options, Order, Source};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Outcome;
use crate::spelling;
use crate::tokens::Tokens;

/// Run the official JSON-Schema-Test-Suite
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Directory with one directory for each draft, and optionally the suite's `remotes`
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Directory of a draft; may be repeated [default: all drafts in DIR]
    #[arg(long = "draft", value_name = "NAME")]
    drafts: Vec<String>,
    /// Print each wrong answer and each refused schema
    #[arg(long)]
    verbose: bool,
}

/// The base URI of the suite's `remotes`.
const REMOTES: &str = "http://localhost:1234";

/// A schema with instances, in the format of the suite's files.
#[derive(Deserialize)]
struct Group {
    description: String,
    schema: Box<RawValue>,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    description: String,
    data: Box<RawValue>,
    valid: bool,
}

/// The verdicts on the cases of one file.
#[derive(Clone, Debug, Default)]
struct Score {
    right: usize,
    accepted: usize,
    rejected: usize,
    refused: usize,
    /// A line for each wrong answer and each refused schema.
    notes: Vec<String>,
}

impl Score {
    fn add(&mut self, other: &Score) {
        self.right += other.right;
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.refused += other.refused;
        self.notes.extend(other.notes.iter().cloned());
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    let mut drafts = args.drafts.clone();
    if drafts.is_empty() {
        drafts = names(&args.dir, |path| path.is_dir())?;
        drafts.retain(|name| name.starts_with("draft"));
    }
    let compiler = Compiler::new(Tokens::of_bytes().vocabulary()?, Limits::default());
    let compiler = compiler.with_documents(remotes(&args.dir.join("remotes"))?);
    let mut options = Options::default();
    // The suite asks for numbers of any length.
    options.digits = Some(Digits::Any);
    options.order = Order::Any;
    for draft in drafts {
        let dir = args.dir.join(&draft);
        for (part, dir) in [
            ("required", dir.clone()),
            ("optional", dir.join("optional")),
            ("optional/format", dir.join("optional/format")),
        ] {
            if dir.is_dir() {
                // The required part expects that `format` is an annotation; other files test that it is enforced.
                options.formats = if part == "required" { Formats::Annotate } else { Formats::Assert };
                run_part(&compiler, &options, &draft, &format!("{draft} {part}"), &dir, args.verbose)?;
            }
        }
    }
    Ok(())
}

/// The documents that the suite's schemas refer to, under the URIs that the schemas use.
fn remotes(dir: &Path) -> Outcome<Documents> {
    let mut documents = Documents::default();
    let mut open = if dir.is_dir() { vec![(dir.to_owned(), REMOTES.to_owned())] } else { Vec::new() };
    while let Some((dir, address)) = open.pop() {
        for name in names(&dir, |_| true)? {
            let (path, address) = (dir.join(&name), format!("{address}/{name}"));
            if path.is_dir() {
                open.push((path, address));
            } else {
                documents.add(Some(&address), &std::fs::read_to_string(&path)?)?;
            }
        }
    }
    Ok(documents)
}

/// Runs the files of one directory. The suite has one file for each keyword.
fn run_part(compiler: &Compiler, options: &Options, draft: &str, name: &str, dir: &Path, verbose: bool) -> Outcome {
    let mut scores = BTreeMap::new();
    let mut total = Score::default();
    for file in names(dir, |path| path.extension().is_some_and(|extension| extension == "json"))? {
        let path = dir.join(&file);
        let score =
            run_file(compiler, options, draft, &path).map_err(|error| format!("{}: {error}", path.display()))?;
        total.add(&score);
        scores.insert(file.trim_end_matches(".json").to_owned(), score);
    }
    println!("{name:40}  {:>6}  {:>14}  {:>14}  {:>8}", "right", "false accepts", "false rejects", "refused");
    scores.insert("all".to_owned(), total);
    // First the keywords with a wrong or refused case, then the sum of all.
    let (all, keywords): (Vec<_>, Vec<_>) = scores.iter().partition(|(keyword, _)| *keyword == "all");
    for (keyword, score) in keywords.into_iter().chain(all.iter().copied()) {
        if keyword == "all" || score.accepted + score.rejected + score.refused > 0 {
            let Score { right, accepted, rejected, refused, .. } = score;
            println!("  {keyword:38}  {right:6}  {accepted:14}  {rejected:14}  {refused:8}");
        }
        if verbose && keyword != "all" {
            score.notes.iter().for_each(|note| println!("      {note}"));
        }
    }
    println!();
    Ok(())
}

fn run_file(compiler: &Compiler, options: &Options, draft: &str, path: &Path) -> Outcome<Score> {
    let groups: Vec<Group> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let mut score = Score::default();
    for group in groups {
        let source = Source::JsonSchema(of_draft(group.schema.get(), draft));
        let guide = match compiler.compile(&source, options) {
            Ok(guide) => Some(guide),
            Err(CompileError::Unsatisfiable { .. }) => None,
            Err(error) => {
                score.refused += group.tests.len();
                score.notes.push(format!("refused {}: {error}", group.description));
                continue;
            }
        };
        for test in &group.tests {
            let accepts = guide.as_ref().is_some_and(|guide| spelling::accepts(&guide.start(), test.data.get()));
            let verdict = match (accepts, test.valid) {
                (true, true) | (false, false) => {
                    score.right += 1;
                    continue;
                }
                (true, false) => {
                    score.accepted += 1;
                    "false accept"
                }
                (false, true) => {
                    score.rejected += 1;
                    "false reject"
                }
            };
            let Test { description, data, .. } = test;
            score.notes.push(format!("{verdict}: {}: {description}: {data}", group.description));
        }
    }
    Ok(score)
}

/// The schema with a `$schema`. Most schemas of older drafts have none, because their directory names the draft.
fn of_draft(schema: &str, draft: &str) -> String {
    let uri = match draft {
        "draft4" => "http://json-schema.org/draft-04/schema#",
        "draft6" => "http://json-schema.org/draft-06/schema#",
        "draft7" => "http://json-schema.org/draft-07/schema#",
        _ => return schema.to_owned(),
    };
    match schema.strip_prefix('{') {
        Some(rest) if !schema.contains("\"$schema\"") => {
            let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
            format!("{{\"$schema\": \"{uri}\"{comma}{rest}")
        }
        _ => schema.to_owned(),
    }
}

/// The names in a directory that satisfy a condition, sorted.
fn names(dir: &Path, wanted: impl Fn(&Path) -> bool) -> Outcome<Vec<String>> {
    let entries = std::fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| wanted(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}
