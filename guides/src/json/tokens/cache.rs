//! The frames and classes of a vocabulary, shared by all its guides.
//!
//! Guides of different schemas share the frames, and often the automata of formats and patterns. The frames of the whole trie are built
//! with the vocabulary, so that no request waits for them.

use crate::automaton::residual::Reach;
use crate::collections::byte_set::ByteSet;
use crate::collections::cache::Cache;
use crate::json::language::number::{NumberState, Numbers};
use crate::json::language::spellable::Spellable;
use crate::json::language::strings::{Escapes, StringState, Strings};
use crate::json::tokens::by_state::InsideByState;
use crate::json::tokens::classes::{ROOM_FOR_ANY, StringClasses, Subtree};
use crate::json::tokens::crossing::CrossingTokens;
use crate::json::tokens::entries::WholeEntries;
use crate::json::tokens::frame::Frame;
use crate::json::tokens::numbers::NumberClasses;
use crate::json::tokens::text_heights::TextHeights;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::shared_sets::SharedSets;
use crate::vocabulary::trie::Trie;
use std::sync::{Arc, OnceLock};

/// The cache key of a set of classes: automaton, state, trie node, escapes, room for characters.
type ClassesKey = (u64, u32, u32, Escapes, u32);

/// Frames and classes, by all that they depend on.
#[derive(Debug)]
pub(crate) struct ClassesCache {
    strings: Cache<ClassesKey, Arc<StringClasses>>,
    by_state: Cache<ClassesKey, Arc<InsideByState>>,
    frames: Cache<(u32, Escapes), Arc<Frame>>,
    /// By automaton, state and trie node.
    numbers: Cache<(u64, NumberState, u32), Arc<NumberClasses>>,
    spellable: Spellable,
    /// The tokens that JSON is written with; `None` if these are all tokens.
    trie: Option<Trie>,
    whole_entries: WholeEntries,
    heights: TextHeights,
    crossing: CrossingTokens,
    /// The sets of tokens that classes and masks keep.
    shared: Arc<SharedSets>,
    /// The frames of the whole trie, for the usual escapes and for the needed ones. Every guide uses them, so they are never evicted.
    roots: [OnceLock<Option<Arc<Frame>>>; 2],
}

/// Memory for the classes of strings: the greatest part, since each state of each pattern has its own.
const STRING_BYTES: usize = 32 << 20;

/// Memory for the groups of tokens by state, which only outputs near the end of their budget use.
const BY_STATE_BYTES: usize = 8 << 20;

/// Memory for the frames below inner trie nodes, where a string begins inside a token: one for each node below which a mask is asked for.
const FRAME_BYTES: usize = 4 << 20;

/// Memory for the classes of numbers.
const NUMBER_BYTES: usize = 4 << 20;

#[cfg(test)]
impl Default for ClassesCache {
    /// For tests that make no masks.
    fn default() -> ClassesCache {
        ClassesCache::with(Spellable::ALL, None)
    }
}

impl ClassesCache {
    /// The cache of a vocabulary, with the frames of the whole trie.
    pub(crate) fn new(vocabulary: &Vocabulary, spellable: Spellable) -> ClassesCache {
        let trie = vocabulary.trie_where(|token| spellable.is_used(token));
        let mut cache = ClassesCache::with(spellable, trie);
        cache.whole_entries = WholeEntries::new(vocabulary.tokens().flatten());
        if let Ok(any) = cache.spellable.any() {
            cache.heights = TextHeights::new(cache.trie(vocabulary), &any.dfa);
        }
        for escapes in [Escapes::Usual, Escapes::Needed] {
            cache.frame(escapes, 0, vocabulary);
        }
        cache
    }

    fn with(spellable: Spellable, trie: Option<Trie>) -> ClassesCache {
        let (strings, frames, numbers) = (Cache::new(STRING_BYTES), Cache::new(FRAME_BYTES), Cache::new(NUMBER_BYTES));
        let (by_state, whole_entries, heights) =
            (Cache::new(BY_STATE_BYTES), WholeEntries::default(), TextHeights::default());
        let (crossing, shared, roots) = (CrossingTokens::new(), Arc::default(), Default::default());
        ClassesCache {
            strings,
            by_state,
            frames,
            numbers,
            spellable,
            trie,
            whole_entries,
            heights,
            crossing,
            shared,
            roots,
        }
    }

    /// The tokens that JSON is written with: each of their bytes is a token too, or occurs in numbers alone.
    pub(crate) fn trie<'a>(&'a self, vocabulary: &'a Vocabulary) -> &'a Trie {
        self.trie.as_ref().unwrap_or(vocabulary.trie())
    }

    /// The sets of tokens that are kept for the vocabulary.
    pub(crate) fn shared_sets(&self) -> &Arc<SharedSets> {
        &self.shared
    }

    /// Whether JSON is written with a token.
    pub(crate) fn has(&self, token: &[u8]) -> bool {
        self.trie.is_none() || self.spellable.is_used(token)
    }

    /// The entries of an array that a single token can write.
    pub(crate) fn whole_entries(&self) -> &WholeEntries {
        &self.whole_entries
    }

    /// The tokens in which one of `lasts`, the last bytes of a value, is followed by one of `firsts`.
    pub(crate) fn crossing(&self, vocabulary: &Vocabulary, lasts: ByteSet, firsts: ByteSet) -> Arc<Trie> {
        self.crossing.trie(vocabulary, |token| self.has(token), lasts, firsts)
    }

    /// Whether a token may end anywhere inside a number.
    pub(crate) fn may_stop_anywhere(&self) -> bool {
        !self.spellable.has_pieces()
    }

    /// The classes of the tokens below `node` for a string; `None` if its state is inside a character.
    pub(crate) fn of_string(
        &self,
        strings: &Strings,
        at: &StringState,
        node: u32,
        vocabulary: &Vocabulary,
    ) -> Option<Arc<StringClasses>> {
        let room = self.room(strings, at, vocabulary)?;
        self.of_string_with_room(strings, at.state, room, node, vocabulary)
    }

    /// As [`Self::of_string`], with room for so many characters.
    fn of_string_with_room(
        &self,
        strings: &Strings,
        state: u32,
        room: u32,
        node: u32,
        vocabulary: &Vocabulary,
    ) -> Option<Arc<StringClasses>> {
        let key = (strings.characters.id(), state, node, strings.escapes, room);
        if let Some(found) = self.strings.get(&key) {
            return Some(found);
        }
        let frame = self.frame(strings.escapes, node, vocabulary)?;
        let made = if room < ROOM_FOR_ANY && frame.has_index() {
            // A string that nears its bound has a room of its own after each character, and is in few states: what they allow is found once.
            let any = self.of_string_with_room(strings, state, ROOM_FOR_ANY, node, vocabulary)?;
            any.narrowed(strings, state, room)
        } else {
            StringClasses::new(strings, state, room, frame, self.subtree(node, vocabulary))
        };
        let classes = Arc::new(made.shared(&self.shared));
        self.strings.insert(key, classes.clone(), classes.size());
        Some(classes)
    }

    fn subtree<'a>(&'a self, node: u32, vocabulary: &'a Vocabulary) -> Subtree<'a> {
        Subtree { trie: self.trie(vocabulary), node, words: vocabulary.mask_words(), heights: &self.heights }
    }

    /// The tokens below `node` that stay inside a string, by the state after each; `None` if its state is inside a character.
    pub(crate) fn of_string_by_state(
        &self,
        strings: &Strings,
        at: &StringState,
        node: u32,
        vocabulary: &Vocabulary,
    ) -> Option<Arc<InsideByState>> {
        let room = self.room(strings, at, vocabulary)?;
        let key = (strings.characters.id(), at.state, node, strings.escapes, room);
        let frame = self.frame(strings.escapes, node, vocabulary)?;
        let make = || Arc::new(InsideByState::new(strings, at.state, room, &frame, self.subtree(node, vocabulary)));
        Some(self.by_state.get_or_make(key, |_, groups| groups.size(), make))
    }

    /// The room for characters that tells classes apart; `None` if the state is inside a character.
    fn room(&self, strings: &Strings, at: &StringState, vocabulary: &Vocabulary) -> Option<u32> {
        let reach = strings.characters.reach(at.state);
        if reach == Reach::Within {
            return None;
        }
        // A bound that no token and its completion reach does not tell states apart. Without this, a string with a great `maxLength` would
        // have classes of its own after each character.
        let longest = self.trie(vocabulary).depth() + strings.characters.most_needed();
        Some(match strings.max {
            u32::MAX => u32::MAX,
            _ if reach == Reach::Universal => u32::MAX,
            max => Some(max - at.count).filter(|&room| room < longest).unwrap_or(ROOM_FOR_ANY),
        })
    }

    /// The classes of the tokens below `node` for a number.
    pub(crate) fn of_number(
        &self,
        numbers: &Numbers,
        state: NumberState,
        node: u32,
        vocabulary: &Vocabulary,
    ) -> Arc<NumberClasses> {
        let make = || {
            let (trie, words) = (self.trie(vocabulary), vocabulary.mask_words());
            Arc::new(NumberClasses::new(numbers, state, node, trie, words))
        };
        self.numbers.get_or_make((numbers.id, state, node), |_, classes| classes.size(), make)
    }

    fn frame(&self, escapes: Escapes, node: u32, vocabulary: &Vocabulary) -> Option<Arc<Frame>> {
        let (trie, words) = (self.trie(vocabulary), vocabulary.mask_words());
        let make = || Some(Arc::new(Frame::new(self.spellable.any().ok()?, escapes, node, trie, words)));
        if node == 0 {
            return self.roots[usize::from(escapes == Escapes::Needed)].get_or_init(make).clone();
        }
        if let Some(found) = self.frames.get(&(node, escapes)) {
            return Some(found);
        }
        let frame = make()?;
        self.frames.insert((node, escapes), frame.clone(), frame.size());
        Some(frame)
    }
}
