//! [`Once`]: whether a key came before, and when.

use foldhash::HashMap;
use std::hash::Hash;

/// Up to this length a scan is faster than a hash table.
const FEW_ENTRIES: usize = 24;

/// The distinct keys of a sequence, numbered in the order of their first occurrence. Usually there are a few; a schema's outermost
/// alternatives may be thousands.
#[derive(Debug)]
pub(crate) struct Once<K> {
    keys: Vec<K>,
    places: HashMap<K, usize>,
}

impl<K: Copy + Eq + Hash> Once<K> {
    pub(crate) fn new() -> Self {
        Self { keys: Vec::new(), places: HashMap::default() }
    }

    /// The number of a key that came before; `None` at its first occurrence.
    pub(crate) fn before(&mut self, key: K) -> Option<usize> {
        if self.keys.len() < FEW_ENTRIES {
            let known = self.keys.iter().position(|other| *other == key);
            if known.is_none() {
                self.keys.push(key);
            }
            return known;
        }
        if self.places.is_empty() {
            self.places.extend(self.keys.iter().copied().zip(0..));
        }
        let next = self.places.len();
        let place = *self.places.entry(key).or_insert(next);
        (place < next).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_keys_are_numbered_in_the_order_of_their_first_occurrence() {
        let mut once = Once::new();
        let numbers: Vec<_> = (0..200u32).map(|i| once.before(i * 7 % 100)).collect();
        assert!(numbers[..100].iter().all(Option::is_none));
        assert!(numbers[100..].iter().enumerate().all(|(i, number)| *number == Some(i)));
    }
}
