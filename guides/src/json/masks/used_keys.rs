//! The tokens along which a key becomes one that may not come again.

use crate::collections::byte_set::{ByteSet, texts_along};
use crate::json::language::strings::{Decoder, StringState};
use crate::json::machine::state::Level;
use crate::json::machine::used_keys::{any_possible, characters_after};
use crate::json::shape::object::{Additional, MANY_KEYS, Object};
use crate::json::text::escape::{may_be_escaped, short_escape, spelled_length};
use crate::vocabulary::Vocabulary;
use crate::vocabulary::trie::Trie;

/// The keys that cannot come again.
pub(crate) struct UsedKeys<'a> {
    pub(crate) additional: &'a Additional,
    pub(crate) object: &'a Object,
    pub(crate) level: &'a Level,
    /// The key so far.
    pub(crate) text: &'a [u8],
    /// What would complete it to one that is used, sorted.
    pub(crate) used: &'a [&'a [u8]],
}

/// How far a search for them has come.
#[derive(Clone, Copy)]
struct KeySearch<'a> {
    /// The characters between the key so far and the node.
    read: &'a [u8],
    /// Whether an escape can spell some of what is used.
    escaped: bool,
}

/// Bytes of an escape that gives a character's code.
const CODE: u32 = 6;

/// The tokens below a node that spell the rest of one of these keys, which are sorted, and close it. No character takes an escape with
/// its code.
fn tokens_of_keys(trie: &Trie, node: u32, keys: &[&[u8]]) -> Vec<u32> {
    let mut found = Vec::new();
    let mut open = vec![(node, keys, 0)];
    while let Some((node, keys, at)) = open.pop() {
        if keys.first().is_some_and(|key| key.len() == at)
            && let Some(closed) = trie.child(node, b'"')
        {
            found.extend_from_slice(trie.below(closed));
        }
        let mut go_on = |child: u32, byte: u8| {
            let along = texts_along(keys, at, byte);
            if !along.is_empty() && trie.end(child) > child + 1 {
                open.push((child, along, at + 1));
            }
        };
        let mut possible = ByteSet::default();
        possible.add_each(keys.iter().copied(), at as u32);
        let escaped = ESCAPED.and(possible) != ByteSet::default();
        for child in trie.children_along(node, possible.without(ONLY_ESCAPED)) {
            go_on(child, trie.byte(child));
        }
        for child in trie.child(node, b'\\').filter(|_| escaped).into_iter().flat_map(|escape| trie.children(escape)) {
            if let Some(meant) = short_escape(trie.byte(child)) {
                go_on(child, meant as u8);
            }
        }
    }
    found
}

/// What stands for itself in no key.
const ONLY_ESCAPED: ByteSet = ByteSet::of(b"\"\\\x08\x0C\n\r\t");

/// What can be written with a short escape.
const ESCAPED: ByteSet = ByteSet::of(b"\"\\/\x08\x0C\n\r\t");

impl UsedKeys<'_> {
    /// The tokens below a node that close a key at one of those that are used, or after which all that the key could become are used.
    pub(crate) fn tokens(&self, vocabulary: &Vocabulary, node: u32, state: &StringState) -> Vec<u32> {
        let any = |wanted: fn(u8) -> bool| self.used.iter().any(|key| key.iter().any(|&byte| wanted(byte)));
        let universal = self.additional.keys.characters.is_universal(state.state);
        if universal && !any(|byte| spelled_length(byte) == CODE) {
            return tokens_of_keys(vocabulary.trie(), node, self.used);
        }
        let mut found = Vec::new();
        let search = KeySearch { read: &[], escaped: any(may_be_escaped) };
        self.find(vocabulary, node, state, search, &mut found);
        found
    }

    /// The bytes along which a key can come nearer to one of those that are used.
    fn wanted(&self, state: &StringState, search: KeySearch<'_>) -> ByteSet {
        let KeySearch { read, escaped } = search;
        if state.decoder != Decoder::Body {
            return ByteSet::ALL;
        }
        let from = self.used.partition_point(|key| *key < read);
        let near = self.used[from..].iter().copied().take_while(|key| key.starts_with(read));
        let mut bytes = ByteSet::default();
        bytes.add_each(near, read.len() as u32);
        bytes.add(if escaped { b"\"\\" } else { b"\"" });
        bytes
    }

    /// Adds the tokens below a node to those that were found.
    fn find(
        &self,
        vocabulary: &Vocabulary,
        node: u32,
        state: &StringState,
        search: KeySearch<'_>,
        found: &mut Vec<u32>,
    ) {
        let trie = vocabulary.trie();
        let keys = &self.additional.keys;
        let wanted = self.wanted(state, search);
        for child in trie.children_along(node, wanted) {
            let Some(next) = keys.step(state, trie.byte(child)) else { continue };
            if next.decoder == Decoder::Closed {
                if self.used.binary_search(&search.read).is_ok() {
                    found.extend_from_slice(trie.below(child));
                }
                continue;
            }
            let read = characters_after(search.read, state, &next, trie.byte(child));
            let place = self.used.partition_point(|key| *key < &*read);
            if !self.used.get(place).is_some_and(|key| key.starts_with(&read)) {
                continue;
            }
            if self.additional.counts[next.state as usize] < MANY_KEYS {
                let text = [self.text, &*read].concat();
                let classes = 0..self.additional.classes.len();
                let UsedKeys { additional, object, level, .. } = self;
                if !any_possible(additional, object, &level.seen, &next, &text, classes) {
                    found.extend_from_slice(trie.below(child));
                    continue;
                }
            }
            self.find(vocabulary, child, &next, KeySearch { read: &read, ..search }, found);
        }
    }
}
