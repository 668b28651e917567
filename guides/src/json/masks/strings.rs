//! The tokens inside a string, by the token classes of its state.
//!
//! A string of any characters ("free" here) counts exactly: each token is checked against `minLength`, `maxLength` and the budget. A
//! string with a pattern has one bound for the cost after all its tokens. If that exceeds the budget, the tokens are taken
//! [by the state](crate::json::tokens::by_state) after each.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::language::strings::Decoder;
use crate::json::machine::JsonMachine;
use crate::json::machine::state::{At, JsonState, Reader, Scalar};
use crate::json::masks::Below;
use crate::json::masks::quotes::OpenString;
use crate::json::shape::SchemaId;
use crate::json::tokens::by_state::InsideByState;
use crate::json::tokens::frame::Room;
use crate::vocabulary::mask::TokenSet;

impl JsonMachine {
    /// The scalars of alternatives, those together that read one set of strings in one state: they allow the same tokens inside.
    pub(super) fn same_strings(&self, machines: &Few<Scalar>) -> Vec<Few<Scalar>> {
        if let Few::One(_) = machines {
            return vec![machines.clone()];
        }
        let mut groups: Vec<(Option<_>, Vec<Scalar>)> = Vec::new();
        for scalar in machines.iter() {
            let Reader::String { index, ref state } = scalar.reader else {
                groups.push((None, vec![scalar.clone()]));
                continue;
            };
            let strings = &self.schema(scalar.schema).strings[index as usize];
            let read = Some((strings.characters.id(), strings.min, strings.max, strings.escapes, *state));
            match groups.iter_mut().find(|(other, _)| *other == read) {
                Some((_, same)) => same.push(scalar.clone()),
                None => groups.push((read, vec![scalar.clone()])),
            }
        }
        groups.into_iter().filter_map(|(_, same)| Few::from_vec(same)).collect()
    }

    /// Adds the tokens inside a string, read for schemas with the same strings. `None` if they have to be walked byte by byte.
    pub(super) fn add_in_string(&self, state: &JsonState, below: Below<'_>, set: &mut TokenSet) -> Option<Cost> {
        let At::Scalar { pending, machines } = &state.at else { return None };
        let scalar = machines.iter().next()?;
        let Reader::String { index, state: at } = scalar.reader else { return None };
        let strings = self.schema(scalar.schema).strings.get(index as usize)?;
        if at.decoder != Decoder::Body {
            return None;
        }
        // Of an entry that must differ from others a walk has to know its value, unless there are so many strings that one is left.
        let own = state.level.own_distinct().is_some();
        if !state.is_clear() || own && !strings.characters.is_endless() {
            return None;
        }
        // Only strings of any characters have a lower bound, so this state is inside a character.
        if !strings.is_free(&at) && strings.min > 0 {
            return None;
        }
        let cost = self.cost(state);
        if cost.is_never() {
            return None;
        }
        let classes = self.classes.of_string(strings, &at, below.node, below.vocabulary)?;
        let bytes = below.bytes;
        let mut room = Room { least: 0, most: u32::MAX, bytes };
        let inside = if strings.is_free(&at) {
            room.least = strings.min.saturating_sub(at.count);
            room.most = if strings.max == u32::MAX { u32::MAX } else { strings.max - at.count };
            match cost.beyond(Cost::bytes(bytes)) {
                0 => classes.add_inside(cost, room, set),
                // A string that may end costs more with each character. Over budget, none fits.
                _ if room.least == 0 => Cost::ZERO,
                _ => classes.add_lacking(cost, room, set),
            }
        } else {
            // The classes keep the greatest cost after a token, not that after each.
            let beyond = cost.without(strings.cost(&at).get());
            let reach = beyond + classes.reach() + 1;
            if reach <= bytes {
                classes.add_inside(reach, Room { bytes: u32::MAX, ..room }, set)
            } else {
                let groups = self.classes.of_string_by_state(strings, &at, below.node, below.vocabulary)?;
                self.add_by_state(state, &groups, |after| beyond + strings.cost_between(after), below, set)
            }
        };
        if classes.closes_nowhere() {
            return Some(inside);
        }
        let accepted: Vec<SchemaId> = machines.iter().map(|scalar| scalar.schema).collect();
        let Some(after) = self.value_done(&state.level, pending, &accepted) else { return Some(inside) };
        let mut deferred = Vec::new();
        let open = OpenString { classes: &classes, node: below.node, escapes: strings.escapes, room };
        let closed = self.add_closing(&open, &after, |_| true, &mut deferred, set);
        let others = self.add_tokens(state, &deferred, below, set);
        Some(inside.max(closed).max(others))
    }

    /// Adds the tokens that stay inside a string or a key, each by its own cost; `cost` is that of the output by the state after a token.
    pub(super) fn add_by_state(
        &self,
        state: &JsonState,
        groups: &InsideByState,
        cost: impl Fn(u32) -> Cost,
        below: Below<'_>,
        set: &mut TokenSet,
    ) -> Cost {
        let mut reach = Cost::ZERO;
        for (after, tokens) in groups.groups() {
            let cost = cost(*after);
            if cost <= below.bytes && !cost.is_never() {
                tokens.add_to(set);
                reach = reach.max(cost);
            }
        }
        reach.max(self.add_tokens(state, groups.within_escapes(), below, set))
    }
}
