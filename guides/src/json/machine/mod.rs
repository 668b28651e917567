//! The pushdown automaton that reads JSON text against the alternatives of a schema.
//!
//! A [`state`] is a stack of levels, one for each open container, and a place within the innermost one. A level holds the alternatives that
//! are still possible there. [`keys`] says which keys may come, [`costs`] what completes the output, [`next_bytes`] which bytes can be left
//! out at once. Alternatives that allow no more than others are dropped ([`subsumption`], an antichain). Entries that must differ
//! are recorded ([`unique`]), and where few values are left it is searched whether one remains ([`unique_search`]).

pub(crate) mod costs;
pub(crate) mod keys;
pub(crate) mod memos;
pub(crate) mod next_bytes;
pub(crate) mod spacing;
pub(crate) mod state;
pub(crate) mod subsumption;
pub(crate) mod unique;
pub(crate) mod unique_search;
pub(crate) mod used_keys;

use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::collections::few::Few;
use crate::collections::fingerprint::Fingerprint;
use crate::collections::once::Once;
use crate::json::language::strings::Decoder;
use crate::json::machine::memos::Memos;
use crate::json::machine::state::{At, Choice, Item, JsonState, Level, LevelKind, Parent, Reader, Scalar, written};
use crate::json::machine::subsumption::Alternatives;
use crate::json::machine::unique::Distinct;
use crate::json::shape::array::Array;
use crate::json::shape::object::Object;
use crate::json::shape::shapes::Analysis;
use crate::json::shape::spacing::Spacing;
use crate::json::shape::{Schema, SchemaId, ShapeId};
use crate::json::tokens::cache::ClassesCache;
use crate::options::{Options, Order, Whitespace};
use std::sync::{Arc, OnceLock};

/// Differences between counts beyond this look alike to a mask: no token is so long.
pub(crate) const FAR: u32 = 4096;

/// The most white space in one place under [`Whitespace::Any`], in bytes: a line break and eight levels of indentation by four.
const MOST_BLANKS: u8 = 33;

#[derive(Debug)]
pub(crate) struct JsonMachine {
    schemas: Vec<Schema>,
    objects: Vec<Object>,
    arrays: Vec<Array>,
    pub(crate) root: SchemaId,
    /// By schema the bytes with which its values begin.
    firsts: Vec<ByteSet>,
    /// By schema; compared the first time that it matters.
    alternatives: Vec<OnceLock<Alternatives>>,
    pub(crate) known: Box<Memos>,
    pub(crate) bytes: usize,
    /// The most white space in one place, in bytes; more than one is of any kind, a single one is a space.
    pub(crate) most_blanks: u8,
    pub(crate) spacing: Spacing,
    /// Whether named properties come in any order.
    any_order: bool,
    /// What tokens do to strings and numbers, shared by all guides of the vocabulary.
    pub(crate) classes: Arc<ClassesCache>,
}

impl JsonMachine {
    pub(crate) fn new(analysis: Analysis, options: &Options, classes: Arc<ClassesCache>) -> JsonMachine {
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
            known: Box::new(Memos::new()),
            most_blanks: match options.whitespace {
                Whitespace::Compact | Whitespace::Spaces | Whitespace::Pretty => 0,
                Whitespace::Optional => 1,
                Whitespace::Any => MOST_BLANKS,
            },
            spacing: Spacing::of(options.whitespace),
            any_order: options.order == Order::Any,
            classes,
        }
    }

    pub(crate) fn schema(&self, id: SchemaId) -> &Schema {
        &self.schemas[id.index()]
    }

    pub(crate) fn object(&self, id: ShapeId) -> &Object {
        &self.objects[id.index()]
    }

    pub(crate) fn array(&self, id: ShapeId) -> &Array {
        &self.arrays[id.index()]
    }

    /// The bytes with which the values of a schema begin.
    pub(crate) fn first_bytes(&self, id: SchemaId) -> ByteSet {
        self.firsts[id.index()]
    }

    pub(crate) fn cost_of(&self, id: SchemaId) -> Cost {
        self.schemas[id.index()].cost
    }

    // Objects --------------------------------------------------------------------------------------------------------

    // Values ---------------------------------------------------------------------------------------------------------

    /// The schemas of the next entry of an array, and how it goes on.
    pub(crate) fn array_choices(&self, level: &Level, items: &Few<Item>) -> Option<Few<Choice>> {
        let mut choices = Vec::with_capacity(1);
        for item in items.iter() {
            let array = self.array(item.shape);
            if level.count >= array.max {
                continue;
            }
            let at = (item.at + 1).min(array.prefix.len() as u32);
            for way in array.entry(item.at).iter().filter(|way| !self.cost_of(way.schema).is_never()) {
                let Some(met) = array.counted(&item.met, way) else { continue };
                let close = array.cost_to_close(at, level.count + 1, &met, false, &|id| self.cost_of(id));
                let rest = close + Self::exit_cost(level, item.schema);
                let choice = Choice { schema: way.schema, next: Item { at, met, rest, ..item.clone() } };
                // Without counters what follows can always be completed.
                if (array.counters.is_empty() || !close.is_never()) && !choices.contains(&choice) {
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
        let (mut exits, mut seen): (Vec<(SchemaId, Cost)>, _) = (Vec::new(), Once::new());
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
    pub(crate) fn value_done(&self, level: &Level, pending: &Few<Choice>, accepted: &[SchemaId]) -> Option<JsonState> {
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
            subsumption::leave_out(&mut items, |item| item, |_, _| true, |id| self.alternatives(id));
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
    pub(crate) fn finished(&self, scalar: &Scalar) -> (bool, bool) {
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
    pub(crate) fn settled(&self, state: JsonState) -> Option<JsonState> {
        let At::Scalar { pending, machines } = &state.at else { return Some(state) };
        if machines.iter().any(|scalar| self.finished(scalar).1) {
            return Some(state);
        }
        self.scalar_done(&state.level, pending, machines)
    }

    /// The state after a scalar that ends here.
    pub(crate) fn scalar_done(
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
                    let rest = (!rest.is_never()).then(|| rest + Self::exit_cost(level, item.schema))?;
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
    pub(crate) fn print_level<'a>(
        &self,
        level: &Level,
        items: impl ExactSizeIterator<Item = &'a Item>,
        print: &mut Fingerprint,
    ) {
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
            distinct.print(self.classes.whole_entries(), print);
        }
    }

    // Distinct entries -----------------------------------------------------------------------------------------------

    /// A step that keeps the text of entries that must be distinct, but does not see whether the output can go on so that
    /// they are.
    pub(crate) fn step_recorded(&self, state: &JsonState, byte: u8) -> Option<JsonState> {
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
                    (!cost.is_never()).then(|| item.clone())
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
