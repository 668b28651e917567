//! Flags that apply to the schemas of all requests: the documents they may reference (`--schemas`), and their limits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use jig_guides::{Digits, Documents, Limits};

/// Bytes of one document.
const MAX_BYTES: u64 = 4 << 20;
/// Directories inside of each other.
const MAX_DEPTH: usize = 16;

/// How many digits are written.
#[derive(ValueEnum, Clone, Copy, Debug)]
enum DigitsArg {
    Bounded,
    Any,
}

#[derive(Args, Clone, Debug)]
pub(super) struct SchemasArgs {
    /// Directory of JSON Schemas (*.json, subdirectories included) that the schemas of requests may reference by $id; nothing
    /// else outside of a schema is ever read
    #[arg(long, env = "JIG_SCHEMAS", value_name = "DIR", help_heading = "Schemas")]
    schemas: Option<PathBuf>,
    /// Maximum length of a string in guided JSON, in characters, where the schema has no smaller maxLength; strings that the
    /// schema spells out, and keys, may be longer [default: no limit]
    #[arg(long, env = "JIG_MAX_STRING_LENGTH", value_name = "N", help_heading = "Schemas",
          value_parser = clap::value_parser!(u32).range(1..))]
    max_string_length: Option<u32>,
    /// Maximum number of items in an array in guided JSON, where the schema has no smaller maxItems [default: no limit]
    #[arg(long, env = "JIG_MAX_ARRAY_LENGTH", value_name = "N", help_heading = "Schemas",
          value_parser = clap::value_parser!(u32).range(1..))]
    max_array_length: Option<u32>,
    /// Number of digits in guided JSON where a request does not say: bounded (integers have at most 20, other numbers 17
    /// significant ones, seconds 9 behind the point, if the schema asks for no more) or any
    #[arg(long, env = "JIG_DIGITS", value_enum, default_value_t = DigitsArg::Bounded, help_heading = "Schemas")]
    digits: DigitsArg,
    /// Time limit for compiling a schema or regex, in seconds; one that takes longer is refused
    #[arg(long, env = "JIG_COMPILE_TIMEOUT", value_name = "SECONDS", default_value_t = 5, help_heading = "Schemas",
          value_parser = clap::value_parser!(u32).range(1..))]
    compile_timeout: u32,
}

impl SchemasArgs {
    /// How much a schema may ask for.
    pub(super) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        (limits.string_length, limits.array_length) = (self.max_string_length, self.max_array_length);
        limits.digits = match self.digits {
            DigitsArg::Bounded => Digits::Bounded,
            DigitsArg::Any => Digits::Any,
        };
        limits
    }

    /// How long a compilation may take.
    pub(super) fn compile_timeout(&self) -> Duration {
        Duration::from_secs(self.compile_timeout.into())
    }

    /// Reads the documents; none without the flag.
    pub(super) fn documents(&self) -> Result<Documents, String> {
        let mut documents = Documents::default();
        if let Some(directory) = &self.schemas {
            add_all(directory, MAX_DEPTH, &mut documents, &mut BTreeMap::new())?;
            if documents.is_empty() {
                return Err(format!("--schemas {}: there is no .json file in it", directory.display()));
            }
            tracing::info!("documents of {} that schemas may refer to: {}", directory.display(), documents.len());
        }
        Ok(documents)
    }
}

/// Adds the documents of a directory. `files` has the file of each id so far: of two files with one id the first is used.
fn add_all(
    directory: &Path,
    depth: usize,
    documents: &mut Documents,
    files: &mut BTreeMap<String, PathBuf>,
) -> Result<(), String> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| format!("--schemas: {}: {error}", path.display());
    let entries = std::fs::read_dir(directory).map_err(|error| failed(directory, &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(directory, &error))?.path();
        // Kubernetes keeps the files of a ConfigMap in `..2026_11_28_...`, which `..data` links to; the names beside them are what is meant.
        if !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"..")) {
            paths.push(path);
        }
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            match depth.checked_sub(1) {
                Some(depth) => add_all(&path, depth, documents, files)?,
                None => return Err(failed(&path, &format!("more than {MAX_DEPTH} directories inside of each other"))),
            }
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let metadata = std::fs::metadata(&path).map_err(|error| failed(&path, &error))?;
            // Opening a pipe would wait for its other end.
            if !metadata.is_file() {
                return Err(failed(&path, &"is no file"));
            }
            if metadata.len() > MAX_BYTES {
                return Err(failed(&path, &format!("is longer than {MAX_BYTES} bytes")));
            }
            let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
            let added = documents.add(None, &text).map_err(|error| failed(&path, &error))?;
            match files.get(&added.uri) {
                Some(first) if !added.is_new => tracing::warn!(
                    "--schemas: {} is left out: {} has the same id, {}, and is used",
                    path.display(),
                    first.display(),
                    added.uri
                ),
                _ => drop(files.insert(added.uri, path)),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> SchemasArgs {
        SchemasArgs {
            schemas: None,
            max_string_length: None,
            max_array_length: None,
            digits: DigitsArg::Bounded,
            compile_timeout: 5,
        }
    }

    fn read(files: &[(&str, &str)]) -> Result<Documents, String> {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        }
        let schemas = Some(directory.path().to_owned());
        SchemasArgs { schemas, ..args() }.documents()
    }

    #[test]
    fn documents_of_directories_below_are_read_and_other_files_are_not() {
        let (a, b) = (r#"{"$id": "https://example.com/a"}"#, r#"{"$id": "https://example.com/b"}"#);
        let documents = read(&[("a.json", a), ("below/b.json", b), ("notes.txt", "no JSON")]).expect("documents");
        assert_eq!(documents.len(), 2);
    }

    #[test]
    fn the_files_of_a_config_map_are_read_once_and_a_pipe_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        std::fs::create_dir(path("..2026_11_28")).expect("a directory");
        std::fs::write(path("..2026_11_28/a.json"), r#"{"$id": "https://example.com/a"}"#).expect("a file");
        std::os::unix::fs::symlink("..2026_11_28", path("..data")).expect("a link");
        std::os::unix::fs::symlink("..data/a.json", path("a.json")).expect("a link");
        let read = || {
            let (mut documents, mut files) = (Documents::default(), BTreeMap::new());
            add_all(directory.path(), MAX_DEPTH, &mut documents, &mut files).map(|()| (documents.len(), files))
        };
        let (count, files) = read().expect("documents");
        assert_eq!((count, files.into_values().collect::<Vec<_>>()), (1, vec![path("a.json")]));
        std::os::unix::fs::symlink("/dev/null", path("null.json")).expect("a link");
        assert!(read().expect_err("an error").contains("null.json"));
    }

    #[test]
    fn of_two_documents_with_one_id_the_first_is_used() {
        let (a, b) = (r#"{"$id": "https://example.com/a"}"#, r##"{"$id": "https://example.com/a#", "type": "null"}"##);
        assert_eq!(read(&[("a.json", a), ("b.json", b)]).expect("documents").len(), 1);
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_file() {
        for (text, reason) in [("{", "a.json"), ("{}", "has no $id"), (r#"{"$id": "a"}"#, "no absolute URI")] {
            let error = read(&[("a.json", text)]).expect_err("an error");
            assert!(error.contains("a.json") && error.contains(reason), "{error}");
        }
        assert!(read(&[]).expect_err("an error").contains("no .json file"));
    }

    #[test]
    fn flags_say_how_much_a_schema_may_ask_for() {
        let args = SchemasArgs { max_string_length: Some(9), digits: DigitsArg::Any, compile_timeout: 7, ..args() };
        assert_eq!((args.limits().digits, self::args().limits().digits), (Digits::Any, Digits::Bounded));
        assert_eq!((args.limits().string_length, args.limits().array_length), (Some(9), None));
        assert_eq!(args.compile_timeout(), Duration::from_secs(7));
    }
}
