//! Search from the end: for each state the least weight of a suffix that leads to given states, and the number of such suffixes.
//!
//! The transitions are reversed once, in two flat vectors (the offsets and the transitions, as in a sparse matrix), and serve several
//! searches.

use crate::automaton::cost::Cost;
use crate::automaton::dfa::Dfa;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The transitions of an automaton by the state that they lead to.
#[derive(Debug)]
pub(crate) struct Backward {
    /// The transitions to `state` are those from `first[state]` on, up to `first[state + 1]`.
    first: Vec<u32>,
    transitions: Vec<Transition>,
}

/// Some of the bytes that lead from one state to another, as one transition.
#[derive(Debug, Clone, Copy, Default)]
struct Transition {
    from: u32,
    /// The least weight of these bytes.
    weight: u32,
    /// The number of these bytes.
    bytes: u32,
}

impl Backward {
    /// The transitions of the automaton, with a weight for each byte.
    pub(crate) fn new(dfa: &Dfa, weight: impl Fn(u8) -> u32) -> Backward {
        let mut of_class = vec![Transition { from: 0, weight: u32::MAX, bytes: 0 }; dfa.width()];
        for byte in 0..=255u8 {
            let class = &mut of_class[dfa.class(byte)];
            class.weight = class.weight.min(weight(byte));
            class.bytes += 1;
        }
        let states = 1..dfa.len() as u32;
        let mut first = vec![0u32; dfa.len() + 1];
        for state in states.clone() {
            merged(dfa.row(state), &of_class, |to, _| first[to as usize] += 1);
        }
        let mut sum = 0;
        for place in &mut first {
            sum += std::mem::replace(place, sum);
        }
        let mut transitions = vec![Transition::default(); sum as usize];
        let mut place = first.clone();
        for state in states {
            merged(dfa.row(state), &of_class, |to, transition| {
                let place = &mut place[to as usize];
                transitions[*place as usize] = Transition { from: state, ..transition };
                *place += 1;
            });
        }
        Backward { first, transitions }
    }

    /// Number of states, the dead one included.
    fn len(&self) -> usize {
        self.first.len() - 1
    }

    fn to(&self, state: usize) -> &[Transition] {
        &self.transitions[self.first[state] as usize..self.first[state + 1] as usize]
    }

    /// For each state the least total weight of bytes that lead to a target; [`Cost::NEVER`] if none do.
    pub(crate) fn costs_to(&self, target: impl Fn(usize) -> bool) -> Vec<Cost> {
        // Dijkstra's algorithm with a bucket for each distance: weights are small integers, so no heap is needed.
        let mut costs = vec![Cost::NEVER; self.len()];
        let mut buckets: Vec<Vec<u32>> = vec![Vec::new()];
        for (state, cost) in costs.iter_mut().enumerate().skip(1).filter(|(state, _)| target(*state)) {
            *cost = Cost::ZERO;
            buckets[0].push(state as u32);
        }
        let mut distance = 0;
        while distance < buckets.len() {
            while let Some(state) = buckets[distance].pop() {
                if costs[state as usize] != distance as u32 {
                    continue;
                }
                for transition in self.to(state as usize) {
                    let cost = Cost::bytes(distance as u32) + transition.weight;
                    let known = &mut costs[transition.from as usize];
                    if cost < *known {
                        *known = cost;
                        if buckets.len() <= cost.get() as usize {
                            buckets.resize(cost.get() as usize + 1, Vec::new());
                        }
                        buckets[cost.get() as usize].push(transition.from);
                    }
                }
            }
            distance += 1;
        }
        costs
    }

    /// For each state the least total weight of bytes that lead to another one and of what that one costs by itself.
    pub(crate) fn costs_with(&self, own: &[Cost]) -> Vec<Cost> {
        let mut costs = own.to_vec();
        let open = (0u32..).zip(&costs).filter(|(_, cost)| !cost.is_never());
        let mut open: BinaryHeap<_> = open.map(|(state, &cost)| Reverse((cost, state))).collect();
        while let Some(Reverse((cost, state))) = open.pop() {
            if costs[state as usize] < cost {
                continue;
            }
            for transition in self.to(state as usize) {
                let (before, known) = (cost + transition.weight, &mut costs[transition.from as usize]);
                if before < *known {
                    *known = before;
                    open.push(Reverse((before, transition.from)));
                }
            }
        }
        costs
    }

    /// For each state the number of suffixes that lead to a target, counted up to `most`. `costs` is the result of [`Self::costs_to`] for
    /// the same target.
    pub(crate) fn counts_to(&self, target: impl Fn(usize) -> bool, costs: &[Cost], most: u32) -> Vec<u32> {
        // Kahn's topological order from the targets: a state is counted once all states that it leads to are. A state that reaches a cycle
        // is never counted and keeps `most`, as it has infinitely many suffixes.
        let leads = |state: usize| !costs[state].is_never();
        let mut onward = vec![0u32; self.len()];
        for state in (1..self.len()).filter(|&state| leads(state)) {
            self.to(state).iter().for_each(|transition| onward[transition.from as usize] += 1);
        }
        let mut counts: Vec<u32> = (0..self.len()).map(|state| if leads(state) { most } else { 0 }).collect();
        let mut sums: Vec<u32> = (0..self.len()).map(|state| u32::from(state != 0 && target(state))).collect();
        let mut open: Vec<usize> = (1..self.len()).filter(|&state| onward[state] == 0 && leads(state)).collect();
        while let Some(state) = open.pop() {
            counts[state] = sums[state].min(most);
            for transition in self.to(state) {
                let from = transition.from as usize;
                sums[from] = sums[from].saturating_add(counts[state].saturating_mul(transition.bytes));
                onward[from] -= 1;
                if onward[from] == 0 {
                    open.push(from);
                }
            }
        }
        counts
    }
}

/// Calls `each` for the transitions of a state. Neighbouring classes of bytes mostly lead to the same state, and merge into one transition.
fn merged(row: &[u32], of_class: &[Transition], mut each: impl FnMut(u32, Transition)) {
    let mut classes = row.iter().zip(of_class).filter(|(next, _)| **next != 0);
    let Some((&first, &transition)) = classes.next() else { return };
    let (mut to, mut all) = (first, transition);
    for (&next, transition) in classes {
        if next == to {
            all.weight = all.weight.min(transition.weight);
            all.bytes += transition.bytes;
        } else {
            each(to, all);
            (to, all) = (next, *transition);
        }
    }
    each(to, all);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::dfa::DfaLimits;
    use crate::regex;
    use crate::regex::Dialect;

    fn dfa(regex: &str) -> Dfa {
        regex::whole(regex, Dialect::Ecma, DfaLimits { states: 999, bytes: 1 << 20 }).expect("a regex")
    }

    #[test]
    fn texts_are_weighed_and_counted_from_each_state() {
        for (regex, cost, count) in [
            ("", 0, 1),
            ("[ab]{3}", 3, 8),
            ("a?b?", 0, 4),
            ("ab|[c-f]x{5}", 2, 5),
            ("ab*", 1, u32::MAX),
            ("[0-9]{2,4}", 2, 11100),
            ("[0-9]{30}", 30, 1 << 20),
        ] {
            let dfa = dfa(regex);
            let backward = Backward::new(&dfa, |_| 1);
            let accepts = |state: usize| dfa.accepts_at(state as u32);
            let costs = backward.costs_to(accepts);
            let counts = backward.counts_to(accepts, &costs, 1 << 20);
            let start = dfa.start() as usize;
            assert_eq!((costs[start].get(), counts[start]), (cost, count.min(1 << 20)), "{regex}");
            assert_eq!((costs[0], counts[0]), (Cost::NEVER, 0));
        }
    }

    #[test]
    fn texts_that_lead_to_other_states_do_not_count() {
        // Either ends after `a`, or goes on for ever after `b`.
        let dfa = dfa("[xy]a|bc*");
        let backward = Backward::new(&dfa, u32::from);
        let after = "xa".bytes().fold(dfa.start(), |state, byte| dfa.next(state, byte));
        let costs = backward.costs_to(|state| state as u32 == after);
        let counts = backward.counts_to(|state| state as u32 == after, &costs, 99);
        let start = dfa.start() as usize;
        assert_eq!((costs[start].get(), counts[start]), (u32::from(b'x') + u32::from(b'a'), 2));
        // The other way costs less if that state costs much by itself.
        let mut own = vec![Cost::NEVER; dfa.len()];
        own[after as usize] = Cost::bytes(1000);
        own[dfa.after(dfa.start(), b"bc") as usize] = Cost::bytes(5);
        assert_eq!(backward.costs_with(&own)[start].get(), u32::from(b'b') + 5);
    }
}
