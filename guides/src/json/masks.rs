//! The tokens that are allowed in a state, found without a walk along all of them where the output is inside a string.

use super::classes::{Room, StringClasses};
use super::digits::{AFTER_VALUES, OF_NUMBERS};
use super::few::Few;
use super::frame::AfterQuote;
use super::machine::{JsonMachine, adding, written};
use super::object::{Additional, MANY_KEYS, Object, key_of_class};
use super::shape::{self, Numbers, SchemaId};
use super::state::{At, Choice, Fingerprint, JsonState, Key, KeyReader, Level, Reader, Scalar};
use super::strings::{Decoder, Escapes, StringState, short_escape, spelled_length};
use super::subsumed;
use super::used::{any_possible, characters_after, used_with_prefix};
use crate::automaton::{Automaton, bytes::ByteSet, dfa::NEVER};
use crate::mask::TokenSet;
use crate::trie::Trie;
use crate::vocabulary::Vocabulary;
use std::sync::Arc;

/// Subtrees of fewer nodes are walked whatever the state.
const SMALL: u32 = 24;

/// A node of the trie, and how many bytes lead to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Below {
    pub(super) node: u32,
    depth: usize,
}

impl Below {
    pub(super) const ROOT: Below = Below { node: 0, depth: 0 };

    /// One byte further, at this node.
    pub(super) fn child(self, node: u32) -> Below {
        Below { node, depth: self.depth + 1 }
    }
}

impl JsonMachine {
    /// Adds the tokens below a node along whose remaining bytes the output can go on from `state`, and after which it can be
    /// completed in `bytes`. Returns a bound of the cost after any of them.
    pub(super) fn add_allowed(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let trie = vocabulary.trie();
        if trie.end(below.node) - below.node > SMALL {
            if let Some(reach) = self.add_literals(vocabulary, state, below, bytes, set) {
                return reach;
            }
            if !state.is_clear() {
                return self.add_apart(vocabulary, state, below, bytes, set);
            }
            match &state.at {
                At::Value { pending, .. } if state.level.distinct.is_none() => {
                    return self.add_values(vocabulary, state, pending, below, bytes, set);
                }
                At::Scalar { pending, machines }
                    if state.level.distinct.is_none() && machines.iter().all(is_number) =>
                {
                    let numbers = machines.iter().filter_map(|scalar| match scalar.reader {
                        Reader::Number { state } => {
                            Some((scalar.schema, self.schema(scalar.schema).numbers.as_ref()?, state))
                        }
                        _ => None,
                    });
                    let level = &state.level;
                    return self.add_numbers(vocabulary, (level, pending), numbers.collect(), below, bytes, set);
                }
                At::Scalar { pending, machines }
                    if machines.iter().any(|scalar| is_in_string(scalar) || is_in_label(scalar)) =>
                {
                    // What one of the alternatives allows is allowed.
                    let each = machines.iter().map(|scalar| {
                        let at = At::Scalar { pending: pending.clone(), machines: Few::One(scalar.clone()) };
                        let state = JsonState { level: state.level.clone(), at };
                        if is_in_label(scalar) && state.level.distinct.is_none() {
                            return self.add_in_label(vocabulary, &state, scalar, below, bytes, set);
                        }
                        let reach = self.add_in_string(vocabulary, &state, scalar, below, bytes, set);
                        match reach {
                            Some(reach) => reach.max(self.add_beginning_labels(vocabulary, &state, scalar, bytes, set)),
                            None => self.add_each(vocabulary, &state, below, bytes, set),
                        }
                    });
                    return each.max().unwrap_or(0);
                }
                At::Key { keys, text } if keys.iter().any(is_in_key) => {
                    return self.add_in_keys(vocabulary, state, (keys, text), below, bytes, set);
                }
                _ => {}
            }
        }
        self.add_each(vocabulary, state, below, bytes, set)
    }

    /// As [`Self::add_allowed`], where what is being written can become equal to another entry: the tokens that are allowed if it
    /// cannot, without those along which it does.
    fn add_apart(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let mut own = TokenSet::new(vocabulary.mask_words());
        let reach = self.add_allowed(vocabulary, &state.apart(), below, bytes, &mut own);
        let reach = reach.max(self.remove_repeating(vocabulary, state, below.node, bytes, &mut own));
        set.union(own.words());
        reach
    }

    /// Removes the tokens below a node along which an entry becomes equal to another one, or can no longer differ, as long as it
    /// may. Returns a bound of the cost after those that may stay.
    fn remove_repeating(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        node: u32,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let trie = vocabulary.trie();
        let mut reach = 0;
        // After a byte with which all that is written differs from the entries before it there is nothing to remove.
        let open = state.level.distinct.as_ref().map_or_else(ByteSet::default, |distinct| distinct.open_bytes());
        let possible = self.next_bytes(state).and(open);
        for child in trie.children_along(node, possible) {
            let byte = trie.byte(child);
            let remove = |tokens: &[u32], set: &mut TokenSet| tokens.iter().for_each(|&token| set.remove(token));
            let Some(next) = self.step_recorded(state, byte) else {
                if self.step_recorded(&state.apart(), byte).is_some() {
                    remove(trie.below(child), set);
                }
                continue;
            };
            if next.is_clear() {
                continue;
            }
            if !self.has_way_apart(&next) {
                remove(trie.below(child), set);
                continue;
            }
            let own = trie.own(child);
            if !own.is_empty() {
                match self.cost(&next) {
                    cost if cost > bytes => remove(own, set),
                    cost => reach = reach.max(cost),
                }
            }
            reach = reach.max(self.remove_repeating(vocabulary, &next, child, bytes, set));
        }
        reach
    }

    /// As [`Self::add_allowed`], byte by byte.
    fn add_each(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        self.add_along(vocabulary, state, self.next_bytes(state), below, bytes, set)
    }

    /// As [`Self::add_each`], along these bytes.
    pub(super) fn add_along(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        possible: ByteSet,
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let trie = vocabulary.trie();
        let mut reach = 0;
        for node in trie.children_along(below.node, possible) {
            let Some(next) = self.step(state, trie.byte(node)) else { continue };
            reach = reach.max(self.add_node(vocabulary, &next, node, below.depth + 1, bytes, set));
        }
        reach
    }

    /// As [`Self::add_allowed`], with the tokens of the node itself. `state` is that after its bytes, `depth` their number.
    fn add_node(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        node: u32,
        depth: usize,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let trie = vocabulary.trie();
        let (own, mut reach) = (trie.own(node), 0);
        if !own.is_empty() {
            let cost = self.cost(state);
            if cost <= bytes {
                set.insert_all(own);
                reach = cost;
            }
        }
        if trie.end(node) > node + 1 {
            reach = reach.max(self.add_allowed(vocabulary, state, Below { node, depth }, bytes, set));
        }
        reach
    }

    /// Where a value begins: numbers as a whole, the rest byte by byte.
    fn add_values(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        pending: &Few<Choice>,
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let mut possible = self.next_bytes(state);
        let mut reach = 0;
        let begins_number = |literal: &[u8]| literal.first().is_some_and(|&byte| OF_NUMBERS.contains(byte));
        let mut literals = pending.iter().flat_map(|choice| self.schema(choice.schema).literals.iter());
        if self.spacing.left(&state.level, &state.at) == 0 && !literals.any(|text| begins_number(text)) {
            let schemas = pending.iter().filter_map(|choice| {
                let numbers = self.schema(choice.schema).numbers.as_ref()?;
                Some((choice.schema, numbers, numbers.dfa.start()))
            });
            let level = &state.level;
            reach = self.add_numbers(vocabulary, (level, pending), schemas.collect(), below, bytes, set);
            possible = possible.without(OF_NUMBERS);
        }
        reach.max(self.add_along(vocabulary, state, possible, below, bytes, set))
    }

    /// Within numbers, of these schemas and in these states: of what belongs to one each byte is a step of its automaton and nothing
    /// more.
    fn add_numbers(
        &self,
        vocabulary: &Vocabulary,
        (level, pending): (&Level, &Few<Choice>),
        mut open: Vec<(SchemaId, &Arc<Numbers>, u32)>,
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let mut reach = 0;
        while let Some(&(_, numbers, state)) = open.first() {
            // However many alternatives read the same number, it is the same tokens.
            let is_same = |(_, other, at): &(SchemaId, &Arc<Numbers>, u32)| other.id == numbers.id && *at == state;
            let mut schemas = Vec::new();
            open.retain(|one| {
                let same = is_same(one);
                if same && !schemas.contains(&one.0) {
                    schemas.push(one.0);
                }
                !same
            });
            let number = (&**numbers, state, &*schemas);
            reach = reach.max(self.add_number(vocabulary, (level, pending), number, below, bytes, set));
        }
        reach
    }

    fn add_number(
        &self,
        vocabulary: &Vocabulary,
        (level, pending): (&Level, &Few<Choice>),
        (numbers, state, schemas): (&Numbers, u32, &[SchemaId]),
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let rests = pending.iter().filter(|choice| schemas.contains(&choice.schema)).map(|choice| choice.next.rest);
        let rest = rests.min().unwrap_or(NEVER);
        let classes = vocabulary.number_classes(numbers, state, below.node);
        let mut reach = 0;
        for (cost, tokens) in classes.inside() {
            let cost = shape::add(*cost, rest);
            if cost <= bytes {
                tokens.add_to(set);
                reach = reach.max(cost);
            }
        }
        if classes.ends().is_empty() {
            return reach;
        }
        // However the number is spelled, the same comes after it.
        let Some(after) = self.value_done(level, pending, schemas) else { return reach };
        let trie = vocabulary.trie();
        for &(end, depth) in classes.ends() {
            for node in trie.children_along(end, AFTER_VALUES) {
                if let Some(next) = self.step(&after, trie.byte(node)) {
                    reach = reach.max(self.add_node(vocabulary, &next, node, below.depth + depth + 1, bytes, set));
                }
            }
        }
        reach
    }

    /// Within a string, read for one schema. `None` if the tokens have to be looked at one by one.
    fn add_in_string(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        scalar: &Scalar,
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> Option<u32> {
        let Reader::String { index, state: at } = scalar.reader else { return None };
        let strings = self.schema(scalar.schema).strings.get(index as usize)?;
        let (At::Scalar { pending, .. }, Decoder::Body) = (&state.at, at.decoder) else { return None };
        // Which tokens begin a label is known for the root of the trie alone.
        if strings.begins_label(&at) || strings.has_labels() && below.node != Below::ROOT.node {
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
        let classes = vocabulary.string_classes(strings, &at, below.node)?;
        let mut room = Room { least: 0, most: u32::MAX, bytes };
        let mut reach = cost;
        if strings.is_free(&at) {
            if cost > bytes {
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
        let inside = classes.add_inside(reach, Room { bytes: bytes_inside, ..room }, set);
        let closed = Scalar {
            reader: Reader::String { index, state: StringState { decoder: Decoder::Closed, ..at } },
            schema: scalar.schema,
        };
        if classes.closes_nowhere() {
            return Some(inside);
        }
        let Some(after) = self.scalar_done(&state.level, pending, &Few::One(closed)) else { return Some(inside) };
        let mut deferred = Vec::new();
        let follows = self.after_quote(&classes, below.node, strings.escapes, &after, begins_entry);
        let closed = classes.add_closing((&follows, self.cost(&after)), room, |_| true, &mut deferred, set);
        let others = self.add_tokens(vocabulary, state, &deferred, below, bytes, set);
        Some(inside.max(closed).max(others))
    }

    /// Within a label that is read with its text, for one schema: what belongs to it is a step of the label and nothing more.
    fn add_in_label(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        scalar: &Scalar,
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let (At::Scalar { pending, .. }, Reader::Label { index, label }) = (&state.at, &scalar.reader) else {
            return 0;
        };
        let strings = &self.schema(scalar.schema).strings[*index as usize];
        let rest = self.cost(state) - strings.cost_in_label(label);
        let trie = vocabulary.trie();
        let mut reach = 0;
        let mut open = vec![(below, label.clone())];
        while let Some((below, label)) = open.pop() {
            let after = strings.after_label(&label);
            for node in trie.children(below.node) {
                let (byte, depth) = (trie.byte(node), below.depth + 1);
                if let Some(next) = strings.step_label(&label, byte) {
                    let cost = shape::add(strings.cost_in_label(&next), rest);
                    if !trie.own(node).is_empty() && cost <= bytes {
                        set.insert_all(trie.own(node));
                        reach = reach.max(cost);
                    }
                    if trie.end(node) > node + 1 {
                        open.push((Below { node, depth }, Arc::new(next)));
                    }
                } else if let Some(next) = after.and_then(|after| strings.step(&after, byte)) {
                    let reader = Reader::String { index: *index, state: next };
                    let machines = Few::One(Scalar { reader, schema: scalar.schema });
                    let at = At::Scalar { pending: pending.clone(), machines };
                    let next = self.settled(JsonState { level: state.level.clone(), at });
                    reach = reach.max(self.add_node(vocabulary, &next, node, depth, bytes, set));
                }
            }
        }
        reach
    }

    /// Adds the tokens along which a label begins that is read with its text, of a string that is read for one schema.
    fn add_beginning_labels(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        scalar: &Scalar,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let Reader::String { index, .. } = scalar.reader else { return 0 };
        let strings = &self.schema(scalar.schema).strings[index as usize];
        let (mut reach, mut done) = (0, 0);
        if !strings.has_labels() {
            return 0;
        }
        for (node, path) in vocabulary.label_nodes() {
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
                done = vocabulary.trie().end(*node);
                let next = JsonState { level, at: At::Scalar { pending, machines } };
                reach = reach.max(self.add_node(vocabulary, &next, *node, path.len(), bytes, set));
            }
        }
        reach
    }

    /// Adds those of the tokens along which the output can go on, looked at one by one.
    fn add_tokens(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        tokens: &[u32],
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let mut reach = 0;
        for &token in tokens {
            let rest = vocabulary.bytes(token).and_then(|bytes| bytes.get(below.depth..));
            let end = rest.and_then(|rest| rest.iter().try_fold(state.clone(), |state, &byte| self.step(&state, byte)));
            if let Some(cost) = end.map(|end| self.cost(&end)).filter(|&cost| cost <= bytes) {
                set.insert(token);
                reach = reach.max(cost);
            }
        }
        reach
    }

    /// Within a key, of which some alternatives do not name it.
    fn add_in_keys(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        (keys, text): (&Few<Key>, &Arc<[u8]>),
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> u32 {
        let in_some = |keys: Few<Key>| {
            let at = At::Key { keys, text: text.clone() };
            JsonState { level: state.level.clone(), at }
        };
        let named = keys.filter_map(|key| (!is_in_key(key)).then(|| key.clone()));
        let mut reach = named.map_or(0, |named| self.add_each(vocabulary, &in_some(named), below, bytes, set));
        let mut open: Vec<&Key> = keys.iter().filter(|key| is_in_key(key)).collect();
        while let Some(&first) = open.first() {
            // Alternatives that agree on which keys there may be.
            let agree = |key: &Key| {
                let (one, other) = (self.object(first.item.shape), self.object(key.item.shape));
                first.reader == key.reader
                    && match (&one.additional, &other.additional) {
                        (Some(one), Some(other)) => subsumed::are_same(one, other),
                        _ => false,
                    }
                    && one.has_same_names(other)
            };
            let (same, others): (Vec<&Key>, Vec<&Key>) =
                open.iter().partition(|key| std::ptr::eq(**key, first) || agree(key));
            open = others;
            let Some(keys) = Few::from_vec(same.into_iter().cloned().collect()) else { break };
            let state = in_some(keys.clone());
            let found = self.add_in_key(vocabulary, &state, (&keys, text), below, bytes, set);
            reach = reach.max(found.unwrap_or_else(|| self.add_each(vocabulary, &state, below, bytes, set)));
        }
        reach
    }

    /// Within a key that is not named, read for alternatives that agree on which keys there may be. `None` if the tokens have to be looked
    /// at one by one.
    fn add_in_key(
        &self,
        vocabulary: &Vocabulary,
        state: &JsonState,
        (keys, text): (&Few<Key>, &Arc<[u8]>),
        below: Below,
        bytes: u32,
        set: &mut TokenSet,
    ) -> Option<u32> {
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
        let classes = vocabulary.string_classes(&additional.keys, &at, below.node)?;
        let reach = if universal { 0 } else { classes.reach() };
        let costs = keys.iter().map(|key| self.cost_inside_key(level, (key, &at), object, additional, reach));
        let cost = costs.min().unwrap_or(NEVER);
        if cost == NEVER || cost.saturating_add(16) > bytes {
            return None;
        }
        let room = Room { least: 0, most: u32::MAX, bytes };
        let mut used: Vec<&[u8]> = used_with_prefix(object, &level.seen, text).map(|key| &key[text.len()..]).collect();
        // Two sorted lists, one after the other.
        used.sort();
        // What is taken out again must not take out what another alternative allows.
        let mut apart = (!used.is_empty()).then(|| TokenSet::new(vocabulary.mask_words()));
        let own = apart.as_mut().unwrap_or(&mut *set);
        let mut reach = classes.add_inside(cost, room, own);
        let mut deferred = Vec::new();
        let classes_of_keys = if classes.closes_nowhere() { 0 } else { additional.classes.len() };
        for class in 0..classes_of_keys {
            let Some(after) = self.after_key(level, keys, class) else { continue };
            let stop = |state: &JsonState| matches!(state.at, At::Key { .. }) || begins_entry(state);
            let follows = self.after_quote(&classes, below.node, additional.keys.escapes, &after, stop);
            let closes = |state: u32| additional.class_of[state as usize] == class as u32;
            let follows = (&*follows, self.cost(&after));
            reach = reach.max(classes.add_closing(follows, room, closes, &mut deferred, own));
        }
        if !used.is_empty() {
            let escaped = used.iter().any(|key| key.iter().any(|&byte| may_be_escaped(byte)));
            let find = || {
                if universal && !used.iter().any(|key| key.iter().any(|&byte| spelled_length(byte) == CODE)) {
                    return tokens_of_keys(vocabulary.trie(), below.node, &used);
                }
                let removal = Removal { additional, object, level, text, used: &used, escaped };
                let mut removed = Vec::new();
                removal.find(vocabulary, below.node, &at, &[], &mut removed);
                removed
            };
            let tokens = if universal {
                let mut print = Fingerprint::new();
                print.add((additional.keys.characters.id(), at.state, below.node, &used));
                self.known.removed(print.value(), find)
            } else {
                find().into()
            };
            tokens.iter().for_each(|&token| own.remove(token));
        }
        reach = reach.max(self.add_tokens(vocabulary, state, &deferred, below, bytes, own));
        if let Some(own) = apart {
            set.union(own.words());
        }
        Some(reach)
    }

    /// What may follow the quote of a string or a key that is read below a node of the trie; `state` is that after the quote.
    fn after_quote(
        &self,
        classes: &StringClasses,
        node: u32,
        escapes: Escapes,
        state: &JsonState,
        stop: impl Fn(&JsonState) -> bool,
    ) -> Arc<AfterQuote> {
        let find = || classes.frame().after_quote(self, state, stop);
        self.known.after_quote((self.key(state), node, escapes), find)
    }

    /// A bound of the cost after any token that stays inside the key.
    fn cost_inside_key(
        &self,
        level: &Level,
        (key, at): (&Key, &StringState),
        object: &Object,
        additional: &Additional,
        reach: u32,
    ) -> u32 {
        // A character or two lead to a key that is not used, or a few more where not all characters are allowed.
        let used = object.properties.len() + written(level).count() as usize;
        let powers = std::iter::successors(Some(64usize), |keys| keys.checked_mul(64));
        let detour = powers.take_while(|&keys| keys <= used).count() as u32 + if reach == 0 { 1 } else { 64 };
        // Of a class of which no key may come, any key that is still possible may be: no bound holds for all tokens.
        let is_reachable =
            |class: usize| additional.classes[class].costs.get(at.state as usize).is_some_and(|&rest| rest != NEVER);
        let reachable = (0..additional.classes.len()).filter(|&class| is_reachable(class)).count();
        let known = key.costs.iter().filter(|(_, class)| is_reachable(*class as usize));
        let value = if known.clone().count() < reachable { None } else { known.map(|(cost, _)| *cost).max() };
        let value = value.unwrap_or(NEVER);
        shape::add(shape::add(value, reach + detour + 2 + self.spacing.colon), Self::exit_cost(level, key.item.schema))
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
        let mut seen: Vec<Box<[u8]>> = level.seen.as_deref().cloned().unwrap_or_default();
        seen.push(key_of_class(class as u32));
        let level = Level { seen: Some(Arc::new(seen)), ..level.clone() };
        Some(JsonState { level, at: At::Colon { pending, blanks: 0 } })
    }
}

/// Whether an entry begins that must differ from the others, of which the last is not known.
fn begins_entry(state: &JsonState) -> bool {
    matches!(state.at, At::Value { .. }) && state.level.own_distinct().is_some()
}

fn is_number(scalar: &Scalar) -> bool {
    matches!(scalar.reader, Reader::Number { .. })
}

fn is_in_string(scalar: &Scalar) -> bool {
    matches!(scalar.reader, Reader::String { state: StringState { decoder: Decoder::Body, .. }, .. })
}

fn is_in_label(scalar: &Scalar) -> bool {
    matches!(scalar.reader, Reader::Label { .. })
}

fn is_in_key(key: &Key) -> bool {
    matches!(key.reader, KeyReader::Additional(StringState { decoder: Decoder::Body, .. }))
}

/// The keys that cannot come again.
struct Removal<'a> {
    additional: &'a Additional,
    object: &'a Object,
    level: &'a Level,
    /// The key so far.
    text: &'a [u8],
    /// What would complete it to one that is used, sorted.
    used: &'a [&'a [u8]],
    /// Whether an escape can spell some of that.
    escaped: bool,
}

/// Whether a character of a key that begins with this byte may be spelled with an escape.
pub(super) fn may_be_escaped(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | b'/')
}

/// Bytes of an escape that gives a character's code.
const CODE: u32 = 6;

/// The tokens below a node that spell the rest of one of these keys, which are sorted, and close it. No character takes an escape with
/// its code.
fn tokens_of_keys(trie: &Trie, node: u32, keys: &[&[u8]]) -> Vec<u32> {
    let mut found = Vec::new();
    let mut open = vec![(node, keys, 0)];
    while let Some((node, keys, at)) = open.pop() {
        if keys.first().is_some_and(|key| key.len() == at)
            && let Some(closed) = trie.child(node, b'"')
        {
            found.extend_from_slice(trie.below(closed));
        }
        let mut go_on = |child: u32, byte: u8| {
            let byte_of = |key: &&[u8]| key.get(at).copied();
            let along = &keys[keys.partition_point(|key| byte_of(key) < Some(byte))..];
            let along = &along[..along.partition_point(|key| byte_of(key) == Some(byte))];
            if !along.is_empty() && trie.end(child) > child + 1 {
                open.push((child, along, at + 1));
            }
        };
        let mut possible = ByteSet::default();
        possible.add_each(keys.iter().copied(), at as u32);
        let escaped = ESCAPED.and(possible) != ByteSet::default();
        for child in trie.children_along(node, possible.without(ONLY_ESCAPED)) {
            go_on(child, trie.byte(child));
        }
        for child in trie.child(node, b'\\').filter(|_| escaped).into_iter().flat_map(|escape| trie.children(escape)) {
            if let Some(meant) = short_escape(trie.byte(child)) {
                go_on(child, meant as u8);
            }
        }
    }
    found
}

/// What stands for itself in no key.
const ONLY_ESCAPED: ByteSet = ByteSet::of(b"\"\\\x08\x0C\n\r\t");

/// What can be written with a short escape.
const ESCAPED: ByteSet = ByteSet::of(b"\"\\/\x08\x0C\n\r\t");

impl Removal<'_> {
    /// The bytes along which a key can come nearer to one of those that are used.
    fn wanted(&self, state: &StringState, read: &[u8]) -> ByteSet {
        if state.decoder != Decoder::Body {
            return ByteSet::ALL;
        }
        let from = self.used.partition_point(|key| *key < read);
        let near = self.used[from..].iter().copied().take_while(|key| key.starts_with(read));
        let mut bytes = ByteSet::default();
        bytes.add_each(near, read.len() as u32);
        bytes.add(if self.escaped { b"\"\\" } else { b"\"" });
        bytes
    }

    /// Finds the tokens below a node that close a key at one of those that are used, or after which all that the key could
    /// become are used. `read` are the characters between the key so far and the node.
    fn find(&self, vocabulary: &Vocabulary, node: u32, state: &StringState, read: &[u8], found: &mut Vec<u32>) {
        let trie = vocabulary.trie();
        let keys = &self.additional.keys;
        let wanted = self.wanted(state, read);
        for child in trie.children_along(node, wanted) {
            let Some(next) = keys.step(state, trie.byte(child)) else { continue };
            if next.decoder == Decoder::Closed {
                if self.used.binary_search(&read).is_ok() {
                    found.extend_from_slice(trie.below(child));
                }
                continue;
            }
            let read = characters_after(read, state, &next, trie.byte(child));
            let place = self.used.partition_point(|key| *key < &*read);
            if !self.used.get(place).is_some_and(|key| key.starts_with(&read)) {
                continue;
            }
            if self.additional.counts[next.state as usize] < MANY_KEYS {
                let text = [self.text, &*read].concat();
                let classes = 0..self.additional.classes.len();
                let Removal { additional, object, level, .. } = self;
                if !any_possible(additional, object, &level.seen, &next, &text, classes) {
                    found.extend_from_slice(trie.below(child));
                    continue;
                }
            }
            self.find(vocabulary, child, &next, &read, found);
        }
    }
}
