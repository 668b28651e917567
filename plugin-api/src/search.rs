//! Where a backend finds libraries that it loads when it starts: Python's packages, and files by their names.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of installed Python packages (`site-packages`, `dist-packages`): of the active virtual or conda environment, of each
/// `python3` of the path, of the user. Each one once, in this order.
#[must_use]
pub fn python_packages() -> Vec<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut prefixes: Vec<PathBuf> = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(set).collect();
    for directory in env::var_os("PATH").iter().flat_map(env::split_paths) {
        let python = directory.join("python3");
        if python.is_file() {
            prefixes.extend(directory.parent().map(Path::to_owned));
            // What a virtual environment's interpreter is a link to has packages too.
            let real = fs::canonicalize(&python).ok();
            prefixes.extend(real.as_deref().and_then(Path::parent).and_then(Path::parent).map(Path::to_owned));
        }
    }
    prefixes.extend(set("HOME").map(|home| home.join(".local")));
    let mut found = Vec::new();
    for library in prefixes.iter().flat_map(|prefix| [prefix.join("lib"), prefix.join("lib64")]) {
        for version in entries(&library, |name| name.starts_with("python3")) {
            for packages in ["site-packages", "dist-packages"].map(|name| version.join(name)) {
                if !found.contains(&packages) && packages.is_dir() {
                    found.push(packages);
                }
            }
        }
    }
    found
}

/// What is in a directory under a name that is wanted, in the order of names. Nothing where it can't be read.
#[must_use]
pub fn entries(directory: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<_> =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(&wanted)).map(|entry| entry.path()).collect();
    found.sort();
    found
}
