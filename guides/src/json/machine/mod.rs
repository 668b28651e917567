//! The pushdown automaton that reads JSON text against the alternatives of a schema.
//!
//! A [`state`] is a stack of levels, one for each open container, and a place within the innermost one. A level holds the alternatives that
//! are still possible there. [`keys`] says which keys may come, [`costs`] what completes the output, [`next_bytes`] which bytes can be left
//! out at once. Alternatives that allow no more than others are dropped ([`subsumption`], an antichain). Entries that must differ
//! are recorded ([`unique`]), and where few values are left it is searched whether one remains ([`unique_search`]).

mod containers;
pub(crate) mod costs;
mod derived;
mod entry_text;
mod key_step;
pub(crate) mod keys;
pub(crate) mod memos;
pub(crate) mod next_bytes;
mod scalars;
mod seen_keys;
pub(crate) mod spacing;
pub(crate) mod state;
mod step;
pub(crate) mod subsumption;
pub(crate) mod unique;
pub(crate) mod unique_search;
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
