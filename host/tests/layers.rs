//! The folders of `host/src` import downward only, as the table at the head of `lib.rs` says.
//!
//! The check reads the source: every path that begins with `crate::` or climbs out of its folder with `super::`, in a `use` line or
//! elsewhere. Code for tests may import whatever it likes.

use std::fmt;
use std::path::{Path, PathBuf};

/// Each folder of `host/src`, from the lowest to the highest, with the folders it may import and the crates that it alone may import.
const LAYERS: &[Layer] = &[
    Layer { folder: "measure", imports: &[], owns: &[] },
    Layer { folder: "request", imports: &[], owns: &[] },
    Layer { folder: "tokenizer", imports: &[], owns: &["tokenizers"] },
    Layer { folder: "model", imports: &[], owns: &["ureq"] },
    Layer { folder: "backend", imports: &[], owns: &["jig_backend_cpu"] },
    Layer { folder: "schema_report", imports: &[], owns: &[] },
    Layer { folder: "prompt", imports: &["request"], owns: &["minijinja", "minijinja_contrib", "jiff"] },
    Layer { folder: "output", imports: &["request"], owns: &[] },
    Layer { folder: "engine", imports: &["measure", "request", "tokenizer"], owns: &["rayon"] },
    Layer { folder: "prepare", imports: &["measure", "request", "tokenizer"], owns: &[] },
    Layer {
        folder: "protocol",
        imports: &["request", "tokenizer", "schema_report", "engine", "prepare", "prompt", "output"],
        owns: &["strsim"],
    },
    Layer {
        folder: "http",
        imports: &["measure", "engine", "prepare", "prompt", "protocol"],
        owns: &["axum", "hyper", "hyper_util", "http_body_util", "tokio_rustls", "tower_http"],
    },
    Layer {
        folder: "cli",
        imports: &[
            "measure",
            "request",
            "tokenizer",
            "model",
            "backend",
            "schema_report",
            "prompt",
            "output",
            "engine",
            "prepare",
            "protocol",
            "http",
        ],
        owns: &["clap", "tracing_subscriber"],
    },
];

/// Crates of the project, and what may stand in `request`: the domain knows the guides and the parameters of sampling, and nothing else.
const OF_REQUEST: &[&str] = &["jig_guides", "jig_plugin_api", "std", "thiserror"];

struct Layer {
    folder: &'static str,
    imports: &'static [&'static str],
    owns: &'static [&'static str],
}

/// An import that the table does not allow.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    file: PathBuf,
    line: usize,
    folder: String,
    imported: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, folder, imported } = self;
        write!(f, "host/src/{}:{line}: `{folder}` may not import `{imported}`", file.display())
    }
}

/// The imports of one file that the table does not allow. `file` is relative to `src`.
fn check(file: &Path, text: &str) -> Vec<Violation> {
    let module = module_of(file);
    let Some(folder) = module.first() else { return Vec::new() };
    if module.iter().any(|name| name == "tests" || name == "testing") {
        return Vec::new();
    }
    let layer = LAYERS.iter().find(|layer| layer.folder == folder);
    let mut violations = Vec::new();
    for (number, line) in code_lines(text) {
        let of_crate = paths_after(line, "crate::").into_iter();
        let climbs = climbing_paths(line, &module);
        for imported in of_crate.chain(climbs).filter(|imported| imported != folder) {
            let is_folder = LAYERS.iter().any(|layer| layer.folder == imported);
            let is_allowed = layer.is_some_and(|layer| layer.imports.contains(&imported.as_str()));
            if !is_folder || !is_allowed {
                violations.push(Violation { file: file.to_owned(), line: number, folder: folder.clone(), imported });
            }
        }
        if let Some(name) = used_crate(line) {
            let owner = LAYERS.iter().find(|layer| layer.owns.contains(&name));
            let is_foreign = owner.is_some_and(|owner| owner.folder != folder);
            if is_foreign || (folder == "request" && !OF_REQUEST.contains(&name)) {
                let imported = name.to_owned();
                violations.push(Violation { file: file.to_owned(), line: number, folder: folder.clone(), imported });
            }
        }
    }
    violations
}

/// `engine/schedule/blocks.rs` is `engine::schedule::blocks`; `lib.rs` and `main.rs` are the root.
fn module_of(file: &Path) -> Vec<String> {
    let path = file.with_extension("");
    let mut module: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

/// The lines of a file with their numbers, without comments and without the tests at the end.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let before_tests = lines.take_while(|(_, line)| !line.starts_with("mod tests {"));
    before_tests.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
}

/// The names that follow a prefix: one of a path, several of a list in braces.
fn paths_after(line: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in line.match_indices(prefix) {
        let is_part_of_a_word = line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$');
        if is_part_of_a_word {
            continue;
        }
        let rest = &line[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => names.push(first_name(rest)),
            Some(list) => names.extend(top_level_entries(list)),
        }
    }
    names.retain(|name| name.starts_with(|c: char| c.is_lowercase()) && name != "self");
    names
}

/// The first names of the entries of `a, b::{c, d}}`.
fn top_level_entries(list: &str) -> Vec<String> {
    let (mut depth, mut entries, mut begin) = (0, Vec::new(), 0);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                entries.push(first_name(&list[begin..at]));
                return entries;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                entries.push(first_name(&list[begin..at]));
                begin = at + 1;
            }
            _ => {}
        }
    }
    entries.push(first_name(&list[begin..]));
    entries
}

fn first_name(path: &str) -> String {
    path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The folders that paths of `super::` lead to, where they lead out of the file's own.
fn climbing_paths(line: &str, module: &[String]) -> Vec<String> {
    let climb = "super::".repeat(module.len());
    paths_after(line, &climb)
}

/// The crate that a `use` line imports from.
fn used_crate(line: &str) -> Option<&str> {
    let path = line.trim_start().trim_start_matches("pub ").strip_prefix("use ")?;
    let name = path.split([':', ' ', ';']).next()?;
    (!["crate", "super", "self"].contains(&name) && path.contains("::")).then_some(name)
}

fn source_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the sources are there") {
        let path = entry.expect("the sources can be listed").path();
        if path.is_dir() {
            source_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn no_file_imports_from_a_folder_above_its_own() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&source, &mut files);
    assert!(files.len() > 80, "{} files", files.len());
    let violations: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let file = path.strip_prefix(&source).expect("a file of the sources");
            check(file, &std::fs::read_to_string(path).expect("a source is text"))
        })
        .map(|violation| violation.to_string())
        .collect();
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn every_folder_stands_in_the_table_and_imports_lower_ones_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(source).expect("the sources are there") {
        let name = entry.expect("the sources can be listed").file_name();
        let name = name.to_string_lossy();
        let is_root = ["lib.rs", "main.rs"].contains(&&*name);
        assert!(is_root || LAYERS.iter().any(|layer| layer.folder == name.trim_end_matches(".rs")), "{name}");
    }
    for (at, layer) in LAYERS.iter().enumerate() {
        for import in layer.imports {
            assert!(LAYERS[..at].iter().any(|lower| lower.folder == *import), "{} imports {import}", layer.folder);
        }
    }
}

#[test]
fn an_upward_import_is_found_with_its_file_and_line() {
    let found = |file: &str, text: &str| -> Vec<String> {
        check(Path::new(file), text).iter().map(ToString::to_string).collect()
    };
    let upward = "//! A comment may name crate::http.\n\nuse std::fmt;\n\nuse crate::http::Server;\n";
    assert_eq!(found("engine/handle.rs", upward), ["host/src/engine/handle.rs:5: `engine` may not import `http`"]);
    assert_eq!(found("http/server.rs", upward), [""; 0]);
    let inline = "fn f() -> crate::protocol::outlines::Answer {}\n";
    assert_eq!(found("engine/mod.rs", inline), ["host/src/engine/mod.rs:1: `engine` may not import `protocol`"]);
    let list = "use crate::{request::Request, cli};\n";
    assert_eq!(found("prepare/mod.rs", list), ["host/src/prepare/mod.rs:1: `prepare` may not import `cli`"]);
    let climbs = "use super::super::super::http::Server;\nuse super::super::check;\n";
    assert_eq!(
        found("engine/schedule/blocks.rs", climbs),
        ["host/src/engine/schedule/blocks.rs:1: `engine` may not import `http`"]
    );
    assert_eq!(
        found("request/invalid.rs", "use serde_json::Value;\n"),
        ["host/src/request/invalid.rs:1: `request` may not import `serde_json`"]
    );
    assert_eq!(
        found("protocol/error.rs", "use axum::Json;\n"),
        ["host/src/protocol/error.rs:1: `protocol` may not import `axum`"]
    );
    let tested = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::http::Server;\n}\n";
    assert_eq!(found("engine/mod.rs", tested), [""; 0]);
}
