//! What can still follow in each state of an automaton over characters, compared with all texts: its residual languages
//! (Brzozowski 1964), as far as a mask or a look-ahead wants to know them.
//!
//! The automaton is walked side by side with that of all texts, so that what no text spells does not count, and the pairs of their
//! states are searched backwards.

use crate::automaton::dfa::Dfa;
use std::collections::VecDeque;

/// What can follow in a state over the characters of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It is in the midst of a character.
    Within,
    /// Some characters lead nowhere.
    Bounded,
    /// Whatever characters come, others can follow that make the whole accepted; as before the match of a pattern that is not
    /// anchored.
    Open,
    /// Whatever characters come, they are accepted.
    Universal,
}

/// The pairs of states that an automaton and that of all texts are in after the same bytes, and which pairs lead to which.
struct Pairs {
    states: Vec<(u32, u32)>,
    /// The edges to `pair` are those from `first[pair]` on, up to `first[pair + 1]`: where from, and whether a character begins.
    first: Vec<usize>,
    edges: Vec<(u32, bool)>,
}

impl Pairs {
    fn new(dfa: &Dfa, any: &Dfa) -> Pairs {
        // The number of each pair of states plus one; 0 for those not met.
        let mut numbers = vec![0u32; dfa.len() * any.len()];
        let mut states = vec![(dfa.start(), any.start())];
        let mut edges: Vec<(u32, u32, bool)> = Vec::new();
        let place = |(state, all): (u32, u32)| state as usize * any.len() + all as usize;
        numbers[place(states[0])] = 1;
        let mut done = 0;
        let bytes = any.class_bytes(dfa);
        while done < states.len() {
            let ((state, all), own) = (states[done], edges.len());
            for &byte in &bytes {
                let next = (dfa.next(state, byte), any.next(all, byte));
                if next.1 == 0 {
                    continue;
                }
                let number = &mut numbers[place(next)];
                if *number == 0 {
                    states.push(next);
                    *number = states.len() as u32;
                }
                // Most bytes lead where another one does.
                let edge = (*number - 1, done as u32, byte & 0xC0 != 0x80);
                if !edges[own..].contains(&edge) {
                    edges.push(edge);
                }
            }
            done += 1;
        }
        Pairs::by_target(states, &edges)
    }

    /// Sorts the edges by the pair to which they lead, by counting.
    fn by_target(states: Vec<(u32, u32)>, edges: &[(u32, u32, bool)]) -> Pairs {
        let mut first = vec![0usize; states.len() + 1];
        edges.iter().for_each(|edge| first[edge.0 as usize + 1] += 1);
        (0..states.len()).for_each(|pair| first[pair + 1] += first[pair]);
        let (mut places, mut sorted) = (first.clone(), vec![(0u32, false); edges.len()]);
        for &(to, from, begins) in edges {
            sorted[places[to as usize]] = (from, begins);
            places[to as usize] += 1;
        }
        Pairs { states, first, edges: sorted }
    }

    /// The pairs that lead to a pair, and whether they do so by the beginning of a character.
    fn before(&self, pair: usize) -> impl Iterator<Item = (usize, bool)> {
        self.edges[self.first[pair]..self.first[pair + 1]].iter().map(|&(from, begins)| (from as usize, begins))
    }

    /// Whether some text leads from each pair to where a text ends that the automaton does not accept.
    fn rejected(&self, dfa: &Dfa, any: &Dfa) -> Vec<bool> {
        let ends = |&(state, all): &(u32, u32)| any.accepts_at(all) && !dfa.accepts_at(state);
        let mut found: Vec<bool> = self.states.iter().map(ends).collect();
        let mut open: Vec<usize> = (0..found.len()).filter(|&pair| found[pair]).collect();
        while let Some(pair) = open.pop() {
            for (from, _) in self.before(pair) {
                if !std::mem::replace(&mut found[from], true) {
                    open.push(from);
                }
            }
        }
        found
    }

    /// The fewest characters from each pair to a dead state, `u32::MAX` where none lead there.
    fn distances(&self) -> Vec<u32> {
        let mut nearest = vec![u32::MAX; self.states.len()];
        let dead = (0..self.states.len()).filter(|&pair| self.states[pair].0 == 0);
        // The nearest first: an edge within a character costs nothing.
        let mut open: VecDeque<(usize, u32)> = dead.map(|pair| (pair, 0)).collect();
        while let Some((pair, distance)) = open.pop_front() {
            if nearest[pair] <= distance {
                continue;
            }
            nearest[pair] = distance;
            for (from, begins) in self.before(pair) {
                if begins {
                    open.push_back((from, distance + 1));
                } else {
                    open.push_front((from, distance));
                }
            }
        }
        nearest
    }
}

/// What can follow in each state, `any` being the automaton of all strings, and the fewest characters that lead nowhere.
pub(crate) fn reaches(dfa: &Dfa, any: &Dfa) -> (Vec<Reach>, Vec<u32>) {
    let pairs = Pairs::new(dfa, any);
    let (rejected, nearest) = (pairs.rejected(dfa, any), pairs.distances());
    let (mut reaches, mut distances) = (vec![Reach::Within; dfa.len()], vec![0; dfa.len()]);
    for ((&(state, all), &rejected), &distance) in pairs.states.iter().zip(&rejected).zip(&nearest) {
        if any.accepts_at(all) {
            distances[state as usize] = distance;
            reaches[state as usize] = match (rejected, distance) {
                (false, _) => Reach::Universal,
                (true, u32::MAX) => Reach::Open,
                (true, _) => Reach::Bounded,
            };
        }
    }
    (reaches, distances)
}

/// The states from which every text is accepted, those in the midst of a character too; `any` is the automaton of all texts.
pub(crate) fn universal(dfa: &Dfa, any: &Dfa) -> Vec<bool> {
    let pairs = Pairs::new(dfa, any);
    let rejected = pairs.rejected(dfa, any);
    let of_state = |wanted: bool| pairs.states.iter().zip(&rejected).filter(move |(_, is)| **is == wanted);
    let mut universal = vec![false; dfa.len()];
    of_state(false).for_each(|(&(state, _), _)| universal[state as usize] = true);
    of_state(true).for_each(|(&(state, _), _)| universal[state as usize] = false);
    universal
}
