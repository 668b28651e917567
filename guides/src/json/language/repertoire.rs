//! [`Repertoire`]: which characters of strings a vocabulary can write.

/// The characters of strings that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repertoire {
    /// Whether all characters can be written.
    pub(super) all: bool,
    /// Whether `\uXXXX` can be written for each code.
    pub(super) codes: bool,
    /// The number of characters that take one byte.
    pub(crate) single: u32,
}

/// From this number on, characters of one byte alone make enough different strings.
const MANY: u32 = 64;

impl Repertoire {
    pub(crate) const ALL: Repertoire = Repertoire { all: true, codes: true, single: 94 };

    /// Whether any character can be written. Without a character of one byte all are excluded.
    pub(crate) fn has_some(self) -> bool {
        self.single > 0
    }

    /// Whether a few characters make more different strings than an output can have entries.
    pub(crate) fn are_many(self) -> bool {
        self.single >= MANY
    }
}
