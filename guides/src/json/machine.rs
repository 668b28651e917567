//! The pushdown automaton that reads a JSON text against the alternatives of a schema.

use super::analysis::Analysis;
use super::array::Array;
use super::demands::KnownDemands;
use super::distinct::Distinct;
use super::few::Few;
use super::known::Known;
use super::masks::Below;
use super::object::{Additional, KeyClass, Object, Others, Progress};
use super::once::Once;
use super::shape::{self, Schema, SchemaId, ShapeId, Way};
use super::spacing::Spacing;
use super::state::{
    At, Choice, Fingerprint, Item, JsonState, Key, KeyReader, Level, LevelKind, Parent, Reader, Scalar,
};
use super::strings::{Decoder, StringState};
use super::subsumed::{self, Alternatives};
use super::used::{any_possible, characters_after, is_used, used_with_prefix};
use crate::automaton::{Automaton, bytes::ByteSet, dfa::NEVER};
use crate::compiler::{Options, Order, Whitespace};
use crate::mask::TokenSet;
use crate::vocabulary::Vocabulary;
use std::sync::{Arc, OnceLock};

/// Differences between counts beyond this look alike to a mask: no token is so long.
const FAR: u32 = 4096;

/// The most white space in one place under [`Whitespace::Any`], in bytes: a line break and eight levels of indentation by four.
const MOST_BLANKS: u8 = 33;

#[derive(Debug)]
pub(crate) struct JsonMachine {
    schemas: Vec<Schema>,
    objects: Vec<Object>,
    arrays: Vec<Array>,
    root: SchemaId,
    /// By schema the bytes with which its values begin.
    firsts: Vec<ByteSet>,
    /// By schema; compared the first time that it matters.
    alternatives: Vec<OnceLock<Alternatives>>,
    pub(super) known: Box<Known>,
    bytes: usize,
    /// The most white space in one place, in bytes; more than one is of any kind, a single one is a space.
    pub(super) most_blanks: u8,
    pub(super) spacing: Spacing,
    /// Whether named properties come in any order.
    any_order: bool,
}

impl JsonMachine {
    pub(crate) fn new(analysis: Analysis, options: &Options) -> JsonMachine {
        let Analysis { schemas, mut objects, arrays, root } = analysis;
        objects.iter_mut().for_each(Object::remember_demands);
        JsonMachine {
            bytes: size(&schemas, &objects, &arrays),
            firsts: schemas.iter().map(Schema::first_bytes).collect(),
            alternatives: std::iter::repeat_with(OnceLock::new).take(schemas.len()).collect(),
            schemas,
            objects,
            arrays,
            root,
            known: Box::new(Known::new()),
            most_blanks: match options.whitespace {
                Whitespace::Compact | Whitespace::Spaces | Whitespace::Pretty => 0,
                Whitespace::Optional => 1,
                Whitespace::Any => MOST_BLANKS,
            },
            spacing: Spacing::of(options.whitespace),
            any_order: options.order == Order::Any,
        }
    }

    /// Memory in bytes, roughly.
    pub(crate) fn size(&self) -> usize {
        self.bytes + self.known.bytes()
    }

    pub(super) fn schema(&self, id: SchemaId) -> &Schema {
        &self.schemas[id as usize]
    }

    pub(super) fn object(&self, id: ShapeId) -> &Object {
        &self.objects[id as usize]
    }

    pub(super) fn array(&self, id: ShapeId) -> &Array {
        &self.arrays[id as usize]
    }

    /// The bytes with which the values of a schema begin.
    pub(super) fn first_bytes(&self, id: SchemaId) -> ByteSet {
        self.firsts[id as usize]
    }

    pub(super) fn cost_of(&self, id: SchemaId) -> u32 {
        self.schemas[id as usize].cost
    }

    // Objects --------------------------------------------------------------------------------------------------------

    /// The alternatives of the objects of a schema, compared with each other.
    fn alternatives(&self, id: SchemaId) -> &Alternatives {
        self.alternatives[id as usize].get_or_init(|| {
            Alternatives::new(&self.schema(id).objects, |shape| self.object(shape), |id| self.cost_of(id))
        })
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
    pub(super) fn after_added(&self, item: &Item) -> Item {
        if self.any_order {
            return item.clone();
        }
        Item { at: self.object(item.shape).properties.len() as u32, ..item.clone() }
    }

    /// The ways in which an entry can be, those after which the object cannot be completed left out: the schema of its
    /// value, how the object goes on, and the least bytes from after the value to its closing brace.
    pub(super) fn entries<'a>(
        &'a self,
        level: &'a Level,
        next: &'a Item,
        others: Others<'a>,
        ways: impl Iterator<Item = Way> + 'a,
    ) -> impl Iterator<Item = (Choice, u32)> + 'a {
        ways.filter_map(move |way| {
            if self.cost_of(way.schema) == NEVER || !may_count(&way, next.met.set()) {
                return None;
            }
            let mut next = Item { met: next.met.with(way.counts), ..next.clone() };
            let object = self.object(next.shape);
            let close = object.cost_to_close(&next.progress(), level.count + 1, others, false, &|id| self.cost_of(id));
            next.rest = shape::add(close, Self::exit_cost(level, next.schema));
            (close != NEVER).then_some((Choice { schema: way.schema, next }, close))
        })
    }

    /// Least bytes of the value of the named property with this index and of what follows it up to the closing brace; [`NEVER`] where it
    /// cannot be the next entry.
    fn cost_of_named(
        &self,
        level: &Level,
        object: &Object,
        progress: Progress<'_>,
        index: u32,
        required: Option<u64>,
    ) -> u32 {
        let property = &object.properties[index as usize];
        if !object.is_next(&progress, index) {
            return NEVER;
        }
        if let Some(required) = required {
            return shape::add(self.cost_of(property.schema), object.cost_to_close_after(required, index));
        }
        let progress = progress.after(index);
        let costs = property.ways().filter(|way| may_count(way, progress.met)).map(|way| {
            let progress = Progress { met: progress.met | way.counts, ..progress };
            let cost = |id| self.cost_of(id);
            let close = object.cost_to_close(&progress, level.count + 1, written(level), false, &cost);
            shape::add(self.cost_of(way.schema), close)
        });
        costs.min().unwrap_or(NEVER)
    }

    /// The costs of all named keys ([`Key::costs`]).
    fn costs_of_named(&self, level: &Level, object: &Object, item: &Item) -> Vec<(u32, u32)> {
        let required = object.always_closes(level.count + 1).then(|| object.bytes_required(&item.progress()));
        let known = KnownDemands::default();
        let progress = Progress { known: Some(&known), ..item.progress() };
        let cost = |&index: &u32| (self.cost_of_named(level, object, progress, index, required), index);
        object.sorted.iter().map(cost).collect()
    }

    /// Least bytes of the value of an additional key and of what follows it, and the class of the key, for all classes of which one may
    /// come; the cheapest first.
    fn costs_of_added(&self, level: &Level, item: &Item, additional: &Additional) -> Vec<(u32, u32)> {
        let next = self.after_added(item);
        let object = self.object(item.shape);
        let closes = object.always_closes(level.count + 1);
        let close =
            if closes { shape::capped(object.bytes_required(&next.progress()) + object.closing()) } else { NEVER };
        let cost = |(class, key): (u32, &KeyClass)| {
            if closes {
                let cost = shape::add(self.cost_of(key.schema), close);
                return (cost != NEVER).then_some((cost, class));
            }
            let entries = self.entries(level, &next, adding(level, class), key.ways());
            let cost = entries.map(|(choice, close)| shape::add(self.cost_of(choice.schema), close)).min()?;
            (cost != NEVER).then_some((cost, class))
        };
        let mut costs: Vec<_> = (0..).zip(&additional.classes).filter_map(cost).collect();
        costs.sort_unstable();
        costs
    }

    /// Whether keys that are not named can come next.
    pub(super) fn may_add(&self, object: &Object, item: &Item) -> bool {
        object.additional.is_some() && (self.any_order || !object.requires_more(&item.progress()))
    }

    /// The keys that can come next, after the opening quote.
    fn keys(&self, level: &Level, items: &Few<Item>) -> Option<At> {
        let depends = |item: &Item| !self.object(item.shape).always_closes(level.count + 1);
        let keys = if items.iter().any(depends) {
            let written = (items.clone(), level.count, level.seen.clone());
            self.known.keys(written, || self.find_keys(level, items))?
        } else {
            self.find_keys(level, items)?
        };
        Some(At::Key { keys, text: Arc::from([]) })
    }

    fn find_keys(&self, level: &Level, items: &Few<Item>) -> Option<Few<Key>> {
        let mut keys = Vec::new();
        for item in items.iter() {
            let object = self.object(item.shape);
            let named = KeyReader::Named { low: 0, high: object.sorted.len() as u32, depth: 0 };
            let costs = self.costs_of_named(level, object, item);
            if costs.iter().any(|(cost, _)| *cost != NEVER) {
                keys.push(Key { item: item.clone(), reader: named, costs: costs.into() });
            }
            if let (true, Some(additional)) = (self.may_add(object, item), &object.additional) {
                let state = StringState { decoder: Decoder::Body, ..additional.keys.start() };
                let costs = self.costs_of_added(level, item, additional);
                if Self::may_become(level, object, additional, (&costs, &state, &[])) {
                    let reader = KeyReader::Additional(state);
                    keys.push(Key { item: item.clone(), reader, costs: costs.into() });
                }
            }
        }
        Few::from_vec(keys)
    }

    /// Whether an additional key that repeats none can begin so: its costs ([`Key::costs`]), its state and its characters.
    fn may_become(
        level: &Level,
        object: &Object,
        additional: &Additional,
        (costs, at, text): (&[(u32, u32)], &StringState, &[u8]),
    ) -> bool {
        let classes = costs.iter().map(|(_, class)| *class as usize);
        costs.len() == additional.classes.len() && additional.is_endless_after(at)
            || any_possible(additional, object, &level.seen, at, text, classes)
    }

    /// What may come after a key, those left out that allow no more than others.
    pub(super) fn pending(&self, mut choices: Vec<Choice>) -> Option<Few<Choice>> {
        choices.dedup();
        let alike = |one: &Choice, other: &Choice| one.schema == other.schema;
        subsumed::leave_out(&mut choices, |choice| &choice.next, alike, |id| self.alternatives(id));
        Few::from_vec(choices)
    }

    fn step_key(&self, state: &JsonState, keys: &Few<Key>, text: &Arc<[u8]>, byte: u8) -> Option<JsonState> {
        let level = &state.level;
        let mut text_after: Option<Arc<[u8]>> = None;
        let mut choices: Vec<Choice> = Vec::new();
        let mut added = false;
        let next = keys.filter_map(|key| {
            let object = self.object(key.item.shape);
            match key.reader {
                KeyReader::Named { low, high, depth } => {
                    let range = &object.sorted[low as usize..high as usize];
                    let at = |index: &u32| object.properties[*index as usize].spelling.get(depth as usize).copied();
                    let (from, to) = match range {
                        [one] => (0, usize::from(at(one) == Some(byte))),
                        _ => {
                            let from = range.partition_point(|index| at(index).is_none_or(|b| b < byte));
                            let more = range[from..].partition_point(|index| at(index) == Some(byte));
                            (from, from + more)
                        }
                    };
                    let (low, high, depth) = (low + from as u32, low + to as u32, depth + 1);
                    let mut costs = key.costs[low as usize..high as usize].iter();
                    let (_, index) = *costs.find(|(cost, _)| *cost != NEVER)?;
                    let property = &object.properties[index as usize];
                    if property.spelling.len() as u32 == depth {
                        let next = self.after_named(&key.item, index);
                        let others = written(level);
                        choices.extend(self.entries(level, &next, others, property.ways()).map(|(choice, _)| choice));
                        return None;
                    }
                    Some(Key { reader: KeyReader::Named { low, high, depth }, ..key.clone() })
                }
                KeyReader::Additional(ref at) => {
                    let additional = object.additional.as_ref()?;
                    let next = additional.keys.step(at, byte)?;
                    if next.decoder == Decoder::Closed {
                        if is_used(object, &level.seen, text) {
                            return None;
                        }
                        let index = additional.class_of[at.state as usize];
                        let class = additional.classes.get(index as usize)?;
                        let next = self.after_added(&key.item);
                        let others = adding(level, index);
                        let before = choices.len();
                        choices.extend(self.entries(level, &next, others, class.ways()).map(|(choice, _)| choice));
                        added |= choices.len() > before;
                        return None;
                    }
                    let text = text_after.get_or_insert_with(|| characters_after(text, at, &next, byte));
                    let possible = Self::may_become(level, object, additional, (&key.costs, &next, text));
                    possible.then(|| Key { reader: KeyReader::Additional(next), ..key.clone() })
                }
            }
        });
        if let Some(keys) = next {
            let text = text_after.unwrap_or_else(|| text.clone());
            return Some(JsonState { level: level.clone(), at: At::Key { keys, text } });
        }
        let pending = self.pending(choices)?;
        let mut level = level.clone();
        if added {
            let mut seen: Vec<Box<[u8]>> = level.seen.as_deref().cloned().unwrap_or_default();
            let place = seen.partition_point(|other| **other < **text);
            seen.insert(place, Box::from(&**text));
            level.seen = Some(Arc::new(seen));
        }
        Some(JsonState { level, at: At::Colon { pending, blanks: 0 } })
    }

    // Values ---------------------------------------------------------------------------------------------------------

    /// The schemas of the next entry of an array, and how it goes on.
    pub(super) fn array_choices(&self, level: &Level, items: &Few<Item>) -> Option<Few<Choice>> {
        let mut choices = Vec::with_capacity(1);
        for item in items.iter() {
            let array = self.array(item.shape);
            if level.count >= array.max {
                continue;
            }
            let at = (item.at + 1).min(array.prefix.len() as u32);
            for way in array.entry(item.at).iter().filter(|way| self.cost_of(way.schema) != NEVER) {
                let Some(met) = array.counted(&item.met, way) else { continue };
                let close = array.cost_to_close(at, level.count + 1, &met, false, &|id| self.cost_of(id));
                let rest = shape::add(close, Self::exit_cost(level, item.schema));
                let choice = Choice { schema: way.schema, next: Item { at, met, rest, ..item.clone() } };
                // Without counters what follows can always be completed.
                if (array.counters.is_empty() || close != NEVER) && !choices.contains(&choice) {
                    choices.push(choice);
                }
            }
        }
        Few::from_vec(choices)
    }

    fn step_value(&self, level: &Level, pending: &Few<Choice>, byte: u8) -> Option<JsonState> {
        match byte {
            b'{' => self.push(level, pending, LevelKind::Object),
            b'[' => self.push(level, pending, LevelKind::Array),
            byte => {
                let (mut machines, mut seen) = (Vec::new(), Once::new());
                for choice in pending.iter() {
                    if seen.before(choice.schema).is_some() {
                        continue;
                    }
                    let schema = self.schema(choice.schema);
                    let mut add = |reader| {
                        if let Some(reader) = self.step_reader(schema, &reader, byte) {
                            machines.push(Scalar { schema: choice.schema, reader });
                        }
                    };
                    if !schema.literals.is_empty() {
                        add(Reader::Literal { low: 0, high: schema.literals.len() as u32, depth: 0 });
                    }
                    if let Some(numbers) = &schema.numbers {
                        add(Reader::Number { state: numbers.dfa.start() });
                    }
                    for (index, strings) in (0..).zip(&schema.strings) {
                        add(Reader::String { index, state: strings.start() });
                    }
                }
                let machines = Few::from_vec(machines)?;
                self.settled(JsonState { level: level.clone(), at: At::Scalar { pending: pending.clone(), machines } })
            }
        }
    }

    /// Opens a container for those that are pending and can be one.
    fn push(&self, level: &Level, pending: &Few<Choice>, kind: LevelKind) -> Option<JsonState> {
        let (mut items, mut seen) = (Vec::new(), Once::new());
        for choice in pending.iter() {
            let shapes = match kind {
                LevelKind::Object => &self.alternatives(choice.schema).first,
                _ => &self.schema(choice.schema).arrays,
            };
            for &shape in shapes {
                if seen.before((shape, choice.schema)).is_none() {
                    let written = self.any_order.then(|| Arc::from([]));
                    items.push(Item { written, ..Item::new(shape, choice.schema) });
                }
            }
        }
        let items = Few::from_vec(items)?;
        let (mut exits, mut seen): (Vec<(SchemaId, u32)>, _) = (Vec::new(), Once::new());
        for choice in pending.iter() {
            let cost = choice.next.rest;
            match seen.before(choice.schema) {
                Some(place) => exits[place].1 = cost.min(exits[place].1),
                None => exits.push((choice.schema, cost)),
            }
        }
        let mut print = Fingerprint::new();
        self.print_level(level, pending.iter().map(|choice| &choice.next), &mut print);
        print.add(pending.as_slice());
        let parent = Parent {
            level: level.clone(),
            pending: pending.clone(),
            exits: Few::from_vec(exits)?,
            fingerprint: print.value(),
        };
        let depth = level.depth + 1;
        let mut distinct = level.distinct.clone();
        if kind == LevelKind::Array && items.iter().any(|item| self.array(item.shape).distinct.is_some()) {
            distinct = Some(Arc::new(Distinct::new(depth, distinct)));
        }
        let level = Level { kind, count: 0, seen: None, parent: Some(Arc::new(parent)), depth, distinct };
        Some(JsonState { level, at: At::Open { items, blanks: 0 } })
    }

    /// Whether the innermost container may be closed as it is.
    fn may_close(&self, level: &Level, item: &Item) -> bool {
        match level.kind {
            LevelKind::Object => {
                let (object, progress) = (self.object(item.shape), item.progress());
                let unmet = object.demanded & !progress.met != 0;
                level.count >= object.min && !unmet && !object.requires_more(&progress)
            }
            _ => self.array(item.shape).may_close(level.count, &item.met),
        }
    }

    /// Closes the innermost container in those alternatives that allow it.
    fn pop(&self, level: &Level, items: &Few<Item>) -> Option<JsonState> {
        let parent = level.parent.as_ref()?;
        let closes = items.iter().filter(|item| self.may_close(level, item));
        let accepted: Vec<SchemaId> = closes.map(|item| item.schema).collect();
        let distinct = match level.own_distinct() {
            Some(own) => own.outer(),
            None => level.distinct.clone(),
        };
        self.value_done(&Level { distinct, ..parent.level.clone() }, &parent.pending, &accepted)
    }

    /// The state after a value that satisfies these schemas of those that were pending.
    pub(super) fn value_done(&self, level: &Level, pending: &Few<Choice>, accepted: &[SchemaId]) -> Option<JsonState> {
        if accepted.is_empty() {
            return None;
        }
        if level.kind == LevelKind::Root {
            return Some(JsonState { level: level.clone(), at: At::End });
        }
        let mut level = Level { count: level.count + 1, ..level.clone() };
        let mut repeated = false;
        if let Some((distinct, equal)) = level.own_distinct().map(Distinct::closed) {
            level.distinct = Some(Arc::new(distinct));
            repeated = equal;
        }
        let mut items: Vec<Item> = Vec::new();
        for choice in pending.iter().filter(|choice| accepted.contains(&choice.schema)) {
            let refused = repeated && self.array(choice.next.shape).distinct.is_some();
            if !refused && !items.contains(&choice.next) {
                items.push(choice.next.clone());
            }
        }
        if level.kind == LevelKind::Object {
            subsumed::leave_out(&mut items, |item| item, |_, _| true, |id| self.alternatives(id));
        }
        Some(JsonState { level, at: At::After { items: Few::from_vec(items)?, blanks: 0 } })
    }

    fn step_reader(&self, schema: &Schema, reader: &Reader, byte: u8) -> Option<Reader> {
        match *reader {
            Reader::Literal { low, high, depth } => {
                let range = &schema.literals[low as usize..high as usize];
                let at = |literal: &[u8]| literal.get(depth as usize).copied();
                let from = range.partition_point(|literal| at(literal).is_none_or(|b| b < byte));
                let to = range.partition_point(|literal| at(literal).is_none_or(|b| b <= byte));
                let (from, to) = (low + from as u32, low + to as u32);
                (from < to).then_some(Reader::Literal { low: from, high: to, depth: depth + 1 })
            }
            Reader::Number { state } => {
                let state = schema.numbers.as_ref()?.dfa.next(state, byte);
                (state != 0).then_some(Reader::Number { state })
            }
            Reader::String { index, ref state } => {
                let state = schema.strings[index as usize].step(state, byte)?;
                Some(Reader::String { index, state })
            }
        }
    }

    /// Whether the value is complete, and whether it can go on.
    pub(super) fn finished(&self, scalar: &Scalar) -> (bool, bool) {
        let schema = self.schema(scalar.schema);
        match scalar.reader {
            Reader::Literal { low, high, depth } => {
                let complete = schema.literals[low as usize].len() as u32 == depth;
                (complete, !complete || high - low > 1)
            }
            Reader::Number { state } => {
                (schema.numbers.as_ref().is_some_and(|numbers| numbers.dfa.accepts_at(state)), true)
            }
            Reader::String { ref state, .. } => {
                let closed = state.decoder == Decoder::Closed;
                (closed, !closed)
            }
        }
    }

    /// Ends a scalar that is complete and cannot go on; `None` where it may not end so.
    pub(super) fn settled(&self, state: JsonState) -> Option<JsonState> {
        let At::Scalar { pending, machines } = &state.at else { return Some(state) };
        if machines.iter().any(|scalar| self.finished(scalar).1) {
            return Some(state);
        }
        self.scalar_done(&state.level, pending, machines)
    }

    /// The state after a scalar that ends here.
    pub(super) fn scalar_done(
        &self,
        level: &Level,
        pending: &Few<Choice>,
        machines: &Few<Scalar>,
    ) -> Option<JsonState> {
        let complete = machines.iter().filter(|scalar| self.finished(scalar).0);
        let accepted: Vec<SchemaId> = complete.map(|scalar| scalar.schema).collect();
        self.value_done(level, pending, &accepted)
    }

    fn step_scalar(
        &self,
        state: &JsonState,
        pending: &Few<Choice>,
        machines: &Few<Scalar>,
        byte: u8,
    ) -> Option<JsonState> {
        let next = machines.filter_map(|scalar| {
            let reader = self.step_reader(self.schema(scalar.schema), &scalar.reader, byte)?;
            Some(Scalar { reader, schema: scalar.schema })
        });
        match next {
            Some(machines) => {
                let at = At::Scalar { pending: pending.clone(), machines };
                self.settled(JsonState { level: state.level.clone(), at })
            }
            // A number ends where something else begins.
            None if !machines.iter().any(|scalar| self.finished(scalar).0) => None,
            None => {
                let distinct = state.level.distinct.as_ref().map(|distinct| Arc::new(distinct.without_last()));
                let level = Level { distinct, ..state.level.clone() };
                self.step_recorded(&self.scalar_done(&level, pending, machines)?, byte)
            }
        }
    }

    fn step_after(&self, level: &Level, items: &Few<Item>, byte: u8) -> Option<JsonState> {
        match (level.kind, byte) {
            (LevelKind::Object, b'}') | (LevelKind::Array, b']') => self.pop(level, items),
            (LevelKind::Object, b',') => {
                let cost = |id| self.cost_of(id);
                let others = written(level);
                let items = items.filter_map(|item| {
                    let object = self.object(item.shape);
                    let rest = object.cost_after_comma(&item.progress(), level.count, others, &cost);
                    let rest = (rest != NEVER).then(|| shape::add(rest, Self::exit_cost(level, item.schema)))?;
                    Some(Item { rest, ..item.clone() })
                })?;
                Some(JsonState { level: level.clone(), at: At::Comma { items, blanks: 0 } })
            }
            (LevelKind::Array, b',') => {
                let pending = self.array_choices(level, items)?;
                Some(JsonState { level: level.clone(), at: At::Value { pending, blanks: 0 } })
            }
            _ => None,
        }
    }

    /// Adds to a key of masks what the counts of a container mean for the alternatives.
    fn print_level<'a>(&self, level: &Level, items: impl ExactSizeIterator<Item = &'a Item>, print: &mut Fingerprint) {
        let parent = level.parent.as_ref().map(|parent| parent.fingerprint);
        print.add((level.kind, self.spacing.indentation(level), parent, items.len()));
        // With several alternatives the cheapest one can change with the count, however far the bounds are.
        let far = if items.len() == 1 { FAR } else { u32::MAX };
        for item in items {
            let (min, max) = match level.kind {
                LevelKind::Root => (0, u32::MAX),
                LevelKind::Object => (self.object(item.shape).min, self.object(item.shape).max),
                LevelKind::Array => (self.array(item.shape).min, self.array(item.shape).max),
            };
            print.add((min.saturating_sub(level.count).min(far), max.saturating_sub(level.count).min(far)));
        }
        print.add(&level.seen);
        if let Some(distinct) = &level.distinct {
            print.add(distinct);
        }
    }

    // Distinct entries -----------------------------------------------------------------------------------------------

    /// A step that keeps the text of entries that must be distinct, but does not see whether the output can go on so that
    /// they are.
    pub(super) fn step_recorded(&self, state: &JsonState, byte: u8) -> Option<JsonState> {
        let Some(distinct) = &state.level.distinct else { return self.step_plain(state, byte) };
        let begins = byte != b' ' && byte != b'\n';
        let own = distinct.depth() != state.level.depth
            || match &state.at {
                At::Value { .. } => begins,
                At::Open { .. } => begins && byte != b']',
                At::Scalar { .. } => true,
                _ => false,
            };
        let level = Level { distinct: Some(Arc::new(distinct.with(byte, own))), ..state.level.clone() };
        let mut next = self.step_plain(&JsonState { level, at: state.at.clone() }, byte)?;
        if let Some(settled) = next.level.distinct.as_ref().and_then(|distinct| distinct.settled()) {
            next.level.distinct = Some(Arc::new(settled));
        }
        Some(next)
    }
}

fn size(schemas: &[Schema], objects: &[Object], arrays: &[Array]) -> usize {
    let schemas = schemas.iter().map(|schema| {
        let numbers = schema.numbers.iter().map(|numbers| numbers.dfa.size() * 2);
        let strings = schema.strings.iter().map(|strings| strings.characters.dfa.size() * 2);
        232 + schema.literals.iter().map(|literal| literal.len() + 16).chain(numbers).chain(strings).sum::<usize>()
    });
    let objects = objects.iter().map(|object| {
        let properties = object.properties.iter().map(|property| property.name.len() * 2 + 100);
        let additional = object.additional.iter().map(|additional| additional.keys.characters.dfa.size() * 2);
        200 + properties.chain(additional).sum::<usize>()
    });
    let arrays = arrays.iter().map(|array| 100 + array.prefix.len() * 16 + array.table.len() * 4);
    schemas.chain(objects).chain(arrays).sum()
}

/// Whether a way is of use where these demands are met: there is no need to meet one again.
fn may_count(way: &Way, met: u8) -> bool {
    way.counts == 0 || way.counts & !met != 0
}

/// The additional keys that were written in an object.
pub(super) fn written(level: &Level) -> Others<'_> {
    Others { keys: level.seen.as_deref().map_or(&[], Vec::as_slice), next: None }
}

/// The additional keys that were written in an object, and one more of this class.
pub(super) fn adding(level: &Level, class: u32) -> Others<'_> {
    Others { next: Some(class), ..written(level) }
}

impl JsonMachine {
    /// After one more byte of the white space that must stand here.
    fn spaced(&self, level: &Level, at: &At) -> Option<At> {
        let mut at = at.clone();
        match &mut at {
            // A line after an opening bracket is for an entry, one after an entry for the closing bracket.
            At::Open { items, blanks: 0 } if level.kind == LevelKind::Object => {
                *items = items.filter_map(|item| {
                    let (object, others) = (self.object(item.shape), written(level));
                    let cost = object.cost_after_comma(&item.progress(), level.count, others, &|id| self.cost_of(id));
                    (cost != NEVER).then(|| item.clone())
                })?;
            }
            At::Open { items, blanks: 0 } => {
                self.array_choices(level, items)?;
            }
            At::After { items, blanks: 0 } => {
                *items = items.filter_map(|item| self.may_close(level, item).then(|| item.clone()))?;
            }
            _ => {}
        }
        *at.blanks()? += 1;
        Some(at)
    }

    /// A step as far as the containers and the value go.
    fn step_plain(&self, state: &JsonState, byte: u8) -> Option<JsonState> {
        let level = &state.level;
        let here = |at: At| Some(JsonState { level: level.clone(), at });
        let lines = self.spacing.has_lines();
        if self.spacing.is_fixed()
            && let Some(next) = self.spacing.next(level, &state.at)
        {
            if byte == next {
                return here(self.spaced(level, &state.at)?);
            }
            if self.spacing.left(level, &state.at) > 0 {
                return None;
            }
        }
        let blank = byte == b' ' || self.most_blanks > 1 && matches!(byte, b'\n' | b'\t' | b'\r');
        // Numbers may end at white space; strings and keys have spaces of their own.
        if blank && !matches!(state.at, At::Scalar { .. } | At::Key { .. } | At::End) {
            let mut at = state.at.clone();
            let blanks = at.blanks()?;
            *blanks = (*blanks < self.most_blanks).then_some(*blanks + 1)?;
            return here(at);
        }
        match &state.at {
            At::Value { pending, .. } => self.step_value(level, pending, byte),
            At::Scalar { pending, machines } => self.step_scalar(state, pending, machines, byte),
            At::Open { items, blanks } => match (level.kind, byte) {
                // Where each entry has its own line, the white space tells whether there is one.
                (LevelKind::Object, b'}') | (LevelKind::Array, b']') => {
                    (*blanks == 0 || !lines).then(|| self.pop(level, items))?
                }
                _ if lines && *blanks == 0 => None,
                (LevelKind::Object, b'"') => here(self.keys(level, items)?),
                (LevelKind::Array, _) => self.step_value(level, &self.array_choices(level, items)?, byte),
                _ => None,
            },
            At::Comma { items, .. } if byte == b'"' => here(self.keys(level, items)?),
            At::Comma { .. } => None,
            At::Key { keys, text } => self.step_key(state, keys, text, byte),
            At::Colon { pending, .. } if byte == b':' => here(At::Value { pending: pending.clone(), blanks: 0 }),
            At::Colon { .. } => None,
            At::After { blanks, .. } if lines && (*blanks == 0) == matches!(byte, b'}' | b']') => None,
            At::After { items, .. } => self.step_after(level, items, byte),
            At::End => None,
        }
    }
}

impl Automaton for JsonMachine {
    type State = JsonState;

    fn start(&self) -> JsonState {
        let level = Level { kind: LevelKind::Root, count: 0, seen: None, parent: None, depth: 0, distinct: None };
        // A root value returns to nothing.
        let pending = Few::One(Choice { schema: self.root, next: Item::new(0, 0) });
        JsonState { level, at: At::Value { pending, blanks: self.most_blanks } }
    }

    fn step(&self, state: &JsonState, byte: u8) -> Option<JsonState> {
        let next = self.step_recorded(state, byte)?;
        (next.is_clear() || self.has_way_apart(&next)).then_some(next)
    }

    fn cost(&self, state: &JsonState) -> u32 {
        if state.is_clear() { self.cost_plain(state) } else { self.cost_apart(state) }
    }

    fn next_bytes(&self, state: &JsonState) -> ByteSet {
        self.bytes_after(state)
    }

    fn allowed(&self, vocabulary: &Vocabulary, state: &JsonState, set: &mut TokenSet) -> u32 {
        self.add_allowed(state, Below::root(vocabulary, u32::MAX), set)
    }

    fn allowed_within(&self, vocabulary: &Vocabulary, state: &JsonState, left: u32, set: &mut TokenSet) {
        self.add_allowed(state, Below::root(vocabulary, left), set);
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
                // What the key is so far matters only while it can become one that is used.
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
