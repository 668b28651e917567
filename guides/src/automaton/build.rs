//! Automata from a step function: breadth-first exploration, then trimming.
//!
//! Every construction here (products, subsets, counters, grammars) is a state type with a step by class of bytes and a test for acceptance.
//! [`Dfa::build`] numbers the states that it meets and drops the dead ones.

use crate::automaton::backward::Backward;
use crate::automaton::dfa::{Dfa, STEP, TooManyStates};
use crate::interrupt::passed;
use foldhash::{HashMap, HashMapExt};

impl Dfa {
    /// The automaton that `step` spans from `start`: states are numbered as they are met, and states that cannot reach acceptance are
    /// dropped. `class_of` maps each byte to its class, of which there are `width`.
    ///
    /// # Errors
    /// [`TooManyStates`] if more than `limit` states are met, dead ones included.
    pub(crate) fn build<S: Clone + Eq + std::hash::Hash>(
        class_of: impl Fn(u8) -> u8,
        width: usize,
        start: S,
        limit: usize,
        step: impl FnMut(&S, usize) -> Option<S>,
        accepts: impl Fn(&S) -> bool,
    ) -> Result<Dfa, TooManyStates> {
        let mut classes = Box::new([0u8; 256]);
        for byte in 0..=255u8 {
            classes[byte as usize] = class_of(byte);
        }
        explore(classes, width, Some(start), limit, step, accepts)
    }
}

/// Classes of bytes that an automaton does not tell apart.
pub(crate) struct ByteClasses {
    pub(crate) of_byte: Box<[u8; 256]>,
    pub(crate) count: usize,
}

/// As [`Dfa::build`], with the classes as a table. Without a start nothing is accepted.
pub(super) fn explore<S: Clone + Eq + std::hash::Hash>(
    classes: Box<[u8; 256]>,
    width: usize,
    start: Option<S>,
    limit: usize,
    step: impl FnMut(&S, usize) -> Option<S>,
    accepts: impl Fn(&S) -> bool,
) -> Result<Dfa, TooManyStates> {
    explore_with(HashMap::new(), ByteClasses { of_byte: classes, count: width }, start, limit, step, accepts)
}

/// As [`explore`], with what numbers the states.
pub(crate) fn explore_with<S: Clone + PartialEq>(
    mut numbers: impl Numbering<S>,
    classes: ByteClasses,
    start: Option<S>,
    limit: usize,
    mut step: impl FnMut(&S, usize) -> Option<S>,
    accepts: impl Fn(&S) -> bool,
) -> Result<Dfa, TooManyStates> {
    let ByteClasses { of_byte: classes, count: width } = classes;
    let mut states: Vec<S> = Vec::new();
    let mut table: Vec<u32> = vec![0; width];
    let mut accepting = vec![false];
    if let Some(start) = start {
        *numbers.number(&start) = 1;
        states.push(start);
    }
    let mut done = 0;
    while done < states.len() {
        if passed(1 + width / STEP) {
            return Err(TooManyStates);
        }
        let state = states[done].clone();
        accepting.push(accepts(&state));
        // Neighbouring classes often lead to the same state.
        let mut last: Option<(S, u32)> = None;
        for class in 0..width {
            let next = match (step(&state, class), &last) {
                (None, _) => 0,
                (Some(next), Some((known, number))) if next == *known => *number,
                (Some(next), _) => {
                    let number = numbers.number(&next);
                    if *number == 0 {
                        if states.len() >= limit {
                            return Err(TooManyStates);
                        }
                        states.push(next.clone());
                        *number = states.len() as u32;
                    }
                    let number = *number;
                    last = Some((next, number));
                    number
                }
            };
            table.push(next);
        }
        done += 1;
    }
    Ok(trim(Dfa { classes, width, table, accepting, start: 1 }).0)
}

/// The numbers of states, 0 for a state that was not met.
pub(crate) trait Numbering<S> {
    fn number(&mut self, state: &S) -> &mut u32;
}

impl<S: Clone + Eq + std::hash::Hash> Numbering<S> for HashMap<S, u32> {
    fn number(&mut self, state: &S) -> &mut u32 {
        self.entry(state.clone()).or_default()
    }
}

impl Numbering<(u32, u32)> for PairNumbers {
    fn number(&mut self, &(a, b): &(u32, u32)) -> &mut u32 {
        &mut self.numbers[a as usize * self.width + b as usize]
    }
}

/// The numbers of pairs of states as a table, of `width` pairs for each state of the first automaton.
pub(crate) struct PairNumbers {
    pub(super) numbers: Vec<u32>,
    pub(super) width: usize,
}

/// For each state whether it can reach an accepting one.
fn living(dfa: &Dfa) -> Vec<bool> {
    /// Breadth-first numbers mostly grow along transitions, so a few passes from the last state to the first settle nearly all automata.
    /// The rest take a proper search, which builds the reversed transitions first.
    const PASSES: usize = 4;
    let (count, width) = (dfa.len(), dfa.width);
    let mut alive = dfa.accepting.clone();
    for _ in 0..PASSES {
        let mut changed = false;
        for state in (1..count).rev() {
            let row = &dfa.table[state * width..(state + 1) * width];
            if !alive[state] && row.iter().any(|&next| alive[next as usize]) {
                alive[state] = true;
                changed = true;
            }
        }
        if !changed {
            return alive;
        }
    }
    Backward::new(dfa, |_| 0).costs_to(|state| dfa.accepting[state]).iter().map(|&cost| !cost.is_never()).collect()
}

/// Replaces every state that cannot reach acceptance by the dead state and renumbers the rest. Returns the new number of each old state
/// too, 0 if it was dropped.
pub(super) fn trim(mut dfa: Dfa) -> (Dfa, Vec<u32>) {
    let (count, width) = (dfa.len(), dfa.width);
    let alive = living(&dfa);
    if alive[1..].iter().all(|&alive| alive) {
        let same = (0..count as u32).collect();
        dfa.start = if count > 1 { dfa.start } else { 0 };
        return (dfa, same);
    }
    let mut renumbered = vec![0u32; count];
    let mut kept = 1;
    for state in 1..count {
        if alive[state] {
            renumbered[state] = kept;
            kept += 1;
        }
    }
    let (mut table, mut accepting) = (vec![0; width], vec![false]);
    for state in (1..count).filter(|&state| alive[state]) {
        table.extend(dfa.table[state * width..(state + 1) * width].iter().map(|&next| renumbered[next as usize]));
        accepting.push(dfa.accepting[state]);
    }
    dfa.start = renumbered.get(dfa.start as usize).copied().unwrap_or(0);
    (dfa.table, dfa.accepting) = (table, accepting);
    (dfa, renumbered)
}
