//! A state of the pushdown automaton: the stack of open containers, the alternatives that are possible in each, and the place within the
//! innermost one.
//!
//! JSON shows its nesting, so all alternatives agree on which containers are open. After `{"a":[` there are three levels: the root, the
//! object with its pending choices, and the array. Parents are shared by all states within them, so a step copies one level only.

use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::language::number::NumberState;
use crate::json::language::strings::StringState;
use crate::json::machine::derived::Derived;
use crate::json::machine::seen_keys::SeenKeys;
use crate::json::machine::unique::Distinct;
use crate::json::shape::clauses::Cases;
use crate::json::shape::object::{Others, Progress};
use crate::json::shape::{Met, SchemaId, ShapeId};
use std::sync::Arc;

/// The state of an output. Cheap to clone: its lists are shared.
#[derive(Debug, Clone)]
pub(crate) struct JsonState {
    pub(crate) level: Level,
    pub(crate) at: At,
}

/// An open container, or the outside of the outermost value.
#[derive(Debug, Clone)]
pub(crate) struct Level {
    pub(crate) kind: LevelKind,
    /// Entries that are complete.
    pub(crate) count: u32,
    /// Keys of an object that some alternative took for additional ones.
    pub(crate) seen: Seen,
    pub(crate) parent: Option<Arc<Parent>>,
    /// The number of containers around it.
    pub(crate) depth: u32,
    /// The innermost array with distinct entries: this one, or one around it.
    pub(crate) distinct: Option<Arc<Distinct>>,
}

impl Level {
    /// The record of the array's own entries, if they must be distinct.
    pub(crate) fn own_distinct(&self) -> Option<&Distinct> {
        self.distinct.as_deref().filter(|distinct| distinct.depth() == self.depth)
    }

    /// Once an additional key is written.
    pub(super) fn with_key(&self, key: &[u8]) -> Level {
        self.with_seen(|seen| seen.insert(key))
    }

    /// Once an additional key of this class is written, whichever it is.
    pub(crate) fn with_key_of_class(&self, class: u32) -> Level {
        self.with_seen(|seen| seen.insert_class(class))
    }

    fn with_seen(&self, add: impl FnOnce(&mut SeenKeys)) -> Level {
        let mut level = self.clone();
        add(Arc::make_mut(level.seen.get_or_insert_default()));
        level
    }
}

impl JsonState {
    /// Whether no entry that is being written can become equal to another one that it must differ from.
    pub(crate) fn is_clear(&self) -> bool {
        let between = matches!(self.at, At::After { .. } | At::Open { .. });
        self.level
            .distinct
            .as_deref()
            .is_none_or(|distinct| distinct.is_clear(between && distinct.depth() == self.level.depth))
    }

    /// As if no entry that is being written could become equal to another one.
    pub(crate) fn apart(&self) -> JsonState {
        let distinct = self.level.distinct.as_deref().map(|distinct| Arc::new(distinct.apart()));
        JsonState { level: Level { distinct, ..self.level.clone() }, at: self.at.clone() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LevelKind {
    Root,
    Object,
    Array,
}

/// The additional keys that were written in an object; `None` if there are none, as in most objects.
pub(crate) type Seen = Option<Arc<SeenKeys>>;

/// A container that waits for the value of one of its entries.
#[derive(Debug)]
pub(crate) struct Parent {
    pub(crate) level: Level,
    pub(crate) pending: Few<Choice>,
    /// By pending schema the least bytes that complete the output once a value of the schema is complete.
    pub(crate) exits: Few<(SchemaId, Cost)>,
    /// Stands for all of the above in mask keys. It is found once, when the container opens, and not for each mask within it.
    pub(crate) fingerprint: u128,
}

/// A schema for the value that comes next, and how the container goes on after such a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Choice {
    pub(crate) schema: SchemaId,
    pub(crate) next: Item,
}

/// One alternative of an open container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    pub(crate) shape: ShapeId,
    /// The index of the next entry: in an object of the first property that may still come, in an array up to the length of the prefix,
    /// beyond which entries are alike.
    pub(crate) at: u32,
    /// The schema of the container, one of those that are pending in its parent.
    pub(crate) schema: SchemaId,
    /// What the entries have counted for so far.
    pub(crate) met: Met,
    /// The named properties that were written, a bit for each, where they come in any order.
    pub(crate) written: Option<Arc<[u64]>>,
    /// The cases that are left of an object's clauses, if it has any.
    pub(crate) cases: Option<Cases>,
    /// After an entry, or after the comma that follows it, the least bytes that complete the output; of no meaning elsewhere. It follows
    /// from all of the above, the level and the containers around.
    pub(crate) rest: Derived<Cost>,
}

impl Item {
    /// A container without entries.
    pub(crate) fn new(shape: ShapeId, schema: SchemaId) -> Item {
        Item { shape, at: 0, schema, met: Met::default(), written: None, cases: None, rest: Derived(Cost::ZERO) }
    }

    /// For the outermost value, which is in no container.
    pub(crate) fn nowhere() -> Item {
        Item::new(ShapeId::new(0), SchemaId::new(0))
    }

    pub(super) fn progress(&self) -> Progress<'_> {
        let (at, written, met) = (self.at, self.written.as_deref(), self.met.set());
        Progress { at, written, latest: None, met, cases: self.cases.as_ref(), known: None }
    }
}

/// The place within the innermost container. `blanks` counts the white space that was written in it.
#[derive(Debug, Clone)]
pub(crate) enum At {
    /// A value begins.
    Value { pending: Few<Choice>, blanks: u8 },
    /// Within a string, number or word.
    Scalar { pending: Few<Choice>, machines: Few<Scalar> },
    /// After the opening brace or bracket.
    Open { items: Few<Item>, blanks: u8 },
    /// After a comma in an object.
    Comma { items: Few<Item>, blanks: u8 },
    /// Within a key.
    Key { keys: Few<Key>, text: Arc<[u8]> },
    /// After a key.
    Colon { pending: Few<Choice>, blanks: u8 },
    /// After an entry.
    After { items: Few<Item>, blanks: u8 },
    /// After the outermost value.
    End,
}

impl At {
    /// The white space that was written, in places that may have some.
    pub(super) fn blanks(&mut self) -> Option<&mut u8> {
        match self {
            At::Value { blanks, .. }
            | At::Open { blanks, .. }
            | At::Comma { blanks, .. }
            | At::Colon { blanks, .. }
            | At::After { blanks, .. } => Some(blanks),
            At::Scalar { .. } | At::Key { .. } | At::End => None,
        }
    }
}

/// A string, number or word that is being read for one of the schemas that are pending.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Scalar {
    pub(crate) schema: SchemaId,
    pub(crate) reader: Reader,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Reader {
    /// The schema's literals from `low` to `high` begin with the `depth` bytes that were read. Sorted texts with one beginning are a range,
    /// so they take no automaton.
    Literal {
        low: u32,
        high: u32,
        depth: u32,
    },
    Number {
        state: NumberState,
    },
    /// The schema's strings of this index.
    String {
        index: u32,
        state: StringState,
    },
}

/// A key that is being read for one alternative of the object.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Key {
    pub(crate) item: Item,
    pub(crate) reader: KeyReader,
    /// Of the same kind as `reader`. They follow from the item and its level, and stay as they are while the key is read.
    pub(crate) costs: Derived<KeyCosts>,
}

impl Key {
    /// The beginning of a key that is any of so many names.
    pub(super) fn named(item: Item, names: u32, costs: Vec<Cost>) -> Key {
        let reader = KeyReader::Named { low: 0, high: names, depth: 0 };
        Key { item, reader, costs: Derived(KeyCosts::Named(costs.into())) }
    }

    /// A key that is not named.
    pub(super) fn additional(item: Item, state: StringState, costs: Vec<(Cost, u32)>) -> Key {
        Key { item, reader: KeyReader::Additional(state), costs: Derived(KeyCosts::Additional(costs.into())) }
    }
}

/// The least bytes of the value of a key and of what follows it up to the closing brace. What the containers around still cost is left out,
/// so that the same costs serve wherever the object stands.
#[derive(Debug, Clone)]
pub(crate) enum KeyCosts {
    /// By the place of a name in [`Object::sorted`](crate::json::shape::object::Object::sorted); [`Cost::NEVER`] where the property may not
    /// come next.
    Named(Arc<[Cost]>),
    /// By class, the cheapest first, for the classes whose keys may come next.
    Additional(Arc<[(Cost, u32)]>),
}

impl KeyCosts {
    /// Of a key that is read as a name.
    pub(crate) fn of_names(&self) -> &[Cost] {
        match self {
            KeyCosts::Named(costs) => costs,
            KeyCosts::Additional(_) => {
                debug_assert!(false, "a key that is read as a name has the costs of names");
                &[]
            }
        }
    }

    /// Of a key that is not named.
    pub(crate) fn of_classes(&self) -> &[(Cost, u32)] {
        match self {
            KeyCosts::Additional(costs) => costs,
            KeyCosts::Named(_) => {
                debug_assert!(false, "a key that is not named has the costs of classes");
                &[]
            }
        }
    }

    /// Memory in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            KeyCosts::Named(costs) => size_of_val(&**costs),
            KeyCosts::Additional(costs) => size_of_val(&**costs),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum KeyReader {
    /// The names from `low` to `high`, in the order of their spelling, begin with the `depth` bytes that were read.
    Named { low: u32, high: u32, depth: u32 },
    /// A key that is not named.
    Additional(StringState),
}

impl Drop for Parent {
    /// Drops the containers around one after the other: recursion would go as deep as the output is nested.
    fn drop(&mut self) {
        let mut next = self.level.parent.take();
        while let Some(parent) = next {
            match Arc::try_unwrap(parent) {
                Ok(mut parent) => next = parent.level.parent.take(),
                Err(_) => break,
            }
        }
    }
}

/// The additional keys that were written in an object.
pub(crate) fn written(level: &Level) -> Others<'_> {
    Others { keys: level.seen.as_deref().map_or(&[], SeenKeys::as_slice), next: None }
}

/// The additional keys that were written in an object, and one more of this class.
pub(crate) fn adding(level: &Level, class: u32) -> Others<'_> {
    Others { next: Some(class), ..written(level) }
}
