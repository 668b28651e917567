//! Where an output stands in an automaton, whatever kind of automaton it is.
//!
//! A guide does not know its kind: a regular language, a JSON Schema, and whatever else implements [`Automaton`], are all
//! followed through [`Position`]. A position holds its automaton, so that a state never meets an automaton of another kind.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::guide::plan::Plan;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::TokenSet;
use crate::vocabulary::trie::Trie;
use std::fmt::Debug;
use std::sync::Arc;

/// A state of some automaton. The methods are those of [`Automaton`] in this state.
pub(super) trait Position: Debug + Send + Sync {
    fn key(&self) -> u128;

    fn cost(&self) -> Cost;

    fn is_final(&self) -> bool;

    fn allowed(&self, vocabulary: &Vocabulary, set: &mut TokenSet) -> Cost;

    fn allowed_within(&self, vocabulary: &Vocabulary, left: u32, set: &mut TokenSet);

    /// The position after some bytes, at least one; `None` where the output may not go on with them.
    fn after(&self, bytes: &[u8]) -> Option<Arc<dyn Position>>;

    /// The bytes of which each is the only one that can follow, at most `most`; none where there is a choice, the choice to end the
    /// output included.
    fn forced(&self, most: usize) -> Vec<u8>;

    /// The shortest completion in tokens of the trie, where it is short enough to be worth it.
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
        Some(Arc::new(Standing { automaton: self.automaton.clone(), state }))
    }

    fn forced(&self, most: usize) -> Vec<u8> {
        let (automaton, mut state, mut text) = (&*self.automaton, self.state.clone(), Vec::new());
        let mut whole = 0;
        while text.len() < most && automaton.cost(&state) > 0 {
            let bytes = automaton.next_bytes(&state);
            // Where there is a choice, there is nearly always one among these.
            let readable = (0x20..=0x7E).filter(|&byte| bytes.contains(byte));
            let others = (0x80..=0xFF).chain(0..0x20).chain([0x7F]).filter(|&byte| bytes.contains(byte));
            let mut nexts = readable.chain(others).filter_map(|byte| Some((byte, automaton.step(&state, byte)?)));
            let (Some((byte, next)), None) = (nexts.next(), nexts.next()) else { break };
            drop(nexts);
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
