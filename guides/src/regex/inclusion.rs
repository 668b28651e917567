//! Whether every text that a state of an automaton accepts is accepted from another state, asked lazily.
//!
//! Two states are followed side by side over all letters (Hopcroft, Karp 1971, for inclusion). If no pair that is met accepts on the first
//! side only, inclusion holds for all of these pairs, and they are remembered. Where the search takes too long the answer is no, which is
//! safe: a thread is kept that could be dropped.

use crate::automaton::dfa::Dfa;
use foldhash::{HashMap, HashMapExt, HashSet};
use std::cell::RefCell;

/// The most pairs of states that are followed for one automaton.
const MOST_FOLLOWED: usize = 200_000;

/// The inclusions that are known for one automaton.
#[derive(Debug, Default)]
pub(super) struct Inclusion {
    known: RefCell<Known>,
}

#[derive(Debug)]
struct Known {
    pairs: HashMap<(u32, u32), bool>,
    /// Pairs that may still be followed.
    left: usize,
}

impl Default for Known {
    fn default() -> Known {
        Known { pairs: HashMap::new(), left: MOST_FOLLOWED }
    }
}

impl Inclusion {
    /// Whether every text that is accepted from `state` is accepted from `other`; no where it is not known.
    pub(super) fn holds(&self, dfa: &Dfa, state: u32, other: u32) -> bool {
        if state == other {
            return true;
        }
        let mut known = self.known.borrow_mut();
        if let Some(&holds) = known.pairs.get(&(state, other)) {
            return holds;
        }
        let letters = dfa.kinds_among(0..=255);
        let mut met: HashSet<(u32, u32)> = HashSet::default();
        let mut open = vec![(state, other)];
        let mut holds = true;
        while let Some(pair) = open.pop() {
            let (one, two) = pair;
            if one == two || one == 0 || met.contains(&pair) {
                continue;
            }
            let refuted = two == 0 || dfa.accepts_at(one) && !dfa.accepts_at(two);
            match known.pairs.get(&pair) {
                Some(true) => continue,
                _ if refuted || known.left == 0 => holds = false,
                Some(false) => holds = false,
                None => {}
            }
            if !holds {
                break;
            }
            known.left -= 1;
            met.insert(pair);
            open.extend(letters.iter().map(|&letter| (dfa.next(one, letter), dfa.next(two, letter))));
        }
        if holds {
            known.pairs.extend(met.into_iter().map(|pair| (pair, true)));
        } else {
            known.pairs.insert((state, other), false);
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::dfa::DfaLimits;
    use crate::regex::{Dialect, whole};

    #[test]
    fn inclusion_of_states_is_that_of_what_they_accept() {
        let dfa = whole("(a|ba{0,2}|ca{0,3}|da*|ea*b)", Dialect::Ecma, DfaLimits { states: 99, bytes: 1 << 20 });
        let dfa = dfa.expect("small");
        let after = |text: &str| dfa.after(dfa.start(), text.as_bytes());
        let inclusion = Inclusion::default();
        for (one, other, expected) in [
            ("b", "c", true),
            ("c", "b", false),
            ("c", "d", true),
            ("d", "c", false),
            ("d", "e", false),
            ("ba", "c", true),
        ] {
            assert_eq!(inclusion.holds(&dfa, after(one), after(other)), expected, "{one} {other}");
        }
    }
}
