//! Where plugins are looked for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const PREFIX: &str = "libjig_backend_";
const SUFFIX: &str = ".so";

/// The directories in which plugins are looked for, in this order: the named one, `backends` beside the program, and
/// the directory of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPath {
    /// `--backend-dir` or `JIG_BACKEND_DIR`.
    pub(super) named: Option<PathBuf>,
    /// The directories that come with the program.
    pub(super) beside: Vec<PathBuf>,
}

impl SearchPath {
    /// The search path of this program, with the value of `--backend-dir` if there is one.
    #[must_use]
    pub fn new(backend_dir: Option<PathBuf>) -> Self {
        // A program that doesn't know where it lies has only the named directory.
        let program = std::env::current_exe().and_then(fs::canonicalize).ok();
        let beside = program
            .as_deref()
            .and_then(Path::parent)
            .map(|directory| vec![directory.join("backends"), directory.into()]);
        Self { named: backend_dir, beside: beside.unwrap_or_default() }
    }

    /// Directories as if they came with the program.
    #[cfg(test)]
    pub(super) fn of_directories<const N: usize>(directories: [PathBuf; N]) -> Self {
        Self { named: None, beside: directories.into() }
    }

    /// All directories, the first to be looked into first.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.named.iter().chain(&self.beside).map(PathBuf::as_path)
    }

    /// The files that a name may be.
    pub(super) fn candidates(&self, name: &str) -> Vec<PathBuf> {
        self.directories().map(|directory| directory.join(format!("{PREFIX}{name}{SUFFIX}"))).collect()
    }

    /// The file that a name is. For the name of the embedded backend, only the named directory counts.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        let directories = if name == super::embedded::NAME { self.named.iter().count() } else { usize::MAX };
        self.candidates(name).into_iter().take(directories).find(|file| file.exists())
    }

    /// All plugins as names and files, sorted by name. Of two files of one name, the one that is found first.
    pub(super) fn files(&self) -> Vec<(String, PathBuf)> {
        let mut files = BTreeMap::new();
        for directory in self.directories() {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let file_name = entry.file_name();
                let name = file_name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
                if let Some(name) = name.filter(|name| !name.is_empty()) {
                    files.entry(name.to_owned()).or_insert_with(|| entry.path());
                }
            }
        }
        files.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_directory_comes_first() {
        let (named, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = SearchPath { named: Some(named.path().into()), beside: vec![beside.path().into()] };
        fs::write(beside.path().join("libjig_backend_x.so"), "").unwrap();
        assert_eq!(path.find("x"), Some(beside.path().join("libjig_backend_x.so")));
        fs::write(named.path().join("libjig_backend_x.so"), "").unwrap();
        assert_eq!(path.find("x"), Some(named.path().join("libjig_backend_x.so")));
        assert_eq!(path.files(), [("x".to_owned(), named.path().join("libjig_backend_x.so"))]);
    }

    #[test]
    fn only_files_that_are_named_as_plugins_count() {
        let directory = tempfile::tempdir().unwrap();
        for file in
            ["libjig_backend_.so", "libother.so", "libjig_backend_x.so.1", "jig_backend_x.so", "libjig_backend_b.so"]
        {
            fs::write(directory.path().join(file), "").unwrap();
        }
        let names: Vec<_> =
            SearchPath::of_directories([directory.path().into()]).files().into_iter().map(|file| file.0).collect();
        assert_eq!(names, ["b"]);
    }

    #[test]
    fn the_program_brings_two_directories() {
        let path = SearchPath::new(Some("/named".into()));
        let directories: Vec<_> = path.directories().collect();
        assert_eq!(directories.len(), 3);
        assert_eq!(directories[0], Path::new("/named"));
        assert_eq!(directories[1], directories[2].join("backends"));
    }
}
