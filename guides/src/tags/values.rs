//! The values of an object's members, told apart by how they are written: strings and all others.
//!
//! Between delimiters a string is written raw, and may follow another text than a number does. So the schema of a member is split in two,
//! which the machine of the whole schema reads as schemas of their own.

use crate::automaton::cost::Cost;
use crate::json::shape::array::Array;
use crate::json::shape::object::{Object, Others, Progress};
use crate::json::shape::shapes::Analysis;
use crate::json::shape::{Met, Schema, SchemaId};
use foldhash::HashSet;

/// The parts of a schema.
#[derive(Debug)]
pub(super) struct SplitSchema {
    /// Its strings, if it has some.
    pub(super) strings: Option<SchemaId>,
    /// Its other values, if it has some.
    pub(super) others: Option<SchemaId>,
    /// Python's spelling of those words among the other values that it spells in its own way.
    pub(super) words: Vec<&'static str>,
}

/// The words that Python spells in its own way.
const WORDS: [(&[u8], &str); 3] = [(b"true", "True"), (b"false", "False"), (b"null", "None")];

/// Splits a schema, for Python with the words by themselves. What is not a schema of the analysis yet is added to it.
pub(super) fn split(analysis: &mut Analysis, id: SchemaId, python: bool) -> SplitSchema {
    let schema = &analysis.schemas[id.index()];
    let word = |literal: &[u8]| WORDS.iter().find(|(word, _)| python && *word == literal).map(|(_, spelled)| *spelled);
    let words: Vec<&'static str> = schema.literals.iter().filter_map(|literal| word(literal)).collect();
    let literals = |strings: bool| {
        let all = schema.literals.iter();
        all.filter(move |literal| literal.starts_with(b"\"") == strings && word(literal).is_none()).cloned()
    };
    let strings = Schema { literals: literals(true).collect(), strings: schema.strings.clone(), ..Schema::default() };
    let others = Schema {
        literals: literals(false).collect(),
        numbers: schema.numbers.clone(),
        objects: schema.objects.clone(),
        arrays: schema.arrays.clone(),
        ..Schema::default()
    };
    let mut add = |part: Schema| {
        let part = with_cost(analysis, part);
        let id = SchemaId::new(analysis.schemas.len());
        (!part.cost.is_never()).then(|| {
            analysis.schemas.push(part);
            id
        })
    };
    SplitSchema { strings: add(strings), others: add(others), words }
}

/// The schema with its least cost.
fn with_cost(analysis: &Analysis, schema: Schema) -> Schema {
    let cost = |id: SchemaId| analysis.schemas[id.index()].cost;
    let objects = schema.objects.iter().map(|id| of_object(&analysis.objects[id.index()], &cost));
    let arrays = schema.arrays.iter().map(|id| of_array(&analysis.arrays[id.index()], &cost));
    let numbers = schema.numbers.iter().map(|numbers| numbers.cost(numbers.start()));
    let strings = schema.strings.iter().map(|strings| strings.cost(&strings.start()));
    let literals = schema.literals.iter().map(|literal| Cost::of(literal));
    let cost = Cost::least(literals.chain(numbers).chain(strings).chain(objects).chain(arrays));
    Schema { cost, ..schema }
}

fn of_object(object: &Object, cost: &impl Fn(SchemaId) -> Cost) -> Cost {
    object.cost_to_close(&Progress::default(), 0, Others::default(), true, cost) + 1
}

fn of_array(array: &Array, cost: &impl Fn(SchemaId) -> Cost) -> Cost {
    array.cost_to_close(0, 0, &Met::default(), true, cost) + 1
}

/// Whether `true`, `false` or `null` occurs inside an array or an object of the schema.
pub(super) fn has_words_inside(analysis: &Analysis, id: SchemaId) -> bool {
    let mut known: HashSet<SchemaId> = HashSet::default();
    let mut open = vec![id];
    while let Some(schema) = open.pop().map(|id| &analysis.schemas[id.index()]) {
        let mut all: Vec<SchemaId> = Vec::new();
        for object in schema.objects.iter().map(|id| &analysis.objects[id.index()]) {
            all.extend(object.properties.iter().map(|property| property.schema));
            all.extend(object.additional.iter().flat_map(|keys| &keys.classes).map(|class| class.schema));
        }
        for array in schema.arrays.iter().map(|id| &analysis.arrays[id.index()]) {
            all.extend(array.prefix.iter().chain([&array.rest]).flat_map(|ways| ways.iter()).map(|way| way.schema));
        }
        let is_word = |literal: &[u8]| WORDS.iter().any(|(word, _)| *word == literal);
        let has_word = |id: &SchemaId| analysis.schemas[id.index()].literals.iter().any(|literal| is_word(literal));
        let mut nested =
            schema.literals.iter().filter(|literal| literal.starts_with(b"{") || literal.starts_with(b"["));
        let has_nested =
            nested.any(|literal| WORDS.iter().any(|(word, _)| literal.windows(word.len()).any(|part| part == *word)));
        if has_nested || all.iter().any(has_word) {
            return true;
        }
        open.extend(all.into_iter().filter(|&id| known.insert(id)));
    }
    false
}
