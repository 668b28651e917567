//! The official JSON-Schema-Test-Suite and, if `JIG_TEST_DATA` names its directory, the development half of MaskBench. Both must give the
//! exact counts in `data/expected.json`.

mod support;

use flate2::read::GzDecoder;
use jig_guides::{CompileError, Compiler, Digits, Documents, Formats, Guide, Options, Order, Source};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::{accepts, compiler, expected, text};

/// The verdicts on the cases of a suite.
#[derive(Default)]
struct Score {
    taken: usize,
    right: usize,
    valid_rejected: usize,
    invalid_accepted: usize,
    refused_cases: usize,
    /// The names of the refused schemas.
    refused: Vec<String>,
    reasons: BTreeMap<String, usize>,
    /// The names of the cases with a wrong verdict.
    wrong: Vec<String>,
}

impl Score {
    fn refuse(&mut self, name: String, error: &CompileError, cases: usize) {
        let reason = match error {
            CompileError::Unsupported { keyword, reason, .. } => {
                format!("{keyword}: {}", reason.chars().take(60).collect::<String>())
            }
            CompileError::Syntax { reason, .. } => format!("syntax: {}", reason.chars().take(60).collect::<String>()),
            CompileError::TooBig { limit, .. } => format!("too big: {limit}"),
            other => other.to_string().chars().take(60).collect(),
        };
        *self.reasons.entry(reason).or_default() += 1;
        self.refused.push(name);
        self.refused_cases += cases;
    }

    fn judge(&mut self, name: impl FnOnce() -> String, valid: bool, accepted: bool) {
        match (valid, accepted) {
            (true, true) | (false, false) => self.right += 1,
            (true, false) => {
                self.valid_rejected += 1;
                self.wrong.push(format!("rejected: {}", name()));
            }
            (false, true) => {
                self.invalid_accepted += 1;
                self.wrong.push(format!("accepted: {}", name()));
            }
        }
    }

    fn print(&self, name: &str) {
        println!(
            "{name}: {} schemas, {} cases right, {} wrong, {} in refused schemas",
            self.taken + self.refused.len(),
            self.right,
            self.wrong.len(),
            self.refused_cases
        );
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (reason, count) in reasons {
            println!("    refused {count:5}  {reason}");
        }
        for wrong in self.wrong.iter().take(60) {
            println!("    WRONG {wrong}");
        }
    }
}

/// Compiles a schema; `None` if no value is valid.
fn compile(compiler: &Compiler, schema: &Value, options: &Options) -> Result<Option<Guide>, CompileError> {
    match compiler.compile(&Source::JsonSchema(schema.to_string()), options) {
        Ok(guide) => Ok(Some(guide)),
        Err(CompileError::Unsatisfiable { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The directory of the official suite, which is part of the repository.
fn suite_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/json-schema-test-suite")
}

/// The sorted entries of a directory.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// The base URI of the suite's `remotes`.
const ADDRESS: &str = "http://localhost:1234";

/// The documents that the suite's schemas refer to, under the URIs that the schemas use.
fn remotes() -> Documents {
    let mut documents = Documents::default();
    let mut open = vec![(suite_dir().join("remotes"), ADDRESS.to_owned())];
    while let Some((dir, address)) = open.pop() {
        for path in entries(&dir) {
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

/// Runs the groups of cases of one file.
fn run(compiler: &Compiler, file: &Path, uri: Option<&str>, options: &Options, score: &mut Score) {
    let text = std::fs::read_to_string(file).expect("a readable file");
    let groups: Value = serde_json::from_str(&text).expect("JSON");
    let file = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    for group in groups.as_array().into_iter().flatten() {
        let name = format!("{file}: {}", group["description"].as_str().unwrap_or_default());
        let cases = group["tests"].as_array().cloned().unwrap_or_default();
        let mut schema = group["schema"].clone();
        if let (Some(uri), Some(members)) = (uri, schema.as_object_mut()) {
            // The schemas of older drafts do not name their draft, only their directory does.
            members.entry("$schema").or_insert_with(|| uri.into());
        }
        let guide = match compile(compiler, &schema, options) {
            Ok(guide) => guide,
            Err(error) => {
                score.refuse(name, &error, cases.len());
                continue;
            }
        };
        score.taken += 1;
        for case in &cases {
            let accepted = guide.as_ref().is_some_and(|guide| accepts(&guide.start(), &case["data"]));
            let case_name = || format!("{name}: {}", case["description"].as_str().unwrap_or_default());
            score.judge(case_name, case["valid"] == true, accepted);
        }
    }
}

fn suite(draft: &str, uri: Option<&str>) {
    let compiler = compiler().with_documents(remotes());
    for part in ["required", "optional", "optional/format"] {
        let dir = suite_dir().join(draft).join(if part == "required" { "" } else { part });
        let mut options = Options::default();
        // The required part expects that `format` is an annotation; other files test that it is enforced.
        // The suite asks for numbers of any length.
        options.digits = Some(Digits::Any);
        options.formats = if part == "required" { Formats::Annotate } else { Formats::Assert };
        let mut score = Score::default();
        for file in entries(&dir).iter().filter(|path| path.is_file()) {
            run(&compiler, file, uri, &options, &mut score);
        }
        score.print(&format!("{draft} {part}"));
        // The optional part enforces content keywords, which guides treat as annotations.
        assert!(part == "optional" || score.invalid_accepted == 0, "invalid values are accepted: {:#?}", score.wrong);
        let found = json!({
            "groups taken": score.taken,
            "groups refused": score.refused.len(),
            "cases right": score.right,
            "cases wrong": score.wrong.len(),
            "cases refused": score.refused_cases,
            "refused": score.refused,
            "wrong": score.wrong,
        });
        expected::check(&["json-schema-test-suite", draft, part], &found, "");
    }
}

#[test]
fn the_suite_of_draft_2020_12_gives_the_expected_counts() {
    suite("draft2020-12", None);
}

#[test]
fn the_suite_of_draft_7_gives_the_expected_counts() {
    suite("draft7", Some("http://json-schema.org/draft-07/schema#"));
}

#[test]
fn different_counts_are_an_error_with_both_numbers_and_the_command_that_updates_them() {
    let known = json!({"cases right": 3, "cases refused": 0, "wrong": ["a", "b"]});
    assert!(expected::differences(Some(&known), &known).is_empty());
    // The counts of a compiler that refuses every schema.
    let lines =
        expected::differences(Some(&known), &json!({"cases right": 0, "cases refused": 5, "wrong": ["b", "c"]}));
    assert_eq!(
        lines,
        [
            "cases right: 3 expected, 0 found",
            "cases refused: 0 expected, 5 found",
            "wrong: expected, not found: \"a\"",
            "wrong: found, not expected: \"c\"",
        ]
    );
    assert_eq!(expected::differences(None, &json!({"schemas": 1})), ["schemas: nothing expected, 1 found"]);
    let message = expected::message(&["maskbench", "every 40"], &lines, "JIG_MASKBENCH_EVERY=40 ");
    assert!(message.starts_with("maskbench every 40: ") && message.contains("3 expected, 0 found"), "{message}");
    assert!(message.contains("JIG_UPDATE_EXPECTED=1 JIG_MASKBENCH_EVERY=40 cargo test"), "{message}");
}

/// The development half of MaskBench, which is too large for the repository.
fn maskbench() -> Option<PathBuf> {
    let file = Path::new(&std::env::var_os("JIG_TEST_DATA")?).join("maskbench-dev.jsonl.gz");
    file.exists().then_some(file)
}

/// Every n-th schema is tested; a larger step makes a quick run.
fn step() -> usize {
    let step = std::env::var("JIG_MASKBENCH_EVERY").unwrap_or_else(|_| "1".to_owned());
    step.parse().ok().filter(|step| *step > 0).unwrap_or_else(|| panic!("JIG_MASKBENCH_EVERY is {step:?}, no number"))
}

fn is_draft_4(schema: &Value) -> bool {
    schema["$schema"].as_str().is_some_and(|draft| draft.contains("draft-04"))
}

/// The guides of a schema for both orders of members; `None` if no value is valid.
struct Guides {
    of_schema: Option<Guide>,
    of_any: Option<Guide>,
}

impl Guides {
    fn compile(compiler: &Compiler, schema: &Value) -> Result<Guides, CompileError> {
        let of_schema = compile(compiler, schema, &Options::default())?;
        let mut options = Options::default();
        options.order = Order::Any;
        Ok(Guides { of_schema, of_any: compile(compiler, schema, &options)? })
    }

    /// Whether one of the guides accepts a spelling of the value. `accepts` does not try all orders of the members of a large value, so the
    /// value's own order is tried too.
    fn accept(&self, schema: &Value, value: &Value, valid: bool) -> bool {
        let any = |guide: &Option<Guide>| guide.as_ref().is_some_and(|guide| accepts(&guide.start(), value));
        let state = self.of_any.as_ref().and_then(|guide| text(&guide.start(), &value.to_string()));
        let as_it_stands = state.is_some_and(|state| state.may_end());
        // In draft 4, `1` is an integer and `1.0` is not, so another spelling may be another value.
        let one_spelling = !valid && is_draft_4(schema);
        as_it_stands || !one_spelling && (any(&self.of_schema) || any(&self.of_any))
    }
}

#[test]
fn maskbench_gives_the_expected_counts() {
    let Some(file) = maskbench() else {
        println!("skipped: JIG_TEST_DATA names no directory with maskbench-dev.jsonl.gz");
        return;
    };
    let step = step();
    let lines = BufReader::new(GzDecoder::new(std::fs::File::open(file).expect("a readable file"))).lines();
    let compiler = compiler();
    let mut score = Score::default();
    let (mut passing, mut slowest) = (0, (Duration::ZERO, String::new()));
    for line in lines.step_by(step) {
        let case: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        let tests = case["tests"].as_array().cloned().unwrap_or_default();
        let begun = Instant::now();
        let guides = match Guides::compile(&compiler, &case["schema"]) {
            Ok(guides) => guides,
            Err(error) => {
                score.refuse(case["id"].to_string(), &error, tests.len());
                continue;
            }
        };
        slowest = slowest.max((begun.elapsed(), case["id"].to_string()));
        score.taken += 1;
        let wrong = score.wrong.len();
        for test in &tests {
            let (data, valid) = (&test["data"], test["valid"].as_bool().unwrap_or(true));
            let name = || format!("{}: {}", case["id"], data.to_string().chars().take(120).collect::<String>());
            score.judge(name, valid, guides.accept(&case["schema"], data, valid));
        }
        passing += usize::from(score.wrong.len() == wrong);
        if begun.elapsed().as_millis() > 500 {
            println!("slow: {} took {:?}", case["id"], begun.elapsed());
        }
    }
    score.print("MaskBench");
    println!("    passing {passing}; slowest compilations {slowest:?}");
    assert_eq!(score.invalid_accepted, 0, "invalid values are accepted: {:#?}", score.wrong);
    let found = json!({
        "schemas": score.taken + score.refused.len(),
        "passing": passing,
        "refused": score.refused.len(),
        "valid rejected": score.valid_rejected,
        "invalid accepted": score.invalid_accepted,
    });
    let variables = format!("JIG_TEST_DATA=DIR JIG_MASKBENCH_EVERY={step} ");
    expected::check(&["maskbench", &format!("every {step}")], &found, &variables);
}
