//! [`Cache`]: results by their keys, within a budget of bytes.

use foldhash::HashMap;
use std::borrow::Borrow;
use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Results by their keys. A full cache drops those that were not used since it last came to them: the clock algorithm (Corbató 1968), which
/// needs one bit for each result and no order of use. Threads may make the same result at the same time; the last one stays.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    contents: Mutex<Contents<K, V>>,
    /// The most bytes that keys and results may take together.
    budget: usize,
}

#[derive(Debug)]
struct Contents<K, V> {
    results: HashMap<K, Kept<V>>,
    /// All keys; the next one to drop comes first.
    hand: VecDeque<K>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept<V> {
    result: V,
    bytes: usize,
    /// Whether it was used since the hand last passed it.
    used: bool,
}

/// So many results that were used the hand passes for each new one. It bounds the time of one insertion.
const MOST_PASSED: usize = 32;

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    /// A cache for `budget` bytes of keys and results.
    pub(crate) fn new(budget: usize) -> Cache<K, V> {
        let contents = Contents { results: HashMap::default(), hand: VecDeque::new(), bytes: 0 };
        Cache { contents: Mutex::new(contents), budget }
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
        let mut contents = self.contents();
        let kept = contents.results.get_mut(key)?;
        kept.used = true;
        Some(kept.result.clone())
    }

    /// Adds a result that takes `bytes` bytes with its key.
    pub(crate) fn insert(&self, key: K, result: V, bytes: usize) {
        let mut dropped = Vec::new();
        let mut contents = self.contents();
        contents.make_room(self.budget.saturating_sub(bytes), &mut dropped);
        let kept = Kept { result, bytes, used: false };
        contents.bytes += bytes;
        match contents.results.insert(key.clone(), kept) {
            Some(before) => contents.bytes -= before.bytes,
            None => contents.hand.push_back(key),
        }
        // Other threads need not wait until the memory is given back.
        drop(contents);
        drop(dropped);
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

impl<K: Clone + Eq + Hash, V> Contents<K, V> {
    /// Drops results until no more than `most` bytes are left.
    fn make_room(&mut self, most: usize, dropped: &mut Vec<V>) {
        let mut passed = 0;
        while self.bytes > most
            && let Some(key) = self.hand.pop_front()
        {
            match self.results.get_mut(&key) {
                Some(kept) if kept.used && passed < MOST_PASSED => {
                    kept.used = false;
                    passed += 1;
                    self.hand.push_back(key);
                }
                _ => {
                    if let Some(kept) = self.results.remove(&key) {
                        self.bytes -= kept.bytes;
                        dropped.push(kept.result);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_made_once_and_the_one_that_was_not_used_makes_room() {
        let cache = Cache::new(100);
        let made = std::cell::Cell::new(0);
        let make = |key: u32| {
            made.set(made.get() + 1);
            key * 2
        };
        let get = |key: u32| cache.get_or_make(key, |_, _| 40, || make(key));
        assert_eq!((get(1), get(1), get(2), made.get()), (2, 2, 4, 2));
        assert_eq!((cache.bytes(), cache.len(), cache.get(&3)), (80, 2, None));
        // Of 1 and 2, the second was not used again.
        assert_eq!((get(3), cache.bytes(), cache.len(), made.get()), (6, 80, 2, 3));
        assert_eq!((cache.get(&2), get(1), made.get()), (None, 2, 3));
    }

    #[test]
    fn where_all_results_are_used_some_are_dropped_all_the_same() {
        let cache = Cache::new(1000);
        for key in 0..1000 {
            cache.insert(key, key, 10);
            assert_eq!((cache.get(&key), cache.bytes() <= 1000), (Some(key), true));
        }
        assert_eq!(cache.len(), 100);
        cache.insert(5000, 1, 2000);
        assert_eq!((cache.len(), cache.get(&5000)), (1, Some(1)));
        cache.insert(5000, 2, 20);
        assert_eq!((cache.len(), cache.get(&5000), cache.bytes()), (1, Some(2), 20));
    }
}
