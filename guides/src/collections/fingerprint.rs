//! Hashes of 128 bits that stand for what was hashed.

use foldhash::quality::{FixedState, FoldHasher};
use std::hash::{BuildHasher, Hash, Hasher};

/// Hashes with two keys side by side: what collides in one does not in the other.
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
