//! [`Registers`]: how far repetitions and members have come.

/// The most scopes within each other.
pub(super) const MOST_SCOPES: usize = 8;

/// What scopes count, by their depth. Zero outside of the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Registers([u64; MOST_SCOPES]);

impl Registers {
    pub(super) fn get(&self, depth: usize) -> u64 {
        self.0[depth]
    }

    /// With another value at a depth.
    pub(super) fn with(mut self, depth: usize, value: u64) -> Registers {
        self.0[depth] = value;
        self
    }
}
