//! A grammar to the automata of its rules.
//!
//! Texts are folded first: whatever calls no rule is one expression, which the construction for regexes makes deterministic. Rules that
//! call no rule of their own circle are then put in place of their calls where that stays small. So a grammar ends as a few automata, one
//! for each rule that is recursive, and outputs rarely open or close a call.

use crate::automaton::determinize::CharacterDfa;
use crate::automaton::dfa::{DfaLimits, TooManyStates};
use crate::automaton::expression::Expression;
use crate::automaton::marked_tokens::MarkedTokens;
use crate::error::{CompileError, Place, too_big};
use crate::grammar::network::components::components;
use crate::grammar::network::left_recursion::{loop_right, remove_left};
use crate::grammar::network::rule_dfa::{RuleDfa, RuleState};
use crate::grammar::network::rule_nfa::RuleNfa;
use crate::grammar::rules::{Body, Grammar, Location, Rule, RuleId};
use crate::interrupt::passed;
use crate::json::machine::JsonMachine;
use crate::regex::error::RegexError;
use crate::regex::{self, Dialect};
use crate::vocabulary::Vocabulary;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most states that replacing the calls of one rule may add to another one.
const MOST_ADDED: usize = 2000;

/// The most rules of a circle of which calls are replaced: each is compared with all others.
const MOST_IN_CIRCLE: usize = 64;

/// A state that many bytes lead back to is free text, such as the inside of a string. Its rule is not copied: all its calls share the walk
/// over the vocabulary from there, and a rule around it can be copied.
const BYTES_OF_FREE_TEXT: usize = 48;

/// The automata of the rules of a grammar, by rule. A rule that the start cannot reach has none.
#[derive(Debug)]
pub(super) struct RuleAutomata {
    pub(super) rules: Vec<RuleDfa>,
    /// Whether the start derives the empty text, which no automaton does.
    pub(super) nullable: bool,
    pub(super) special: MarkedTokens,
    /// The JSON values that rules call for. They are the last rules, with empty automata.
    pub(super) values: Vec<Arc<JsonMachine>>,
}

/// Gives the machine of a schema that stands within a grammar.
pub(crate) type Schemas<'a> = &'a dyn Fn(&str) -> Result<Arc<JsonMachine>, CompileError>;

struct GrammarBuilder<'a> {
    grammar: &'a Grammar,
    limits: DfaLimits,
    schemas: Schemas<'a>,
    vocabulary: &'a Vocabulary,
    special: MarkedTokens,
    values: Vec<Arc<JsonMachine>>,
}

/// The automata of a grammar.
pub(super) fn build(
    grammar: &Grammar,
    limits: DfaLimits,
    vocabulary: &Vocabulary,
    schemas: Schemas<'_>,
) -> Result<RuleAutomata, CompileError> {
    let (special, values) = (MarkedTokens::default(), Vec::new());
    let mut builder = GrammarBuilder { grammar, limits, vocabulary, schemas, special, values };
    let mut nfas = builder.nfas()?;
    let mut nullable = nullable(&nfas);
    nullable.resize(nfas.len() + builder.values.len(), false);
    for (nfa, _) in nfas.iter_mut().flatten() {
        let calls: Vec<_> = nfa.calls().collect();
        for (state, _, next) in calls.into_iter().filter(|call| nullable[call.1.index()]) {
            nfa.join(state, next);
        }
    }
    let rules = builder.rules(&nfas)?;
    let nullable = nullable[grammar.start.index()];
    Ok(RuleAutomata { rules, nullable, special: builder.special, values: builder.values })
}

/// For each rule whether it derives the empty text. A rule is looked at again when one that it calls turns out to.
fn nullable(nfas: &[Option<(RuleNfa, u32)>]) -> Vec<bool> {
    let mut callers: Vec<Vec<usize>> = vec![Vec::new(); nfas.len()];
    for (rule, nfa) in nfas.iter().enumerate() {
        let callees = nfa.iter().flat_map(|(nfa, _)| nfa.calls()).map(|call| call.1.index());
        callees.filter(|&callee| callee < nfas.len()).for_each(|callee| callers[callee].push(rule));
    }
    let mut nullable = vec![false; nfas.len()];
    let mut open: Vec<usize> = (0..nfas.len()).collect();
    while let Some(rule) = open.pop() {
        let Some((nfa, start)) = nfas[rule].as_ref().filter(|_| !nullable[rule]) else { continue };
        if passed(1 + nfa.len() / 64) {
            break;
        }
        if nfa.is_nullable(*start, |callee| nullable.get(callee.index()).is_some_and(|nullable| *nullable)) {
            nullable[rule] = true;
            open.extend(&callers[rule]);
        }
    }
    nullable
}

impl GrammarBuilder<'_> {
    /// The automata of the rules that the start reaches, with their first states.
    fn nfas(&mut self) -> Result<Vec<Option<(RuleNfa, u32)>>, CompileError> {
        let mut nfas: Vec<Option<(RuleNfa, u32)>> = (0..self.grammar.rules.len()).map(|_| None).collect();
        let mut open = vec![self.grammar.start];
        let mut left = self.limits.bytes / 64;
        while let Some(id) = open.pop() {
            if nfas[id.index()].is_some() {
                continue;
            }
            let rule = &self.grammar.rules[id.index()];
            let folded = folded(&rule.body)?;
            let mut nfa = RuleNfa::new(left);
            let end = self.sized(rule, nfa.accepting())?;
            let start = self.part(rule, &mut nfa, &folded, end)?;
            left -= nfa.len();
            open.extend(nfa.calls().map(|call| call.1).filter(|callee| callee.index() < nfas.len()));
            nfas[id.index()] = Some((nfa, start));
        }
        Ok(nfas)
    }

    fn sized<T>(&self, rule: &Rule, result: Result<T, TooManyStates>) -> Result<T, CompileError> {
        result.map_err(|_| {
            let remedy = format!(
                "use smaller counts of repetition, or fewer alternatives that begin alike, in rule {}",
                rule.name
            );
            too_big(place(rule.at), "states of the grammar's automata", self.limits.states, &remedy)
        })
    }

    /// The state from which a folded body leads to `next`.
    fn part(&mut self, rule: &Rule, nfa: &mut RuleNfa, body: &Body, next: u32) -> Result<u32, CompileError> {
        let built = match body {
            Body::Text(text) => {
                let dfa = CharacterDfa::new(text, self.limits).and_then(|dfa| dfa.to_bytes(self.limits));
                dfa.and_then(|dfa| nfa.splice_text(&dfa, next))
            }
            Body::Rule(callee) => nfa.call(*callee, next),
            Body::Token { id, at } => {
                let bytes = self.special.spelling(*id, self.vocabulary, place(*at))?;
                bytes.iter().rev().try_fold(next, |next, &byte| nfa.byte(byte, next))
            }
            Body::Json { schema, at } => {
                let machine = (self.schemas)(schema).map_err(|error| error.within(|inner| within(*at, inner)))?;
                self.values.push(machine);
                nfa.call(RuleId::new(self.grammar.rules.len() + self.values.len() - 1), next)
            }
            Body::Regex { pattern, at } => return self.part(rule, nfa, &Body::Text(expression(pattern, *at)?), next),
            Body::Sequence(parts) => {
                let mut next = next;
                for part in parts.iter().rev() {
                    next = self.part(rule, nfa, part, next)?;
                }
                Ok(next)
            }
            Body::Choice(parts) => {
                let mut ways = Vec::new();
                for part in parts {
                    ways.push(self.part(rule, nfa, part, next)?);
                }
                nfa.either(ways)
            }
            Body::Repeat { min, max, body } => return self.repeat(rule, nfa, (*min, *max), body, next),
        };
        self.sized(rule, built)
    }

    fn repeat(
        &mut self,
        rule: &Rule,
        nfa: &mut RuleNfa,
        (min, max): (u32, Option<u32>),
        body: &Body,
        next: u32,
    ) -> Result<u32, CompileError> {
        let mut first = next;
        match max {
            None => {
                let head = nfa.either(vec![next]);
                first = self.sized(rule, head)?;
                let again = self.part(rule, nfa, body, first)?;
                nfa.join(first, again);
            }
            Some(max) => {
                for _ in min..max {
                    let once = self.part(rule, nfa, body, first)?;
                    let maybe = nfa.either(vec![next, once]);
                    first = self.sized(rule, maybe)?;
                }
            }
        }
        for _ in 0..min {
            first = self.part(rule, nfa, body, first)?;
        }
        Ok(first)
    }

    /// The automata of all rules, from those that call none upwards: with calls replaced, without left recursion, and with loops.
    fn rules(&self, nfas: &[Option<(RuleNfa, u32)>]) -> Result<Vec<RuleDfa>, CompileError> {
        let count = nfas.len();
        let mut rules = vec![RuleDfa::default(); count + self.values.len()];
        let next = |rule: usize| {
            let calls = nfas[rule].iter().flat_map(|(nfa, _)| nfa.calls());
            let mut callees: Vec<usize> = calls.map(|call| call.1.index()).filter(|&callee| callee < count).collect();
            callees.sort_unstable();
            callees.dedup();
            callees
        };
        let mut uses = vec![0usize; rules.len()];
        nfas.iter().flatten().flat_map(|(nfa, _)| nfa.calls()).for_each(|call| uses[call.1.index()] += 1);
        // Rules that are not made yet are of the same circle: calls of these stay.
        let mut made = vec![false; rules.len()];
        for circle in components(count, next) {
            let circle: Vec<RuleId> = circle.into_iter().map(RuleId::new).collect();
            for &id in &circle {
                let Some((nfa, start)) = &nfas[id.index()] else { continue };
                let dfa = self.with_callees((nfa, *start), &rules, &made, &uses);
                rules[id.index()] = self.sized(&self.grammar.rules[id.index()], dfa)?.without_empty();
            }
            circle.iter().for_each(|id| made[id.index()] = true);
            // A rule without left recursion may have no call of itself left, and be put in place of its calls.
            let (mut recursive, mut before) = (circle, usize::MAX);
            while recursive.len() < before {
                before = recursive.len();
                let rule = &self.grammar.rules[recursive[0].index()];
                self.sized(rule, remove_left(&mut rules, &recursive, self.limits.states))?;
                for &id in &recursive {
                    self.sized(&self.grammar.rules[id.index()], loop_right(&mut rules, id, self.limits.states))?;
                }
                recursive = self.smallest_circle(&mut rules, recursive);
            }
        }
        Ok(rules)
    }

    /// The automaton of a rule in which the automata of its callees stand in place of calls, where that stays small.
    fn with_callees(
        &self,
        (nfa, start): (&RuleNfa, u32),
        rules: &[RuleDfa],
        made: &[bool],
        uses: &[usize],
    ) -> Result<RuleDfa, TooManyStates> {
        // A recursive rule is not copied, so free text of its own does no harm there, and is known to go on with itself.
        let is_recursive = nfa.calls().any(|call| !made[call.1.index()]);
        let mut calls: BTreeMap<RuleId, usize> = BTreeMap::new();
        nfa.calls().filter(|call| made[call.1.index()]).for_each(|call| *calls.entry(call.1).or_default() += 1);
        let mut left = MOST_ADDED;
        calls.retain(|callee, calls| {
            let added = rules[callee.index()].states.len().saturating_mul(*calls);
            let may_replace = self.may_replace(rules, *callee, is_recursive && uses[callee.index()] == 1);
            let replaced = added <= left && may_replace;
            left -= if replaced { added } else { 0 };
            replaced
        });
        if !calls.is_empty() {
            let mut replaced = nfa.clone();
            let copied = replaced.replace_calls(|callee| calls.contains_key(&callee).then(|| &rules[callee.index()]));
            // Calls are smaller than copies, so without any the automaton may still be small enough.
            if let Ok(dfa) = copied.and_then(|()| replaced.determinized(start, MOST_ADDED * 4)) {
                return Ok(dfa);
            }
        }
        nfa.determinized(start, self.limits.states)
    }

    /// Whether calls of a rule may be replaced; `free_text` says whether they may if it has free text.
    fn may_replace(&self, rules: &[RuleDfa], callee: RuleId, free_text: bool) -> bool {
        let own = &rules[callee.index()];
        let is_value = callee.index() >= self.grammar.rules.len();
        let has_free_text = || own.states.iter().any(|state| is_free_text(&own.states, state));
        !is_value && own.calls_of(callee) == 0 && (free_text || !has_free_text())
    }

    /// Replaces the calls of members of a circle that do not call themselves, one by one, and returns the members that are still called.
    fn smallest_circle(&self, rules: &mut [RuleDfa], mut circle: Vec<RuleId>) -> Vec<RuleId> {
        'smaller: while circle.len() > 1 && circle.len() <= MOST_IN_CIRCLE {
            let mut by_size = circle.clone();
            by_size.sort_by_key(|rule| rules[rule.index()].states.len());
            for rule in by_size {
                let others: Vec<RuleId> = circle.iter().copied().filter(|&other| other != rule).collect();
                if rules[rule.index()].calls_of(rule) == 0 && self.replaced(rules, rule, &others) {
                    circle = others;
                    continue 'smaller;
                }
            }
            break;
        }
        circle
    }

    /// Puts the automaton of a rule in place of its calls in some others, if all of them stay small. Whether it did.
    fn replaced(&self, rules: &mut [RuleDfa], callee: RuleId, callers: &[RuleId]) -> bool {
        let own = &rules[callee.index()];
        let calls: usize = callers.iter().map(|caller| rules[caller.index()].calls_of(callee)).sum();
        if own.states.len().saturating_mul(calls) > MOST_ADDED || !self.may_replace(rules, callee, false) {
            return false;
        }
        let mut replaced = Vec::new();
        for &caller in callers {
            let dfa = &rules[caller.index()];
            if dfa.calls_of(callee) == 0 {
                continue;
            }
            let mut nfa = RuleNfa::new(self.limits.bytes / 64);
            let made = nfa.copy(dfa, None).and_then(|_| nfa.replace_calls(|rule| (rule == callee).then_some(own)));
            match made.and_then(|()| nfa.determinized(dfa.start, MOST_ADDED * 4)) {
                Ok(dfa) => replaced.push((caller, dfa)),
                Err(TooManyStates) => return false,
            }
        }
        for (caller, dfa) in replaced {
            rules[caller.index()] = dfa;
        }
        true
    }
}

/// Whether many bytes lead from a state back to it.
fn is_free_text(states: &[RuleState], state: &RuleState) -> bool {
    let own = |next: u32| std::ptr::eq(&states[next as usize], state);
    let loops = state.bytes.iter().filter(|range| own(range.2));
    loops.map(|range| usize::from(range.1 - range.0) + 1).sum::<usize>() > BYTES_OF_FREE_TEXT
}

/// The body with everything that calls no rule as one text. Regexes are texts then.
fn folded(body: &Body) -> Result<Body, CompileError> {
    Ok(match body {
        Body::Regex { pattern, at } => Body::Text(expression(pattern, *at)?),
        Body::Sequence(parts) => {
            let mut joined: Vec<Body> = Vec::new();
            for part in parts {
                match (joined.last_mut(), folded(part)?) {
                    // The last text is of texts that were joined here.
                    (Some(Body::Text(Expression::Concat(texts))), Body::Text(text)) => texts.push(text),
                    (_, Body::Text(text)) => joined.push(Body::Text(Expression::Concat(vec![text]))),
                    (_, other) => joined.push(other),
                }
            }
            one_or(joined, Body::Sequence).unwrap_or(Body::Text(Expression::EMPTY))
        }
        Body::Choice(parts) => {
            let (mut others, mut texts) = (Vec::new(), Vec::new());
            for part in parts {
                match folded(part)? {
                    Body::Text(text) => texts.push(text),
                    other => others.push(other),
                }
            }
            if !texts.is_empty() {
                others.push(Body::Text(Expression::Either(texts)));
            }
            one_or(others, Body::Choice).unwrap_or(Body::Text(Expression::Either(Vec::new())))
        }
        Body::Repeat { min, max, body } => match folded(body)? {
            Body::Text(text) => Body::Text(text.repeated(*min, *max)),
            body => Body::Repeat { min: *min, max: *max, body: Box::new(body) },
        },
        Body::Text(_) | Body::Rule(_) | Body::Json { .. } | Body::Token { .. } => body.clone(),
    })
}

/// The only one of some bodies, or all of them as one; `None` if there are none.
fn one_or(mut bodies: Vec<Body>, all: impl FnOnce(Vec<Body>) -> Body) -> Option<Body> {
    if bodies.len() > 1 { Some(all(bodies)) } else { bodies.pop() }
}

/// The expression of a regex that stands within a grammar.
fn expression(pattern: &str, at: Location) -> Result<Expression, CompileError> {
    regex::within(pattern, Dialect::Python).map_err(|error| match error {
        RegexError::Syntax(n, reason) => CompileError::Syntax {
            at: place(at),
            reason: format!("the regex /{pattern}/ at its character {n}: {reason}"),
        },
        RegexError::Unsupported(n, keyword, reason) => CompileError::Unsupported {
            at: place(at),
            keyword: keyword.into(),
            reason: format!("in the regex /{pattern}/ at its character {n}: {reason}"),
        },
        RegexError::TooBig => too_big(place(at), "ranges of characters in a regex", 4 << 20, "use a smaller regex"),
    })
}

/// The place of an error.
pub(super) fn place(at: Location) -> Place {
    Place::Grammar { line: at.line, column: at.column }
}

/// The place of an error within a schema.
fn within(at: Location, inner: Place) -> Place {
    Place::Inside(Box::new(place(at)), Box::new(inner))
}
