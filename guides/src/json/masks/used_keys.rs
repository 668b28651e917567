//! The tokens along which a key becomes one that is used already.
//!
//! They are found along the used keys, which are few, not among the tokens that close the key, which are many. If `ab` is used, `ab"` repeats
//! it, and so does every token that begins with `ab"`, such as `ab":1`.

use crate::collections::byte_set::{ByteSet, texts_along};
use crate::json::language::strings::{Decoder, StringState};
use crate::json::machine::state::Level;
use crate::json::machine::used_keys::{any_possible, characters_after};
use crate::json::shape::object::{Additional, MANY_KEYS, Object};
use crate::json::text::escape::{may_be_escaped, short_escape, spelled_length};
use crate::vocabulary::trie::Trie;

/// A key, and the used keys that it must not become.
pub(super) struct UsedKeys<'a> {
    pub(super) additional: &'a Additional,
    pub(super) object: &'a Object,
    pub(super) level: &'a Level,
    /// The characters of the key so far.
    pub(super) text: &'a [u8],
    /// Its completions to a used key, sorted.
    pub(super) used: &'a [&'a [u8]],
    /// The tokens that JSON is written with.
    pub(super) trie: &'a Trie,
}

/// Tokens by what they do to a key that may become a used one.
#[derive(Default)]
pub(super) struct AlongUsed {
    /// The tokens that close the key as a used one, or after which each key that it could become is used.
    pub(super) repeating: Vec<u32>,
    /// The tokens after which the key is still the beginning of a used one: what completes it may have to go around the used keys. All
    /// other tokens that stay inside the key leave them behind.
    pub(super) near: Vec<u32>,
}

/// A position of the search for repeating tokens.
#[derive(Clone, Copy)]
struct KeySearch<'a> {
    /// The characters from the key so far to the node.
    read: &'a [u8],
    /// Whether an escape can spell a character of a used key.
    escaped: bool,
}

/// Bytes of an escape by code, as in `\u001f`.
const CODE: u32 = 6;

/// The tokens below a node that complete one of these sorted keys and close it, in keys without characters that take an escape by code.
/// Byte sets decide each step, so the automaton of the keys is not asked: that is right if it allows all characters.
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

/// The characters that must be escaped, with a short escape.
const ONLY_ESCAPED: ByteSet = ByteSet::of(b"\"\\\x08\x0C\n\r\t");

/// The characters that can be written with a short escape.
const ESCAPED: ByteSet = ByteSet::of(b"\"\\/\x08\x0C\n\r\t");

impl UsedKeys<'_> {
    /// The tokens below a node that repeat a key.
    pub(super) fn repeating(&self, node: u32, state: &StringState) -> Vec<u32> {
        let universal = self.additional.keys.characters.is_universal(state.state);
        if universal && !self.has_used(|byte| spelled_length(byte) == CODE) {
            return tokens_of_keys(self.trie, node, self.used);
        }
        self.along(node, state).repeating
    }

    /// The tokens below a node along the used keys.
    pub(super) fn along(&self, node: u32, state: &StringState) -> AlongUsed {
        let mut found = AlongUsed::default();
        let search = KeySearch { read: &[], escaped: self.has_used(may_be_escaped) };
        self.find(node, state, search, &mut found);
        found
    }

    /// Whether some completion to a used key has such a byte.
    fn has_used(&self, wanted: fn(u8) -> bool) -> bool {
        self.used.iter().any(|key| key.iter().any(|&byte| wanted(byte)))
    }

    /// The bytes along which the key stays the beginning of a used one, or is closed.
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

    /// Adds the tokens below a node to `found`.
    fn find(&self, node: u32, state: &StringState, search: KeySearch<'_>, found: &mut AlongUsed) {
        let trie = self.trie;
        let keys = &self.additional.keys;
        let wanted = self.wanted(state, search);
        for child in trie.children_along(node, wanted) {
            let Some(next) = keys.step(state, trie.byte(child)) else { continue };
            if next.decoder == Decoder::Closed {
                if self.used.binary_search(&search.read).is_ok() {
                    found.repeating.extend_from_slice(trie.below(child));
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
                    found.repeating.extend_from_slice(trie.below(child));
                    continue;
                }
            }
            found.near.extend_from_slice(trie.own(child));
            self.find(child, &next, KeySearch { read: &read, ..search }, found);
        }
    }
}
