//! The imports between the files of a crate form no cycle.
//!
//! So a reader can start at the files that import nothing, and needs to know only the files that a file imports. The test reads the
//! sources of the guides, the plugin API and the backends as text. It fails for every set of files that import each other, and names
//! the lines of the imports.
//!
//! | module | what it does |
//! |---|---|
//! | [`code`] | blanks comments, literals and tests in a source text |
//! | [`paths`] | finds the paths in the text, in `use` and elsewhere |
//! | [`imports`] | resolves the paths through re-exports to the files that define the names |
//! | [`circles`] | finds the strongly connected components |

mod circles;
mod code;
mod imports;
mod paths;

use std::path::Path;

use circles::circles;
use imports::{imports, read};

/// The checked folders, relative to the root of the workspace.
const CRATES: [&str; 7] = [
    "guides/src",
    "plugin-api/src",
    "backends/transformer/src",
    "backends/cpu/src",
    "backends/cuda/src",
    "backends/cuda/emulator/src",
    "backends/ort/src",
];

#[test]
fn the_files_of_each_crate_form_no_cycle() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let mut found = String::new();
    for name in CRATES {
        let sources = read(&workspace.join(name));
        let imports = imports(&sources);
        assert!(imports.len() >= sources.len(), "{name}: the test finds too few imports: {}", imports.len());
        for circle in circles(&imports) {
            found += &format!("{name}: {circle}");
        }
    }
    assert!(found.is_empty(), "files import each other; move the shared items into a file of their own:\n{found}");
}
