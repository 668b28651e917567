//! [`RuleDfa`]: the deterministic automaton of one rule, over bytes and calls of rules.

use crate::grammar::rules::RuleId;
use crate::interrupt::passed;
use foldhash::{HashMap, HashMapExt, HashSet};

/// The automaton of a rule. A path to an accepting state is a sequence of bytes and calls; it derives the texts in which each call stands
/// for a text of its rule. A call never stands for the empty text.
#[derive(Debug, Clone, Default)]
pub(super) struct RuleDfa {
    pub(super) states: Vec<RuleState>,
    pub(super) start: u32,
}

/// A state. `bytes` and `calls` are sorted, so equal states are equal values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct RuleState {
    /// Ranges of bytes, both ends included, and the states that they lead to. Ranges are disjoint, and neighbours with one target are one
    /// range.
    pub(super) bytes: Vec<(u8, u8, u32)>,
    pub(super) calls: Vec<(RuleId, u32)>,
    pub(super) accepts: bool,
}

/// Steps of [`RuleDfa::minimized`], in states: beyond them the automaton stays as it is.
const MOST_REFINED: usize = 4 << 20;

impl RuleDfa {
    /// The first state. An automaton without states derives nothing.
    pub(super) fn start(&self) -> &RuleState {
        const NOTHING: &RuleState = &RuleState { bytes: Vec::new(), calls: Vec::new(), accepts: false };
        self.states.get(self.start as usize).unwrap_or(NOTHING)
    }

    /// Whether it derives the empty text.
    pub(super) fn is_nullable(&self) -> bool {
        self.start().accepts
    }

    /// The number of calls of a rule.
    pub(super) fn calls_of(&self, rule: RuleId) -> usize {
        self.states.iter().flat_map(|state| &state.calls).filter(|call| call.0 == rule).count()
    }

    /// The automaton of its texts but the empty one.
    pub(super) fn without_empty(mut self) -> RuleDfa {
        if self.is_nullable() {
            let start = RuleState { accepts: false, ..self.start().clone() };
            self.start = self.states.len() as u32;
            self.states.push(start);
        }
        self
    }

    /// The automaton without calls for which `keep` is false, and without states that do not lie between the start and an accepting one.
    ///
    /// The start is state 0 then.
    pub(super) fn trimmed(mut self, keep: impl Fn(RuleId) -> bool, writes: impl Fn(u8) -> bool) -> RuleDfa {
        for state in &mut self.states {
            state.calls.retain(|call| keep(call.0));
            if state.bytes.iter().any(|&(first, last, _)| !(first..=last).all(&writes)) {
                let single = state.bytes.iter().flat_map(|&(first, last, next)| (first..=last).map(move |b| (b, next)));
                let kept: Vec<(u8, u32)> = single.filter(|&(byte, _)| writes(byte)).collect();
                state.bytes.clear();
                kept.into_iter().for_each(|(byte, next)| push_range(&mut state.bytes, (byte, byte, next)));
            }
        }
        let live = self.live();
        if self.states.is_empty() || !live[self.start as usize] {
            return RuleDfa::default();
        }
        let mut numbers = vec![u32::MAX; self.states.len()];
        let mut order = Vec::new();
        let mut open = vec![self.start];
        while let Some(state) = open.pop() {
            if !live[state as usize] || numbers[state as usize] != u32::MAX {
                continue;
            }
            numbers[state as usize] = order.len() as u32;
            order.push(state);
            open.extend(self.states[state as usize].next_states());
        }
        let number = |state: u32| Some(numbers[state as usize]).filter(|&number| number != u32::MAX);
        let renumbered = |state: &u32| {
            let state = &self.states[*state as usize];
            let mut bytes = Vec::with_capacity(state.bytes.len());
            for &(first, last, next) in &state.bytes {
                if let Some(next) = number(next) {
                    push_range(&mut bytes, (first, last, next));
                }
            }
            let calls = state.calls.iter().filter_map(|&(rule, next)| Some((rule, number(next)?))).collect();
            RuleState { bytes, calls, accepts: state.accepts }
        };
        RuleDfa { states: order.iter().map(renumbered).collect(), start: 0 }
    }

    /// Whether nothing is derived. Only for a trimmed automaton.
    pub(super) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// For each state whether a path leads to an accepting one.
    fn live(&self) -> Vec<bool> {
        let mut before: Vec<Vec<u32>> = vec![Vec::new(); self.states.len()];
        for (from, state) in (0..).zip(&self.states) {
            state.next_states().for_each(|next| before[next as usize].push(from));
        }
        let mut live: Vec<bool> = self.states.iter().map(|state| state.accepts).collect();
        let mut open: Vec<u32> = (0..).zip(&live).filter(|(_, live)| **live).map(|(state, _)| state).collect();
        while let Some(state) = open.pop() {
            for &from in &before[state as usize] {
                if !std::mem::replace(&mut live[from as usize], true) {
                    open.push(from);
                }
            }
        }
        live
    }

    /// The least automaton for the same paths, by refinement of a partition (Moore 1956). Equal states are one state at run time, so they
    /// share what is remembered of them.
    pub(super) fn minimized(self) -> RuleDfa {
        if self.is_empty() {
            return self;
        }
        let mut class: Vec<u32> = self.states.iter().map(|state| u32::from(state.accepts)).collect();
        let mut count = class.iter().collect::<HashSet<_>>().len();
        let mut steps = 0;
        loop {
            steps += self.states.len();
            if steps > MOST_REFINED || passed(self.states.len() / 8) {
                return self;
            }
            let mut numbers: HashMap<(u32, RuleState), u32> = HashMap::with_capacity(count);
            let finer: Vec<u32> = (0..self.states.len())
                .map(|state| {
                    let next = numbers.len() as u32;
                    *numbers.entry((class[state], self.states[state].mapped(&class))).or_insert(next)
                })
                .collect();
            let refined = numbers.len() != count;
            (class, count) = (finer, numbers.len());
            if !refined {
                break;
            }
        }
        let mut states = vec![RuleState::default(); count];
        for (state, &class_of) in self.states.iter().zip(&class) {
            states[class_of as usize] = state.mapped(&class);
        }
        RuleDfa { states, start: class[self.start as usize] }
    }
}

impl RuleState {
    /// The states that follow, with repetitions.
    pub(super) fn next_states(&self) -> impl Iterator<Item = u32> + '_ {
        self.bytes.iter().map(|range| range.2).chain(self.calls.iter().map(|call| call.1))
    }

    /// Whether nothing follows.
    pub(super) fn is_final(&self) -> bool {
        self.bytes.is_empty() && self.calls.is_empty()
    }

    /// The state with others in place of those that follow.
    fn mapped(&self, to: &[u32]) -> RuleState {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        for &(first, last, next) in &self.bytes {
            push_range(&mut bytes, (first, last, to[next as usize]));
        }
        let calls = self.calls.iter().map(|&(rule, next)| (rule, to[next as usize])).collect();
        RuleState { bytes, calls, accepts: self.accepts }
    }
}

/// Adds a range behind all others.
pub(super) fn push_range(ranges: &mut Vec<(u8, u8, u32)>, range: (u8, u8, u32)) {
    match ranges.last_mut() {
        Some(last) if last.2 == range.2 && u16::from(last.1) + 1 == u16::from(range.0) => last.1 = range.1,
        _ => ranges.push(range),
    }
}
