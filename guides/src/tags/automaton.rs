//! The machine as the [`Automaton`] that guides follow, and its masks.
//!
//! The mask of a state is the union of the masks of its places:
//!
//! | place | how the tokens are found |
//! |---|---|
//! | in a text | a walk of the trie along the automaton, remembered for all guides; behind each end of the text, along all places that follow |
//! | in a text of a grammar | the masks of grammars; behind each end of the text, along all places that follow |
//! | in a JSON value | the masks of JSON; tokens that go on behind the value along a small trie of the tokens that may |
//!
//! In JSON, most tokens stay within the value, and only tokens with a closing byte and something behind it go on. They are few, so they
//! have a trie of their own ([`Crossing`]).

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::automaton::marks;
use crate::collections::byte_set::ByteSet;
use crate::grammar::stack::Configuration;
use crate::tags::TagMachine;
use crate::tags::net::{GrammarText, Json, Segment, Text};
use crate::tags::registers::Registers;
use crate::tags::state::{InSegment, Spot, TagState};
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::TokenSet;
use crate::vocabulary::trie::Trie;

impl Automaton for TagMachine {
    type State = TagState;

    fn start(&self) -> TagState {
        TagState { places: self.net.begin(self.first, Registers::default()).into() }
    }

    fn step(&self, state: &TagState, byte: u8) -> Option<TagState> {
        let places = self.net.after(&state.places, byte);
        (!places.is_empty()).then(|| TagState { places: places.into() })
    }

    fn cost(&self, state: &TagState) -> Cost {
        self.net.cost_of_all(&state.places)
    }

    fn settled(&self, state: TagState) -> TagState {
        TagState { places: self.net.settled(state.places) }
    }

    fn size(&self) -> usize {
        self.net.size()
    }

    fn reads(&self, token: &[u8]) -> bool {
        !token.iter().any(|&byte| marks::is_mark(byte)) && self.tokens.reads(token)
    }

    fn special_token(&self, mark: u8) -> Option<u32> {
        self.net.special.token(mark)
    }

    fn mark_of(&self, token: u32) -> Option<u8> {
        self.net.special.mark_of(token)
    }

    fn may_stop(&self, state: &TagState) -> bool {
        !self.cost(state).is_never()
    }

    fn next_bytes(&self, state: &TagState) -> ByteSet {
        self.net.bytes_after(&state.places)
    }

    fn is_final(&self, state: &TagState) -> bool {
        state.places.iter().all(|place| matches!(place.within, InSegment::Whole))
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
    /// Adds the wanted tokens along which the output can go on from one of the places. Returns a bound of the cost after any of them.
    fn add_allowed(&self, places: &[Spot], wanted: Wanted<'_>, set: &mut TokenSet) -> Cost {
        let mut reach = Cost::ZERO;
        for (token, mark) in self.net.special.iter() {
            let next = self.net.after(places, mark);
            if !next.is_empty() {
                reach = reach.max(wanted.add(&[token], self.net.cost_of_all(&next), set));
            }
        }
        for place in places {
            reach = reach.max(match (self.net.segment(place.segment), &place.within) {
                (Segment::Text(text), InSegment::Text(state)) => self.add_in_text(place, text, *state, wanted, set),
                (Segment::Json(json), InSegment::Json(_)) => self.add_in_json(place, json, wanted, set),
                (Segment::Grammar(grammar), InSegment::Grammar(state)) => {
                    self.add_in_grammar(place, grammar, state, wanted, set)
                }
                _ => Cost::ZERO,
            });
        }
        reach
    }

    /// Adds the tokens that go on within a text, or behind it.
    fn add_in_text(&self, place: &Spot, text: &Text, state: u32, wanted: Wanted<'_>, set: &mut TokenSet) -> Cost {
        let vocabulary = wanted.vocabulary;
        let within = self.tokens.within(vocabulary, &text.dfa, text.fingerprint, state);
        let beyond = self.net.cost_beyond(place);
        let mut reach = Cost::ZERO;
        for (last, tokens) in &within.tokens {
            // A text that is complete costs what follows it.
            let cost = beyond + text.costs[*last as usize];
            if cost <= wanted.bytes && !cost.is_never() {
                tokens.add_to(set);
                reach = reach.max(cost);
            }
        }
        let trie = self.tokens.trie(vocabulary);
        for &(node, last) in &within.ends {
            let behind = self.net.beyond(&Spot { within: InSegment::Text(last), ..*place });
            reach = reach.max(self.add_along(&behind, trie, node, wanted, set));
        }
        // What follows a text that ends anywhere is the same wherever it ends.
        let exit = text.exit.map(|exit| self.net.begin(exit, place.registers)).unwrap_or_default();
        let goes_on = self.net.bytes_after(&exit) != ByteSet::default();
        if goes_on || text.exit.is_none() {
            for &(node, last) in &self.tokens.inner_ends(vocabulary, &text.dfa, state, &within) {
                if text.exits.contains_key(&last) {
                    let behind = self.net.beyond(&Spot { within: InSegment::Text(last), ..*place });
                    reach = reach.max(self.add_along(&behind, trie, node, wanted, set));
                } else if goes_on {
                    reach = reach.max(self.add_along(&exit, trie, node, wanted, set));
                }
            }
        }
        reach
    }

    /// Adds the tokens that go on within a JSON value, or behind it.
    fn add_in_json(&self, place: &Spot, json: &Json, wanted: Wanted<'_>, set: &mut TokenSet) -> Cost {
        let InSegment::Json(state) = &place.within else { return Cost::ZERO };
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

    /// Adds the tokens that go on within a text of a grammar, or behind it.
    fn add_in_grammar(
        &self,
        place: &Spot,
        grammar: &GrammarText,
        state: &Configuration,
        wanted: Wanted<'_>,
        set: &mut TokenSet,
    ) -> Cost {
        let vocabulary = wanted.vocabulary;
        let machine = &*grammar.machine;
        let beyond = self.net.cost_beyond(place);
        let mut reach = Cost::ZERO;
        if wanted.bytes == u32::MAX {
            reach = machine.allowed(vocabulary, state, set) + beyond;
        } else if let Some(left) = wanted.bytes.checked_sub(beyond.get()) {
            machine.allowed_within(vocabulary, state, left, set);
        }
        let behind = self.net.begin(grammar.next, place.registers);
        let firsts = self.net.bytes_after(&behind);
        if firsts == ByteSet::default() {
            return reach;
        }
        let trie = self.tokens.trie(vocabulary);
        for &node in &machine.ends(vocabulary, state) {
            reach = reach.max(self.add_along(&behind, trie, node, wanted, set));
        }
        // Where a JSON value ends the text, its tokens are not in walks.
        if let Some(lasts) = machine.last_bytes_of_values(state) {
            let crossing = self.tokens.crossing(vocabulary, lasts, firsts.or(machine.bytes_behind_values(state)));
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
