//! [`ByCharacter`]: an automaton over kinds of characters as a guide over bytes, without a state for each byte of each character.
//!
//! `\w{200}` has 201 states over characters. Over bytes it has four hundred more between each two of them, since the bytes of UTF-8 tell
//! letters apart in many ways. These are the nodes of one tree for all states here: a state is a state over characters and a node of the
//! tree.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::automaton::determinize::CharacterDfa;
use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::automaton::utf8::{AfterByte, Utf8Tree};
use crate::collections::byte_set::ByteSet;

/// The automaton of a regex with large sets of characters.
#[derive(Debug)]
pub(crate) struct ByCharacter {
    /// Its letters are kinds of characters.
    letters: Dfa,
    tree: Utf8Tree,
    /// For each state the least bytes to acceptance.
    costs: Vec<Cost>,
}

/// A state: between characters, or within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CharacterState {
    /// The state before the character.
    letters: u32,
    /// The node of the tree, counted from 1; 0 between characters.
    node: u32,
}

impl ByCharacter {
    /// # Errors
    /// [`TooManyStates`] if there are more than `limit`, or too many kinds of characters.
    pub(crate) fn new(characters: &CharacterDfa, limit: usize) -> Result<ByCharacter, TooManyStates> {
        let letters = characters.to_letters(limit)?;
        let tree = Utf8Tree::new(&characters.kinds);
        // The least bytes of a character of each kind. A kind without characters is on no way to acceptance.
        let mut lengths = [u32::MAX >> 8; 256];
        for byte in 0..=255 {
            match tree.begin(byte) {
                Some(AfterByte::Kind(kind)) => lengths[kind as usize] = 1,
                Some(AfterByte::Node(node)) => {
                    let (kinds, left) = tree.below(node);
                    kinds.iter().for_each(|&kind| lengths[kind as usize] = lengths[kind as usize].min(left + 1));
                }
                None => {}
            }
        }
        let used = letters.with_bytes(|letter| lengths[usize::from(letter)] <= 4);
        let costs = used.costs(|letter| lengths[usize::from(letter)]);
        Ok(ByCharacter { letters: used, tree, costs })
    }

    /// Whether no text is accepted.
    pub(crate) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    fn after(&self, letters: u32, after: AfterByte) -> Option<CharacterState> {
        let next = match after {
            AfterByte::Kind(kind) => CharacterState { letters: self.letters.next(letters, kind as u8), node: 0 },
            AfterByte::Node(node) => CharacterState { letters, node: node + 1 },
        };
        (next.letters != 0 && !self.cost(&next).is_never()).then_some(next)
    }
}

impl Automaton for ByCharacter {
    type State = CharacterState;

    fn start(&self) -> CharacterState {
        CharacterState { letters: self.letters.start(), node: 0 }
    }

    fn step(&self, state: &CharacterState, byte: u8) -> Option<CharacterState> {
        let after = match state.node.checked_sub(1) {
            None => self.tree.begin(byte)?,
            Some(node) => self.tree.next(node, byte)?,
        };
        self.after(state.letters, after)
    }

    fn cost(&self, state: &CharacterState) -> Cost {
        match state.node.checked_sub(1) {
            None => self.costs[state.letters as usize],
            Some(node) => {
                let (kinds, left) = self.tree.below(node);
                let after = |&kind: &u32| self.costs[self.letters.next(state.letters, kind as u8) as usize];
                Cost::least(kinds.iter().map(after)) + left
            }
        }
    }

    fn size(&self) -> usize {
        self.letters.size() + self.costs.len() * 4 + self.tree.size()
    }

    fn next_bytes(&self, state: &CharacterState) -> ByteSet {
        if state.node == 0 { ByteSet::ALL } else { ByteSet::CONTINUATION }
    }

    fn is_final(&self, state: &CharacterState) -> bool {
        state.node == 0 && self.letters.is_final(state.letters)
    }

    fn key(&self, state: &CharacterState) -> u128 {
        u128::from(state.letters) << 32 | u128::from(state.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::dfa::DfaLimits;
    use crate::regex::{Dialect, whole_by_character};

    #[test]
    fn the_automaton_by_character_is_that_over_bytes() {
        let limits = DfaLimits { states: 9999, bytes: 4 << 20 };
        for regex in [r"\w{0,3}-?", r"[a-zé€😀]+|\d{2}", r"(?!a)\S{1,2}\bx?", r"[^\w\s]*", "", "é{3}", r"\W\B"] {
            let characters = whole_by_character(regex, Dialect::Python, limits).expect("small");
            let (dfa, own) = (characters.to_bytes(limits).expect("small"), ByCharacter::new(&characters, 999));
            let (own, costs) = (own.expect("small"), dfa.costs(|_| 1));
            let mut open = vec![(own.start(), dfa.start())];
            let mut seen = foldhash::HashSet::default();
            while let Some((state, other)) = open.pop() {
                assert_eq!(own.cost(&state), costs[other as usize], "{regex}");
                for byte in 0..=255 {
                    let (next, expected) = (own.step(&state, byte), dfa.next(other, byte));
                    assert_eq!(next.is_some(), expected != 0, "{regex}: {byte}");
                    let missing = next.is_some() && !own.next_bytes(&state).contains(byte);
                    assert!(!missing, "{regex}: {byte}");
                    open.extend(
                        next.map(|next| (next, expected)).filter(|pair| seen.insert((own.key(&pair.0), pair.1))),
                    );
                }
            }
            assert!(own.is_empty() == dfa.is_empty() && (regex.is_empty() || seen.len() > 3));
        }
    }
}
