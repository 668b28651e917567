//! Hashes of 128 bits that stand for their value: two values with one hash are taken for equal.

use foldhash::quality::{FixedState, FoldHasher};
use std::hash::{BuildHasher, Hash, Hasher};

/// Two hashers with different seeds side by side. A collision in one is independent of a collision in the other, and with 128 bits none is
/// expected.
pub(crate) struct Fingerprint {
    a: FoldHasher<'static>,
    b: FoldHasher<'static>,
}

impl Fingerprint {
    pub(crate) fn new() -> Fingerprint {
        let hasher = |seed| FixedState::with_seed(seed).build_hasher();
        Fingerprint { a: hasher(0x9e37_79b9_7f4a_7c15), b: hasher(0xc2b2_ae3d_27d4_eb4f) }
    }

    pub(crate) fn value(&self) -> u128 {
        u128::from(self.a.finish()) << 64 | u128::from(self.b.finish())
    }

    pub(crate) fn add(&mut self, value: impl Hash) {
        value.hash(&mut self.a);
        value.hash(&mut self.b);
    }
}
