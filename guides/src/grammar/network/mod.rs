//! [`Network`]: a grammar as a recursive transition network (Woods 1970), in tables.
//!
//! A state reads bytes, calls rules, or ends its rule. The states of all rules are numbered together:
//!
//! ```text
//!  value ::= "[" value "]" | [0-9]          state  1 ──"["──▶ 2 ──value──▶ 3 ──"]"──▶ 0
//!                                                  1 ──[0-9]──▶ 0                     the end of a rule
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | this one | the tables |
//! | [`build`] | the rules of a grammar to automata, with few calls |
//! | [`rule_nfa`], [`rule_dfa`] | the automaton of one rule: nondeterministic, deterministic, least |
//! | [`left_recursion`] | rules rewritten without left recursion |
//! | [`costs`] | least bytes to the end of a rule |
//! | [`components`] | circles of rules |
//!
//! # Invariants
//!
//! - A call reads at least one byte: rules derive the empty text only where their callers go on without them.
//! - No rule calls itself before it reads a byte. Rules are numbered such that a rule that begins with a call has a lower number than its
//!   callee.
//! - From each state the rule can end: no state costs [`Cost::NEVER`].

mod build;
mod components;
mod costs;
mod left_recursion;
mod rule_dfa;
mod rule_nfa;

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::automaton::dfa::DfaLimits;
use crate::automaton::marked_tokens::MarkedTokens;
use crate::automaton::marks;
use crate::collections::byte_set::ByteSet;
use crate::error::{CompileError, Place, too_big};
pub(super) use crate::grammar::network::build::Schemas;
use crate::grammar::network::build::{RuleAutomata, build, place};
use crate::grammar::network::components::components;
use crate::grammar::network::rule_dfa::{RuleDfa, RuleState};
use crate::grammar::rules::{Grammar, RuleId};
use crate::json::machine::JsonMachine;
use crate::vocabulary::Vocabulary;
use foldhash::{HashMap, HashMapExt};
use std::sync::Arc;

/// The state behind everything: its rule has ended, and reads nothing more.
pub(super) const ENDED: u32 = 0;

/// Added to the index of a JSON value among the first states of rules.
const VALUE: u32 = 1 << 31;

/// Where a called rule begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum FirstPlace {
    State(u32),
    Value(u32),
}

/// The tables of a grammar.
#[derive(Debug)]
pub(super) struct Network {
    /// The class of each byte. Bytes of one class lead to the same state from every state.
    classes: Box<[u8; 256]>,
    width: usize,
    /// `table[state * width + class]` is the next state plus one, zero if there is none.
    table: Vec<u32>,
    states: Vec<NetworkState>,
    calls: Vec<Call>,
    /// By rule its first state, or with [`VALUE`] the index of a JSON value.
    starts: Vec<u32>,
    /// The JSON values that rules call for.
    values: Vec<Arc<JsonMachine>>,
    /// The rule of whole outputs.
    pub(super) start: u32,
    /// Whether the empty output is whole.
    pub(super) nullable: bool,
    pub(super) special: MarkedTokens,
}

#[derive(Debug, Clone)]
struct NetworkState {
    /// The least bytes to the end of its rule.
    cost: Cost,
    accepts: bool,
    first_call: u32,
    last_call: u32,
    bytes: ByteSet,
}

/// A call: the rule, and the state in which its caller goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) rule: u32,
    pub(super) next: u32,
}

impl Network {
    /// The network of the outputs that a vocabulary spells.
    pub(super) fn new(
        grammar: &Grammar,
        limits: DfaLimits,
        vocabulary: &Vocabulary,
        schemas: Schemas<'_>,
    ) -> Result<Network, CompileError> {
        let automata = build(grammar, limits, vocabulary, schemas)?;
        let values: Vec<Cost> = automata.values.iter().map(|value| value.cost_of(value.root)).collect();
        let start = &grammar.rules[grammar.start.index()];
        let all = trimmed(&automata.rules, &values, |_| true);
        if all[grammar.start.index()].is_empty() && !automata.nullable {
            return Err(CompileError::Unsatisfiable {
                pointers: Vec::new(),
                reason: format!(
                    "rule {} derives no text that ends: each of its alternatives needs itself again",
                    start.name
                ),
            });
        }
        let writes = |byte: u8| {
            automata.special.token(byte).is_some()
                || (!marks::is_mark(byte) && vocabulary.single_bytes().contains(byte))
        };
        let rules = trimmed(&all, &values, writes);
        if rules[grammar.start.index()].is_empty() && !automata.nullable {
            let bytes = all.iter().flat_map(|rule| &rule.states).flat_map(|state| &state.bytes);
            let missing = bytes.flat_map(|range| range.0..=range.1).find(|&byte| !writes(byte)).unwrap_or_default();
            return Err(CompileError::Vocabulary {
                at: place(start.at),
                what: "any text that the grammar derives".into(),
                byte: missing,
            });
        }
        Tables::new(&rules, limits)?.network(&rules, &values, grammar.start, automata)
    }

    /// The next state; `None` if the byte does not follow.
    pub(super) fn next(&self, state: u32, byte: u8) -> Option<u32> {
        let next = self.table[state as usize * self.width + usize::from(self.classes[usize::from(byte)])];
        next.checked_sub(1)
    }

    /// The bytes that a state reads itself.
    pub(super) fn bytes(&self, state: u32) -> ByteSet {
        self.states[state as usize].bytes
    }

    /// Whether a state reads bytes itself.
    pub(super) fn reads(&self, state: u32) -> bool {
        self.bytes(state) != ByteSet::default()
    }

    /// Whether the rule may end in a state.
    pub(super) fn accepts(&self, state: u32) -> bool {
        self.states[state as usize].accepts
    }

    /// The least bytes to the end of the rule.
    pub(super) fn cost(&self, state: u32) -> Cost {
        self.states[state as usize].cost
    }

    pub(super) fn calls(&self, state: u32) -> &[Call] {
        let state = &self.states[state as usize];
        &self.calls[state.first_call as usize..state.last_call as usize]
    }

    /// Where a rule begins.
    pub(super) fn first(&self, rule: u32) -> FirstPlace {
        match self.starts[rule as usize] {
            value if value & VALUE != 0 => FirstPlace::Value(value - VALUE),
            state => FirstPlace::State(state),
        }
    }

    /// The machine of a JSON value.
    pub(super) fn value(&self, value: u32) -> &JsonMachine {
        &self.values[value as usize]
    }

    /// Number of classes of bytes.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The class of a byte.
    pub(super) fn class(&self, byte: u8) -> usize {
        usize::from(self.classes[usize::from(byte)])
    }

    /// Memory in bytes.
    pub(super) fn size(&self) -> usize {
        let values: usize = self.values.iter().map(|value| value.size()).sum();
        values + self.table.len() * 4 + self.states.len() * size_of::<NetworkState>() + self.calls.len() * 8 + 1024
    }
}

/// The automata without calls of rules that derive nothing, and without bytes that are not written.
fn trimmed(rules: &[RuleDfa], values: &[Cost], writes: impl Fn(u8) -> bool) -> Vec<RuleDfa> {
    let written: Vec<RuleDfa> = rules.iter().map(|rule| rule.clone().trimmed(|_| true, &writes)).collect();
    let costs = costs::costs(&written, values);
    let derives = |rule: RuleId| {
        let of_rule = || costs[rule.index()].first().copied().unwrap_or(Cost::NEVER);
        let value = rule.index().checked_sub(rules.len() - values.len());
        !value.map_or_else(of_rule, |value| values[value]).is_never()
    };
    rules.iter().map(|rule| rule.clone().trimmed(derives, &writes).minimized()).collect()
}

/// The numbers of states and rules.
struct Tables {
    /// By rule and by its state the number of the state.
    numbers: Vec<Vec<u32>>,
    /// By rule its number.
    ranks: Vec<u32>,
    states: usize,
    classes: Box<[u8; 256]>,
    /// A byte of each class.
    kinds: Vec<u8>,
}

impl Tables {
    fn new(rules: &[RuleDfa], limits: DfaLimits) -> Result<Tables, CompileError> {
        let mut states = 1;
        let mut numbers = Vec::new();
        for rule in rules {
            let number = |state: &RuleState| {
                if state.accepts && state.is_final() {
                    return ENDED;
                }
                states += 1;
                states - 1
            };
            numbers.push(rule.states.iter().map(number).collect::<Vec<u32>>());
        }
        // Bytes are told apart by the states that they lead to, state by state.
        let mut classes = Box::new([0u8; 256]);
        for state in rules.iter().flat_map(|rule| &rule.states) {
            let mut finer: HashMap<(u8, Option<u32>), u8> = HashMap::new();
            let mut ranges = state.bytes.iter().peekable();
            for byte in 0..=255u8 {
                while ranges.peek().is_some_and(|range| range.1 < byte) {
                    ranges.next();
                }
                let next = ranges.peek().filter(|range| range.0 <= byte).map(|range| range.2);
                let count = finer.len() as u8;
                let class = &mut classes[usize::from(byte)];
                *class = *finer.entry((*class, next)).or_insert(count);
            }
        }
        let mut kinds = Vec::new();
        for byte in 0..=255u8 {
            if usize::from(classes[usize::from(byte)]) == kinds.len() {
                kinds.push(byte);
            }
        }
        let states = states as usize;
        if states > limits.states || states * kinds.len() * 4 > limits.bytes {
            let remedy = "use smaller counts of repetition, or fewer rules";
            return Err(too_big(Place::Source, "states of the grammar's automata", limits.states, remedy));
        }
        // Callees come first in the order of components, and last among the ranks.
        let first_calls = |rule: usize| rules[rule].start().calls.iter().map(|call| call.0.index()).collect::<Vec<_>>();
        let order = components(rules.len(), first_calls);
        debug_assert!(order.len() == rules.len(), "left recursion is left");
        let mut ranks = vec![0; rules.len()];
        for (rank, rule) in (0..).zip(order.into_iter().flatten().rev()) {
            ranks[rule] = rank;
        }
        Ok(Tables { numbers, ranks, states, classes, kinds })
    }

    fn network(
        self,
        rules: &[RuleDfa],
        values: &[Cost],
        start: RuleId,
        automata: RuleAutomata,
    ) -> Result<Network, CompileError> {
        let width = self.kinds.len();
        let none =
            NetworkState { cost: Cost::ZERO, accepts: true, first_call: 0, last_call: 0, bytes: ByteSet::default() };
        let mut network = Network {
            width,
            table: vec![0; self.states * width],
            states: vec![none; self.states],
            calls: Vec::new(),
            starts: vec![ENDED; rules.len()],
            start: self.ranks[start.index()],
            values: automata.values,
            nullable: automata.nullable,
            special: automata.special,
            classes: self.classes.clone(),
        };
        for (value, &rank) in (0..).zip(&self.ranks[rules.len() - values.len()..]) {
            network.starts[rank as usize] = VALUE + value;
        }
        for ((rule, costs), (numbers, &rank)) in
            rules.iter().zip(costs::costs(rules, values)).zip(self.numbers.iter().zip(&self.ranks))
        {
            for ((state, cost), &number) in rule.states.iter().zip(costs).zip(numbers) {
                if number == ENDED {
                    continue;
                }
                let first_call = network.calls.len() as u32;
                let call = |&(callee, next): &(RuleId, u32)| Call {
                    rule: self.ranks[callee.index()],
                    next: numbers[next as usize],
                };
                network.calls.extend(state.calls.iter().map(call));
                let mut bytes = ByteSet::default();
                for &(first, last, next) in &state.bytes {
                    bytes.add_all(first..=last);
                    for (class, _) in self.kinds.iter().enumerate().filter(|(_, kind)| (first..=last).contains(kind)) {
                        network.table[number as usize * width + class] = numbers[next as usize] + 1;
                    }
                }
                let last_call = network.calls.len() as u32;
                network.states[number as usize] =
                    NetworkState { cost, accepts: state.accepts, first_call, last_call, bytes };
            }
            if let Some(&first) = numbers.get(rule.start as usize) {
                network.starts[rank as usize] = first;
            }
        }
        Ok(network)
    }
}
