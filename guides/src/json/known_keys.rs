//! The keys that can come next in objects whose entries depend on each other, where they were found before.
//!
//! What each key costs there takes as many steps as the object has keys and demands, and one mask asks for the same keys
//! after each of the values that a token can end.

use super::few::Few;
use super::state::{Item, Key, Seen};
use foldhash::HashMap;
use std::sync::{Mutex, PoisonError};

/// So many bytes of keys are remembered for a guide; then all are forgotten.
const MOST_BYTES: usize = 1 << 20;

/// Keys by all that they depend on: the alternatives, and what was written in the object.
#[derive(Debug, Default)]
pub(super) struct KnownKeys {
    inner: Mutex<Inner>,
}

type Written = (Few<Item>, u32, Seen);

#[derive(Debug, Default)]
struct Inner {
    keys: HashMap<Written, Option<Few<Key>>>,
    bytes: usize,
}

impl KnownKeys {
    /// Memory in bytes, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// The keys after `written`, found with `find` if they are not known; `None` where there are none.
    pub(super) fn get(&self, written: Written, find: impl FnOnce() -> Option<Few<Key>>) -> Option<Few<Key>> {
        let lock = || self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = lock().keys.get(&written) {
            return keys.clone();
        }
        let keys = find();
        let costs: usize = keys.iter().flat_map(Few::iter).map(|key| 100 + key.costs.len() * 8).sum();
        let seen: usize = written.2.iter().flat_map(|seen| seen.iter()).map(|key| key.len() + 16).sum();
        let bytes = 200 + costs + seen + written.0.as_slice().len() * 80;
        let mut inner = lock();
        if inner.bytes + bytes > MOST_BYTES {
            *inner = Inner::default();
        }
        if inner.keys.insert(written, keys.clone()).is_none() {
            inner.bytes += bytes;
        }
        keys
    }
}
