//! The least bytes that each state of each rule needs to the end of its rule.

use crate::automaton::cost::Cost;
use crate::grammar::network::rule_dfa::RuleDfa;
use crate::interrupt::passed;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// States that are settled in about a microsecond.
const SETTLED_PER_STEP: usize = 4;

/// A transition to a state: from which one, and the rule that it calls, or `None` for a byte.
type CostTransition = (u32, Option<u32>);

/// The search for costs. States of all rules are numbered together.
struct CostSearch {
    /// By rule the number of its first state.
    first: Vec<u32>,
    /// By state the transitions that lead to it.
    before: Vec<Vec<CostTransition>>,
    /// By rule the states that call it, each with the state behind the call.
    callers: Vec<Vec<(u32, u32)>>,
    costs: Vec<Cost>,
    /// By rule the cost of its start, once that is settled.
    of_rule: Vec<Cost>,
    open: BinaryHeap<Reverse<(Cost, u32)>>,
    settled: Vec<bool>,
}

/// For each rule and each of its states the least bytes to an accepting state, [`Cost::NEVER`] if none is reached. A call costs the least
/// bytes of its rule. The last rules are JSON values, which have no states but these costs.
///
/// The rules depend on each other in circles. Settling the states of all rules in the order of their costs finds the least ones all the
/// same (Knuth 1977, a generalization of Dijkstra's algorithm): what a call costs is no less than either of its parts.
pub(super) fn costs(rules: &[RuleDfa], values: &[Cost]) -> Vec<Vec<Cost>> {
    let mut search = CostSearch::new(rules, values);
    let starts: Vec<Option<u32>> =
        rules.iter().zip(&search.first).map(|(rule, first)| (!rule.is_empty()).then_some(first + rule.start)).collect();
    let mut rule_of_start = vec![None; search.costs.len()];
    for (rule, start) in (0..).zip(&starts) {
        if let Some(start) = start {
            rule_of_start[*start as usize] = Some(rule);
        }
    }
    let mut count = 0;
    while let Some(Reverse((cost, state))) = search.open.pop() {
        count += 1;
        if count % SETTLED_PER_STEP == 0 && passed(1) {
            break;
        }
        if std::mem::replace(&mut search.settled[state as usize], true) {
            continue;
        }
        for (from, callee) in std::mem::take(&mut search.before[state as usize]) {
            let step = callee.map_or(Cost::bytes(1), |callee| search.of_rule[callee as usize]);
            search.relax(from, cost + step);
        }
        if let Some(rule) = rule_of_start[state as usize] {
            search.of_rule[rule as usize] = cost;
            for (from, next) in std::mem::take(&mut search.callers[rule as usize]) {
                if search.settled[next as usize] {
                    search.relax(from, cost + search.costs[next as usize]);
                }
            }
        }
    }
    let CostSearch { first, costs, .. } = search;
    let of = |(rule, &first): (&RuleDfa, &u32)| costs[first as usize..first as usize + rule.states.len()].to_vec();
    rules.iter().zip(&first).map(of).collect()
}

impl CostSearch {
    fn new(rules: &[RuleDfa], values: &[Cost]) -> CostSearch {
        let (mut first, mut states) = (Vec::with_capacity(rules.len()), 0);
        for rule in rules {
            first.push(states as u32);
            states += rule.states.len();
        }
        let mut of_rule = vec![Cost::NEVER; rules.len()];
        of_rule[rules.len() - values.len()..].copy_from_slice(values);
        let mut search = CostSearch {
            first,
            before: vec![Vec::new(); states],
            callers: vec![Vec::new(); rules.len()],
            costs: vec![Cost::NEVER; states],
            of_rule,
            open: BinaryHeap::new(),
            settled: vec![false; states],
        };
        for (rule, index) in rules.iter().zip(0..) {
            let first = search.first[index];
            for (state, number) in rule.states.iter().zip(first..) {
                for range in &state.bytes {
                    search.before[(first + range.2) as usize].push((number, None));
                }
                for &(callee, next) in &state.calls {
                    search.before[(first + next) as usize].push((number, Some(callee.index() as u32)));
                    search.callers[callee.index()].push((number, first + next));
                }
                if state.accepts {
                    search.relax(number, Cost::ZERO);
                }
            }
        }
        search
    }

    fn relax(&mut self, state: u32, cost: Cost) {
        let known = &mut self.costs[state as usize];
        if cost < *known {
            *known = cost;
            self.open.push(Reverse((cost, state)));
        }
    }
}
