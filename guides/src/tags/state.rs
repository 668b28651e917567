//! A state of the machine: the places in the net that the output may have come to.
//!
//! Where a part may end, the parts that may follow are in the state too, so a state is closed under moves that read nothing. The place
//! after the last part is one of them: the output may end exactly where it is in the state.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::collections::fingerprint::Fingerprint;
use crate::grammar::stack::Configuration;
use crate::json::machine::state::JsonState;
use crate::tags::net::{Net, NetScope, ScopeId, ScopeKind, Segment, SegmentId};
use crate::tags::registers::Registers;
use foldhash::HashSet;
use std::sync::Arc;

/// The most places of a state once a token has ended. Beyond it those that cost most are given up, which excludes outputs, but leads to no
/// dead end: the place that costs least goes on to one that costs less. Only free text before a JSON value or a regex has so many, if nothing
/// tells where the value begins.
const MOST_PLACES: usize = 256;

/// The state of an output. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct TagState {
    /// Sorted by segment and registers.
    pub(super) places: Arc<[Spot]>,
}

/// A place in the net.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(super) segment: SegmentId,
    pub(super) registers: Registers,
    pub(super) within: InSegment,
}

/// A place within a segment.
#[derive(Debug, Clone)]
pub(super) enum InSegment {
    /// The state of the segment's automaton.
    Text(u32),
    Json(JsonState),
    Grammar(Configuration),
    Whole,
}

/// Collects the places that are reached.
struct ReachedSpots<'a> {
    net: &'a Net,
    places: Vec<Spot>,
    /// Segments whose beginning is reached and not looked at yet.
    open: Vec<Entry>,
    /// The entries of segments that read nothing. Each is followed once.
    known: HashSet<Entry>,
}

/// The beginning of a segment. The bits are the scopes, by depth, of which an iteration has ended since a byte was read: an empty iteration
/// leads nowhere new, so none is followed.
type Entry = (SegmentId, Registers, u8);

impl Net {
    /// The places at the beginning of a segment.
    pub(super) fn begin(&self, first: SegmentId, registers: Registers) -> Vec<Spot> {
        let mut reached = ReachedSpots::new(self);
        reached.open.push((first, registers, 0));
        reached.close()
    }

    /// The places after one more byte.
    pub(super) fn after(&self, places: &[Spot], byte: u8) -> Vec<Spot> {
        let mut reached = ReachedSpots::new(self);
        for place in places {
            reached.step(place, byte);
        }
        reached.close()
    }

    /// Those of the places that are kept once a token has ended.
    pub(super) fn settled(&self, places: Arc<[Spot]>) -> Arc<[Spot]> {
        if places.len() <= MOST_PLACES {
            return places;
        }
        let mut by_cost: Vec<(Cost, usize)> = places.iter().map(|place| self.cost_at(place)).zip(0..).collect();
        by_cost.sort_unstable();
        let mut kept: Vec<usize> = by_cost.into_iter().take(MOST_PLACES).map(|(_, index)| index).collect();
        kept.sort_unstable();
        kept.into_iter().map(|index| places[index].clone()).collect()
    }

    /// Least bytes to the end of the output.
    pub(super) fn cost_at(&self, place: &Spot) -> Cost {
        self.cost_beyond(place) + self.cost_within(place)
    }

    /// Least bytes to the end of the value, for a JSON value, or of the scope.
    fn cost_within(&self, place: &Spot) -> Cost {
        match (self.segment(place.segment), &place.within) {
            (Segment::Text(text), InSegment::Text(state)) => text.costs[*state as usize],
            (Segment::Json(json), InSegment::Json(state)) => json.machine.cost(state),
            (Segment::Grammar(grammar), InSegment::Grammar(state)) => grammar.machine.cost(state),
            _ => Cost::ZERO,
        }
    }

    /// Least bytes of what follows, see [`Net::cost_within`].
    pub(super) fn cost_beyond(&self, place: &Spot) -> Cost {
        let demanded = self.demanded(place.segment, &place.registers);
        match self.segment(place.segment) {
            Segment::Json(json) => demanded + self.cost(json.next),
            Segment::Grammar(grammar) => demanded + self.cost(grammar.next),
            _ => demanded,
        }
    }

    pub(super) fn cost_of_all(&self, places: &[Spot]) -> Cost {
        Cost::least(places.iter().map(|place| self.cost_at(place)))
    }

    /// A superset of the bytes that may come next.
    pub(super) fn bytes_after(&self, places: &[Spot]) -> ByteSet {
        let mut bytes = ByteSet::default();
        for place in places {
            match (self.segment(place.segment), &place.within) {
                (Segment::Text(text), InSegment::Text(state)) => {
                    bytes.add_all((0..=255).filter(|&byte| text.dfa.next(*state, byte) != 0));
                }
                (Segment::Json(json), InSegment::Json(state)) => bytes = bytes.or(json.machine.next_bytes(state)),
                (Segment::Grammar(grammar), InSegment::Grammar(state)) => {
                    bytes = bytes.or(grammar.machine.next_bytes(state));
                }
                _ => {}
            }
        }
        bytes
    }

    /// What a mask depends on, see [`Automaton::key`].
    pub(super) fn key(&self, places: &[Spot]) -> u128 {
        let mut print = Fingerprint::new();
        let least = if places.len() > 1 { self.cost_of_all(places) } else { Cost::ZERO };
        for place in places {
            print.add((place.segment, &place.registers));
            match (self.segment(place.segment), &place.within) {
                (_, InSegment::Text(state)) => print.add(state),
                (Segment::Json(json), InSegment::Json(state)) => print.add(json.machine.key(state)),
                (Segment::Grammar(grammar), InSegment::Grammar(state)) => print.add(grammar.machine.key(state)),
                _ => {}
            }
            // The cost of a JSON value does not follow from its key. Which of several places is the cheapest depends on it.
            if places.len() > 1 {
                print.add(least.growth_to(self.cost_at(place)));
            }
        }
        print.value()
    }

    /// The places that follow a place whose part is complete.
    pub(super) fn beyond(&self, place: &Spot) -> Vec<Spot> {
        let mut reached = ReachedSpots::new(self);
        reached.leave(place, 0);
        reached.close()
    }
}

impl<'a> ReachedSpots<'a> {
    fn new(net: &'a Net) -> ReachedSpots<'a> {
        ReachedSpots { net, places: Vec::new(), open: Vec::new(), known: HashSet::default() }
    }

    fn step(&mut self, place: &Spot, byte: u8) {
        let next = match (self.net.segment(place.segment), &place.within) {
            (Segment::Text(text), InSegment::Text(state)) => match text.dfa.next(*state, byte) {
                0 => return,
                next => InSegment::Text(next),
            },
            (Segment::Json(json), InSegment::Json(state)) => match json.machine.step(state, byte) {
                None => return,
                Some(next) => InSegment::Json(next),
            },
            (Segment::Grammar(grammar), InSegment::Grammar(state)) => match grammar.machine.step(state, byte) {
                None => return,
                Some(next) => InSegment::Grammar(next),
            },
            _ => return,
        };
        self.come(Spot { within: next, ..*place }, 0);
    }

    /// Adds a place, and those that follow if its part is complete.
    fn come(&mut self, place: Spot, ended: u8) {
        self.leave(&place, ended);
        let goes_on = match (self.net.segment(place.segment), &place.within) {
            (Segment::Text(text), InSegment::Text(state)) => !text.last[*state as usize],
            (Segment::Json(json), InSegment::Json(state)) => {
                !json.machine.is_whole(state) || !json.machine.is_final(state)
            }
            (Segment::Grammar(grammar), InSegment::Grammar(state)) => !grammar.machine.is_final(state),
            _ => true,
        };
        if goes_on && !self.has(&place) {
            self.places.push(place);
        }
    }

    /// Opens the segments that follow a place, if its part is complete.
    fn leave(&mut self, place: &Spot, ended: u8) {
        let registers = place.registers;
        match (self.net.segment(place.segment), &place.within) {
            (Segment::Text(text), InSegment::Text(state)) if text.dfa.accepts_at(*state) => match text.exits.get(state)
            {
                Some(exits) => self.open.extend(exits.iter().map(|&exit| (exit, registers, ended))),
                None => self.open.extend(text.exit.map(|exit| (exit, registers, ended))),
            },
            (Segment::Json(json), InSegment::Json(state)) if json.machine.is_whole(state) => {
                self.open.push((json.next, registers, ended));
            }
            (Segment::Grammar(grammar), InSegment::Grammar(state)) if grammar.machine.is_whole(state) => {
                self.open.push((grammar.next, registers, ended));
            }
            _ => {}
        }
    }

    /// Looks at the beginning of a segment.
    fn enter(&mut self, (segment, registers, ended): Entry) {
        let net = self.net;
        match net.segment(segment) {
            Segment::Text(text) => {
                self.come(Spot { segment, registers, within: InSegment::Text(text.dfa.start()) }, ended);
            }
            Segment::Json(json) => {
                let within = InSegment::Json(json.machine.begin(json.schema));
                self.come(Spot { segment, registers, within }, ended);
            }
            Segment::Grammar(grammar) => {
                let within = InSegment::Grammar(grammar.machine.start());
                self.come(Spot { segment, registers, within }, ended);
            }
            Segment::Whole => self.come(Spot { segment, registers, within: InSegment::Whole }, ended),
            _ if !self.known.insert((segment, registers, ended)) => {}
            Segment::Branch(all) => self.open.extend(all.iter().map(|&one| (one, registers, ended))),
            Segment::Leave(id, out) => {
                let depth = net.scope(*id).depth;
                self.open.push((*out, registers.with(depth, 0), ended & !(1 << depth)));
            }
            Segment::Enter(id) | Segment::Again(id) => match net.scope(*id).kind {
                ScopeKind::Members { .. } => self.pick(*id, registers, ended),
                ScopeKind::Count { first, .. } if matches!(net.segment(segment), Segment::Enter(_)) => {
                    self.open.push((first, registers, ended));
                }
                ScopeKind::Count { .. } => self.again(*id, registers, ended),
            },
        }
    }

    /// After an iteration.
    fn again(&mut self, id: ScopeId, registers: Registers, ended: u8) {
        let NetScope { depth, ref kind, out, .. } = *self.net.scope(id);
        let ScopeKind::Count { min, max, below, between, .. } = *kind else { return };
        if ended >> depth & 1 == 1 {
            return;
        }
        let (count, ended_too) = (registers.get(depth) + 1, ended | 1 << depth);
        self.open.push(if count < u64::from(min) {
            (below, registers.with(depth, count), ended_too)
        } else if max.is_some_and(|max| count >= u64::from(max)) {
            (out, registers.with(depth, 0), ended)
        } else {
            let counted = if max.is_none() { u64::from(min) } else { count };
            (between, registers.with(depth, counted), ended_too)
        });
    }

    /// Opens the members that may come next, and the way out if none must.
    fn pick(&mut self, id: ScopeId, registers: Registers, ended: u8) {
        let NetScope { depth, ref kind, out, .. } = *self.net.scope(id);
        let ScopeKind::Members { members, required, ordered, .. } = kind else { return };
        let begun = registers.get(depth);
        let missing = required & !begun;
        if missing == 0 {
            self.open.push((out, registers.with(depth, 0), ended));
        }
        for (index, member) in members.iter().enumerate() {
            let bit = 1 << index;
            let later = *ordered && (begun >= bit || missing & (bit - 1) != 0);
            if begun & bit == 0 && !later {
                let segment = if begun == 0 { member.first } else { member.further };
                self.open.push((segment, registers.with(depth, begun | bit), ended));
            }
        }
    }

    fn has(&self, place: &Spot) -> bool {
        self.places.iter().any(|other| {
            other.segment == place.segment
                && other.registers == place.registers
                && match (&other.within, &place.within) {
                    (InSegment::Text(one), InSegment::Text(two)) => one == two,
                    (InSegment::Json(one), InSegment::Json(two)) => {
                        let Segment::Json(json) = self.net.segment(place.segment) else { return false };
                        json.machine.cost(one) == json.machine.cost(two)
                            && json.machine.key(one) == json.machine.key(two)
                    }
                    (InSegment::Grammar(one), InSegment::Grammar(two)) => one == two,
                    (InSegment::Whole, InSegment::Whole) => true,
                    _ => false,
                }
        })
    }

    /// All places that are reached, in the order of [`TagState`].
    fn close(mut self) -> Vec<Spot> {
        while let Some(entry) = self.open.pop() {
            self.enter(entry);
        }
        if self.places.len() > 1 {
            self.places.sort_by_cached_key(|place| {
                let inner = match (self.net.segment(place.segment), &place.within) {
                    (_, InSegment::Text(state)) => u128::from(*state),
                    (Segment::Json(json), InSegment::Json(state)) => json.machine.key(state),
                    (Segment::Grammar(grammar), InSegment::Grammar(state)) => grammar.machine.key(state),
                    _ => 0,
                };
                (place.segment, place.registers, inner)
            });
        }
        self.places
    }
}
