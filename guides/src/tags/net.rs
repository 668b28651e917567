//! [`Net`]: a tree of parts as segments that follow each other.
//!
//! The segments are the states of a nondeterministic automaton whose transitions are texts and JSON values. Repetitions are counted in
//! registers, so a count takes no copies of its part. Each segment belongs to the scope of the innermost repetition around it:
//!
//! ```text
//!  choice, 2 to 5 times, then "."          outermost scope            scope 0
//!                                          Enter 0 ──────────────────▶ Text "a" ─┐
//!                                          Text "." ◀── Leave 0 ◀── ┌▶ Text "b" ─┴▶ Again 0 ─┐
//!                                                                   └──────── Branch ◀───────┘
//! ```
//!
//! # Costs
//!
//! The cost of a place is the least bytes from it to the end of its scope, which is known when the net is built, and of what the scope and
//! the scopes around it still demand, which depends on their registers. A scope is left only once it demands nothing more, so both ends
//! of a scope, [`Segment::Again`] and [`Segment::Leave`], cost nothing by themselves.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::automaton::dfa::Dfa;
use crate::automaton::marked_tokens::MarkedTokens;
use crate::collections::id::id;
use crate::grammar::machine::GrammarMachine;
use crate::json::machine::JsonMachine;
use crate::json::shape::SchemaId;
use crate::tags::registers::Registers;
use foldhash::{HashMap, HashSet};
use std::sync::Arc;

id! {
    /// Index of a segment.
    pub(super) struct SegmentId
}

id! {
    /// Index of a scope.
    pub(super) struct ScopeId
}

/// The segments and scopes of a tree of parts.
#[derive(Debug, Default)]
pub(super) struct Net {
    pub(super) segments: Vec<Segment>,
    /// By segment the least bytes from its beginning to the end of its scope.
    pub(super) costs: Vec<Cost>,
    /// By segment the scope that it belongs to; `None` for the outermost one.
    pub(super) owners: Vec<Option<ScopeId>>,
    pub(super) scopes: Vec<NetScope>,
    pub(super) special: MarkedTokens,
}

#[derive(Debug)]
pub(super) enum Segment {
    Text(Text),
    Json(Json),
    Grammar(GrammarText),
    /// Goes on with any of these.
    Branch(Vec<SegmentId>),
    /// Begins a scope.
    Enter(ScopeId),
    /// Ends an iteration of a count, or a member.
    Again(ScopeId),
    /// Leaves a scope that demands nothing more.
    Leave(ScopeId, SegmentId),
    /// The whole output was read.
    Whole,
}

/// A text that an automaton reads.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) dfa: Arc<Dfa>,
    /// Stands for the automaton in caches.
    pub(super) fingerprint: u128,
    /// What follows an accepted text, if its last state is not in `exits`.
    pub(super) exit: Option<SegmentId>,
    /// What follows by last state.
    pub(super) exits: HashMap<u32, Box<[SegmentId]>>,
    /// By state the least bytes to the end of the scope.
    pub(super) costs: Vec<Cost>,
    /// By state whether no byte can follow.
    pub(super) last: Vec<bool>,
}

/// A JSON value.
#[derive(Debug)]
pub(super) struct Json {
    pub(super) machine: Arc<JsonMachine>,
    pub(super) schema: SchemaId,
    pub(super) next: SegmentId,
}

/// A text of a grammar.
#[derive(Debug)]
pub(super) struct GrammarText {
    pub(super) machine: Arc<GrammarMachine>,
    pub(super) next: SegmentId,
}

/// A repetition, or the members of an object.
#[derive(Debug)]
pub(super) struct NetScope {
    pub(super) around: Option<ScopeId>,
    /// The number of scopes around it: the place of its register.
    pub(super) depth: usize,
    pub(super) kind: ScopeKind,
    /// What follows it.
    pub(super) out: SegmentId,
}

#[derive(Debug)]
pub(super) enum ScopeKind {
    /// The register counts complete iterations, up to `min` if there is no `max`.
    Count {
        min: u32,
        max: Option<u32>,
        /// The first iteration, or the way around it.
        first: SegmentId,
        /// A further iteration while fewer than `min` are complete.
        below: SegmentId,
        /// A further iteration or the way out.
        between: SegmentId,
        /// The least bytes of a further iteration.
        each: Cost,
    },
    /// The register has a bit for each member that was begun.
    Members {
        members: Vec<ScopeMember>,
        /// The members that must come, a bit for each.
        required: u64,
        /// Whether members come in the order of the list.
        ordered: bool,
        /// The least bytes of the separator.
        separator: Cost,
    },
}

#[derive(Debug)]
pub(super) struct ScopeMember {
    /// The member as the first one.
    pub(super) first: SegmentId,
    /// A separator and the member.
    pub(super) further: SegmentId,
    /// The least bytes of the member, without a separator.
    pub(super) cost: Cost,
}

impl Net {
    pub(super) fn segment(&self, id: SegmentId) -> &Segment {
        &self.segments[id.index()]
    }

    pub(super) fn scope(&self, id: ScopeId) -> &NetScope {
        &self.scopes[id.index()]
    }

    pub(super) fn cost(&self, id: SegmentId) -> Cost {
        self.costs[id.index()]
    }

    /// What the scope of a segment and the scopes around it still demand, once this iteration or member is complete.
    pub(super) fn demanded(&self, segment: SegmentId, registers: &Registers) -> Cost {
        let (mut scope, mut cost) = (self.owners[segment.index()], Cost::ZERO);
        while let Some(id) = scope {
            let NetScope { around, depth, ref kind, out } = *self.scope(id);
            let register = registers.get(depth);
            cost = cost + self.cost(out);
            cost = cost
                + match kind {
                    ScopeKind::Count { min, each, .. } => times(*each, u64::from(*min).saturating_sub(register + 1)),
                    ScopeKind::Members { members, required, separator, .. } => {
                        cost_of_members(members, required & !register, *separator)
                    }
                };
            scope = around;
        }
        cost
    }

    /// The most parts that can begin at one place, counted up to `limit` and one more.
    pub(super) fn most_alternatives(&self, limit: usize) -> usize {
        let mut most = 0;
        for first in 0..self.segments.len() {
            let (mut open, mut known, mut count) = (vec![SegmentId::new(first)], HashSet::default(), 0);
            while let Some(id) = open.pop().filter(|_| count <= limit) {
                if !known.insert(id) {
                    continue;
                }
                match self.segment(id) {
                    Segment::Text(text) => {
                        count += 1;
                        let start = text.dfa.start();
                        if text.dfa.accepts_at(start) {
                            match text.exits.get(&start) {
                                Some(exits) => open.extend(exits),
                                None => open.extend(text.exit),
                            }
                        }
                    }
                    Segment::Json(_) => count += 1,
                    Segment::Grammar(grammar) => {
                        count += 1;
                        open.extend(grammar.machine.is_nullable().then_some(grammar.next));
                    }
                    Segment::Branch(all) => open.extend(all),
                    Segment::Leave(_, out) => open.push(*out),
                    Segment::Whole => {}
                    Segment::Enter(scope) | Segment::Again(scope) => {
                        open.push(self.scope(*scope).out);
                        match &self.scope(*scope).kind {
                            ScopeKind::Count { first, below, between, .. } => open.extend([first, below, between]),
                            ScopeKind::Members { members, .. } => {
                                open.extend(members.iter().flat_map(|member| [member.first, member.further]));
                            }
                        }
                    }
                }
            }
            most = most.max(count);
        }
        most
    }

    /// Memory in bytes, roughly.
    pub(super) fn size(&self) -> usize {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Text(text) => text.dfa.size() + text.costs.len() * 5 + text.exits.len() * 48,
            Segment::Json(json) => json.machine.bytes + json.machine.known.bytes(),
            Segment::Grammar(grammar) => grammar.machine.size(),
            Segment::Branch(all) => all.len() * 4,
            _ => 0,
        });
        segments.sum::<usize>() + self.segments.len() * 128 + self.scopes.len() * 96
    }
}

/// The cost of members, with a separator before each.
pub(super) fn cost_of_members(members: &[ScopeMember], which: u64, separator: Cost) -> Cost {
    let wanted = members.iter().enumerate().filter(|(index, _)| which >> index & 1 == 1);
    wanted.fold(Cost::ZERO, |sum, (_, member)| sum + member.cost + separator)
}

/// The cost of so many times the same.
pub(super) fn times(cost: Cost, count: u64) -> Cost {
    match count {
        0 => Cost::ZERO,
        _ if cost.is_never() => cost,
        _ => Cost::capped(u64::from(cost.get()).saturating_mul(count)),
    }
}
