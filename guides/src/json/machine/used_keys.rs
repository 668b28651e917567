//! Keys that an additional key must not repeat, and the least bytes that complete it to another one.
//!
//! Used keys are those that were written and the names of the schema. Once `a` is used, a key that
//! begins with `a` needs one more character, so its cost is one byte greater than that of any key.

use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::json::language::strings::{Decoder, StringState};
use crate::json::machine::seen_keys::SeenKeys;
use crate::json::machine::state::Seen;
use crate::json::shape::object::{Additional, Object};
use crate::json::text::escape::{may_be_escaped, short_escape, spelled_length};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Whether a key was written as an additional one, or is a name.
pub(crate) fn is_used(object: &Object, seen: &Seen, key: &[u8]) -> bool {
    seen.as_ref().is_some_and(|seen| seen.contains(key))
        || object.named_with_prefix(key).next().is_some_and(|name| name.len() == key.len())
}

/// The used keys that begin with `prefix`. Those that were written come first, in order, then the names, in order.
pub(crate) fn used_with_prefix<'a>(
    object: &'a Object,
    seen: &'a Seen,
    prefix: &'a [u8],
) -> impl Iterator<Item = &'a [u8]> {
    let seen = seen.as_deref().unwrap_or(SeenKeys::NONE);
    seen.with_prefix(prefix).chain(object.named_with_prefix(prefix))
}

/// The characters of a key after one more byte of its spelling.
pub(crate) fn characters_after(text: &[u8], before: &StringState, after: &StringState, byte: u8) -> Arc<[u8]> {
    let mut text = text.to_vec();
    match (before.decoder, after.decoder) {
        (Decoder::Body, Decoder::Body) => text.push(byte),
        // All characters with short escapes are ASCII.
        (Decoder::Escape, Decoder::Body) => text.extend(short_escape(byte).map(|character| character as u8)),
        (Decoder::Hex { value, .. }, Decoder::Body) => {
            // The automaton of keys allows this escape for control characters only.
            text.push((value << 4) as u8 | (byte as char).to_digit(16).unwrap_or(0) as u8);
        }
        _ => {}
    }
    text.into()
}

/// Least bytes of the rest of an additional key that repeats none, with its quote, the colon, and the value with all that follows in the
/// object, which `added` has by class; `None` if everything that the key could become is used.
pub(super) fn additional_cost(
    additional: &Additional,
    object: &Object,
    seen: &Seen,
    state: &StringState,
    text: &[u8],
    added: &[(Cost, u32)],
) -> Option<Cost> {
    let mut best = None;
    for &(value, class) in added {
        let least = value + 2;
        // Classes come in the order of these costs, so none of the rest can be better.
        if best.is_some_and(|best| best <= least) {
            break;
        }
        let used = Used { additional, object, seen, class: class as usize };
        if let Some(rest) = used.rest(state, text) {
            let cost = rest + least;
            best = Some(best.map_or(cost, |best: Cost| best.min(cost)));
        }
    }
    best
}

/// Whether the beginning of a key can become a key of one of these classes that repeats none.
pub(crate) fn any_possible(
    additional: &Additional,
    object: &Object,
    seen: &Seen,
    state: &StringState,
    text: &[u8],
    mut classes: impl Iterator<Item = usize>,
) -> bool {
    classes.any(|class| Used { additional, object, seen, class }.rest(state, text).is_some())
}

/// With fewer used keys, one more character of one byte makes another key: there are more such characters than used keys that could begin
/// so.
const FEW_KEYS: usize = 64;

/// The beginning of a completion of a key. The one with the least `total` comes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Completion {
    /// Bytes of the suffix and the least bytes of what follows it.
    total: Cost,
    /// Bytes of the suffix as it is spelled.
    spent: Cost,
    /// The state of the keys' automaton after the suffix.
    state: u32,
    /// The characters that were added to the key.
    suffix: Vec<u8>,
    /// Whether the key ends here.
    is_whole: bool,
}

/// A class of keys, and the keys that one of them must not repeat.
struct Used<'a> {
    additional: &'a Additional,
    object: &'a Object,
    seen: &'a Seen,
    class: usize,
}

impl Used<'_> {
    /// Least bytes that complete a key, without its quote.
    fn rest(&self, state: &StringState, text: &[u8]) -> Option<Cost> {
        match state.decoder {
            Decoder::Body => self.key_rest(state.state, text),
            Decoder::Closed => Some(Cost::ZERO),
            _ => {
                let Used { additional, object, seen, .. } = *self;
                let mut used = used_with_prefix(object, seen, text);
                let spells = used.any(|key| key.get(text.len()).is_some_and(|&byte| may_be_escaped(byte)));
                // No used key goes on with a character that an escape can spell, so the key may end after any.
                if !spells && additional.classes.len() == 1 && additional.keys.characters.is_universal(state.state) {
                    return Some(additional.keys.cost(state).without(1));
                }
                self.escape_rest(state, text)
            }
        }
    }

    /// Least bytes of the characters that complete a key. Most states have an answer without the search: the key may end as it is, no
    /// used key begins so, or one character leads away from all of them at no detour.
    fn key_rest(&self, state: u32, text: &[u8]) -> Option<Cost> {
        let Used { additional, object, seen, class } = *self;
        let (dfa, costs) = (&additional.keys.characters.dfa, &additional.classes[class].costs);
        let cost = |state: u32| costs[state as usize];
        if cost(state).is_never() {
            return None;
        }
        if cost(state) == 0 && !is_used(object, seen, text) {
            return Some(Cost::ZERO);
        }
        let (mut count, mut begun) = (0, ByteSet::default());
        for key in used_with_prefix(object, seen, text) {
            begun.add(key.get(text.len()..=text.len()).unwrap_or_default());
            count += 1;
        }
        if count == 0 {
            return Some(cost(state));
        }
        let enough = FEW_KEYS.min(additional.keys.characters.spelled().single as usize);
        if additional.classes.len() == 1 && additional.keys.characters.is_universal(state) && count < enough {
            return Some(Cost::bytes(1));
        }
        // A character on a shortest way with which no used key goes on: nothing is cheaper.
        let least = cost(state).max(Cost::bytes(1));
        let is_least = |byte: u8| {
            let next = dfa.next(state, byte);
            next != 0 && cost(next) + spelled_length(byte) == least
        };
        if (0x20..=255u8).any(|byte| !begun.contains(byte) && is_least(byte)) {
            return Some(least);
        }
        self.search(state, text)
    }

    /// As [`Self::key_rest`], by a search for a completion that is not used: A*, with the bytes to the end of any key as the estimate of
    /// the rest. The estimate is exact until a used key is in the way, so the first completion that is found is a shortest one.
    ///
    /// Only beginnings of used keys are taken further, so that it looks at no more than 256 bytes behind each character of these keys.
    fn search(&self, state: u32, text: &[u8]) -> Option<Cost> {
        let Used { additional, object, seen, class } = *self;
        let (dfa, costs) = (&additional.keys.characters.dfa, &additional.classes[class].costs);
        let mut used: Vec<&[u8]> = used_with_prefix(object, seen, text).map(|key| &key[text.len()..]).collect();
        used.sort_unstable();
        used.dedup();
        let start = costs[state as usize];
        let start = Completion { total: start, spent: Cost::ZERO, state, suffix: Vec::new(), is_whole: false };
        let mut open = BinaryHeap::from([Reverse(start)]);
        while let Some(Reverse(Completion { total, spent, state, suffix, is_whole })) = open.pop() {
            if is_whole || !used.iter().any(|key| key.starts_with(&suffix)) {
                return Some(total);
            }
            if additional.class_of[state as usize] == class as u32 && used.binary_search(&suffix.as_slice()).is_err() {
                open.push(Reverse(Completion { total: spent, spent, state, suffix: suffix.clone(), is_whole: true }));
            }
            for byte in 0..=255u8 {
                let next = dfa.next(state, byte);
                let rest = costs[next as usize];
                if next != 0 && !rest.is_never() {
                    let spent = spent + spelled_length(byte);
                    let suffix = [&suffix[..], &[byte]].concat();
                    open.push(Reverse(Completion { total: spent + rest, spent, state: next, suffix, is_whole: false }));
                }
            }
        }
        None
    }

    /// As [`Self::key_rest`], within an escape: the cheapest byte that may follow. An escape has at most six bytes, so the recursion ends.
    fn escape_rest(&self, state: &StringState, text: &[u8]) -> Option<Cost> {
        let keys = &self.additional.keys;
        let mut best: Option<Cost> = None;
        for byte in 0x20..=0x7Fu8 {
            let Some(next) = keys.step(state, byte) else { continue };
            let after = characters_after(text, state, &next, byte);
            let rest = match next.decoder {
                Decoder::Body => self.key_rest(next.state, &after),
                _ => self.escape_rest(&next, &after),
            };
            best = [best, rest].into_iter().flatten().min();
            // Nothing is cheaper.
            if best == Some(Cost::ZERO) {
                break;
            }
        }
        best.map(|rest| rest + 1)
    }
}
