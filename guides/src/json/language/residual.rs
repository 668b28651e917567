//! What can follow in each state of an automaton over characters.

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

/// What can follow in each state, `any` being the automaton of all strings, and the fewest characters that lead nowhere.
pub(crate) fn reaches(dfa: &Dfa, any: &Dfa) -> (Vec<Reach>, Vec<u32>) {
    // The number of each pair of states plus one; 0 for those not met.
    let mut numbers = vec![0u32; dfa.len() * any.len()];
    let mut pairs = vec![(dfa.start(), any.start())];
    // Which pair leads to which, and whether it does so by the beginning of a character.
    let mut edges: Vec<(u32, u32, bool)> = Vec::new();
    let place = |(state, all): (u32, u32)| state as usize * any.len() + all as usize;
    numbers[place(pairs[0])] = 1;
    let mut done = 0;
    let bytes = any.class_bytes(dfa);
    while done < pairs.len() {
        let ((state, all), own) = (pairs[done], edges.len());
        for &byte in &bytes {
            let next = (dfa.next(state, byte), any.next(all, byte));
            if next.1 == 0 {
                continue;
            }
            let number = &mut numbers[place(next)];
            if *number == 0 {
                pairs.push(next);
                *number = pairs.len() as u32;
            }
            // Most bytes lead where another one does.
            let edge = (*number - 1, done as u32, byte & 0xC0 != 0x80);
            if !edges[own..].contains(&edge) {
                edges.push(edge);
            }
        }
        done += 1;
    }
    // By the pair to which they lead: those to `pair` from `first[pair]` on.
    let mut first = vec![0usize; pairs.len() + 1];
    edges.iter().for_each(|edge| first[edge.0 as usize + 1] += 1);
    (0..pairs.len()).for_each(|pair| first[pair + 1] += first[pair]);
    let (mut places, mut sorted) = (first.clone(), vec![(0u32, false); edges.len()]);
    for &(to, from, begins) in &edges {
        sorted[places[to as usize]] = (from, begins);
        places[to as usize] += 1;
    }
    let before =
        |pair: usize| sorted[first[pair]..first[pair + 1]].iter().map(|&(from, begins)| (from as usize, begins));
    // The pairs from which some characters lead to one of these.
    let leading_to = |mut found: Vec<bool>| {
        let mut open: Vec<usize> = (0..pairs.len()).filter(|&pair| found[pair]).collect();
        while let Some(pair) = open.pop() {
            for (from, _) in before(pair) {
                if !std::mem::replace(&mut found[from], true) {
                    open.push(from);
                }
            }
        }
        found
    };
    let rejected =
        leading_to(pairs.iter().map(|&(state, all)| any.accepts_at(all) && !dfa.accepts_at(state)).collect());
    // The fewest characters to a dead state, the nearest first.
    let mut nearest = vec![u32::MAX; pairs.len()];
    let dead = (0..pairs.len()).filter(|&pair| pairs[pair].0 == 0);
    let mut open: VecDeque<(usize, u32)> = dead.map(|pair| (pair, 0)).collect();
    while let Some((pair, distance)) = open.pop_front() {
        if nearest[pair] <= distance {
            continue;
        }
        nearest[pair] = distance;
        for (from, begins) in before(pair) {
            if begins {
                open.push_back((from, distance + 1));
            } else {
                open.push_front((from, distance));
            }
        }
    }
    let (mut reaches, mut distances) = (vec![Reach::Within; dfa.len()], vec![0; dfa.len()]);
    for ((&(state, all), &rejected), &distance) in pairs.iter().zip(&rejected).zip(&nearest) {
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
