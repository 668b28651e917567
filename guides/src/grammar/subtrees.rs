//! [`Subtrees`]: what the tokens below each node of a trie are made of.
//!
//! In free text, such as a string or a comment, nearly all bytes lead back to the state in which the output stands. If all bytes below a node
//! do, all tokens below it are allowed, and none of its nodes need be visited.

use crate::automaton::dfa::Dfa;
use crate::json::language::strings::Characters;
use crate::vocabulary::trie::Trie;
use std::sync::Arc;

/// The bit of all bytes that have none of their own: DEL and those that are not ASCII.
const OTHERS: u32 = 127;

/// By node and by token.
#[derive(Debug)]
pub(crate) struct Subtrees {
    any: Arc<Characters>,
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

impl Subtrees {
    /// `any` are all texts.
    pub(super) fn new(trie: &Trie, any: Arc<Characters>) -> Subtrees {
        let (len, all) = (trie.len(), &any.dfa);
        // From a state inside a character, the fewest bytes to the end of a text are those that the character lacks.
        let lacks = all.costs(|_| 1);
        let (mut standing, mut lacking) = (vec![all.start(); len], Vec::new());
        for node in 0..len as u32 {
            let here = standing[node as usize];
            let lacks = if here == 0 { 0 } else { lacks[here as usize].get() as u8 };
            lacking.extend(trie.own(node).iter().map(|_| lacks));
            for child in trie.children(node) {
                standing[child as usize] = all.next(here, trie.byte(child));
            }
        }
        // Children come behind their parents. A node inside a character counts as text for those above it.
        let (mut bytes, mut texts) = (vec![0; len], vec![false; len]);
        for node in (0..len as u32).rev() {
            texts[node as usize] = standing[node as usize] != 0;
            for child in trie.children(node) {
                bytes[node as usize] |= bytes[child as usize] | SubtreeBytes::of(trie.byte(child)).0;
                texts[node as usize] &= texts[child as usize];
            }
        }
        for (text, &standing) in texts.iter_mut().zip(&standing) {
            *text &= all.accepts_at(standing);
        }
        Subtrees { any, bytes: bytes.into(), texts: texts.into(), lacking: lacking.into() }
    }

    /// The automaton of all texts.
    pub(super) fn any(&self) -> &Dfa {
        &self.any.dfa
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
        let subtrees = Subtrees::new(&trie, Characters::any().expect("small"));
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
