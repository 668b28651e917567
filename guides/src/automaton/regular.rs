//! A regular language as a guide follows it.

use crate::automaton::Automaton;
use crate::automaton::dfa::Dfa;

/// An automaton as a whole guide: a regex.
#[derive(Debug)]
pub(crate) struct Regular {
    dfa: Dfa,
    costs: Vec<u32>,
}

impl Regular {
    pub(crate) fn new(dfa: Dfa) -> Regular {
        let costs = dfa.costs(|_| 1);
        Regular { dfa, costs }
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

    fn cost(&self, &state: &u32) -> u32 {
        self.costs[state as usize]
    }

    fn size(&self) -> usize {
        self.dfa.size() + self.costs.len() * 4
    }

    fn is_final(&self, &state: &u32) -> bool {
        let row = state as usize * self.dfa.width;
        self.dfa.table[row..row + self.dfa.width].iter().all(|&next| next == 0)
    }

    fn key(&self, &state: &u32) -> u128 {
        u128::from(state)
    }
}
