//! How a guide would have a value written: numbers in one of their spellings, keys in the order that it demands.

use std::rc::Rc;

use jig_guides::GuideState;
use serde_json::Value;

/// Orders of keys that are tried for one value.
const WORK: usize = 300;

/// Paths that are kept beside each other: a value may leave the guide in states that differ.
const PATHS: usize = 4;

/// An output under construction.
#[derive(Clone)]
struct Path {
    state: GuideState,
    text: Option<Rc<Piece>>,
}

/// The last piece of a text, and the pieces before it, which other paths may share.
struct Piece {
    text: String,
    before: Option<Rc<Piece>>,
}

/// A text of the value that the guide accepts as a whole output, with one space after `,` and `:` or none. The guide's
/// vocabulary must be [`Tokens::of_bytes`](crate::tokens::Tokens::of_bytes). `None`: no spelling was found, which
/// where a guide demands its own order of keys is no proof that there is none.
pub(crate) fn find(start: &GuideState, value: &Value, spaces: bool) -> Option<String> {
    let mut search =
        Search { work: WORK, comma: if spaces { ", " } else { "," }, colon: if spaces { ": " } else { ":" } };
    let start = Path { state: start.clone(), text: None };
    search.value(&start, value).into_iter().find(|path| path.state.may_end()).map(|path| path.text())
}

struct Search {
    work: usize,
    comma: &'static str,
    colon: &'static str,
}

impl Search {
    fn value(&mut self, path: &Path, value: &Value) -> Vec<Path> {
        let mut paths: Vec<Path> = match value {
            Value::Object(members) => {
                let Some(open) = path.then("{") else { return Vec::new() };
                let members: Vec<(&String, &Value)> = members.iter().collect();
                let mut found = Vec::new();
                self.members(&open, &members, &mut vec![false; members.len()], &mut found);
                found
            }
            Value::Array(items) => {
                let mut paths: Vec<Path> = path.then("[").into_iter().collect();
                for (i, item) in items.iter().enumerate() {
                    let separator = if i > 0 { self.comma } else { "" };
                    let before: Vec<Path> = paths.iter().filter_map(|path| path.then(separator)).collect();
                    paths = before.iter().flat_map(|path| self.value(path, item)).take(PATHS).collect();
                }
                paths.iter().filter_map(|path| path.then("]")).collect()
            }
            Value::Number(number) => {
                let mut spellings = vec![number.to_string()];
                // An integer may be demanded where the value is written as `1.0` or `1e3`, and the other way round.
                spellings.extend(number.as_f64().map(|float| float.to_string()));
                spellings.dedup();
                spellings.iter().filter_map(|spelling| path.then(spelling)).collect()
            }
            other => path.then(&other.to_string()).into_iter().collect(),
        };
        paths.truncate(PATHS);
        paths
    }

    /// The members that are not used yet, in any order; the first order that works.
    fn members(&mut self, path: &Path, members: &[(&String, &Value)], used: &mut [bool], found: &mut Vec<Path>) {
        if !found.is_empty() || self.work == 0 {
            return;
        }
        self.work -= 1;
        if used.iter().all(|used| *used) {
            found.extend(path.then("}"));
            return;
        }
        let separator = if used.contains(&true) { self.comma } else { "" };
        for (i, (key, value)) in members.iter().enumerate() {
            if used[i] {
                continue;
            }
            let key = Value::from(key.as_str());
            let Some(after) = path.then(&format!("{separator}{key}{}", self.colon)) else { continue };
            used[i] = true;
            for path in self.value(&after, value) {
                self.members(&path, members, used, found);
            }
            used[i] = false;
        }
    }
}

impl Path {
    /// This path with more text; `None` where the guide does not allow it.
    fn then(&self, text: &str) -> Option<Path> {
        let mut state = self.state.clone();
        for byte in text.bytes() {
            state.advance(u32::from(byte)).ok()?;
        }
        let piece = Piece { text: text.to_owned(), before: self.text.clone() };
        Some(Path { state, text: Some(Rc::new(piece)) })
    }

    fn text(&self) -> String {
        let pieces = std::iter::successors(self.text.as_deref(), |piece| piece.before.as_deref());
        let mut pieces: Vec<&str> = pieces.map(|piece| piece.text.as_str()).collect();
        pieces.reverse();
        pieces.concat()
    }
}

impl Drop for Piece {
    /// One after the other: a text of many pieces would overflow the stack if each dropped the one before it.
    fn drop(&mut self) {
        let mut before = self.before.take();
        while let Some(piece) = before {
            before = Rc::into_inner(piece).and_then(|mut piece| piece.before.take());
        }
    }
}
