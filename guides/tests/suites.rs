//! The official JSON-Schema-Test-Suite and the development half of MaskBench, where `JIG_TEST_DATA` says that they are.

mod support;

use flate2::read::GzDecoder;
use jig_guides::{CompileError, Compiler, Documents, Formats, GuideState, Options, Order, Source};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use support::{accepts, compiler, text};

#[derive(Default)]
struct Score {
    schemas: usize,
    right: usize,
    refused: BTreeMap<String, usize>,
    refused_cases: usize,
    wrong: Vec<String>,
}

impl Score {
    fn refuse(&mut self, error: &CompileError, cases: usize) {
        let reason = match error {
            CompileError::Unsupported { keyword, reason, .. } => {
                format!("{keyword}: {}", reason.chars().take(60).collect::<String>())
            }
            CompileError::Syntax { reason, .. } => format!("syntax: {}", reason.chars().take(60).collect::<String>()),
            CompileError::TooBig { limit, .. } => format!("too big: {limit}"),
            other => other.to_string().chars().take(60).collect(),
        };
        *self.refused.entry(reason).or_default() += 1;
        self.refused_cases += cases;
    }

    fn print(&self, name: &str) {
        println!(
            "{name}: {} schemas, {} cases right, {} wrong, {} in refused schemas",
            self.schemas,
            self.right,
            self.wrong.len(),
            self.refused_cases
        );
        let mut refused: Vec<_> = self.refused.iter().collect();
        refused.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (reason, count) in refused {
            println!("    refused {count:5}  {reason}");
        }
        for wrong in self.wrong.iter().take(60) {
            println!("    WRONG {wrong}");
        }
    }
}

fn data(path: &str) -> Option<PathBuf> {
    let found = std::env::var_os("JIG_TEST_DATA").map(|dir| Path::new(&dir).join(path)).filter(|path| path.exists());
    if found.is_none() {
        println!("skipped: JIG_TEST_DATA does not lead to {path}");
    }
    found
}

/// The documents that the suite's schemas refer to, under the addresses at which it says they are.
fn remotes() -> Documents {
    let mut documents = Documents::default();
    let mut open: Vec<_> =
        data("json-schema-test-suite/remotes").map(|dir| (dir, ADDRESS.to_owned())).into_iter().collect();
    while let Some((dir, address)) = open.pop() {
        for entry in std::fs::read_dir(dir).expect("a readable directory") {
            let path = entry.expect("an entry").path();
            let address = format!("{address}/{}", path.file_name().and_then(|name| name.to_str()).unwrap_or_default());
            if path.is_dir() {
                open.push((path, address));
            } else {
                let text = std::fs::read_to_string(&path).expect("a readable file");
                documents.add(Some(&address), &text).expect("a document");
            }
        }
    }
    documents
}

/// Where the suite's schemas look for its `remotes`.
const ADDRESS: &str = "http://localhost:1234";

/// Runs the groups of cases of one file.
fn run(compiler: &Compiler, file: &Path, uri: Option<&str>, options: &Options, score: &mut Score) {
    let text = std::fs::read_to_string(file).expect("a readable file");
    let groups: Value = serde_json::from_str(&text).expect("JSON");
    let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    for group in groups.as_array().into_iter().flatten() {
        score.schemas += 1;
        let cases = group["tests"].as_array().cloned().unwrap_or_default();
        let mut schema = group["schema"].clone();
        if let (Some(uri), Some(members)) = (uri, schema.as_object_mut()) {
            // The files of older drafts leave it to their directory which one they are of.
            members.entry("$schema").or_insert_with(|| uri.into());
        }
        let guide = match compiler.compile(&Source::JsonSchema(schema.to_string()), options) {
            Ok(guide) => guide,
            Err(CompileError::Unsatisfiable { .. }) => {
                for case in &cases {
                    judge(score, name, &group["description"], case, false);
                }
                continue;
            }
            Err(error) => {
                score.refuse(&error, cases.len());
                continue;
            }
        };
        for case in &cases {
            judge(score, name, &group["description"], case, accepts(&guide.start(), &case["data"]));
        }
    }
}

fn judge(score: &mut Score, file: &str, group: &Value, case: &Value, accepted: bool) {
    if case["valid"].as_bool() == Some(accepted) {
        score.right += 1;
    } else {
        let did = if accepted { "accepted" } else { "rejected" };
        score.wrong.push(format!("{file}: {group}: {} {did}: {}", case["description"], case["data"]));
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("a readable directory")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

fn suite(draft: &str) {
    let Some(dir) = data(&format!("json-schema-test-suite/{draft}")) else { return };
    let compiler = compiler().with_documents(remotes());
    let mut required = Score::default();
    let uri = (draft == "draft7").then_some("http://json-schema.org/draft-07/schema#");
    let mut options = Options::default();
    options.formats = Formats::Annotate;
    for file in files(&dir) {
        run(&compiler, &file, uri, &options, &mut required);
    }
    required.print(draft);
    let formats = dir.join("optional/format");
    let mut optional = Score::default();
    if formats.exists() {
        for file in files(&formats) {
            run(&compiler, &file, uri, &Options::default(), &mut optional);
        }
        optional.print(&format!("{draft} optional/format"));
    }
    assert!(required.wrong.is_empty(), "{:#?}", required.wrong);
    assert!(required.refused_cases <= 40, "{} cases are refused", required.refused_cases);
}

#[test]
fn the_suite_of_draft_2020_12_finds_no_wrong_answer() {
    suite("draft2020-12");
}

#[test]
fn the_suite_of_draft_7_finds_no_wrong_answer() {
    suite("draft7");
}

fn is_draft_4(schema: &Value) -> bool {
    schema["$schema"].as_str().is_some_and(|draft| draft.contains("draft-04"))
}

/// The start of a guide that takes the members of an object as they come.
fn in_any_order(compiler: &Compiler, schema: &Value) -> GuideState {
    let mut options = Options::default();
    options.order = Order::Any;
    compiler.compile(&Source::JsonSchema(schema.to_string()), &options).expect("it was compiled before").start()
}

#[test]
fn maskbench_finds_no_wrong_answer() {
    let Some(file) = data("maskbench-dev.jsonl.gz") else { return };
    let lines: Vec<String> = BufReader::new(GzDecoder::new(std::fs::File::open(file).expect("a readable file")))
        .lines()
        .map(|line| line.expect("text"))
        .collect();
    // A part of the cases is enough for a quick look: every n-th.
    let every = std::env::var("JIG_MASKBENCH_EVERY").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let compiler = compiler();
    let mut score = Score::default();
    let (mut passing, mut slowest) = (0, (std::time::Duration::ZERO, String::new()));
    for line in lines.into_iter().step_by(every) {
        let case: Value = serde_json::from_str(&line).expect("JSON");
        score.schemas += 1;
        let tests = case["tests"].as_array().cloned().unwrap_or_default();
        let begun = std::time::Instant::now();
        let compiled = compiler.compile(&Source::JsonSchema(case["schema"].to_string()), &Options::default());
        let compiling = begun.elapsed();
        slowest = slowest.max((compiling, case["id"].to_string()));
        let guide = match compiled {
            Ok(guide) => Some(guide),
            Err(CompileError::Unsatisfiable { .. }) => None,
            Err(error) => {
                score.refuse(&error, tests.len());
                continue;
            }
        };
        let wrong = score.wrong.len();
        for test in &tests {
            let mut accepted = guide.as_ref().is_some_and(|guide| accepts(&guide.start(), &test["data"]));
            // To draft 4, 1.0 is no integer and 1 is one: another spelling is another value.
            if accepted && !test["valid"].as_bool().unwrap_or(true) && is_draft_4(&case["schema"]) {
                accepted = text(&in_any_order(&compiler, &case["schema"]), &test["data"].to_string())
                    .is_some_and(|state| state.may_end());
            }
            if test["valid"].as_bool() == Some(accepted) {
                score.right += 1;
            } else {
                let did = if accepted { "accepted" } else { "rejected" };
                score.wrong.push(format!(
                    "{}: {did}: {}",
                    case["id"],
                    test["data"].to_string().chars().take(120).collect::<String>()
                ));
            }
        }
        if begun.elapsed().as_millis() > 500 {
            println!("slow: {} compiled in {compiling:?}, all in {:?}", case["id"], begun.elapsed());
        }
        passing += usize::from(score.wrong.len() == wrong);
    }
    score.print("MaskBench");
    println!("    passing {passing}; slowest compilation {slowest:?}");
    let accepted = score.wrong.iter().filter(|wrong| wrong.contains(": accepted: ")).count();
    assert_eq!(accepted, 0, "accepted what is invalid");
}
