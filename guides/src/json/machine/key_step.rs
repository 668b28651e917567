//! A key, byte by byte: the readers that go on, and how the object goes on once the key is whole.
//!
//! Under `{"properties": {"ab": A}, "additionalProperties": B}` two readers follow `"ab`: one along the names, and one for additional keys.
//! At the closing quote only the first accepts the key, because `ab` is named.

use crate::collections::byte_set::range_along;
use crate::collections::few::Few;
use crate::json::language::strings::{Decoder, StringState};
use crate::json::machine::keys::KeyPrefix;
use crate::json::machine::state::{At, Choice, Item, JsonState, Key, KeyReader, Level, adding, written};
use crate::json::machine::used_keys::{characters_after, is_used};
use crate::json::machine::{JsonMachine, subsumption};
use std::ops::Range;
use std::sync::Arc;

/// One byte of a key, and what the alternatives make of it.
struct KeyStep<'a> {
    level: &'a Level,
    /// The characters of the key before the byte.
    text: &'a Arc<[u8]>,
    byte: u8,
    /// The characters after the byte. The first alternative that needs them finds them for all, which read the same bytes.
    text_after: Option<Arc<[u8]>>,
    /// How the object goes on where the byte ends the key.
    choices: Vec<Choice>,
    /// Whether the key that ends is an additional one in any alternative.
    added: bool,
}

impl JsonMachine {
    /// One more byte of a key.
    pub(super) fn step_key(&self, state: &JsonState, keys: &Few<Key>, text: &Arc<[u8]>, byte: u8) -> Option<JsonState> {
        let level = &state.level;
        let mut step = KeyStep { level, text, byte, text_after: None, choices: Vec::new(), added: false };
        let next = keys.filter_map(|key| match key.reader {
            KeyReader::Named { low, high, depth } => self.step_named(&mut step, key, low..high, depth),
            KeyReader::Additional(ref at) => self.step_additional(&mut step, key, at),
        });
        // All readers have read the same bytes, so the byte closes the key in each of them or in none.
        if let Some(keys) = next {
            let text = step.text_after.unwrap_or_else(|| text.clone());
            return Some(JsonState { level: level.clone(), at: At::Key { keys, text } });
        }
        let pending = self.pending(step.choices)?;
        let level = if step.added { level.with_key(text) } else { level.clone() };
        Some(JsonState { level, at: At::Colon { pending, blanks: 0 } })
    }

    /// A key that is read as one of these names, which agree in `depth` bytes.
    fn step_named(&self, step: &mut KeyStep<'_>, key: &Key, names: Range<u32>, depth: u32) -> Option<Key> {
        let object = self.object(key.item.shape);
        let spelling = |index: &u32| &*object.properties[*index as usize].spelling;
        let sorted = &object.sorted[names.start as usize..names.end as usize];
        let along = range_along(sorted, |index| spelling(index).get(depth as usize).copied(), step.byte);
        let (low, high) = (names.start + along.start as u32, names.start + along.end as u32);
        let costs = &key.costs.of_names()[low as usize..high as usize];
        let (index, _) = sorted[along].iter().zip(costs).find(|(_, cost)| !cost.is_never())?;
        // With its closing quote no spelling is the beginning of another one: a name that ends is the only one left.
        if spelling(index).len() as u32 == depth + 1 {
            let next = self.after_named(&key.item, *index);
            let ways = object.properties[*index as usize].ways();
            let entries = self.entries(step.level, (&key.item, Some(*index)), &next, written(step.level), ways);
            step.choices.extend(entries.map(|(choice, _)| choice));
            return None;
        }
        Some(Key { reader: KeyReader::Named { low, high, depth: depth + 1 }, ..key.clone() })
    }

    /// A key that is read as one that is not named.
    fn step_additional(&self, step: &mut KeyStep<'_>, key: &Key, at: &StringState) -> Option<Key> {
        let (level, object) = (step.level, self.object(key.item.shape));
        let additional = object.additional.as_ref()?;
        let after = additional.keys.step(at, step.byte)?;
        if after.decoder != Decoder::Closed {
            let found = || characters_after(step.text, at, &after, step.byte);
            let text = step.text_after.get_or_insert_with(found);
            let prefix = KeyPrefix { costs: key.costs.of_classes(), state: &after, text };
            let possible = Self::may_become(level, object, additional, &prefix);
            return possible.then(|| Key { reader: KeyReader::Additional(after), ..key.clone() });
        }
        if is_used(object, &level.seen, step.text) {
            return None;
        }
        let class = additional.class_of[at.state as usize];
        let ways = additional.classes.get(class as usize)?.ways();
        let next = self.after_added(&key.item);
        let before = step.choices.len();
        let entries = self.entries(level, (&key.item, None), &next, adding(level, class), ways);
        step.choices.extend(entries.map(|(choice, _)| choice));
        step.added |= step.choices.len() > before;
        None
    }

    /// How the object goes on once the named property with this index is written.
    fn after_named(&self, item: &Item, index: u32) -> Item {
        if !self.any_order {
            return Item { at: index + 1, ..item.clone() };
        }
        let words = self.object(item.shape).properties.len().div_ceil(64);
        let mut written = item.written.as_deref().map_or_else(Vec::new, <[u64]>::to_vec);
        written.resize(words, 0);
        written[index as usize / 64] |= 1 << (index % 64);
        Item { written: Some(written.into()), ..item.clone() }
    }

    /// How the object goes on once an additional key is written.
    pub(crate) fn after_added(&self, item: &Item) -> Item {
        if self.any_order {
            return item.clone();
        }
        Item { at: self.object(item.shape).properties.len() as u32, ..item.clone() }
    }

    /// The choices after a key. Choices that another one with the same schema subsumes are dropped.
    pub(crate) fn pending(&self, mut choices: Vec<Choice>) -> Option<Few<Choice>> {
        choices.dedup();
        let alike = |one: &Choice, other: &Choice| one.schema == other.schema;
        subsumption::leave_out(&mut choices, |choice| &choice.next, alike, |id| self.alternatives(id));
        Few::from_vec(choices)
    }
}
