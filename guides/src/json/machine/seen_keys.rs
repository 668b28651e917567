//! The additional keys that were written in an object, which must not be written again.

use crate::json::shape::keys::key_of_class;

/// Keys, sorted: each byte of a key asks which of them begin with what was read.
///
/// A key whose class alone is known has a [mark](key_of_class) in place of its text. Marks stand behind all texts, since no text has
/// a byte as great as theirs, so a search for a text never has to pass one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct SeenKeys(Vec<Box<[u8]>>);

impl SeenKeys {
    pub(super) const NONE: &'static SeenKeys = &SeenKeys(Vec::new());

    /// Adds a key.
    pub(super) fn insert(&mut self, key: &[u8]) {
        let place = self.0.partition_point(|other| **other < *key);
        self.0.insert(place, Box::from(key));
    }

    /// Adds a key of this class, whichever it is. Marks keep the order in which they were added: no search looks for one.
    pub(super) fn insert_class(&mut self, class: u32) {
        let mark = key_of_class(class);
        debug_assert!(self.0.last().is_none_or(|last| last.first() <= mark.first()));
        self.0.push(mark);
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.0.binary_search_by(|other| (**other).cmp(key)).is_ok()
    }

    /// The keys that begin so, in order.
    pub(super) fn with_prefix<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let from = self.0.partition_point(|key| **key < *prefix);
        self.0[from..].iter().map(|key| &**key).take_while(move |key| key.starts_with(prefix))
    }

    pub(super) fn as_slice(&self) -> &[Box<[u8]>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_come_in_any_order_among_marks_of_classes_are_found_by_their_beginning() {
        let mut seen = SeenKeys::default();
        for (key, class) in [("b", 7), ("aé", 3), ("", 3), ("ab", 0), ("\u{10FFFF}", 5)] {
            seen.insert(key.as_bytes());
            seen.insert_class(class);
        }
        let found =
            |prefix: &str| -> Vec<Vec<u8>> { seen.with_prefix(prefix.as_bytes()).map(<[u8]>::to_vec).collect() };
        assert_eq!(found("a"), [b"ab".to_vec(), "aé".into()]);
        assert_eq!((found("b").len(), found("c").len(), found("").len()), (1, 0, 10));
        assert!(["", "ab", "aé", "b", "\u{10FFFF}"].iter().all(|key| seen.contains(key.as_bytes())));
        assert!(!seen.contains(b"a"));
    }
}
