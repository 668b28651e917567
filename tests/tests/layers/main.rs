//! The files of a crate import each other without circles.
//!
//! Without circles, a reader can start at the files that import nothing, and needs to know only what a file imports. This
//! test reads the sources of the guides, of the plugin API and of the backends as text, finds which file imports which, and fails for
//! every set of files that import each other, with the lines that do.
//!
//! | module | what it does |
//! |---|---|
//! | [`code`] | removes comments, literals and tests from a source text |
//! | [`paths`] | finds the paths in it, those of `use` and others |
//! | [`imports`] | resolves the paths, through re-exports, to the files that define the names |
//! | [`circles`] | finds the strongly connected components |

mod circles;
mod code;
mod imports;
mod paths;

use std::fs;
use std::path::Path;

use circles::circles;
use imports::{Sources, imports};

/// The folders whose files are checked, from the root of the workspace.
const CRATES: [&str; 7] = [
    "guides/src",
    "plugin-api/src",
    "backends/transformer/src",
    "backends/cpu/src",
    "backends/cuda/src",
    "backends/cuda/emulator/src",
    "backends/ort/src",
];

/// The texts of all Rust files below a folder, by their path within it.
fn read(root: &Path, folder: &Path, sources: &mut Sources) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_owned();
            sources.insert(name, fs::read_to_string(&path).expect("a source text"));
        }
    }
}

#[test]
fn files_of_a_crate_form_no_circle() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let mut found = String::new();
    for name in CRATES {
        let mut sources = Sources::new();
        let folder = workspace.join(name);
        read(&folder, &folder, &mut sources);
        let imports = imports(&sources);
        assert!(imports.len() >= sources.len(), "{name}: too few imports to be all of them: {}", imports.len());
        for circle in circles(&imports) {
            found += &format!("{name}: {circle}");
        }
    }
    assert!(found.is_empty(), "files that need each other; move what they share into a file of its own:\n{found}");
}
