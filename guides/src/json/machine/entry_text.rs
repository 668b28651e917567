//! The text of an entry that is being written, which the states before and after a byte share.

use std::sync::Arc;

/// A text that grows at its end: each byte is one small allocation, whatever the length, so that a walk along thousands of tokens does not
/// copy the text for each of them.
#[derive(Debug, Clone, Default)]
pub(super) struct EntryText {
    /// The beginning, in one piece.
    start: Arc<[u8]>,
    /// The last of the bytes that follow.
    tail: Option<Arc<TailByte>>,
}

#[derive(Debug)]
struct TailByte {
    byte: u8,
    /// The first byte of the tail.
    first: u8,
    /// Bytes of the tail up to this one.
    length: usize,
    before: Option<Arc<TailByte>>,
}

impl EntryText {
    /// With one more byte.
    pub(super) fn with(&self, byte: u8) -> EntryText {
        let before = self.tail.clone();
        let (first, length) = before.as_ref().map_or((byte, 1), |before| (before.first, before.length + 1));
        EntryText { start: self.start.clone(), tail: Some(Arc::new(TailByte { byte, first, length, before })) }
    }

    /// Without the last byte of the tail.
    pub(super) fn without_last(&self) -> EntryText {
        let tail = self.tail.as_ref().and_then(|last| last.before.clone());
        EntryText { start: self.start.clone(), tail }
    }

    pub(super) fn length(&self) -> usize {
        self.start.len() + self.tail.as_ref().map_or(0, |last| last.length)
    }

    pub(super) fn first(&self) -> Option<u8> {
        self.start.first().copied().or_else(|| self.tail.as_ref().map(|last| last.first))
    }

    /// The byte before the last `behind` ones.
    pub(super) fn byte_before(&self, behind: usize) -> Option<u8> {
        let mut tail = std::iter::successors(self.tail.as_deref(), |last| last.before.as_deref());
        match tail.nth(behind) {
            Some(last) => Some(last.byte),
            None => {
                let behind = behind - self.tail.as_ref().map_or(0, |last| last.length);
                self.start.len().checked_sub(behind + 1).map(|at| self.start[at])
            }
        }
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut text = self.start.to_vec();
        text.extend(std::iter::successors(self.tail.as_deref(), |last| last.before.as_deref()).map(|last| last.byte));
        text[self.start.len()..].reverse();
        text
    }
}

impl From<Vec<u8>> for EntryText {
    fn from(text: Vec<u8>) -> EntryText {
        EntryText { start: text.into(), tail: None }
    }
}

impl Drop for TailByte {
    /// Drops the bytes before one after the other: recursion would go as deep as the text is long.
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(byte) = next {
            match Arc::try_unwrap(byte) {
                Ok(mut byte) => next = byte.before.take(),
                Err(_) => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_two_parts_reads_as_one() {
        let text = b"cd".iter().fold(EntryText::from(b"ab".to_vec()), |text, &byte| text.with(byte));
        assert_eq!((text.to_vec(), text.length(), text.first()), (b"abcd".to_vec(), 4, Some(b'a')));
        let backwards: Vec<Option<u8>> = (0..5).map(|behind| text.byte_before(behind)).collect();
        assert_eq!(backwards, [Some(b'd'), Some(b'c'), Some(b'b'), Some(b'a'), None]);
        assert_eq!(
            (text.without_last().to_vec(), EntryText::default().with(b'x').first()),
            (b"abc".to_vec(), Some(b'x'))
        );
    }

    #[test]
    fn a_very_long_text_is_dropped_without_recursion() {
        let text = (0..1_000_000).fold(EntryText::default(), |text, _| text.with(b'a'));
        assert_eq!(text.length(), 1_000_000);
    }
}
