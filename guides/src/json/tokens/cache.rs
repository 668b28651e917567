//! Token classes that were worked out, for all guides of a vocabulary.

use crate::automaton::residual::Reach;
use crate::json::language::number::Numbers;
use crate::json::language::spellable::Spellable;
use crate::json::language::strings::{Escapes, StringState, Strings};
use crate::json::tokens::classes::{ROOM_FOR_ANY, StringClasses};
use crate::json::tokens::frame::Frame;
use crate::json::tokens::numbers::NumberClasses;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::trie::Trie;
use foldhash::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What a set of classes is for: the automaton, its state, the node of the trie, the spelling, and how many characters
/// there is room for.
pub(crate) type ClassesKey = (u64, u32, u32, Escapes, u32);

/// Classes that were worked out, for all guides of a vocabulary. Emptied when full: what is in use soon comes back.
#[derive(Debug)]
pub(crate) struct ClassesCache {
    known: Mutex<Contents>,
    limit: usize,
    spellable: Spellable,
    /// The tokens that JSON is written with, where these are not all.
    trie: Option<Trie>,
    /// Of the whole trie, for the usual escapes and for the needed ones. Every guide wants them, so they stay.
    roots: [OnceLock<Option<Arc<Frame>>>; 2],
}

/// Bytes of what is remembered of strings and numbers for all guides together.
const CLASSES_BYTES: usize = 64 << 20;

#[cfg(test)]
impl Default for ClassesCache {
    /// For tests that make no masks.
    fn default() -> ClassesCache {
        let (known, roots) = (Mutex::default(), Default::default());
        ClassesCache { known, limit: CLASSES_BYTES, spellable: Spellable::ALL, trie: None, roots }
    }
}

impl ClassesCache {
    /// For the guides of this vocabulary. Works out what every guide wants, so that no mask has to wait for it.
    pub(crate) fn new(vocabulary: &Vocabulary, spellable: Spellable) -> ClassesCache {
        let trie = vocabulary.trie_where(|token| spellable.is_used(token));
        let (known, roots) = (Mutex::default(), Default::default());
        let cache = ClassesCache { known, limit: CLASSES_BYTES, spellable, trie, roots };
        for escapes in [Escapes::Usual, Escapes::Needed] {
            cache.frame(escapes, 0, vocabulary);
        }
        cache
    }

    /// The tokens that JSON is written with: those of which each byte is a token too, and those with bytes that occur in numbers alone.
    pub(crate) fn trie<'a>(&'a self, vocabulary: &'a Vocabulary) -> &'a Trie {
        self.trie.as_ref().unwrap_or(vocabulary.trie())
    }

    /// Whether a token is one of these.
    pub(crate) fn has(&self, token: &[u8]) -> bool {
        self.trie.is_none() || self.spellable.is_used(token)
    }

    /// Whether a token may end anywhere within a number.
    pub(crate) fn may_stop_anywhere(&self) -> bool {
        !self.spellable.has_pieces()
    }

    /// The classes of the tokens below `node`, for a string in a state between characters; `None` in the midst of one.
    pub(crate) fn of_string(
        &self,
        strings: &Strings,
        at: &StringState,
        node: u32,
        vocabulary: &Vocabulary,
    ) -> Option<Arc<StringClasses>> {
        let reach = strings.characters.reach(at.state);
        if reach == Reach::Within {
            return None;
        }
        let longest = self.trie(vocabulary).depth() + strings.characters.most_needed();
        let room = match strings.max {
            u32::MAX => u32::MAX,
            _ if reach == Reach::Universal => u32::MAX,
            max => Some(max - at.count).filter(|&room| room < longest).unwrap_or(ROOM_FOR_ANY),
        };
        let key = (strings.characters.id(), at.state, node, strings.escapes, room);
        if let Some(found) = self.known().classes.get(&key) {
            return Some(found.clone());
        }
        let frame = self.frame(strings.escapes, node, vocabulary)?;
        let classes = Arc::new(StringClasses::new(
            strings,
            at.state,
            room,
            frame,
            node,
            (self.trie(vocabulary), vocabulary.mask_words()),
        ));
        let mut known = self.known();
        self.make_room(&mut known, classes.size());
        known.classes.insert(key, classes.clone());
        Some(classes)
    }

    /// The classes of the tokens below `node`, for a number in a state.
    pub(crate) fn of_number(
        &self,
        numbers: &Numbers,
        state: u32,
        node: u32,
        vocabulary: &Vocabulary,
    ) -> Arc<NumberClasses> {
        let key = (numbers.id, state, node);
        if let Some(found) = self.known().numbers.get(&key) {
            return found.clone();
        }
        let classes =
            Arc::new(NumberClasses::new(numbers, state, node, self.trie(vocabulary), vocabulary.mask_words()));
        let mut known = self.known();
        self.make_room(&mut known, classes.size());
        known.numbers.insert(key, classes.clone());
        classes
    }

    fn frame(&self, escapes: Escapes, node: u32, vocabulary: &Vocabulary) -> Option<Arc<Frame>> {
        let (trie, words) = (self.trie(vocabulary), vocabulary.mask_words());
        let make = || Some(Arc::new(Frame::new(self.spellable.any().ok()?, escapes, node, trie, words)));
        if node == 0 {
            return self.roots[usize::from(escapes == Escapes::Needed)].get_or_init(make).clone();
        }
        if let Some(found) = self.known().frames.get(&(node, escapes)) {
            return Some(found.clone());
        }
        let frame = make()?;
        let mut known = self.known();
        self.make_room(&mut known, frame.size());
        known.frames.insert((node, escapes), frame.clone());
        Some(frame)
    }

    fn make_room(&self, known: &mut Contents, size: usize) {
        if known.bytes + size > self.limit {
            *known = Contents::default();
        }
        known.bytes += size;
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Contents> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Contents {
    classes: HashMap<ClassesKey, Arc<StringClasses>>,
    frames: HashMap<(u32, Escapes), Arc<Frame>>,
    /// By the automaton, its state, and the node of the trie.
    numbers: HashMap<(u64, u32, u32), Arc<NumberClasses>>,
    bytes: usize,
}
