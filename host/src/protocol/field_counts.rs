//! How often fields of requests were ignored, by name, for an operator who wants to know what clients send in vain.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The most names that are counted apart: they come from clients, and a counter for each would fill the memory.
const MOST_NAMES: usize = 64;
/// The longest name that is counted apart, in bytes.
const LONGEST_NAME: usize = 64;
/// What all other names are counted by.
const OTHERS: &str = "(other)";

/// Counts by name.
#[derive(Debug, Default)]
pub struct FieldCounts {
    counts: Mutex<BTreeMap<String, u64>>,
}

impl FieldCounts {
    /// Counts a field.
    pub fn add(&self, name: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_apart = name.len() <= LONGEST_NAME && (counts.len() < MOST_NAMES || counts.contains_key(name));
        *counts.entry(if is_apart { name } else { OTHERS }.to_owned()).or_default() += 1;
    }

    /// The names, and how often each was counted.
    #[must_use]
    pub fn all(&self) -> Vec<(String, u64)> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(name, count)| (name.clone(), *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_apart_up_to_a_number_of_them() {
        let counts = FieldCounts::default();
        for number in 0..MOST_NAMES + 10 {
            counts.add(&format!("name{number:03}"));
        }
        counts.add("name000");
        counts.add(&"x".repeat(LONGEST_NAME + 1));
        let all = counts.all();
        assert_eq!(all.len(), MOST_NAMES + 1);
        assert_eq!(all[0], (OTHERS.to_owned(), 11));
        assert_eq!(all[1], ("name000".to_owned(), 2));
    }
}
