//! From `--backend` to a loaded plugin.
//!
//! A backend is named, or it is a path. A name `NAME` is the file `libjig_backend_NAME.so` in the first directory of the
//! [`SearchPath`] that has it; a value with a `/` in it or `.so` at its end is the path of a file.
//!
//! The CPU backend is also linked into the program. `cpu` means that one, so that a stray file never replaces it, unless
//! `--backend-dir` (or `JIG_BACKEND_DIR`) names a directory that has `libjig_backend_cpu.so`: who names a directory wants
//! what is in it.

mod embedded;
mod list;
mod search;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jig_plugin_api::Backend;
use jig_plugin_api::load::LoadError;

pub use list::{Found, list};
pub use search::SearchPath;

/// Loads a backend by name or path.
///
/// # Errors
/// See [`BackendError`]; each text says what to do.
pub fn load(name_or_path: &str, dirs: &SearchPath) -> Result<Arc<dyn Backend>, BackendError> {
    let file = match Wanted::parse(name_or_path)? {
        Wanted::Path(path) => path.to_owned(),
        Wanted::Name(name) => match dirs.find(name) {
            Some(file) => file,
            None if name == embedded::NAME => return Ok(embedded::backend()),
            None => return Err(BackendError::unknown(name, dirs)),
        },
    };
    tracing::debug!("loading the backend {}", file.display());
    Ok(jig_plugin_api::load::backend(&file)?.backend())
}

/// What a value of `--backend` means.
enum Wanted<'a> {
    Name(&'a str),
    Path(&'a Path),
}

impl<'a> Wanted<'a> {
    fn parse(value: &'a str) -> Result<Self, BackendError> {
        if value.contains('/') || value.ends_with(".so") {
            return Ok(Self::Path(Path::new(value)));
        }
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            return Err(BackendError::InvalidName { name: value.to_owned() });
        }
        Ok(Self::Name(value))
    }
}

/// Why a backend can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// Neither a name nor a path.
    #[error("--backend `{name}` is neither a name (letters, digits, `_`, `-`) nor the path of a .so file")]
    InvalidName {
        /// The value.
        name: String,
    },
    /// No file of that name.
    #[error("{0}")]
    Unknown(Unknown),
    /// The file is there, but is not a plugin that can be used.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// A name that no directory has a file for.
#[derive(Debug)]
pub struct Unknown {
    /// The name.
    pub name: String,
    /// The files that were looked for.
    pub looked_for: Vec<PathBuf>,
    /// The names that there are.
    pub known: Vec<String>,
    /// The one of them that was probably meant.
    pub nearest: Option<String>,
}

impl BackendError {
    fn unknown(name: &str, dirs: &SearchPath) -> Self {
        let mut known: Vec<String> = dirs.files().into_iter().map(|(name, _)| name).collect();
        known.push(embedded::NAME.to_owned());
        known.sort();
        known.dedup();
        let nearest = nearest(name, &known).map(str::to_owned);
        Self::Unknown(Unknown { name: name.to_owned(), looked_for: dirs.candidates(name), known, nearest })
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no backend `{}`", self.name)?;
        if let Some(nearest) = &self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        write!(f, "\n  there are: {}", self.known.join(", "))?;
        write!(f, "\n  looked for:")?;
        for file in &self.looked_for {
            write!(f, "\n    {}", file.display())?;
        }
        write!(f, "\n  put the file into one of these places, name its directory with --backend-dir, or give its path")
    }
}

/// The name that differs in the fewest letters, if that is less than half of them.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let distances = known.iter().map(|other| (distance(name, other), other.as_str()));
    let (distance, other) = distances.min()?;
    (distance * 2 <= name.len().max(other.len())).then_some(other)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn refusal(value: &str, dirs: &SearchPath) -> String {
        load(value, dirs).err().unwrap().to_string()
    }

    #[test]
    fn the_cpu_backend_is_there_without_any_file() {
        let backend = load("cpu", &SearchPath::of_directories([])).unwrap();
        assert_eq!(backend.describe().name, "cpu");
    }

    #[test]
    fn a_named_directory_wins_over_the_embedded_backend() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("libjig_backend_cpu.so"), "no library").unwrap();
        let named = SearchPath { named: Some(directory.path().into()), beside: Vec::new() };
        assert!(refusal("cpu", &named).contains("libjig_backend_cpu.so"));
        let beside = SearchPath::of_directories([directory.path().into()]);
        assert_eq!(load("cpu", &beside).unwrap().describe().name, "cpu");
    }

    #[test]
    fn an_unknown_name_says_where_it_was_looked_for_and_what_is_near() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("libjig_backend_cuda.so"), "").unwrap();
        let dirs = SearchPath::of_directories([directory.path().into()]);
        let message = refusal("cuda2", &dirs);
        let looked_for = directory.path().join("libjig_backend_cuda2.so");
        for part in ["did you mean `cuda`?", "cpu, cuda", looked_for.to_str().unwrap(), "--backend-dir"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(!refusal("something-else", &dirs).contains("did you mean"));
    }

    #[test]
    fn a_path_that_is_missing_or_no_plugin_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let text = directory.path().join("text.so");
        fs::write(&text, "not a library").unwrap();
        for path in [text.to_str().unwrap(), "/nonexistent/x.so", "x.so", "/bin/true", "/"] {
            assert!(refusal(path, &SearchPath::of_directories([])).contains(path), "{path}");
        }
    }

    #[test]
    fn a_value_that_is_neither_name_nor_path_is_refused() {
        for value in ["", "a b", "ä", ".."] {
            assert!(
                matches!(load(value, &SearchPath::of_directories([])), Err(BackendError::InvalidName { .. })),
                "{value}"
            );
        }
    }

    #[test]
    fn the_distance_counts_letters() {
        for (a, b, expected) in
            [("", "", 0), ("cuda", "cuda", 0), ("cuda", "cpu", 3), ("", "abc", 3), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }
}
