//! Sets with the same tokens, as one (hash-consing).
//!
//! Most states of most guides allow the tokens of a few sets: those inside any string, those of a number, those that begin a value. A set
//! takes 19 KB with a vocabulary of 150,000 tokens, so all that keep one share equal ones: of 6,500 cached masks 800 differ.

use crate::vocabulary::mask::{Mask, TokenSet};
use foldhash::HashMap;
use foldhash::fast::FixedState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, PoisonError};

/// Sets that nobody has any more are looked for after so many new ones, or after a sixteenth of all.
const LOOK_AFTER: usize = 64;

/// The sets of one vocabulary that are kept.
#[derive(Debug, Default)]
pub(crate) struct SharedSets(Mutex<SetsByHash>);

#[derive(Debug, Default)]
struct SetsByHash {
    /// By a hash of the words. Of different sets with one hash the first is shared.
    sets: HashMap<u64, Arc<[u32]>>,
    /// New ones since sets were last dropped.
    new: usize,
}

impl SharedSets {
    /// The mask of a set.
    pub(crate) fn mask(&self, set: TokenSet) -> Mask {
        set.into_mask_with(|words| self.words(words))
    }

    /// The words of a set.
    pub(crate) fn words(&self, words: &[u32]) -> Arc<[u32]> {
        let hash = FixedState::default().hash_one(words);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.sets.get(&hash).cloned() {
            Some(same) if *same == *words => same,
            Some(_) => words.into(),
            None => {
                let set: Arc<[u32]> = words.into();
                known.insert(hash, set.clone());
                set
            }
        }
    }
}

impl SetsByHash {
    fn insert(&mut self, hash: u64, set: Arc<[u32]>) {
        self.sets.insert(hash, set);
        self.new += 1;
        if self.new >= LOOK_AFTER.max(self.sets.len() / 16) {
            self.sets.retain(|_, set| Arc::strong_count(set) > 1);
            self.new = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(shared: &SharedSets, tokens: &[u32]) -> Mask {
        let mut set = TokenSet::new(40);
        set.insert_all(tokens);
        shared.mask(set)
    }

    #[test]
    fn equal_masks_are_one_and_those_that_nobody_has_are_dropped() {
        let shared = SharedSets::default();
        let kept = mask(&shared, &[1, 2]);
        let (Mask::Words(one), Mask::Words(other)) = (&kept, mask(&shared, &[2, 1])) else { panic!("two tokens") };
        assert!(Arc::ptr_eq(one, &other));
        assert_eq!(mask(&shared, &[7]), Mask::One(7));
        for token in 3..1000 {
            assert_eq!(mask(&shared, &[1, token]).tokens(1280), [1, token]);
        }
        assert!(shared.0.lock().expect("no panic").sets.len() <= LOOK_AFTER + 1);
        let (Mask::Words(one), Mask::Words(other)) = (&kept, mask(&shared, &[1, 2])) else { panic!("two tokens") };
        assert!(Arc::ptr_eq(one, &other));
    }
}
