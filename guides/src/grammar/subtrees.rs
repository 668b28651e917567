//! [`Subtrees`]: what the tokens below each node of a trie are made of.
//!
//! In free text, such as a string or a comment, nearly all bytes lead back to the state in which the output stands. If all bytes below a node
//! do, all tokens below it are allowed, and none of its nodes need be visited.

use crate::vocabulary::trie::Trie;

/// The bit of all bytes that have none of their own: DEL and those that are not ASCII.
const OTHERS: u32 = 127;

/// By node and by token.
#[derive(Debug)]
pub(crate) struct Subtrees {
    /// By node the bytes below it, a bit for each: [`OTHERS`] for those without.
    bytes: Box<[u128]>,
    /// By node whether it stands between characters and all tokens below it are texts in UTF-8, of which the last character may be cut off.
    texts: Box<[bool]>,
    /// By token, in the order of the trie, the bytes that its last character lacks.
    lacking: Box<[u8]>,
}

/// A set of bytes as [`Subtrees`] tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SubtreeBytes(u128);

impl SubtreeBytes {
    pub(super) const NONE: SubtreeBytes = SubtreeBytes(0);

    fn of(byte: u8) -> SubtreeBytes {
        SubtreeBytes(1 << u32::from(byte).min(OTHERS))
    }

    /// Adds a byte of ASCII, but DEL.
    pub(super) fn add(&mut self, byte: u8) {
        debug_assert!(u32::from(byte) < OTHERS);
        self.0 |= SubtreeBytes::of(byte).0;
    }

    /// Adds DEL and all characters that are not ASCII.
    pub(super) fn add_others(&mut self) {
        self.0 |= 1 << OTHERS;
    }
}

/// Where a text in UTF-8 stands: the bytes that the last character lacks, and the least and greatest next one of them.
#[derive(Clone, Copy)]
struct CharacterPlace {
    lacking: u8,
    next: (u8, u8),
}

impl CharacterPlace {
    const BETWEEN: CharacterPlace = CharacterPlace { lacking: 0, next: (0, 0) };

    /// After one more byte; `None` if the text is none then (Unicode, table 3-7).
    fn after(self, byte: u8) -> Option<CharacterPlace> {
        let begun = |lacking, first, last| Some(CharacterPlace { lacking, next: (first, last) });
        if self.lacking > 0 {
            let (first, last) = self.next;
            return (first..=last)
                .contains(&byte)
                .then_some(CharacterPlace { lacking: self.lacking - 1, next: (0x80, 0xBF) });
        }
        match byte {
            0..=0x7F => Some(CharacterPlace::BETWEEN),
            0xC2..=0xDF => begun(1, 0x80, 0xBF),
            0xE0 => begun(2, 0xA0, 0xBF),
            0xED => begun(2, 0x80, 0x9F),
            0xE1..=0xEF => begun(2, 0x80, 0xBF),
            0xF0 => begun(3, 0x90, 0xBF),
            0xF1..=0xF3 => begun(3, 0x80, 0xBF),
            0xF4 => begun(3, 0x80, 0x8F),
            _ => None,
        }
    }
}

impl Subtrees {
    pub(super) fn new(trie: &Trie) -> Subtrees {
        let len = trie.len();
        let mut bytes = vec![0; len];
        let mut texts = vec![false; len];
        let mut standing = vec![Some(CharacterPlace::BETWEEN); len];
        let mut lacking = Vec::new();
        for node in 0..len as u32 {
            let here = standing[node as usize];
            lacking.extend(trie.own(node).iter().map(|_| here.map_or(0, |here| here.lacking)));
            for child in trie.children(node) {
                standing[child as usize] = here.and_then(|here| here.after(trie.byte(child)));
            }
        }
        // Children come behind their parents.
        for node in (0..len as u32).rev() {
            let mut all = standing[node as usize].is_some();
            for child in trie.children(node) {
                bytes[node as usize] |= bytes[child as usize] | SubtreeBytes::of(trie.byte(child)).0;
                // Until all are looked at, a node inside a character counts as text as well.
                all &= texts[child as usize];
            }
            texts[node as usize] = all;
        }
        for (text, standing) in texts.iter_mut().zip(&standing) {
            *text &= standing.is_some_and(|standing| standing.lacking == 0);
        }
        Subtrees { bytes: bytes.into(), texts: texts.into(), lacking: lacking.into() }
    }

    /// Whether all tokens below a node are made of these bytes, and of whole characters where they are not ASCII.
    pub(super) fn has_only(&self, node: u32, bytes: SubtreeBytes) -> bool {
        self.bytes[node as usize] & !bytes.0 == 0 && self.texts[node as usize]
    }

    /// For the tokens at a node and below it, in the order of the trie, the bytes that the last character lacks.
    pub(super) fn lacking(&self, trie: &Trie, node: u32) -> &[u8] {
        &self.lacking[trie.range_below(node)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_whole_texts_are_known_below_each_node() {
        let tokens: [&[u8]; 7] = [b"a", b"ab", b"a\xC3", "aé".as_bytes(), b"b\xA9", b"c", "cd漢".as_bytes()];
        let trie = Trie::new(&tokens.map(|token| Some(token.to_vec())));
        let subtrees = Subtrees::new(&trie);
        let node = |text: &[u8]| text.iter().try_fold(0, |node, &byte| trie.child(node, byte)).expect("a node");
        let mut bytes = SubtreeBytes::NONE;
        bytes.add(b'b');
        assert!(!subtrees.has_only(node(b"a"), bytes));
        bytes.add_others();
        assert!(subtrees.has_only(node(b"a"), bytes) && !subtrees.has_only(node(b"a\xC3"), bytes));
        assert!(!subtrees.has_only(node(b"b"), bytes) && !subtrees.has_only(node(b"c"), bytes));
        assert_eq!(subtrees.lacking(&trie, node(b"a")), [0, 0, 1, 0]);
        assert_eq!(subtrees.lacking(&trie, node(b"cd")), [0]);
    }
}
