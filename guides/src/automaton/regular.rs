//! [`Regular`]: a table as an [`Automaton`], which regexes and choices compile to.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::automaton::dfa::Dfa;
use crate::automaton::whole_tokens::by_tokens;
use crate::vocabulary::Vocabulary;

/// The automaton of a regex or a choice, with the costs of its states.
#[derive(Debug)]
pub(crate) struct Regular {
    dfa: Dfa,
    /// For each state the fewest bytes to acceptance. If some text needs a byte that is no token, these are tokens instead (see
    /// [`whole_tokens`](crate::automaton::whole_tokens)), and [`Cost::NEVER`] where no tokens complete a text.
    costs: Vec<Cost>,
    /// For each state whether no token follows, if that differs from whether no byte follows.
    last: Option<Vec<bool>>,
}

/// Why an automaton cannot be followed with the tokens of a vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unspellable {
    /// No text can be spelled: this byte is no token.
    Missing(u8),
    /// Finding out takes more than [`MOST_STEPS`](crate::automaton::whole_tokens::MOST_STEPS) steps.
    TooMuch,
}

impl Regular {
    /// The accepted texts that the tokens of the vocabulary spell. `dfa` accepts some text.
    pub(crate) fn new(dfa: Dfa, vocabulary: &Vocabulary) -> Result<Regular, Unspellable> {
        let is_token = |byte: u8| vocabulary.single_bytes().contains(byte);
        let Some(byte) = dfa.find_byte_without(is_token) else {
            let costs = dfa.costs(|_| 1);
            return Ok(Regular { dfa, costs, last: None });
        };
        let found = by_tokens(&dfa, is_token, vocabulary.trie_of_others()).ok_or(Unspellable::TooMuch)?;
        if found.costs[dfa.start() as usize].is_never() {
            return Err(Unspellable::Missing(byte));
        }
        Ok(Regular { dfa, costs: found.costs, last: Some(found.last) })
    }
}

impl Automaton for Regular {
    type State = u32;

    fn start(&self) -> u32 {
        self.dfa.start()
    }

    fn step(&self, &state: &u32, byte: u8) -> Option<u32> {
        match self.dfa.next(state, byte) {
            0 => None,
            next => Some(next),
        }
    }

    fn cost(&self, &state: &u32) -> Cost {
        self.costs[state as usize]
    }

    fn size(&self) -> usize {
        self.dfa.size() + self.costs.len() * 4 + self.last.as_ref().map_or(0, Vec::len)
    }

    fn is_final(&self, &state: &u32) -> bool {
        self.last.as_ref().map_or_else(|| self.dfa.is_final(state), |last| last[state as usize])
    }

    fn key(&self, &state: &u32) -> u128 {
        u128::from(state)
    }

    fn may_stop(&self, &state: &u32) -> bool {
        !self.costs[state as usize].is_never()
    }
}
