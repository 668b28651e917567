//! The imports between the files of a crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::code::code;
use crate::paths::{Written, paths};

/// The texts of a crate's files, by their path in `src`.
pub(crate) type Sources = BTreeMap<String, String>;

/// A file that names an item of another file.
/// The texts of all Rust files below a folder, by their path within it.
pub(crate) fn read(root: &Path) -> Sources {
    let (mut sources, mut open) = (Sources::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_owned();
                sources.insert(name, fs::read_to_string(&path).expect("a source text"));
            }
        }
    }
    sources
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Import {
    pub(crate) file: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// The file that defines the item.
    pub(crate) of: String,
}

/// All imports between the files of a crate, outside of tests.
///
/// A name counts as an import of the file that defines it, not of a `mod.rs` that re-exports it. Otherwise every module that
/// names a sibling through its parent would form a cycle with the parent.
pub(crate) fn imports(sources: &Sources) -> BTreeSet<Import> {
    let files = Crate::new(sources);
    let mut imports = BTreeSet::new();
    for (module, file) in &files.modules {
        for path in &file.paths {
            let of = &files.modules[&files.definer(module, path, &mut Vec::new())].name;
            if of != &file.name {
                imports.insert(Import { file: file.name.clone(), line: path.line, of: of.clone() });
            }
        }
    }
    imports
}

/// A module, as its path from the crate's root.
type Module = Vec<String>;

struct File {
    name: String,
    code: String,
    paths: Vec<Written>,
}

struct Crate {
    modules: BTreeMap<Module, File>,
}

impl Crate {
    fn new(sources: &Sources) -> Self {
        let all: BTreeMap<Module, (&String, String)> =
            sources.iter().map(|(name, text)| (module_of(name), (name, code(text)))).collect();
        // A module that only a test declares is not part of the crate, and neither are its children.
        let declared = |module: &Module| {
            (1..=module.len()).all(|length| {
                let parent = all.get(&module[..length - 1]);
                parent.is_some_and(|(_, code)| code.contains(&format!("mod {};", module[length - 1])))
            })
        };
        let mut modules = BTreeMap::new();
        for (module, (name, code)) in all.iter().filter(|(module, _)| declared(module)) {
            let children = all.keys().filter(|other| other.split_last().is_some_and(|(_, parent)| parent == module));
            let children: Vec<String> = children.filter_map(|child| child.last().cloned()).collect();
            let file = File { name: (*name).clone(), code: code.clone(), paths: paths(code, &children) };
            modules.insert(module.clone(), file);
        }
        Self { modules }
    }

    /// The module that defines the item that `path` names in `module`. `seen` holds the names on the way, so that a cycle of
    /// re-exports ends.
    fn definer(&self, module: &Module, path: &Written, seen: &mut Vec<(Module, String)>) -> Module {
        let mut at = module.clone();
        let mut rest = path.segments.as_slice();
        while let [first, others @ ..] = rest {
            match first.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()),
                name => {
                    let child = [at.as_slice(), &[name.to_owned()]].concat();
                    if !self.modules.contains_key(&child) {
                        break;
                    }
                    at = child;
                }
            }
            rest = others;
        }
        match rest.first() {
            Some(name) if name != "*" => self.definer_of(&at, name, seen).unwrap_or(at),
            _ => at,
        }
    }

    /// The module that defines `name`, an item that `module` defines or re-exports.
    fn definer_of(&self, module: &Module, name: &str, seen: &mut Vec<(Module, String)>) -> Option<Module> {
        let key = (module.clone(), name.to_owned());
        let file = &self.modules[module];
        if seen.contains(&key) || file.defines(name) {
            return file.defines(name).then(|| module.clone());
        }
        seen.push(key);
        let alias = |path: &&Written, alias| path.alias.as_deref() == Some(alias);
        if let Some(path) = file.paths.iter().find(|path| alias(path, name)) {
            return Some(self.definer(module, path, seen));
        }
        let mut globs = file.paths.iter().filter(|path| alias(path, "*"));
        globs.find_map(|path| {
            let glob = self.definer(module, path, seen);
            self.definer_of(&glob, name, seen)
        })
    }
}

impl File {
    fn defines(&self, name: &str) -> bool {
        const KINDS: [&str; 9] = ["struct", "enum", "trait", "type", "fn", "const", "static", "union", "macro_rules!"];
        let starts = |rest: &str| !rest.starts_with(|next: char| next == '_' || next.is_ascii_alphanumeric());
        KINDS.iter().any(|kind| {
            let definition = format!("{kind} {name}");
            self.code.match_indices(&definition).any(|(at, _)| starts(&self.code[at + definition.len()..]))
        })
    }
}

/// The module of a file: `a::b` for `a/b.rs` and for `a/b/mod.rs`.
fn module_of(file: &str) -> Module {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let mut module: Module = path.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| ["lib", "main", "mod"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

#[cfg(test)]
pub(crate) fn sources(files: &[(&str, &str)]) -> Sources {
    files.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
}

#[test]
fn a_re_exported_name_is_an_import_of_the_file_that_defines_it() {
    let sources = sources(&[
        ("lib.rs", "mod a;\nmod b;\n#[cfg(test)]\nmod tests;\npub use a::{A, b as c};\n"),
        ("a/mod.rs", "mod leaf;\npub use self::leaf::*;\npub struct A;\npub fn b() {}\n"),
        ("a/leaf.rs", "use super::b;\npub struct Leaf;\npub const LEAF: u32 = 0;\n"),
        ("b.rs", "use crate::a::{Leaf, leaf};\nfn f() { crate::c(); crate::A; }\n#[cfg(test)]\nuse crate::a;\n"),
        ("tests.rs", "use crate::b;\n"),
    ]);
    let found: Vec<_> = imports(&sources).into_iter().map(|i| format!("{}:{} {}", i.file, i.line, i.of)).collect();
    let expected =
        ["a/leaf.rs:1 a/mod.rs", "a/mod.rs:2 a/leaf.rs", "b.rs:1 a/leaf.rs", "b.rs:2 a/mod.rs", "lib.rs:5 a/mod.rs"];
    assert_eq!(found, expected);
}
