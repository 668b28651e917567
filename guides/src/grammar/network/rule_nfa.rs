//! [`RuleNfa`]: the nondeterministic automaton of one rule, and the subset construction (Rabin, Scott 1959) over bytes and calls.

use crate::automaton::dfa::{Dfa, TooManyStates};
use crate::grammar::network::rule_dfa::{RuleDfa, RuleState, push_range};
use crate::grammar::rules::RuleId;
use crate::interrupt::passed;
use foldhash::{HashMap, HashMapExt};

/// States of a subset that are followed in about a microsecond.
const FOLLOWED_PER_STEP: usize = 16;

/// An automaton under construction: from the end of a rule to its beginning, as each part is given the state that follows it.
#[derive(Debug, Default, Clone)]
pub(super) struct RuleNfa {
    states: Vec<RuleNfaState>,
    /// The most states.
    limit: usize,
}

#[derive(Debug, Default, Clone)]
struct RuleNfaState {
    bytes: Vec<(u8, u8, u32)>,
    calls: Vec<(RuleId, u32)>,
    /// The states to which nothing need be read.
    free: Vec<u32>,
    accepts: bool,
}

impl RuleNfa {
    pub(super) fn new(limit: usize) -> RuleNfa {
        RuleNfa { states: Vec::new(), limit }
    }

    fn add(&mut self, state: RuleNfaState) -> Result<u32, TooManyStates> {
        if self.states.len() >= self.limit || passed(1) {
            return Err(TooManyStates);
        }
        self.states.push(state);
        Ok(self.states.len() as u32 - 1)
    }

    /// A state in which the rule may end.
    pub(super) fn accepting(&mut self) -> Result<u32, TooManyStates> {
        self.add(RuleNfaState { accepts: true, ..RuleNfaState::default() })
    }

    /// A state that goes on as any of `others`.
    pub(super) fn either(&mut self, others: Vec<u32>) -> Result<u32, TooManyStates> {
        self.add(RuleNfaState { free: others, ..RuleNfaState::default() })
    }

    /// Lets a state go on as another one too.
    pub(super) fn join(&mut self, state: u32, other: u32) {
        self.states[state as usize].free.push(other);
    }

    /// A state that reads one byte.
    pub(super) fn byte(&mut self, byte: u8, next: u32) -> Result<u32, TooManyStates> {
        self.add(RuleNfaState { bytes: vec![(byte, byte, next)], ..RuleNfaState::default() })
    }

    /// A state that calls a rule.
    pub(super) fn call(&mut self, rule: RuleId, next: u32) -> Result<u32, TooManyStates> {
        self.add(RuleNfaState { calls: vec![(rule, next)], ..RuleNfaState::default() })
    }

    /// The states of a table, in front of `next`. Returns its start.
    pub(super) fn splice_text(&mut self, dfa: &Dfa, next: u32) -> Result<u32, TooManyStates> {
        let first = self.states.len() as u32;
        for state in 1..dfa.len() as u32 {
            let mut bytes = Vec::new();
            for byte in 0..=255u8 {
                match dfa.next(state, byte) {
                    0 => {}
                    to => push_range(&mut bytes, (byte, byte, first + to - 1)),
                }
            }
            let free = if dfa.accepts_at(state) { vec![next] } else { Vec::new() };
            self.add(RuleNfaState { bytes, free, ..RuleNfaState::default() })?;
        }
        if dfa.is_empty() { self.either(Vec::new()) } else { Ok(first + dfa.start() - 1) }
    }

    /// Copies the states of another rule's automaton. Its accepting states go on as `next`, or accept if there is none. State `s` of the
    /// copy is the returned number plus `s`.
    pub(super) fn copy(&mut self, dfa: &RuleDfa, next: Option<u32>) -> Result<u32, TooManyStates> {
        let first = self.states.len() as u32;
        for state in &dfa.states {
            self.add(RuleNfaState {
                bytes: state.bytes.iter().map(|&(from, to, next)| (from, to, first + next)).collect(),
                calls: state.calls.iter().map(|&(rule, next)| (rule, first + next)).collect(),
                free: next.filter(|_| state.accepts).into_iter().collect(),
                accepts: next.is_none() && state.accepts,
            })?;
        }
        Ok(first)
    }

    /// Keeps the calls of a state for which `keep` is true.
    pub(super) fn retain_calls(&mut self, state: u32, keep: impl Fn(&(RuleId, u32)) -> bool) {
        self.states[state as usize].calls.retain(keep);
    }

    /// A state that reads and calls what another one does.
    pub(super) fn fork(&mut self, state: u32) -> Result<u32, TooManyStates> {
        let RuleNfaState { bytes, calls, free, accepts } = &self.states[state as usize];
        let fork = RuleNfaState { bytes: bytes.clone(), calls: calls.clone(), free: free.clone(), accepts: *accepts };
        self.add(fork)
    }

    /// Lets no text end in a state.
    pub(super) fn refuse(&mut self, state: u32) {
        self.states[state as usize].accepts = false;
    }

    /// The calls of all states, each with its state.
    pub(super) fn calls(&self) -> impl Iterator<Item = (u32, RuleId, u32)> + '_ {
        let states = (0..).zip(&self.states);
        states.flat_map(|(state, of)| of.calls.iter().map(move |&(rule, next)| (state, rule, next)))
    }

    /// Whether `start` accepts without reading, where calls of some rules may stand for the empty text.
    pub(super) fn is_nullable(&self, start: u32, nullable: impl Fn(RuleId) -> bool) -> bool {
        let (mut seen, mut open) = (vec![false; self.states.len()], vec![start]);
        while let Some(state) = open.pop() {
            if std::mem::replace(&mut seen[state as usize], true) {
                continue;
            }
            let RuleNfaState { calls, free, accepts, .. } = &self.states[state as usize];
            if *accepts {
                return true;
            }
            open.extend(free);
            open.extend(calls.iter().filter(|call| nullable(call.0)).map(|call| call.1));
        }
        false
    }

    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Puts automata in place of the calls for which `of` gives one.
    pub(super) fn replace_calls<'a>(
        &mut self,
        of: impl Fn(RuleId) -> Option<&'a RuleDfa>,
    ) -> Result<(), TooManyStates> {
        for state in 0..self.states.len() {
            let calls = std::mem::take(&mut self.states[state].calls);
            for (callee, next) in calls {
                match of(callee) {
                    None => self.states[state].calls.push((callee, next)),
                    Some(dfa) if dfa.is_empty() => {}
                    Some(dfa) => {
                        let first = self.copy(dfa, Some(next))?;
                        self.join(state as u32, first + dfa.start);
                    }
                }
            }
        }
        Ok(())
    }

    /// The least deterministic automaton of the same paths, with at most `limit` states before it is made least.
    pub(super) fn determinized(&self, start: u32, limit: usize) -> Result<RuleDfa, TooManyStates> {
        let mut subsets = RuleSubsets {
            nfa: self,
            numbers: HashMap::new(),
            subsets: Vec::new(),
            seen: vec![0; self.len()],
            time: 0,
            limit,
        };
        let first = subsets.number(vec![start])?;
        let mut states = Vec::new();
        while states.len() < subsets.subsets.len() {
            let subset = subsets.subsets[states.len()].clone();
            if passed(1 + subset.len() / FOLLOWED_PER_STEP) {
                return Err(TooManyStates);
            }
            let state = subsets.followed(&subset)?;
            states.push(state);
        }
        Ok(RuleDfa { states, start: first }.trimmed(|_| true, |_| true).minimized())
    }
}

/// The subset construction.
struct RuleSubsets<'a> {
    nfa: &'a RuleNfa,
    /// By closed subset.
    numbers: HashMap<Box<[u32]>, u32>,
    subsets: Vec<Box<[u32]>>,
    /// By state when it was last seen.
    seen: Vec<u32>,
    time: u32,
    limit: usize,
}

impl RuleSubsets<'_> {
    /// The number of the subset that contains these states and all to which they lead without reading.
    fn number(&mut self, mut open: Vec<u32>) -> Result<u32, TooManyStates> {
        self.time += 1;
        let mut closed = Vec::new();
        while let Some(state) = open.pop() {
            if std::mem::replace(&mut self.seen[state as usize], self.time) == self.time {
                continue;
            }
            let RuleNfaState { bytes, calls, free, accepts } = &self.nfa.states[state as usize];
            if !bytes.is_empty() || !calls.is_empty() || *accepts {
                closed.push(state);
            }
            open.extend(free);
        }
        closed.sort_unstable();
        if let Some(&number) = self.numbers.get(closed.as_slice()) {
            return Ok(number);
        }
        let number = self.subsets.len() as u32;
        if self.subsets.len() >= self.limit {
            return Err(TooManyStates);
        }
        let closed: Box<[u32]> = closed.into();
        self.numbers.insert(closed.clone(), number);
        self.subsets.push(closed);
        Ok(number)
    }

    fn followed(&mut self, subset: &[u32]) -> Result<RuleState, TooManyStates> {
        let states = || subset.iter().map(|&state| &self.nfa.states[state as usize]);
        let mut edges: Vec<(u8, u8, u32)> = states().flat_map(|state| state.bytes.iter().copied()).collect();
        let mut calls: Vec<(RuleId, u32)> = states().flat_map(|state| state.calls.iter().copied()).collect();
        let accepts = states().any(|state| state.accepts);
        let bytes = match edges[..] {
            [] => Vec::new(),
            [(first, last, next)] => vec![(first, last, self.number(vec![next])?)],
            _ => self.merged(&mut edges)?,
        };
        calls.sort_unstable();
        let mut merged_calls = Vec::new();
        for same in calls.chunk_by(|one, other| one.0 == other.0) {
            merged_calls.push((same[0].0, self.number(same.iter().map(|call| call.1).collect())?));
        }
        Ok(RuleState { bytes, calls: merged_calls, accepts })
    }

    /// Cuts ranges where one begins or ends, and joins the targets of each piece.
    fn merged(&mut self, edges: &mut [(u8, u8, u32)]) -> Result<Vec<(u8, u8, u32)>, TooManyStates> {
        edges.sort_unstable();
        let mut cuts: Vec<u16> = edges.iter().flat_map(|e| [u16::from(e.0), u16::from(e.1) + 1]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let (mut ranges, mut active, mut next_edge) = (Vec::new(), Vec::<(u8, u8, u32)>::new(), 0);
        for pair in cuts.windows(2) {
            let (from, to) = (pair[0], pair[1] - 1);
            active.retain(|edge| u16::from(edge.1) >= from);
            while let Some(edge) = edges.get(next_edge).filter(|edge| u16::from(edge.0) == from) {
                active.push(*edge);
                next_edge += 1;
            }
            if !active.is_empty() {
                let next = self.number(active.iter().map(|edge| edge.2).collect())?;
                push_range(&mut ranges, (from as u8, to as u8, next));
            }
        }
        Ok(ranges)
    }
}
