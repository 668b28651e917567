//! Sets of bytes.

use std::ops::Range;

/// A set of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) const ALL: ByteSet = ByteSet([u64::MAX; 4]);

    /// The bytes of UTF-8 that continue a character.
    pub(crate) const CONTINUATION: ByteSet = ByteSet([0, 0, u64::MAX, 0]);

    pub(crate) const fn of(bytes: &[u8]) -> ByteSet {
        let mut words = [0; 4];
        let mut next = 0;
        while next < bytes.len() {
            words[bytes[next] as usize / 64] |= 1 << (bytes[next] % 64);
            next += 1;
        }
        ByteSet(words)
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.add_all(bytes.iter().copied());
    }

    pub(crate) fn add_all(&mut self, bytes: impl Iterator<Item = u8>) {
        for byte in bytes {
            self.0[usize::from(byte / 64)] |= 1 << (byte % 64);
        }
    }

    /// The bytes that are in both.
    pub(crate) fn and(self, other: ByteSet) -> ByteSet {
        ByteSet(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    /// The bytes that are in at least one of both.
    pub(crate) fn or(self, other: ByteSet) -> ByteSet {
        ByteSet(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    /// The bytes that are not in `other`.
    pub(crate) fn without(self, other: ByteSet) -> ByteSet {
        ByteSet(std::array::from_fn(|word| self.0[word] & !other.0[word]))
    }

    /// The bytes in ascending order.
    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..=255).filter(move |&byte| self.contains(byte))
    }

    /// Adds the byte at offset `depth` of each text that is long enough.
    pub(crate) fn add_each<'a>(&mut self, texts: impl Iterator<Item = &'a [u8]>, depth: u32) {
        for byte in texts.filter_map(|text| text.get(depth as usize)) {
            self.add(std::slice::from_ref(byte));
        }
    }

    pub(crate) fn contains(self, byte: u8) -> bool {
        self.0[usize::from(byte / 64)] >> (byte % 64) & 1 == 1
    }
}

/// The range of the sorted texts that go on with this byte. The texts agree up to where `next` gives the byte of one of them, which is `None`
/// where it ends.
pub(crate) fn range_along<T>(texts: &[T], next: impl Fn(&T) -> Option<u8>, byte: u8) -> Range<usize> {
    // A single text, where most walks soon are, takes one comparison.
    if let [one] = texts {
        return 0..usize::from(next(one) == Some(byte));
    }
    let from = texts.partition_point(|text| next(text) < Some(byte));
    let length = texts[from..].partition_point(|text| next(text) == Some(byte));
    from..from + length
}

/// The texts with this byte at offset `at`, from sorted texts with a common prefix of `at` bytes.
pub(crate) fn texts_along<T: AsRef<[u8]>>(texts: &[T], at: usize, byte: u8) -> &[T] {
    &texts[range_along(texts, |text| text.as_ref().get(at).copied(), byte)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_go_on_with_a_byte_are_found_among_none_one_and_many() {
        let texts = ["a", "ab", "abc", "ac", "ae"];
        let along = |range: Range<usize>, byte: u8| texts_along(&texts[range], 1, byte).to_vec();
        assert_eq!((along(0..5, b'b'), along(0..5, b'e')), (vec!["ab", "abc"], vec!["ae"]));
        assert_eq!((along(3..4, b'c'), along(0..0, b'c')), (vec!["ac"], vec![]));
        for missing in [b'a', b'd', b'f'] {
            assert!(along(0..5, missing).is_empty() && along(3..4, missing).is_empty());
        }
    }
}
