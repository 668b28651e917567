//! The crate's folders form layers: each imports only lower layers. No files import each other in a cycle.
//!
//! The test reads the sources as text. It shares its parser with the layering tests of the workspace.

#[path = "../../tests/tests/layers/circles.rs"]
mod circles;
#[path = "../../tests/tests/layers/code.rs"]
mod code;
#[path = "../../tests/tests/layers/imports.rs"]
mod imports;
#[path = "../../tests/tests/layers/paths.rs"]
mod paths;

use std::collections::BTreeMap;
use std::path::Path;

use circles::circles;
use imports::{Sources, imports, read};

/// The layers (floors), lowest first. A room is a file, or a folder without the rooms inside it. A room may import itself and rooms of
/// lower floors.
const TOWER: [&[&str]; 14] = [
    &["collections", "error.rs", "options.rs"],
    &["interrupt.rs", "source"],
    &["vocabulary", "json/text"],
    &["automaton"],
    &["regex"],
    &["json/language"],
    &["json/schema", "json/shape", "json/tokens"],
    &["json/analysis", "json/machine"],
    &["json/masks", "guide"],
    &["json"],
    &["grammar"],
    &["tags"],
    &["compiler"],
    &["lib.rs"],
];

/// The floor and the room of a file. If rooms are nested, it is in the innermost one.
fn room(file: &str) -> Option<(usize, &'static str)> {
    let lies_in = |room: &str| file.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let rooms = TOWER.iter().enumerate().flat_map(|(floor, rooms)| rooms.iter().map(move |room| (floor, *room)));
    rooms.filter(|(_, room)| lies_in(room)).max_by_key(|(_, room)| room.len())
}

/// The files that are in no room, and the imports that do not lead to a lower floor, by file and line.
fn faults(sources: &Sources) -> Vec<String> {
    let homeless = sources.keys().filter(|file| room(file).is_none()).map(|file| format!("{file} lies in no room"));
    let upward = imports(sources).into_iter().filter_map(|import| {
        let ((from, own), (to, other)) = (room(&import.file)?, room(&import.of)?);
        (own != other && to >= from)
            .then(|| format!("{}:{} imports {}, which stands no lower", import.file, import.line, import.of))
    });
    homeless.chain(upward).collect()
}

fn sources() -> Sources {
    let sources = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(imports(&sources).len() > sources.len(), "too few imports to be all of them");
    sources
}

#[test]
fn every_import_leads_downward() {
    assert_eq!(faults(&sources()), Vec::<String>::new());
}

#[test]
fn no_file_is_in_a_circle() {
    assert_eq!(circles(&imports(&sources())), []);
}

#[test]
fn no_two_types_and_no_two_constants_have_one_name() {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (file, text) in sources() {
        for line in code::code(&text).lines() {
            let mut words = line.split(|c: char| !(c == '_' || c.is_alphanumeric())).filter(|word| !word.is_empty());
            let kind = words.find(|word| !["pub", "crate", "super", "in"].contains(word)).unwrap_or_default();
            if line.starts_with(' ') || !["struct", "enum", "trait", "type", "const", "static"].contains(&kind) {
                continue;
            }
            let Some(name) = words.next() else { continue };
            if let Some(other) = seen.insert(name.to_owned(), file.clone()) {
                panic!("{name} is defined in {other} and in {file}");
            }
        }
    }
    assert!(seen.len() > 200);
}

#[test]
fn an_upward_import_is_named_by_file_and_line() {
    let mut sources = sources();
    let value = sources.get_mut("json/text/value.rs").expect("the file");
    let lines = value.lines().count();
    value.push_str("use crate::json::machine::JsonMachine;\n");
    let expected = format!("json/text/value.rs:{} imports json/machine/mod.rs, which stands no lower", lines + 1);
    assert_eq!(faults(&sources), [expected]);
    sources.insert("json/stray.rs".into(), String::new());
    sources.insert("stray.rs".into(), String::new());
    assert!(faults(&sources).contains(&"stray.rs lies in no room".to_owned()));
}
