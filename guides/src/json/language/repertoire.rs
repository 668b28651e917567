//! Which characters of strings can be written with a vocabulary.

/// Which characters of strings can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repertoire {
    /// Whether it is all of them.
    pub(crate) all: bool,
    /// Whether `\uXXXX` can be written for each code.
    pub(crate) codes: bool,
    /// How many there are that take one byte.
    pub(crate) single: u32,
}

/// With so many characters of one byte those of the others do not matter where many are asked for.
const MANY: u32 = 64;

impl Repertoire {
    pub(crate) const ALL: Repertoire = Repertoire { all: true, codes: true, single: 94 };

    /// Whether there are some; where none takes one byte all are left out.
    pub(crate) fn has_some(self) -> bool {
        self.single > 0
    }

    /// Whether there are so many that a few of them make more strings than any output has entries.
    pub(crate) fn are_many(self) -> bool {
        self.single >= MANY
    }
}
