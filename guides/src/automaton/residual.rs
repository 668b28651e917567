//! Residual languages (Brzozowski 1964) of an automaton over characters, classified: from which states every suffix is accepted, and from
//! which every suffix can still be completed.
//!
//! A mask needs this to allow a whole class of tokens without a walk: after `foo`, the pattern `foo` accepts every suffix, and before it
//! no suffix is ever dead. The product with the automaton of all texts is searched backwards, so that a byte sequence that is no UTF-8
//! does not count as a suffix.

use crate::automaton::dfa::Dfa;
use std::collections::VecDeque;

/// The class of a state's residual language, over the characters of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The state lies within a character.
    Within,
    /// Some suffix leads to the dead state.
    Bounded,
    /// Every suffix has a completion: the state before the match of an unanchored pattern.
    Open,
    /// Every suffix is accepted.
    Universal,
}

/// The reachable pairs of the product of an automaton with the automaton of all texts, with reversed transitions.
struct Pairs {
    states: Vec<(u32, u32)>,
    /// The edges to `pair` are `edges[first[pair]..first[pair + 1]]`: the source, and whether the byte begins a character.
    first: Vec<usize>,
    edges: Vec<(u32, bool)>,
}

impl Pairs {
    fn new(dfa: &Dfa, any: &Dfa) -> Pairs {
        // The number of each pair plus one, 0 if it was not met.
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
                // Most bytes lead to the same pair as another byte.
                let edge = (*number - 1, done as u32, byte & 0xC0 != 0x80);
                if !edges[own..].contains(&edge) {
                    edges.push(edge);
                }
            }
            done += 1;
        }
        Pairs::by_target(states, &edges)
    }

    /// Sorts the edges by their target, by counting.
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

    /// The pairs that lead to a pair, and whether the byte begins a character.
    fn before(&self, pair: usize) -> impl Iterator<Item = (usize, bool)> {
        self.edges[self.first[pair]..self.first[pair + 1]].iter().map(|&(from, begins)| (from as usize, begins))
    }

    /// For each pair whether some suffix completes a text that the automaton rejects.
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

    /// For each pair the fewest characters to the dead state, `u32::MAX` if it is never reached.
    fn distances(&self) -> Vec<u32> {
        let mut nearest = vec![u32::MAX; self.states.len()];
        let dead = (0..self.states.len()).filter(|&pair| self.states[pair].0 == 0);
        // Breadth-first search with weights 0 and 1: an edge within a character counts nothing, so it goes to the front.
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

/// The class of each state's residual language, and for each state between characters the fewest characters to the dead state
/// (`u32::MAX` if it is never reached). `any` is the automaton of all strings.
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

/// For each state, within characters too, whether every suffix is accepted. `any` is the automaton of all texts.
pub(crate) fn universal(dfa: &Dfa, any: &Dfa) -> Vec<bool> {
    let pairs = Pairs::new(dfa, any);
    let rejected = pairs.rejected(dfa, any);
    let of_state = |wanted: bool| pairs.states.iter().zip(&rejected).filter(move |(_, is)| **is == wanted);
    let mut universal = vec![false; dfa.len()];
    of_state(false).for_each(|(&(state, _), _)| universal[state as usize] = true);
    of_state(true).for_each(|(&(state, _), _)| universal[state as usize] = false);
    universal
}
