//! Rules without left recursion, and without the plainest kinds of right recursion.
//!
//! A rule is left recursive if it may call itself before it reads a byte. An output of such a grammar would open calls without end. The
//! rules of a circle of left calls are rewritten together: what a member derives begins with the beginning of some member that calls none
//! of them, and then grows to the right, each completed member being the left corner of the next (the left-corner transform, Rosenkrantz
//! and Lewis 1970). Over automata that takes no new rules:
//!
//! ```text
//!  expr ::= expr "+" term | term           expr:  ──term──▶ (completed) ──"+"──▶ ──term──▶ (completed)
//!                                                                ▲                             │
//!                                                                └───────── nothing ───────────┘
//! ```
//!
//! A call that ends its own rule is a loop as well: `list ::= item | item "," list`.

use crate::automaton::dfa::TooManyStates;
use crate::grammar::network::components::components;
use crate::grammar::network::rule_dfa::{RuleDfa, RuleState};
use crate::grammar::network::rule_nfa::RuleNfa;
use crate::grammar::rules::RuleId;

/// The most states of all copies in one circle. Each member is rewritten with a copy of all others.
const MOST_COPIED: usize = 1 << 20;

/// Rewrites those of `members` that lie on circles of left calls. No automaton derives the empty text.
pub(super) fn remove_left(rules: &mut [RuleDfa], members: &[RuleId], limit: usize) -> Result<(), TooManyStates> {
    let place = |rule: RuleId| members.iter().position(|&member| member == rule);
    let next = |member: usize| -> Vec<usize> {
        let calls = &rules[members[member].index()].start().calls;
        calls.iter().filter_map(|call| place(call.0)).collect()
    };
    let circles: Vec<Vec<RuleId>> = components(members.len(), next)
        .into_iter()
        .filter(|circle| circle.len() > 1 || next(circle[0]).contains(&circle[0]))
        .map(|circle| circle.into_iter().map(|member| members[member]).collect())
        .collect();
    for circle in circles {
        let states: usize = circle.iter().map(|rule| rules[rule.index()].states.len()).sum();
        if states.saturating_mul(circle.len()) > MOST_COPIED {
            return Err(TooManyStates);
        }
        let rewritten: Vec<RuleDfa> =
            circle.iter().map(|&rule| grown_from_the_left(rules, &circle, rule, limit)).collect::<Result<_, _>>()?;
        for (&rule, dfa) in circle.iter().zip(rewritten) {
            rules[rule.index()] = dfa;
        }
    }
    Ok(())
}

/// The automaton of `wanted` without left calls of the rules of its circle.
fn grown_from_the_left(
    rules: &[RuleDfa],
    circle: &[RuleId],
    wanted: RuleId,
    limit: usize,
) -> Result<RuleDfa, TooManyStates> {
    let mut nfa = RuleNfa::new(limit);
    // Copies of all members, in which accepting states stand for a completed member.
    let mut firsts = Vec::new();
    for &rule in circle {
        firsts.push(nfa.copy(&rules[rule.index()], None)?);
    }
    let member = |rule: RuleId| circle.iter().position(|&other| other == rule);
    let mut starts = Vec::new();
    for (&rule, &first) in circle.iter().zip(&firsts) {
        let dfa = &rules[rule.index()];
        // The beginning of a member, less the left calls that are completed members instead. The start itself may be reached again by a
        // loop of its rule, where such a call is none of the left, so it stays as it is.
        let begin = nfa.fork(first + dfa.start)?;
        nfa.retain_calls(begin, |call| member(call.0).is_none());
        starts.push(begin);
        for &(callee, next) in &dfa.start().calls {
            let Some(callee) = member(callee) else { continue };
            let completed = &rules[circle[callee].index()];
            for (state, _) in (0..).zip(&completed.states).filter(|(_, state)| state.accepts) {
                nfa.join(firsts[callee] + state, first + next);
            }
        }
    }
    for (&rule, &first) in circle.iter().zip(&firsts).filter(|(rule, _)| **rule != wanted) {
        for (state, _) in (0..).zip(&rules[rule.index()].states) {
            nfa.refuse(first + state);
        }
    }
    let start = nfa.either(starts)?;
    nfa.determinized(start, limit)
}

/// The most accepting states of a rule that are compared with the states behind its calls of itself.
const MOST_ENDS: usize = 64;

/// Makes loops of calls that end their own rule, where no other call is needed then.
pub(super) fn loop_right(rules: &mut [RuleDfa], rule: RuleId, limit: usize) -> Result<(), TooManyStates> {
    let dfa = &rules[rule.index()];
    let accepting = || dfa.states.iter().filter(|state| state.accepts);
    // After the rest of the rule as a loop, the rule goes on as one of its accepting states does. If each goes on at least as the state
    // behind the call does, the call derives nothing more.
    let is_loop = |next: u32| {
        let behind = &dfa.states[next as usize];
        behind.accepts && accepting().all(|end| covers(end, behind))
    };
    if dfa.calls_of(rule) == 0 || accepting().count() > MOST_ENDS {
        return Ok(());
    }
    let mut nfa = RuleNfa::new(limit);
    nfa.copy(dfa, None)?;
    let mut changed = false;
    for (state, from) in (0..).zip(&dfa.states) {
        if from.calls.iter().any(|&(callee, next)| callee == rule && is_loop(next)) {
            changed = true;
            nfa.join(state, dfa.start);
            nfa.retain_calls(state, |&(callee, next)| callee != rule || !is_loop(next));
        }
    }
    if changed {
        rules[rule.index()] = nfa.determinized(dfa.start, limit)?;
    }
    Ok(())
}

/// Whether a state leads wherever the other one does, to the same states.
fn covers(state: &RuleState, other: &RuleState) -> bool {
    let has_range = |&(first, last, next): &(u8, u8, u32)| {
        state.bytes.iter().any(|range| range.2 == next && range.0 <= first && last <= range.1)
    };
    other.bytes.iter().all(has_range) && other.calls.iter().all(|call| state.calls.contains(call))
}
