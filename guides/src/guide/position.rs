//! [`Position`]: a state together with its automaton, as a trait object.
//!
//! A guide follows any [`Automaton`] through it. A position holds its automaton, so a state is never used with the automaton of another
//! guide.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::guide::plan::Plan;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::TokenSet;
use crate::vocabulary::trie::Trie;
use std::fmt::Debug;
use std::sync::Arc;

/// A state of some automaton, with the methods of [`Automaton`] for this state.
pub(super) trait Position: Debug + Send + Sync {
    fn key(&self) -> u128;

    fn cost(&self) -> Cost;

    fn is_final(&self) -> bool;

    fn allowed(&self, vocabulary: &Vocabulary, set: &mut TokenSet) -> Cost;

    fn allowed_within(&self, vocabulary: &Vocabulary, left: u32, set: &mut TokenSet);

    /// The position after the bytes of a token, at least one; `None` if the token is not allowed.
    fn after(&self, bytes: &[u8]) -> Option<Arc<dyn Position>>;

    /// The position after a token without bytes; `None` if it is not allowed.
    fn after_special(&self, token: u32) -> Option<Arc<dyn Position>>;

    /// The numbers of bytes of a token, in rising order and the whole token included, after which the output may end.
    fn ends_within(&self, bytes: &[u8]) -> Vec<usize>;

    /// The longest sequence of forced bytes, at most `most`, after which a token may end. A byte is forced if no other byte can follow and
    /// the output may not end.
    fn forced(&self, most: usize) -> Vec<u8>;

    /// The shortest completion in bytes as tokens of the trie; `None` if it is too long.
    fn plan(&self, trie: &Trie) -> Option<Plan>;

    /// Memory of the automaton in bytes.
    fn automaton_bytes(&self) -> usize;
}

#[derive(Debug)]
struct Standing<A: Automaton> {
    automaton: Arc<A>,
    state: A::State,
}

/// The position before the first byte.
pub(super) fn start<A: Automaton>(automaton: A) -> Arc<dyn Position> {
    let state = automaton.start();
    Arc::new(Standing { automaton: Arc::new(automaton), state })
}

impl<A: Automaton> Position for Standing<A> {
    fn key(&self) -> u128 {
        self.automaton.key(&self.state)
    }

    fn cost(&self) -> Cost {
        self.automaton.cost(&self.state)
    }

    fn is_final(&self) -> bool {
        self.automaton.is_final(&self.state)
    }

    fn allowed(&self, vocabulary: &Vocabulary, set: &mut TokenSet) -> Cost {
        self.automaton.allowed(vocabulary, &self.state, set)
    }

    fn allowed_within(&self, vocabulary: &Vocabulary, left: u32, set: &mut TokenSet) {
        self.automaton.allowed_within(vocabulary, &self.state, left, set);
    }

    fn after(&self, bytes: &[u8]) -> Option<Arc<dyn Position>> {
        let (first, rest) = bytes.split_first().filter(|_| self.automaton.reads(bytes))?;
        let state = self.automaton.step(&self.state, *first)?;
        let state = rest.iter().try_fold(state, |state, &byte| self.automaton.step(&state, byte))?;
        if !self.automaton.may_stop(&state) {
            return None;
        }
        Some(Arc::new(Standing { automaton: self.automaton.clone(), state: self.automaton.settled(state) }))
    }

    fn after_special(&self, token: u32) -> Option<Arc<dyn Position>> {
        let state = self.automaton.step(&self.state, self.automaton.mark_of(token)?)?;
        Some(Arc::new(Standing { automaton: self.automaton.clone(), state }))
    }

    fn ends_within(&self, bytes: &[u8]) -> Vec<usize> {
        let (mut state, mut ends) = (self.state.clone(), Vec::new());
        for (at, &byte) in bytes.iter().enumerate() {
            let Some(next) = self.automaton.step(&state, byte) else { break };
            state = next;
            if self.automaton.cost(&state) == 0 {
                ends.push(at + 1);
            }
        }
        ends
    }

    fn forced(&self, most: usize) -> Vec<u8> {
        let (automaton, mut state, mut text) = (&*self.automaton, self.state.clone(), Vec::new());
        let mut whole = 0;
        while text.len() < most && automaton.cost(&state) > 0 {
            let bytes = automaton.next_bytes(&state);
            // If there is a choice, two printable bytes nearly always show it, which ends the search early.
            let readable = (0x20..=0x7E).filter(|&byte| bytes.contains(byte));
            let others = (0x80..=0xFF).chain(0..0x20).chain([0x7F]).filter(|&byte| bytes.contains(byte));
            let mut nexts = readable.chain(others).filter_map(|byte| Some((byte, automaton.step(&state, byte)?)));
            let (Some((byte, next)), None) = (nexts.next(), nexts.next()) else { break };
            drop(nexts);
            if automaton.special_token(byte).is_some() {
                break;
            }
            text.push(byte);
            state = next;
            if automaton.may_stop(&state) {
                whole = text.len();
            }
        }
        text.truncate(whole);
        text
    }

    fn plan(&self, trie: &Trie) -> Option<Plan> {
        Plan::new(&*self.automaton, trie, &self.state)
    }

    fn automaton_bytes(&self) -> usize {
        self.automaton.size()
    }
}
