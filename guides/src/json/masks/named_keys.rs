//! The tokens inside a key that the schema names, found along the names without a step of the machine at each byte.

use crate::automaton::Automaton;
use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::machine::JsonMachine;
use crate::json::machine::state::{At, JsonState, Key, KeyReader};
use crate::json::masks::Below;
use crate::json::masks::texts::SortedTexts;
use crate::vocabulary::mask::TokenSet;
use std::sync::Arc;

/// Alternatives of a key that agree on the names it may have.
#[derive(Clone, Copy)]
struct NamedKeys<'a> {
    keys: &'a [&'a Key],
    /// The characters of the key so far. They are kept if it may also be one that is not named.
    text: &'a Arc<[u8]>,
}

/// A name that the key may have.
struct Name<'a> {
    /// The name as JSON, without the opening quote.
    spelling: &'a [u8],
    /// Its place in the sorted names of the object.
    place: u32,
    /// The least bytes from its closing quote to the end of the output.
    cost: Cost,
}

impl AsRef<[u8]> for Name<'_> {
    fn as_ref(&self) -> &[u8] {
        self.spelling
    }
}

impl JsonMachine {
    /// Adds the tokens inside a key, for the alternatives that name it.
    pub(super) fn add_named(
        &self,
        state: &JsonState,
        mut keys: Vec<&Key>,
        text: &Arc<[u8]>,
        below: Below<'_>,
        set: &mut TokenSet,
    ) -> Cost {
        let mut reach = Cost::ZERO;
        while let Some(&first) = keys.first() {
            // `anyOf` often repeats an object's names. Alternatives that agree on them share one walk.
            let agree = |key: &Key| {
                let (one, other) = (self.object(first.item.shape), self.object(key.item.shape));
                first.reader == key.reader && one.has_same_names(other)
            };
            let (same, others): (Vec<&Key>, Vec<&Key>) =
                keys.iter().partition(|key| std::ptr::eq(**key, first) || agree(key));
            reach = reach.max(self.add_names(state, NamedKeys { keys: &same, text }, below, set));
            keys = others;
        }
        reach
    }

    fn add_names(&self, state: &JsonState, named: NamedKeys<'_>, below: Below<'_>, set: &mut TokenSet) -> Cost {
        let keys = named.keys;
        let Some(&Key { ref item, reader: KeyReader::Named { low, high, depth }, .. }) = keys.first().copied() else {
            return Cost::ZERO;
        };
        let object = self.object(item.shape);
        let names = (low..high).filter_map(|place| {
            let rests = keys
                .iter()
                .map(|key| key.costs.of_names()[place as usize] + Self::exit_cost(&state.level, key.item.schema));
            let cost = Cost::least(rests) + (1 + self.spacing.colon);
            let index = object.sorted[place as usize];
            let spelling = &*object.properties[index as usize].spelling;
            (!cost.is_never()).then_some(Name { spelling, place, cost })
        });
        let names: Vec<Name<'_>> = names.collect();
        let whole = |name: &Name<'_>| self.after_name(state, named, name);
        self.add_texts(SortedTexts { texts: &names, at: depth as usize }, |name| name.cost, whole, below, set)
    }

    /// The state after a name, in the alternatives that allow it.
    fn after_name(&self, state: &JsonState, named: NamedKeys<'_>, name: &Name<'_>) -> Option<JsonState> {
        let NamedKeys { keys, text } = named;
        let &Name { spelling, place, .. } = name;
        let (low, high) = (place, place + 1);
        let from = match keys.first()?.reader {
            // Under `uniqueItems` each byte has to be recorded, else the last one is enough.
            KeyReader::Named { depth, .. } if state.level.distinct.is_some() => depth,
            _ => spelling.len() as u32 - 1,
        };
        let reader = KeyReader::Named { low, high, depth: from };
        let keys = keys.iter().map(|&key| Key { reader, ..key.clone() });
        let at = At::Key { keys: Few::from_vec(keys.collect())?, text: text.clone() };
        let state = JsonState { level: state.level.clone(), at };
        spelling[from as usize..].iter().try_fold(state, |state, &byte| self.step(&state, byte))
    }
}
