//! [`Cache`]: results by their keys, within a budget of bytes.

use foldhash::HashMap;
use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Results by their keys, emptied when full. Results in use are soon made again, and a look has no order of use to maintain. Threads may
/// make the same result at the same time; the last one stays.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    contents: Mutex<Contents<K, V>>,
    /// The most bytes that keys and results may take together.
    budget: usize,
}

#[derive(Debug)]
struct Contents<K, V> {
    results: HashMap<K, V>,
    bytes: usize,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// A cache for `budget` bytes of keys and results.
    pub(crate) fn new(budget: usize) -> Cache<K, V> {
        Cache { contents: Mutex::new(Contents { results: HashMap::default(), bytes: 0 }), budget }
    }

    /// Memory in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.contents().bytes
    }

    /// Number of results.
    pub(crate) fn len(&self) -> usize {
        self.contents().results.len()
    }

    /// The result for `key`, if it is known.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.contents().results.get(key).cloned()
    }

    /// Adds a result that takes `bytes` bytes with its key.
    pub(crate) fn insert(&self, key: K, result: V, bytes: usize) {
        let mut contents = self.contents();
        if contents.bytes + bytes > self.budget {
            *contents = Contents { results: HashMap::default(), bytes: 0 };
        }
        if contents.results.insert(key, result).is_none() {
            contents.bytes += bytes;
        }
    }

    /// The result for `key`, from `make` if it is not known. `size` is the bytes that the two take.
    pub(crate) fn get_or_make(&self, key: K, size: impl FnOnce(&K, &V) -> usize, make: impl FnOnce() -> V) -> V {
        if let Some(known) = self.get(&key) {
            return known;
        }
        // Made without the lock, as it may take long and other threads look meanwhile.
        let made = make();
        let bytes = size(&key, &made);
        self.insert(key, made.clone(), bytes);
        made
    }

    fn contents(&self) -> MutexGuard<'_, Contents<K, V>> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_made_once_and_forgotten_when_there_is_no_room() {
        let cache = Cache::new(100);
        let made = std::cell::Cell::new(0);
        let make = |key: u32| {
            made.set(made.get() + 1);
            key * 2
        };
        let get = |key: u32| cache.get_or_make(key, |_, _| 40, || make(key));
        assert_eq!((get(1), get(1), get(2), made.get()), (2, 2, 4, 2));
        assert_eq!((cache.bytes(), cache.len(), cache.get(&1), cache.get(&3)), (80, 2, Some(2), None));
        assert_eq!((get(3), cache.bytes(), cache.len()), (6, 40, 1));
        assert_eq!((get(1), made.get()), (2, 4));
    }
}
