//! The machine as the [`Automaton`] that guides follow, and its masks.
//!
//! The mask of a state is the union of the masks of its places:
//!
//! | place | how the tokens are found |
//! |---|---|
//! | in a text | a walk of the trie along the automaton; behind each end of the text, along all places that follow |
//! | in a JSON value | the masks of JSON; tokens that go on behind the value along a small trie of the tokens that may |
//!
//! In JSON, most tokens stay within the value, and only tokens with a closing byte and something behind it go on. They are few, so they
//! have a trie of their own ([`Crossing`]).

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::automaton::marks;
use crate::collections::byte_set::ByteSet;
use crate::tags::TagMachine;
use crate::tags::net::{Json, Segment, Text};
use crate::tags::state::{Spot, TagState, Within};
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::TokenSet;
use crate::vocabulary::trie::Trie;

impl Automaton for TagMachine {
    type State = TagState;

    fn start(&self) -> TagState {
        self.state(self.net.begin(self.first, Default::default()))
    }

    fn step(&self, state: &TagState, byte: u8) -> Option<TagState> {
        let places = self.net.after(&state.places, byte);
        (!places.is_empty()).then(|| self.state(places))
    }

    fn cost(&self, state: &TagState) -> Cost {
        state.cost
    }

    fn size(&self) -> usize {
        self.net.size()
    }

    fn reads(&self, token: &[u8]) -> bool {
        !token.iter().any(|&byte| marks::is_mark(byte)) && self.tokens.reads(token)
    }

    fn special_token(&self, mark: u8) -> Option<u32> {
        let place = marks::ALL.iter().position(|&known| known == mark)?;
        self.net.special.get(place).copied()
    }

    fn mark_of(&self, token: u32) -> Option<u8> {
        let place = self.net.special.iter().position(|&known| known == token)?;
        marks::ALL.get(place).copied()
    }

    fn may_stop(&self, state: &TagState) -> bool {
        !state.cost.is_never()
    }

    fn next_bytes(&self, state: &TagState) -> ByteSet {
        self.net.bytes_after(&state.places)
    }

    fn is_final(&self, state: &TagState) -> bool {
        state.places.iter().all(|place| matches!(place.within, Within::Whole))
    }

    fn key(&self, state: &TagState) -> u128 {
        self.net.key(&state.places)
    }

    fn allowed(&self, vocabulary: &Vocabulary, state: &TagState, set: &mut TokenSet) -> Cost {
        self.add_allowed(&state.places, Wanted { vocabulary, bytes: u32::MAX }, set)
    }

    fn allowed_within(&self, vocabulary: &Vocabulary, state: &TagState, left: u32, set: &mut TokenSet) {
        self.add_allowed(&state.places, Wanted { vocabulary, bytes: left }, set);
    }
}

/// The tokens that a mask asks for: those after which the output can be completed in `bytes`.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    vocabulary: &'a Vocabulary,
    bytes: u32,
}

impl Wanted<'_> {
    /// Adds tokens that lead to a state with this cost, if they are wanted. Returns the cost then.
    fn add(self, tokens: &[u32], cost: Cost, set: &mut TokenSet) -> Cost {
        if tokens.is_empty() || cost.is_never() || cost > self.bytes {
            return Cost::ZERO;
        }
        set.insert_all(tokens);
        cost
    }
}

impl TagMachine {
    fn state(&self, places: Vec<Spot>) -> TagState {
        TagState { cost: self.net.cost_of_all(&places), places: places.into() }
    }

    /// Adds the wanted tokens along which the output can go on from one of the places. Returns a bound of the cost after any of them.
    fn add_allowed(&self, places: &[Spot], wanted: Wanted<'_>, set: &mut TokenSet) -> Cost {
        let mut reach = Cost::ZERO;
        for (&token, &mark) in self.net.special.iter().zip(&marks::ALL) {
            let next = self.net.after(places, mark);
            if !next.is_empty() {
                reach = reach.max(wanted.add(&[token], self.net.cost_of_all(&next), set));
            }
        }
        for place in places {
            reach = reach.max(match (self.net.segment(place.segment), &place.within) {
                (Segment::Text(text), Within::Text(state)) => self.add_along_text(place, text, *state, 0, wanted, set),
                (Segment::Json(json), Within::Json(_)) => self.add_in_json(place, json, wanted, set),
                _ => Cost::ZERO,
            });
        }
        reach
    }

    /// Adds the tokens below a node that go on within a text, or behind it.
    fn add_along_text(
        &self,
        place: &Spot,
        text: &Text,
        state: u32,
        node: u32,
        wanted: Wanted<'_>,
        set: &mut TokenSet,
    ) -> Cost {
        let trie = self.tokens.trie(wanted.vocabulary);
        let beyond = self.net.cost_beyond(place);
        let mut reach = Cost::ZERO;
        for child in trie.children(node) {
            let next = text.dfa.next(state, trie.byte(child));
            if next == 0 || marks::is_mark(trie.byte(child)) {
                continue;
            }
            // Where the text ends, what follows may cost less than to go on within it, but never less than the cost says.
            reach = reach.max(wanted.add(trie.own(child), beyond + text.costs[next as usize], set));
            if trie.end(child) == child + 1 {
                continue;
            }
            if !text.last[next as usize] {
                reach = reach.max(self.add_along_text(place, text, next, child, wanted, set));
            }
            if text.dfa.accepts_at(next) {
                let behind = self.net.beyond(&Spot { within: Within::Text(next), ..*place });
                reach = reach.max(self.add_along(&behind, trie, child, wanted, set));
            }
        }
        reach
    }

    /// Adds the tokens that go on within a JSON value, or behind it.
    fn add_in_json(&self, place: &Spot, json: &Json, wanted: Wanted<'_>, set: &mut TokenSet) -> Cost {
        let Within::Json(state) = &place.within else { return Cost::ZERO };
        let beyond = self.net.cost_beyond(place);
        let machine = &*json.machine;
        let mut reach = Cost::ZERO;
        if wanted.bytes == u32::MAX {
            reach = machine.allowed(wanted.vocabulary, state, set) + beyond;
        } else if let Some(left) = wanted.bytes.checked_sub(beyond.get()) {
            machine.allowed_within(wanted.vocabulary, state, left, set);
        }
        let behind = self.net.begin(json.next, place.registers);
        let firsts = self.net.bytes_after(&behind);
        let crossing = self.tokens.crossing(wanted.vocabulary, machine.schema(json.schema).last_bytes(), firsts);
        // The last byte of the value and at least one more.
        if machine.cost(state) < crossing.depth() {
            reach = reach.max(self.add_along(std::slice::from_ref(place), &crossing, 0, wanted, set));
        }
        reach
    }

    /// Adds the tokens below a node of any trie, by steps of all places at once.
    fn add_along(&self, places: &[Spot], trie: &Trie, node: u32, wanted: Wanted<'_>, set: &mut TokenSet) -> Cost {
        let possible = self.net.bytes_after(places);
        let mut reach = Cost::ZERO;
        for child in trie.children_along(node, possible) {
            let byte = trie.byte(child);
            if marks::is_mark(byte) {
                continue;
            }
            let next = self.net.after(places, byte);
            if next.is_empty() {
                continue;
            }
            if !trie.own(child).is_empty() {
                reach = reach.max(wanted.add(trie.own(child), self.net.cost_of_all(&next), set));
            }
            if trie.end(child) > child + 1 {
                reach = reach.max(self.add_along(&next, trie, child, wanted, set));
            }
        }
        reach
    }
}
