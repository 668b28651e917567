//! What backends there are, broken ones included.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use jig_plugin_api::abi::AbiVersion;
use jig_plugin_api::{Backend, DeviceInfo, OptionInfo, load};

use super::{SearchPath, embedded};

/// A backend that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name by which `--backend` finds it.
    pub name: String,
    /// The version of the plugin; empty if it can't be loaded.
    pub version: String,
    /// The version of the plugin ABI that it was built for; empty if it can't be loaded.
    pub abi: String,
    /// The devices that it can see.
    pub devices: Vec<DeviceInfo>,
    /// The options that `--backend-option` sets.
    pub options: Vec<OptionInfo>,
    /// The file; `None` for the embedded backend.
    pub file: Option<PathBuf>,
    /// Why it can't be used here, with the remedy.
    pub problem: Option<String>,
}

/// All backends: the embedded one first, then those of the search path by name. Loading a library runs its
/// initialisers, so this runs code of each of them.
#[must_use]
pub fn list(dirs: &SearchPath) -> Vec<Found> {
    let embedded = describe(embedded::NAME, None, AbiVersion::current().to_string(), &*embedded::backend());
    let files = dirs.files().into_iter().map(|(name, file)| of_file(&name, &file));
    std::iter::once(embedded).chain(files).collect()
}

fn of_file(name: &str, file: &Path) -> Found {
    match load::backend(file) {
        Ok(loaded) => describe(name, Some(file.into()), loaded.abi_version().to_string(), &*loaded.backend()),
        Err(error) => Found { problem: Some(error.to_string()), ..nameless(name, Some(file.into())) },
    }
}

fn describe(name: &str, file: Option<PathBuf>, abi: String, backend: &dyn Backend) -> Found {
    let nothing = nameless(name, file);
    // `describe` must not panic; one that does must not end the list.
    match catch_unwind(AssertUnwindSafe(|| backend.describe())) {
        Ok(info) => Found {
            version: info.version,
            abi,
            devices: info.devices,
            options: info.options,
            problem: info.problem,
            ..nothing
        },
        Err(_) => Found { abi, problem: Some("panicked when asked what it is; tell its author".to_owned()), ..nothing },
    }
}

fn nameless(name: &str, file: Option<PathBuf>) -> Found {
    Found {
        name: name.to_owned(),
        version: String::new(),
        abi: String::new(),
        devices: Vec::new(),
        options: Vec::new(),
        file,
        problem: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_embedded_backend_is_always_listed() {
        let found = list(&SearchPath::of_directories([]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), &found[0].file, &found[0].problem), ("cpu", &None, &None));
        assert!(!found[0].version.is_empty() && !found[0].abi.is_empty() && !found[0].devices.is_empty());
    }

    #[test]
    fn a_broken_file_is_listed_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let text = directory.path().join("libjig_backend_text.so");
        fs::write(&text, "not a library").unwrap();
        fs::create_dir(directory.path().join("libjig_backend_folder.so")).unwrap();
        std::os::unix::fs::symlink("/nonexistent", directory.path().join("libjig_backend_link.so")).unwrap();
        let found = list(&SearchPath::of_directories([directory.path().into()]));
        let names: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["cpu", "folder", "link", "text"]);
        for broken in &found[1..] {
            let (file, problem) = (broken.file.as_ref().unwrap(), broken.problem.as_ref().unwrap());
            assert!(problem.contains(file.to_str().unwrap()), "{problem}");
        }
    }
}
