//! The pushdown automaton that reads JSON text against the alternatives of a schema.
//!
//! A [`state`] is a stack of levels, one for each open container, and a place within the innermost one. A level holds the alternatives that
//! are still possible there: the automaton is made deterministic while an output is read.
//!
//! | file | idea |
//! |---|---|
//! | `step` | the transition by one byte |
//! | `containers`, `values`, `scalars`, `spacing` | its parts: push and pop, where values begin and end, strings and numbers, white space |
//! | [`keys`], `key_step`, [`used_keys`] | the keys that may come next, a key byte by byte, keys that must not be repeated |
//! | [`subsumption`] | alternatives that another one includes are dropped, so that the rest is an antichain |
//! | [`costs`], [`next_bytes`] | the least bytes that complete an output, and the bytes that may come next |
//! | [`unique`], [`unique_domains`], [`unique_search`] | entries that must be distinct: a record of them, the values that later ones need, and a search for a way to differ |
//! | [`memos`] | answers that a guide remembers |

mod containers;
pub(crate) mod costs;
mod derived;
mod entry_text;
mod key_step;
pub(crate) mod keys;
mod memos;
pub(crate) mod next_bytes;
mod scalars;
mod seen_keys;
pub(crate) mod spacing;
pub(crate) mod state;
mod step;
pub(crate) mod subsumption;
pub(crate) mod unique;
mod unique_domains;
mod unique_search;
pub(crate) mod used_keys;
mod values;

use crate::automaton::cost::Cost;
use crate::collections::byte_set::ByteSet;
use crate::json::machine::memos::Memos;
use crate::json::machine::subsumption::Alternatives;
use crate::json::shape::array::Array;
use crate::json::shape::object::Object;
use crate::json::shape::shapes::Analysis;
use crate::json::shape::spacing::Spacing;
use crate::json::shape::{Schema, SchemaId, ShapeId};
use crate::json::tokens::cache::ClassesCache;
use crate::options::{Options, Order, Whitespace};
use std::sync::{Arc, OnceLock};

/// Distances between a count and its bound are told apart only up to this. A count grows by no more than one with each byte, and no token
/// has so many bytes, so a bound that is further away decides nothing about a token.
pub(crate) const FAR: u32 = 4096;

/// The most white space in one place under [`Whitespace::Any`], in bytes: a line break and eight levels of indentation by four.
const MOST_BLANKS: u8 = 33;

#[derive(Debug)]
pub(crate) struct JsonMachine {
    schemas: Vec<Schema>,
    objects: Vec<Object>,
    arrays: Vec<Array>,
    pub(crate) root: SchemaId,
    /// By schema the bytes with which its values begin. Most masks ask for them, and they take a walk over the schema.
    firsts: Vec<ByteSet>,
    /// By schema. A comparison takes quadratic time, so a schema waits for it until an output comes to one of its objects.
    alternatives: Vec<OnceLock<Alternatives>>,
    pub(crate) known: Box<Memos>,
    /// Memory in bytes without `known`, roughly.
    pub(crate) bytes: usize,
    /// The most white space in one place, in bytes. If it is 1, a space; if more, any of JSON's.
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
    fn first_bytes(&self, id: SchemaId) -> ByteSet {
        self.firsts[id.index()]
    }

    pub(crate) fn cost_of(&self, id: SchemaId) -> Cost {
        self.schemas[id.index()].cost
    }
}

/// Memory in bytes, roughly. Shared automata count for each schema that has them, so it is a bound.
fn size(schemas: &[Schema], objects: &[Object], arrays: &[Array]) -> usize {
    let schemas = schemas.iter().map(|schema| {
        let numbers = schema.numbers.iter().map(|numbers| numbers.size());
        let strings = schema.strings.iter().map(|strings| strings.characters.dfa.size() * 2);
        232 + schema.literals.iter().map(|literal| literal.len() + 16).chain(numbers).chain(strings).sum::<usize>()
    });
    let objects = objects.iter().map(|object| {
        let properties = object.properties.iter().map(|property| property.name.len() * 2 + 100);
        let additional = object.additional.iter().map(|additional| additional.keys.characters.dfa.size() * 2);
        200 + object.clauses.size() + properties.chain(additional).sum::<usize>()
    });
    let arrays = arrays.iter().map(|array| 100 + array.prefix.len() * 16 + array.table.len() * 4);
    schemas.chain(objects).chain(arrays).sum()
}
