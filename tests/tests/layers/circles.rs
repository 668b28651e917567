//! Sets of files that import each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::imports::Import;

/// A strongly connected component of the imports: every file imports every other one, directly or through others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Circle {
    files: BTreeSet<String>,
    imports: Vec<Import>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.files.iter().map(String::as_str).collect::<Vec<_>>().join(", "))?;
        self.imports
            .iter()
            .try_for_each(|import| writeln!(f, "    {}:{} imports {}", import.file, import.line, import.of))
    }
}

/// The components of more than one file, with the imports inside each.
pub(crate) fn circles(imports: &BTreeSet<Import>) -> Vec<Circle> {
    let mut of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    imports.iter().for_each(|import| of.entry(&import.file).or_default().push(&import.of));
    let reached: BTreeMap<&str, BTreeSet<&str>> = of.keys().map(|&file| (file, reach(&of, file))).collect();
    let leads = |from: &str, to: &str| reached.get(from).is_some_and(|files| files.contains(to));

    let mut circles: Vec<Circle> = Vec::new();
    for &file in of.keys().filter(|file| leads(file, file)) {
        if circles.iter().any(|circle| circle.files.contains(file)) {
            continue;
        }
        let files: BTreeSet<String> =
            reached[file].iter().filter(|other| leads(other, file)).map(|&file| file.to_owned()).collect();
        let within = |import: &&Import| files.contains(&import.file) && files.contains(&import.of);
        let imports = imports.iter().filter(within).cloned().collect();
        circles.push(Circle { files, imports });
    }
    circles
}

/// The files that a file imports, directly or through others.
fn reach<'a>(imports: &BTreeMap<&'a str, Vec<&'a str>>, file: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut left = vec![file];
    while let Some(file) = left.pop() {
        let next = imports.get(file).into_iter().flatten();
        left.extend(next.filter(|&&file| reached.insert(file)));
    }
    reached
}

#[test]
fn an_injected_circle_is_found_with_its_files_and_lines() {
    use crate::imports::{imports, sources};

    let mut sources = sources(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;\npub use a::A;\n"),
        ("a.rs", "use crate::b::B;\npub struct A;\n"),
        ("b.rs", "use crate::c;\npub struct B;\n"),
        ("c.rs", "pub fn c() {}\n"),
    ]);
    assert_eq!(circles(&imports(&sources)), []);
    sources.insert("c.rs".to_owned(), "pub fn c() {\n    let _ = crate::A;\n}\n".to_owned());
    let found = circles(&imports(&sources));
    let [circle] = found.as_slice() else { panic!("one circle: {found:?}") };
    let text = "a.rs, b.rs, c.rs\n    a.rs:1 imports b.rs\n    b.rs:1 imports c.rs\n    c.rs:2 imports a.rs\n";
    assert_eq!(circle.to_string(), text);
}
