//! The least bytes that each state of each rule needs to the end of its rule.

use crate::automaton::cost::Cost;
use crate::grammar::network::components::components;
use crate::grammar::network::rule_dfa::RuleDfa;
use crate::grammar::rules::RuleId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// For each rule and each of its states the least bytes to an accepting state, [`Cost::NEVER`] if none is reached. A call costs the least
/// bytes of its rule. The last rules are JSON values, which have no states but these costs.
///
/// The rules of a circle depend on each other. Each round finds the cost of at least one more of them (Knuth 1977), so there are at most as
/// many rounds as rules in the circle.
pub(super) fn costs(rules: &[RuleDfa], values: &[Cost]) -> Vec<Vec<Cost>> {
    let mut of_rule = vec![Cost::NEVER; rules.len()];
    let grammar_rules = rules.len() - values.len();
    of_rule[grammar_rules..].copy_from_slice(values);
    let mut of_state: Vec<Vec<Cost>> = rules.iter().map(|rule| vec![Cost::NEVER; rule.states.len()]).collect();
    let callees = |rule: usize| rules[rule].callees().into_iter().map(RuleId::index).collect();
    for circle in components(rules.len(), callees).into_iter().filter(|circle| circle[0] < grammar_rules) {
        let mut changed = true;
        while changed {
            changed = false;
            for &rule in &circle {
                of_state[rule] = state_costs(&rules[rule], &of_rule);
                let cost = of_state[rule].get(rules[rule].start as usize).copied().unwrap_or(Cost::NEVER);
                changed |= cost < of_rule[rule];
                of_rule[rule] = cost;
            }
            changed &= circle.len() > 1 || rules[circle[0]].calls_of(RuleId::new(circle[0])) > 0;
        }
    }
    of_state
}

/// The costs of the states of one rule (Dijkstra 1959, from the accepting states).
fn state_costs(rule: &RuleDfa, of_rule: &[Cost]) -> Vec<Cost> {
    let mut before: Vec<Vec<(u32, Cost)>> = vec![Vec::new(); rule.states.len()];
    for (from, state) in (0..).zip(&rule.states) {
        state.bytes.iter().for_each(|range| before[range.2 as usize].push((from, Cost::bytes(1))));
        for &(callee, next) in &state.calls {
            before[next as usize].push((from, of_rule[callee.index()]));
        }
    }
    let mut costs = vec![Cost::NEVER; rule.states.len()];
    let mut open = BinaryHeap::new();
    for (state, _) in rule.states.iter().enumerate().filter(|(_, state)| state.accepts) {
        costs[state] = Cost::ZERO;
        open.push(Reverse((Cost::ZERO, state)));
    }
    while let Some(Reverse((cost, state))) = open.pop() {
        if cost > costs[state] {
            continue;
        }
        for &(from, step) in &before[state] {
            let longer = cost + step;
            if longer < costs[from as usize] {
                costs[from as usize] = longer;
                open.push(Reverse((longer, from as usize)));
            }
        }
    }
    costs
}
