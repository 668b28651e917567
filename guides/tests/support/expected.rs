//! The expected counts of the suites. They are exact and in a committed file, so that every change is a line of a reviewed diff.

use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Tests run concurrently and write to the same file.
static WRITING: Mutex<()> = Mutex::new(());

/// The path of the committed file.
fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/expected.json")
}

/// Fails unless the file has exactly `found` at `part`, a path of keys. With `JIG_UPDATE_EXPECTED`, writes `found` there instead.
/// `variables` are the environment variables that repeat this run.
pub fn check(part: &[&str], found: &Value, variables: &str) {
    let lock = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = std::fs::read_to_string(path()).unwrap_or_else(|error| panic!("{}: {error}", path().display()));
    let mut file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path().display()));
    if std::env::var_os("JIG_UPDATE_EXPECTED").is_some() {
        *part.iter().fold(&mut file, |at, key| &mut at[*key]) = found.clone();
        let text = serde_json::to_string_pretty(&file).expect("JSON") + "\n";
        std::fs::write(path(), text).unwrap_or_else(|error| panic!("{}: {error}", path().display()));
        return;
    }
    drop(lock);
    let expected = part.iter().try_fold(&file, |at, key| at.get(*key));
    let differences = differences(expected, found);
    assert!(differences.is_empty(), "{}", message(part, &differences, variables));
}

/// The error message of a test whose counts differ.
pub fn message(part: &[&str], differences: &[String], variables: &str) -> String {
    format!(
        "{}: other counts than in guides/tests/data/expected.json:\n  {}\nIf the change is intended, update the file with\n  \
         JIG_UPDATE_EXPECTED=1 {variables}cargo test -p jig-guides --test suites\nand commit it.",
        part.join(" "),
        differences.join("\n  ")
    )
}

/// One line for each member that differs.
pub fn differences(expected: Option<&Value>, found: &Value) -> Vec<String> {
    let none = Map::new();
    let (expected, found) = (expected.and_then(Value::as_object).unwrap_or(&none), found.as_object().unwrap_or(&none));
    let keys = expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key)));
    let mut lines = Vec::new();
    for key in keys {
        match (expected.get(key), found.get(key)) {
            (Some(expected), Some(found)) if expected == found => {}
            (Some(Value::Array(expected)), Some(Value::Array(found))) => {
                let gone = expected.iter().filter(|entry| !found.contains(entry));
                lines.extend(gone.map(|entry| format!("{key}: expected, not found: {entry}")));
                let new = found.iter().filter(|entry| !expected.contains(entry));
                lines.extend(new.map(|entry| format!("{key}: found, not expected: {entry}")));
            }
            (expected, found) => {
                let text = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
                lines.push(format!("{key}: {} expected, {} found", text(expected), text(found)));
            }
        }
    }
    lines
}
