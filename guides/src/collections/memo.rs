//! Results that were worked out before, by what they depend on.

use foldhash::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Results by what they depend on, for all outputs of a guide. Emptied when full: what is in use is soon remembered again.
#[derive(Debug)]
pub(crate) struct Memo<K, V> {
    inner: Mutex<Remembered<K, V>>,
    limit: usize,
}

#[derive(Debug)]
struct Remembered<K, V> {
    known: HashMap<K, V>,
    bytes: usize,
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    /// For so many bytes of results.
    pub(crate) fn new(limit: usize) -> Memo<K, V> {
        Memo { inner: Mutex::new(Remembered { known: HashMap::default(), bytes: 0 }), limit }
    }

    /// Memory in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.inner().bytes
    }

    /// The result for `key`, worked out with `make` if it is not known. `size` says how many bytes the two take.
    pub(crate) fn get(&self, key: K, size: impl FnOnce(&K, &V) -> usize, make: impl FnOnce() -> V) -> V {
        if let Some(known) = self.inner().known.get(&key) {
            return known.clone();
        }
        let made = make();
        let bytes = size(&key, &made);
        let mut inner = self.inner();
        if inner.bytes + bytes > self.limit {
            *inner = Remembered { known: HashMap::default(), bytes: 0 };
        }
        if inner.known.insert(key, made.clone()).is_none() {
            inner.bytes += bytes;
        }
        made
    }

    fn inner(&self) -> MutexGuard<'_, Remembered<K, V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_worked_out_once_and_forgotten_when_there_is_no_room() {
        let memo = Memo::new(100);
        let made = std::cell::Cell::new(0);
        let get = |key: u32| {
            memo.get(
                key,
                |_, _| 40,
                || {
                    made.set(made.get() + 1);
                    key * 2
                },
            )
        };
        assert_eq!((get(1), get(1), get(2), made.get()), (2, 2, 4, 2));
        assert_eq!(memo.bytes(), 80);
        assert_eq!((get(3), memo.bytes()), (6, 40));
        assert_eq!((get(1), made.get()), (2, 4));
    }
}
