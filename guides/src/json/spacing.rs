//! The white space that must stand between the parts of a JSON text.

use super::state::{At, Level, LevelKind};
use crate::compiler::Whitespace;

/// Levels of containers by which lines are indented; deeper ones are not indented further. It bounds what a line break costs.
const MOST_INDENTED: u32 = 16;

/// Spaces for each level.
const INDENT: u32 = 2;

/// The white space that must stand somewhere, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spacing {
    /// After each colon.
    pub(crate) colon: u32,
    /// After each comma, at most.
    pub(crate) comma: u32,
    /// After the opening and again before the closing bracket of a container with entries, at most.
    pub(crate) inside: u32,
    /// Whether none stands where none must stand.
    is_fixed: bool,
    /// Whether each entry has a line of its own.
    lines: bool,
}

impl Spacing {
    pub(crate) fn of(whitespace: Whitespace) -> Spacing {
        let fixed = Spacing { colon: 1, comma: 1, inside: 0, is_fixed: true, lines: false };
        let line = line(u32::MAX);
        match whitespace {
            Whitespace::Spaces => fixed,
            Whitespace::Pretty => Spacing { comma: line, inside: line, lines: true, ..fixed },
            Whitespace::Optional | Whitespace::Compact | Whitespace::Any => {
                Spacing { colon: 0, comma: 0, inside: 0, is_fixed: false, lines: false }
            }
        }
    }

    pub(crate) fn is_fixed(self) -> bool {
        self.is_fixed
    }

    /// Whether entries stand on lines of their own.
    pub(crate) fn has_lines(self) -> bool {
        self.lines
    }

    /// Levels that are told apart by the white space in them.
    pub(crate) fn indentation(self, level: &Level) -> u32 {
        if self.lines { level.depth.min(MOST_INDENTED + 1) } else { 0 }
    }

    /// The white space that must still be written in this place. After an opening bracket and after an entry it is known only once
    /// some is written.
    pub(crate) fn left(self, level: &Level, at: &At) -> u32 {
        let comma = if self.lines { line(level.depth) } else { self.comma };
        let (whole, blanks) = match (at, level.kind) {
            (At::Value { blanks, .. }, LevelKind::Object) => (self.colon, *blanks),
            (At::Value { blanks, .. }, LevelKind::Array) | (At::Comma { blanks, .. }, _) => (comma, *blanks),
            (At::Open { blanks: blanks @ 1.., .. }, _) if self.lines => (comma, *blanks),
            (At::After { blanks: blanks @ 1.., .. }, _) if self.lines => (line(level.depth - 1), *blanks),
            _ => (0, 0),
        };
        whole.saturating_sub(u32::from(blanks))
    }

    /// The byte that the white space in this place goes on with, if there is to be more of it.
    pub(crate) fn next(self, level: &Level, at: &At) -> Option<u8> {
        let breaks = match at {
            At::Open { blanks: 0, .. } | At::After { blanks: 0, .. } => return self.lines.then_some(b'\n'),
            At::Comma { blanks: 0, .. } => self.lines,
            At::Value { blanks: 0, .. } => self.lines && level.kind == LevelKind::Array,
            _ => false,
        };
        (self.left(level, at) > 0).then_some(if breaks { b'\n' } else { b' ' })
    }
}

/// A line break and the spaces before what stands in so many containers.
fn line(depth: u32) -> u32 {
    1 + INDENT * depth.min(MOST_INDENTED)
}
