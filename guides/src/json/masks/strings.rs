//! The tokens that are allowed within strings.

use super::quotes::OpenString;
use super::{Below, ROOT};
use crate::automaton::Automaton;
use crate::json::classes::Room;
use crate::json::few::Few;
use crate::json::machine::JsonMachine;
use crate::json::shape;
use crate::json::state::{At, JsonState, Reader, Scalar};
use crate::json::strings::{Decoder, StringState};
use crate::mask::TokenSet;
use std::sync::Arc;

impl JsonMachine {
    /// Within a string, read for one schema. `None` if the tokens have to be looked at one by one.
    pub(super) fn add_in_string(
        &self,
        state: &JsonState,
        scalar: &Scalar,
        below: Below<'_>,
        set: &mut TokenSet,
    ) -> Option<u32> {
        let Reader::String { index, state: at } = scalar.reader else { return None };
        let strings = self.schema(scalar.schema).strings.get(index as usize)?;
        let (At::Scalar { pending, .. }, Decoder::Body) = (&state.at, at.decoder) else { return None };
        // Which tokens begin a label is known for the root of the trie alone.
        if strings.begins_label(&at) || strings.has_labels() && below.node != ROOT {
            return None;
        }
        // Of an entry that must differ from others it has to be known which value it becomes.
        let own = state.level.own_distinct().is_some();
        if !state.is_clear() || own && !strings.characters.is_endless() {
            return None;
        }
        // A lower bound goes with strings of all characters, here in the midst of one.
        if !strings.is_free(&at) && strings.min > 0 {
            return None;
        }
        let cost = self.cost(state);
        let classes = below.vocabulary.string_classes(strings, &at, below.node)?;
        let bytes = below.bytes;
        let mut room = Room { least: 0, most: u32::MAX, bytes };
        let mut reach = cost;
        // No character makes a string cheaper that could be closed.
        let none_inside = strings.is_free(&at) && at.count >= strings.min && cost > bytes;
        if strings.is_free(&at) {
            if cost > bytes && !none_inside {
                return None;
            }
            room.least = strings.min.saturating_sub(at.count);
            room.most = if strings.max == u32::MAX { u32::MAX } else { strings.max - at.count };
        } else {
            // How much each token adds is not kept, but how much any of them may.
            reach = shape::add(cost, classes.reach() + 1).saturating_sub(strings.cost(&at));
            if reach > bytes {
                return None;
            }
        }
        // A bound that all of them keep to is checked.
        let bytes_inside = if strings.is_free(&at) { bytes } else { u32::MAX };
        let inside = if none_inside { 0 } else { classes.add_inside(reach, Room { bytes: bytes_inside, ..room }, set) };
        let closed = Scalar {
            reader: Reader::String { index, state: StringState { decoder: Decoder::Closed, ..at } },
            schema: scalar.schema,
        };
        if classes.closes_nowhere() {
            return Some(inside);
        }
        let Some(after) = self.scalar_done(&state.level, pending, &Few::One(closed)) else { return Some(inside) };
        let mut deferred = Vec::new();
        let open = OpenString { classes: &classes, node: below.node, escapes: strings.escapes, room };
        let closed = self.add_closing(&open, &after, |_| true, &mut deferred, set);
        let others = self.add_tokens(state, &deferred, below, set);
        Some(inside.max(closed).max(others))
    }

    /// Within a label that is read with its text, for one schema: what belongs to it is a step of the label and nothing more.
    pub(super) fn add_in_label(&self, state: &JsonState, scalar: &Scalar, below: Below<'_>, set: &mut TokenSet) -> u32 {
        let (At::Scalar { pending, .. }, Reader::Label { index, label }) = (&state.at, &scalar.reader) else {
            return 0;
        };
        let strings = &self.schema(scalar.schema).strings[*index as usize];
        let rest = self.cost(state) - strings.cost_in_label(label);
        let trie = below.trie();
        let mut reach = 0;
        let mut open = vec![(below, label.clone())];
        while let Some((below, label)) = open.pop() {
            let after = strings.after_label(&label);
            for node in trie.children(below.node) {
                let byte = trie.byte(node);
                if let Some(next) = strings.step_label(&label, byte) {
                    let cost = shape::add(strings.cost_in_label(&next), rest);
                    if !trie.own(node).is_empty() && cost <= below.bytes {
                        set.insert_all(trie.own(node));
                        reach = reach.max(cost);
                    }
                    if trie.end(node) > node + 1 {
                        open.push((below.at(node, 1), Arc::new(next)));
                    }
                } else if let Some(next) = after.and_then(|after| strings.step(&after, byte)) {
                    let reader = Reader::String { index: *index, state: next };
                    let machines = Few::One(Scalar { reader, schema: scalar.schema });
                    let at = At::Scalar { pending: pending.clone(), machines };
                    if let Some(next) = self.settled(JsonState { level: state.level.clone(), at }) {
                        reach = reach.max(self.add_node(&next, below.at(node, 1), set));
                    }
                }
            }
        }
        reach
    }

    /// Adds the tokens along which a label begins that is read with its text, of a string that is read for one schema; all tokens are
    /// asked for.
    pub(super) fn add_beginning_labels(
        &self,
        state: &JsonState,
        scalar: &Scalar,
        below: Below<'_>,
        set: &mut TokenSet,
    ) -> u32 {
        let Reader::String { index, .. } = scalar.reader else { return 0 };
        let strings = &self.schema(scalar.schema).strings[index as usize];
        let (mut reach, mut done) = (0, 0);
        if !strings.has_labels() {
            return 0;
        }
        for (node, path) in below.vocabulary.label_nodes() {
            if *node < done {
                continue;
            }
            let next = path.iter().try_fold(state.clone(), |state, &byte| self.step(&state, byte));
            let Some(JsonState { at: At::Scalar { pending, machines }, level }) = next else { continue };
            let machines = machines.filter_map(|scalar| match &scalar.reader {
                Reader::Label { .. } => Some(scalar.clone()),
                Reader::String { state, .. } => strings.begins_label(state).then(|| scalar.clone()),
                Reader::Literal { .. } | Reader::Number { .. } => None,
            });
            if let Some(machines) = machines {
                done = below.trie().end(*node);
                let next = JsonState { level, at: At::Scalar { pending, machines } };
                reach = reach.max(self.add_node(&next, below.at(*node, path.len()), set));
            }
        }
        reach
    }
}
