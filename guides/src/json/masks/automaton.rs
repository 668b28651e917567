//! The machine as the [`Automaton`] that guides follow, and the cache key of its masks.
//!
//! States with equal keys share a mask, so the key has all that a mask depends on, and as little else as possible: counts only up to
//! [`FAR`], texts only while something can repeat them.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::collections::fingerprint::Fingerprint;
use crate::json::machine::state::{At, JsonState, Reader};
use crate::json::machine::used_keys::used_with_prefix;
use crate::json::machine::{FAR, JsonMachine};
use crate::json::masks::Below;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::TokenSet;

impl Automaton for JsonMachine {
    type State = JsonState;

    fn start(&self) -> JsonState {
        self.begin(self.root)
    }

    fn step(&self, state: &JsonState, byte: u8) -> Option<JsonState> {
        let next = self.step_recorded(state, byte)?;
        (next.is_clear() || self.has_way_apart(&next)).then_some(next)
    }

    fn cost(&self, state: &JsonState) -> Cost {
        if state.is_clear() { self.cost_plain(state) } else { self.cost_apart(state) }
    }

    fn next_bytes(&self, state: &JsonState) -> ByteSet {
        self.bytes_after(state)
    }

    fn allowed(&self, vocabulary: &Vocabulary, state: &JsonState, set: &mut TokenSet) -> Cost {
        self.add_allowed(state, Below::root(self.classes.trie(vocabulary), vocabulary, u32::MAX), set)
    }

    fn allowed_within(&self, vocabulary: &Vocabulary, state: &JsonState, left: u32, set: &mut TokenSet) {
        self.add_allowed(state, Below::root(self.classes.trie(vocabulary), vocabulary, left), set);
    }

    fn reads(&self, token: &[u8]) -> bool {
        self.classes.has(token)
    }

    fn may_stop(&self, state: &JsonState) -> bool {
        self.classes.may_stop_anywhere() || !self.cost(state).is_never()
    }

    fn size(&self) -> usize {
        self.bytes + self.known.bytes()
    }

    fn is_final(&self, state: &JsonState) -> bool {
        match &state.at {
            At::End => true,
            At::Scalar { .. } => (0..=255).all(|byte| self.step(state, byte).is_none()),
            _ => false,
        }
    }

    fn key(&self, state: &JsonState) -> u128 {
        let mut print = Fingerprint::new();
        let level = &state.level;
        match &state.at {
            At::Value { pending, blanks } | At::Colon { pending, blanks } => {
                self.print_level(level, pending.iter().map(|choice| &choice.next), &mut print);
                print.add((matches!(state.at, At::Colon { .. }), *blanks, pending.as_slice()));
            }
            At::Open { items, blanks } | At::Comma { items, blanks } | At::After { items, blanks } => {
                self.print_level(level, items.iter(), &mut print);
                let place = match &state.at {
                    At::Open { .. } => 2u8,
                    At::Comma { .. } => 3,
                    _ => 4,
                };
                print.add((place, *blanks, items.as_slice()));
            }
            At::Scalar { pending, machines } => {
                self.print_level(level, pending.iter().map(|choice| &choice.next), &mut print);
                print.add((5u8, pending.as_slice()));
                for scalar in machines.iter() {
                    match scalar.reader {
                        Reader::String { index, state } => {
                            let strings = &self.schema(scalar.schema).strings[index as usize];
                            // Of several alternatives the cheapest can change with the count, however far the bounds are.
                            let far = if machines.as_slice().len() == 1 { FAR } else { u32::MAX };
                            print.add((scalar.schema, index, state.state, state.decoder));
                            print.add(strings.min.saturating_sub(state.count).min(far));
                            print.add(strings.max.saturating_sub(state.count).min(far));
                        }
                        _ => print.add(scalar),
                    }
                }
            }
            At::Key { keys, text } => {
                self.print_level(level, keys.as_slice().iter().map(|key| &key.item), &mut print);
                print.add((6u8, keys.as_slice()));
                // The text of the key matters only while it can become a used one.
                for key in keys.iter() {
                    let object = self.object(key.item.shape);
                    if used_with_prefix(object, &level.seen, text).next().is_some() {
                        print.add(&**text);
                        break;
                    }
                }
            }
            At::End => print.add(7u8),
        }
        print.value()
    }
}
