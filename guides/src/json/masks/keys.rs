//! The tokens that are allowed within keys.

use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::collections::fingerprint::Fingerprint;
use crate::json::language::strings::Decoder;
use crate::json::machine::state::{At, JsonState, Key, KeyReader, Level, adding, written};
use crate::json::machine::used_keys::{is_used, used_with_prefix};
use crate::json::machine::{JsonMachine, subsumption};
use crate::json::masks::quotes::OpenString;
use crate::json::masks::used_keys::UsedKeys;
use crate::json::masks::{Below, is_in_key, is_named};
use crate::json::shape::object::{Additional, MANY_KEYS, Object};
use crate::json::tokens::frame::Room;
use crate::vocabulary::mask::TokenSet;
use std::sync::Arc;

/// The inside of a key that is not named.
struct InsideKey<'a> {
    object: &'a Object,
    additional: &'a Additional,
    /// That of the keys' automaton.
    state: u32,
    /// Greatest cost of the rest of the key after a token.
    reach: Cost,
}

impl JsonMachine {
    /// Within a key.
    pub(crate) fn add_in_keys(
        &self,
        state: &JsonState,
        keys: &Few<Key>,
        text: &Arc<[u8]>,
        below: Below<'_>,
        set: &mut TokenSet,
    ) -> Cost {
        let in_some = |keys: Few<Key>| {
            let at = At::Key { keys, text: text.clone() };
            JsonState { level: state.level.clone(), at }
        };
        let named = keys.iter().filter(|key| is_named(key)).collect();
        let mut reach = self.add_named(state, named, text, below, set);
        let within_escapes = keys.filter_map(|key| (!is_named(key) && !is_in_key(key)).then(|| key.clone()));
        if let Some(keys) = within_escapes {
            reach = reach.max(self.add_each(&in_some(keys), below, set));
        }
        let mut open: Vec<&Key> = keys.iter().filter(|key| is_in_key(key)).collect();
        while let Some(&first) = open.first() {
            // Alternatives that agree on which keys there may be.
            let agree = |key: &Key| {
                let (one, other) = (self.object(first.item.shape), self.object(key.item.shape));
                first.reader == key.reader
                    && match (&one.additional, &other.additional) {
                        (Some(one), Some(other)) => subsumption::are_same(one, other),
                        _ => false,
                    }
                    && one.has_same_names(other)
            };
            let (same, others): (Vec<&Key>, Vec<&Key>) =
                open.iter().partition(|key| std::ptr::eq(**key, first) || agree(key));
            open = others;
            let Some(keys) = Few::from_vec(same.into_iter().cloned().collect()) else { break };
            let state = in_some(keys);
            let found = self.add_in_key(&state, below, set);
            reach = reach.max(found.unwrap_or_else(|| self.add_each(&state, below, set)));
        }
        reach
    }

    /// Within a key that is not named, read for alternatives that agree on which keys there may be. `None` if the tokens have to be looked
    /// at one by one.
    fn add_in_key(&self, state: &JsonState, below: Below<'_>, set: &mut TokenSet) -> Option<Cost> {
        let At::Key { keys, text } = &state.at else { return None };
        let key = keys.iter().next()?;
        let KeyReader::Additional(at) = key.reader else { return None };
        if !state.is_clear() {
            return None;
        }
        let (level, object) = (&state.level, self.object(key.item.shape));
        let additional = object.additional.as_ref()?;
        // With few keys each token may be the one after which all of them are used.
        if at.decoder != Decoder::Body || additional.counts[at.state as usize] < MANY_KEYS {
            return None;
        }
        let universal = additional.keys.characters.is_universal(at.state);
        let classes = self.classes.of_string(&additional.keys, &at, below.node, below.vocabulary)?;
        let reach = if universal { Cost::ZERO } else { classes.reach() };
        let inside = InsideKey { object, additional, state: at.state, reach };
        let costs = keys.iter().map(|key| self.cost_inside_key(level, key, &inside));
        let cost = Cost::least(costs);
        let least = Cost::least(keys.iter().map(|key| self.least_cost_inside_key(level, key)));
        // A key that goes on with any characters and may end as it is needs none of them. They are left out where they would take all
        // that there is.
        let may_end = universal && additional.classes.len() == 1 && !is_used(object, &level.seen, text);
        let none_inside = least > below.bytes || may_end && !cost.is_never() && cost > below.bytes;
        // What a part of a character adds is kept for each token where all characters are allowed.
        let margin = if universal { 0 } else { 16 };
        if !none_inside && (cost.is_never() || cost + margin > below.bytes) {
            return None;
        }
        let room = Room { least: 0, most: u32::MAX, bytes: below.bytes };
        let mut used: Vec<&[u8]> = used_with_prefix(object, &level.seen, text).map(|key| &key[text.len()..]).collect();
        // Two sorted lists, one after the other.
        used.sort();
        // What is taken out again must not take out what another alternative allows.
        let mut apart = (!used.is_empty()).then(|| TokenSet::new(below.vocabulary.mask_words()));
        let own = apart.as_mut().unwrap_or(&mut *set);
        let mut reach = if none_inside { Cost::ZERO } else { classes.add_inside(cost, room, own) };
        let mut deferred = Vec::new();
        let classes_of_keys = if classes.closes_nowhere() { 0 } else { additional.classes.len() };
        for class in 0..classes_of_keys {
            let Some(after) = self.after_key(level, keys, class) else { continue };
            let open = OpenString { classes: &classes, node: below.node, escapes: additional.keys.escapes, room };
            let closes = |state: u32| additional.class_of[state as usize] == class as u32;
            reach = reach.max(self.add_closing(&open, &after, closes, &mut deferred, own));
        }
        if !used.is_empty() {
            let keys = UsedKeys { additional, object, level, text, used: &used };
            let find = || keys.tokens(below.vocabulary, below.node, &at);
            let tokens = if universal {
                let mut print = Fingerprint::new();
                print.add((additional.keys.characters.id(), at.state, below.node, &used));
                self.known.removed(print.value(), find)
            } else {
                find().into()
            };
            tokens.iter().for_each(|&token| own.remove(token));
        }
        reach = reach.max(self.add_tokens(state, &deferred, below, own));
        if let Some(own) = apart {
            set.union(own.words());
        }
        Some(reach)
    }

    /// A bound of the cost after any token that stays inside the key.
    fn cost_inside_key(&self, level: &Level, key: &Key, inside: &InsideKey<'_>) -> Cost {
        let &InsideKey { object, additional, state, reach } = inside;
        // A character or two lead to a key that is not used, or a few more where not all characters are allowed.
        let used = object.properties.len() + written(level).count() as usize;
        let powers = std::iter::successors(Some(64usize), |keys| keys.checked_mul(64));
        let detour = powers.take_while(|&keys| keys <= used).count() as u32 + if reach == Cost::ZERO { 1 } else { 64 };
        // Of a class of which no key may come, any key that is still possible may be: no bound holds for all tokens.
        let is_reachable =
            |class: usize| additional.classes[class].costs.get(state as usize).is_some_and(|&rest| !rest.is_never());
        let reachable = (0..additional.classes.len()).filter(|&class| is_reachable(class)).count();
        let known = key.costs.of_classes().iter().filter(|(_, class)| is_reachable(*class as usize));
        let value = if known.clone().count() < reachable { None } else { known.map(|(cost, _)| *cost).max() };
        let value = value.unwrap_or(Cost::NEVER);
        value + reach + (detour + 2 + self.spacing.colon) + Self::exit_cost(level, key.item.schema)
    }

    /// Least bytes to the end of the output from anywhere inside the key.
    fn least_cost_inside_key(&self, level: &Level, key: &Key) -> Cost {
        let value = Cost::least(key.costs.of_classes().iter().map(|(cost, _)| *cost));
        value + (2 + self.spacing.colon) + Self::exit_cost(level, key.item.schema)
    }

    /// The state after a key of this class. What comes after the next key is not known from it, as it does not know the key.
    fn after_key(&self, level: &Level, keys: &Few<Key>, class: usize) -> Option<JsonState> {
        let mut choices = Vec::new();
        for key in keys.iter() {
            let next = self.after_added(&key.item);
            let ways = self.object(key.item.shape).additional.as_ref()?.classes.get(class)?.ways();
            choices.extend(self.entries(level, &next, adding(level, class as u32), ways).map(|(choice, _)| choice));
        }
        let pending = self.pending(choices)?;
        let level = level.with_key_of_class(class as u32);
        Some(JsonState { level, at: At::Colon { pending, blanks: 0 } })
    }
}
