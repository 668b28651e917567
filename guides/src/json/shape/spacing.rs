//! The white space that must stand between the parts of a JSON text.

use crate::options::Whitespace;

/// Levels of containers by which lines are indented. Deeper ones are not indented further, which bounds the cost of a line break, and with
/// it the bytes of an entry.
pub(crate) const MOST_INDENTED: u32 = 16;

/// Spaces for each level.
const INDENT: u32 = 2;

/// The white space that must stand in each place, in bytes. Where it depends on the depth, the most that it can take: a cost that
/// counts too much ends an output earlier than needed, one that counts too little could leave it without its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spacing {
    /// After each colon.
    pub(crate) colon: u32,
    /// After each comma, at most.
    pub(crate) comma: u32,
    /// After the opening and again before the closing bracket of a container with entries, at most.
    pub(crate) inside: u32,
    /// Whether no other white space is allowed.
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

    /// Bytes of a comma and of the white space that must follow it.
    pub(crate) fn separator(self) -> u32 {
        1 + self.comma
    }

    /// Bytes to the end of a container, its closing bracket counted. `entries` are the bytes of the entries that follow, with a comma
    /// each. In an empty container the first of them takes no comma, but white space on the inner side of both brackets: `[1, 2]` has one
    /// comma, and `[]` no white space.
    pub(crate) fn to_close(self, is_empty: bool, entries: u64) -> u64 {
        let inside = u64::from(self.inside);
        match (is_empty, entries) {
            (true, 0) => 1,
            (true, _) => (1 + 2 * inside).saturating_add(entries) - u64::from(self.separator()),
            (false, _) => (1 + inside).saturating_add(entries),
        }
    }

    /// Whether entries stand on lines of their own.
    pub(crate) fn has_lines(self) -> bool {
        self.lines
    }
}

/// Bytes of a line break and of the indentation within so many containers.
pub(crate) fn line(depth: u32) -> u32 {
    1 + INDENT * depth.min(MOST_INDENTED)
}
