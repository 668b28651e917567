//! The white space that must stand between the parts of a JSON text.

use crate::options::Whitespace;

/// Levels of containers by which lines are indented; deeper ones are not indented further. It bounds what a line break costs.
pub(crate) const MOST_INDENTED: u32 = 16;

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
    pub(crate) lines: bool,
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
}

/// A line break and the spaces before what stands in so many containers.
pub(crate) fn line(depth: u32) -> u32 {
    1 + INDENT * depth.min(MOST_INDENTED)
}
