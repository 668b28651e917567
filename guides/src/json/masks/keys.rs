//! The tokens inside keys: the named ones along the names, the others by token classes.
//!
//! A key that is not named is a string that must not repeat a key of the object. As for any string, the token
//! classes of its state give the tokens that stay inside and the tokens that close it. Then the tokens that would repeat a key are taken out.
//!
//! Whether a token leaves room for the rest depends on which keys are used, so an exact cost for each token would take a search for each. A
//! single bound for all tokens replaces it, see [`JsonMachine::cost_inside_key`]. If the bound exceeds the budget, the tokens along used
//! keys are stepped through one by one, and all others are taken [by the state](crate::json::tokens::by_state) after each: behind the used
//! keys the rest of a key costs what its pattern asks for.

use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::collections::fingerprint::Fingerprint;
use crate::json::language::strings::{Decoder, StringState};
use crate::json::machine::state::{At, JsonState, Key, KeyReader, Level, adding, written};
use crate::json::machine::used_keys::{is_used, used_with_prefix};
use crate::json::machine::{JsonMachine, subsumption};
use crate::json::masks::quotes::OpenString;
use crate::json::masks::used_keys::UsedKeys;
use crate::json::masks::{Below, is_in_key, is_named};
use crate::json::shape::object::{Additional, Object};
use crate::json::tokens::frame::Room;
use crate::vocabulary::mask::TokenSet;
use std::sync::Arc;

/// A key that is not named, between two characters.
struct InsideKey<'a> {
    level: &'a Level,
    object: &'a Object,
    additional: &'a Additional,
    /// Its characters so far.
    text: &'a [u8],
    at: StringState,
    /// Whether it may continue with any characters.
    universal: bool,
    /// The greatest cost of the rest of the key after a token, by the pattern of the keys alone.
    reach: Cost,
}

/// The cost of the tokens that stay inside a key.
#[derive(Clone, Copy)]
enum CostInside {
    /// None of them keeps to the budget.
    None,
    /// All of them keep to the budget: a bound.
    Bound(Cost),
    /// Each has a cost of its own.
    Each,
}

/// At least so many characters take one byte: of ASCII, 94 stand for themselves in JSON.
const ONE_BYTE_CHARACTERS: usize = 64;

/// The frame adds the bytes that complete a character to the cost of a token that ends inside it, and the bound of a key with a pattern has
/// them already. Twice is too much, so the budget must exceed the bound by the most that this can be. In keys that is 4, behind `\u`;
/// with surrogates it would be 8, behind `\ud8`.
const TAIL_MARGIN: u32 = 16;

/// The number of one-byte characters with which some completion is no used key: there are 64<sup>n</sup> completions of `n` such
/// characters, so with the least `n` for which they outnumber the used keys one is free.
fn characters_of_detour(used: usize) -> u32 {
    let powers = std::iter::successors(Some(ONE_BYTE_CHARACTERS), |keys| keys.checked_mul(ONE_BYTE_CHARACTERS));
    powers.take_while(|&keys| keys <= used).count() as u32 + 1
}

impl JsonMachine {
    /// Adds the tokens inside a key. Alternatives that agree on the keys share one search.
    pub(super) fn add_in_keys(
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

    /// Adds the tokens inside a key that is not named, for alternatives that agree on the keys. `None` if no bound of the cost holds for all
    /// of them, so that they have to be walked byte by byte.
    fn add_in_key(&self, state: &JsonState, below: Below<'_>, set: &mut TokenSet) -> Option<Cost> {
        let At::Key { keys, text } = &state.at else { return None };
        let key = keys.iter().next()?;
        let KeyReader::Additional(at) = key.reader else { return None };
        if !state.is_clear() {
            return None;
        }
        let (level, object) = (&state.level, self.object(key.item.shape));
        let additional = object.additional.as_ref()?;
        if at.decoder != Decoder::Body {
            return None;
        }
        // The bound on a detour counts on many characters of one byte.
        let characters = &additional.keys.characters;
        let universal = characters.is_universal(at.state) && characters.spelled().are_many();
        let classes = self.classes.of_string(&additional.keys, &at, below.node, below.vocabulary)?;
        let reach = if universal { Cost::ZERO } else { classes.reach() };
        let inside = InsideKey { level, object, additional, text, at, universal, reach };
        debug_assert!(universal || classes.frame().most_tail().get() <= TAIL_MARGIN);
        let cost = self.cost_inside_keys(keys, &inside, below.bytes);
        let room = Room { least: 0, most: u32::MAX, bytes: below.bytes };
        let mut used: Vec<&[u8]> = used_with_prefix(object, &level.seen, text).map(|key| &key[text.len()..]).collect();
        // The written keys come sorted, then the named ones: the stable sort merges the two runs in linear time.
        used.sort();
        // Tokens are taken out again below, which must not take out what another alternative has added to the set.
        let mut apart = (!used.is_empty()).then(|| TokenSet::new(below.vocabulary.mask_words()));
        let own = apart.as_mut().unwrap_or(&mut *set);
        let mut reach = match cost {
            CostInside::None => Cost::ZERO,
            CostInside::Bound(bound) => classes.add_inside(bound, room, own),
            CostInside::Each => {
                let groups = self.classes.of_string_by_state(&additional.keys, &at, below.node, below.vocabulary)?;
                let cost = |after| self.cost_beyond_used(keys, &inside, after);
                self.add_by_state(state, &groups, cost, below, own)
            }
        };
        let mut deferred = Vec::new();
        if !classes.closes_nowhere() {
            let open = OpenString { classes: &classes, node: below.node, escapes: additional.keys.escapes, room };
            reach = reach.max(self.add_closing_keys(keys, &inside, &open, &mut deferred, own));
        }
        if !used.is_empty() {
            let put_off = !universal || matches!(cost, CostInside::Each);
            self.remove_used(&inside, &used, put_off, below, &mut deferred, own);
        }
        reach = reach.max(self.add_tokens(state, &deferred, below, own));
        if let Some(own) = apart {
            set.union(own.words());
        }
        Some(reach)
    }

    /// The cost of the tokens that stay inside the key, in the cheapest alternative.
    fn cost_inside_keys(&self, keys: &Few<Key>, inside: &InsideKey<'_>, bytes: u32) -> CostInside {
        let &InsideKey { level, object, additional, text, universal, .. } = inside;
        let bound = Cost::least(keys.iter().map(|key| self.cost_inside_key(key, inside)));
        let least = Cost::least(keys.iter().map(|key| self.least_cost_inside_key(level, key)));
        // A key that may be anything and may end here needs no more characters: near the end of the budget they are all left out. The key
        // can be closed instead, so the mask does not become empty.
        let may_end = universal && additional.classes.len() == 1 && !is_used(object, &level.seen, text);
        let margin = if universal { 0 } else { TAIL_MARGIN };
        match bound {
            _ if least > bytes => CostInside::None,
            bound if !bound.is_never() && bound + margin <= bytes => CostInside::Bound(bound),
            bound if may_end && !bound.is_never() => CostInside::None,
            _ => CostInside::Each,
        }
    }

    /// The least bytes to the end of the output where a token has left all used keys behind and led to a state of the automaton of keys.
    fn cost_beyond_used(&self, keys: &Few<Key>, inside: &InsideKey<'_>, after: u32) -> Cost {
        Cost::least(keys.iter().map(|key| {
            let classes = key.costs.of_classes().iter();
            let of_class =
                |&(value, class): &(Cost, u32)| value + inside.additional.classes[class as usize].costs[after as usize];
            Cost::least(classes.map(of_class))
                + (2 + self.spacing.colon)
                + Self::exit_cost(inside.level, key.item.schema)
        }))
    }

    /// Adds the tokens that close the key. What follows depends on the class of the key alone, which the state at its quote tells.
    fn add_closing_keys(
        &self,
        keys: &Few<Key>,
        inside: &InsideKey<'_>,
        open: &OpenString<'_>,
        deferred: &mut Vec<u32>,
        set: &mut TokenSet,
    ) -> Cost {
        let mut reach = Cost::ZERO;
        for class in 0..inside.additional.classes.len() {
            let Some(after) = self.after_key(inside.level, keys, class) else { continue };
            let closes = |state: u32| inside.additional.class_of[state as usize] == class as u32;
            reach = reach.max(self.add_closing(open, &after, closes, deferred, set));
        }
        reach
    }

    /// Removes the tokens that would repeat a key. `used` are the completions of the key to a used one, sorted. With `put_off` so are the
    /// tokens along used keys: in keys with a pattern no bound holds for the detour around the used keys, as in `^a*$`, where there is one
    /// key of each length.
    fn remove_used(
        &self,
        inside: &InsideKey<'_>,
        used: &[&[u8]],
        put_off: bool,
        below: Below<'_>,
        deferred: &mut Vec<u32>,
        set: &mut TokenSet,
    ) {
        let &InsideKey { level, object, additional, text, at, .. } = inside;
        let keys = UsedKeys { additional, object, level, text, used, trie: below.trie() };
        if !put_off {
            // Where all characters are allowed, the tokens depend on nothing else than is in this cache key.
            let mut print = Fingerprint::new();
            print.add((additional.keys.characters.id(), at.state, below.node, used));
            let tokens = self.known.removed(print.value(), || keys.repeating(below.node, &at));
            tokens.iter().for_each(|&token| set.remove(token));
            return;
        }
        let found = keys.along(below.node, &at);
        found.repeating.iter().chain(&found.near).for_each(|&token| set.remove(token));
        deferred.extend(found.near);
    }

    /// A bound of the cost of the output after any token that stays inside the key, in keys with a pattern after any that leaves the used keys
    /// behind. It sums up the rest of the key by its pattern, a detour around the used keys, the quote and the colon, the dearest value that
    /// a class of keys may need, and what follows the object.
    fn cost_inside_key(&self, key: &Key, inside: &InsideKey<'_>) -> Cost {
        let &InsideKey { level, object, additional, at, reach, universal, .. } = inside;
        let used = object.properties.len() + written(level).count() as usize;
        let detour = if universal { characters_of_detour(used) } else { 0 };
        // A token may lead to one class alone. If that class admits no key here, no bound holds for all tokens.
        let is_reachable =
            |class: usize| additional.classes[class].costs.get(at.state as usize).is_some_and(|&rest| !rest.is_never());
        let reachable = (0..additional.classes.len()).filter(|&class| is_reachable(class)).count();
        let known = key.costs.of_classes().iter().filter(|(_, class)| is_reachable(*class as usize));
        let value = if known.clone().count() < reachable { None } else { known.map(|(cost, _)| *cost).max() };
        let value = value.unwrap_or(Cost::NEVER);
        value + reach + (detour + 2 + self.spacing.colon) + Self::exit_cost(level, key.item.schema)
    }

    /// The least bytes from anywhere inside the key to the end of the output: those of its quote and colon, the cheapest value, and what
    /// follows the object.
    fn least_cost_inside_key(&self, level: &Level, key: &Key) -> Cost {
        let value = Cost::least(key.costs.of_classes().iter().map(|(cost, _)| *cost));
        value + (2 + self.spacing.colon) + Self::exit_cost(level, key.item.schema)
    }

    /// The state after a key of this class whose text is not known. It stands for all keys of the class up to the next key, which must not
    /// repeat this one.
    fn after_key(&self, level: &Level, keys: &Few<Key>, class: usize) -> Option<JsonState> {
        let mut choices = Vec::new();
        for key in keys.iter() {
            let next = self.after_added(&key.item);
            let ways = self.object(key.item.shape).additional.as_ref()?.classes.get(class)?.ways();
            let entries = self.entries(level, (&key.item, None), &next, adding(level, class as u32), ways);
            choices.extend(entries.map(|(choice, _)| choice));
        }
        let pending = self.pending(choices)?;
        let level = level.with_key_of_class(class as u32);
        Some(JsonState { level, at: At::Colon { pending, blanks: 0 } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::Automaton;
    use crate::json;
    use crate::json::language::cache::Languages;
    use crate::json::language::spellable::Spellable;
    use crate::json::schema::documents::Documents;
    use crate::json::tokens::cache::ClassesCache;
    use crate::options::{Limits, Options};
    use crate::vocabulary::Vocabulary;

    /// The ASCII characters that stand for themselves in JSON.
    fn of_one_byte() -> impl Iterator<Item = char> {
        (' '..='\x7F').filter(|c| !matches!(c, '"' | '\\'))
    }

    /// Asserts that no token behind the quote of a next key exceeds the budget, for each budget around the bound. Returns the cost after `a`.
    fn check(schema: &str, used: &[String]) -> Cost {
        let pieces = ["ab", "xyz", "\\u00", "\"", "\":", "\":n", "é\""].map(|piece| Some(piece.as_bytes().to_vec()));
        let tokens: Vec<_> = (0..=255u8).map(|byte| Some(vec![byte])).chain(pieces).chain([None]).collect();
        let end = tokens.len() as u32 - 1;
        let vocabulary = Vocabulary::new(tokens, vec![end]).expect("a vocabulary");
        let classes = Arc::new(ClassesCache::new(&vocabulary, Spellable::ALL));
        let (options, limits, documents) = (Options::default(), Limits::default(), Documents::default());
        let languages = Languages::new(1 << 20, Spellable::ALL);
        let machine = json::compile(schema, &options, &limits, &languages, &documents, &classes).expect("a schema");
        let keys: String = used.iter().map(|key| format!("\"{key}\":null,")).collect();
        let text = format!("{{{keys}\"");
        let step = |state: JsonState, byte: u8| machine.step(&state, byte);
        let state = text.bytes().try_fold(machine.start(), step).expect("allowed");
        let words = vocabulary.mask_words();
        let mut all = TokenSet::new(words);
        let reach = machine.allowed(&vocabulary, &state, &mut all);
        let least = machine.cost(&state).get();
        for left in least..reach.get() + 3 {
            let mut set = TokenSet::new(words);
            machine.allowed_within(&vocabulary, &state, left, &mut set);
            for token in (0..end).filter(|&token| all.contains(token)) {
                let bytes = vocabulary.bytes(token).expect("a token");
                let after = bytes.iter().try_fold(state.clone(), |state, &byte| machine.step(&state, byte));
                let cost = machine.cost(&after.expect("allowed"));
                assert!(cost <= reach && (cost <= left || !set.contains(token)), "{token} within {left}: {cost:?}");
            }
        }
        machine.cost(&step(state, b'a').expect("allowed"))
    }

    #[test]
    fn with_all_keys_of_one_character_used_a_detour_of_one_character_is_in_the_bound() {
        let used: Vec<String> = of_one_byte().map(String::from).collect();
        assert_eq!(used.len(), 94);
        assert_eq!(check(r#"{"additionalProperties": {"type": "null"}}"#, &used), "x\":null}".len() as u32);
    }

    #[test]
    fn with_all_keys_that_continue_a_token_used_a_detour_of_two_characters_is_in_the_bound() {
        let longer = of_one_byte().map(|c| format!("a{c}"));
        let used: Vec<String> = std::iter::once("a".to_owned()).chain(longer).collect();
        assert_eq!(check(r#"{"additionalProperties": {"type": "null"}}"#, &used), "xx\":null}".len() as u32);
    }

    #[test]
    fn with_short_keys_of_a_pattern_used_the_detour_is_in_the_bound() {
        let schema = r#"{"patternProperties": {"^[a-z]{2,}$": {"type": "null"}}, "additionalProperties": false}"#;
        let used: Vec<String> = ('a'..='z').map(|c| format!("a{c}")).collect();
        assert_eq!(check(schema, &used), "xx\":null}".len() as u32);
    }

    #[test]
    fn with_keys_of_each_length_used_tokens_along_them_cost_what_is_left_to_the_first_free_one() {
        for (pattern, used) in [("^(a*|b)$", 5), ("^(a*|b)$", 40), ("^(a*|b|xc{3})$", 40), ("^(a*|b|a*cd)$", 40)] {
            let schema = format!(
                r#"{{"patternProperties": {{"{pattern}": {{"type": "null"}}}}, "additionalProperties": false}}"#
            );
            let keys: Vec<String> = (0..used).map(|length| "a".repeat(length)).collect();
            let shortest = if pattern.ends_with("cd)$") { 2 } else { used - 1 };
            assert_eq!(check(&schema, &keys), (shortest + "\":null}".len()) as u32, "{pattern} {used}");
        }
    }

    #[test]
    fn a_detour_has_the_characters_with_which_completions_outnumber_the_used_keys() {
        let counts = [0, 63, 64, 4095, 4096, usize::MAX];
        assert_eq!(counts.map(characters_of_detour), [1, 1, 2, 2, 3, 11]);
    }
}
