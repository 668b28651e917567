//! Where in a JSON text an output stands: the containers that are open, and the alternatives that are still possible
//! in each. JSON shows its nesting, so all alternatives agree on what is open.

use crate::automaton::cost::Cost;
use crate::collections::few::Few;
use crate::json::language::strings::StringState;
use crate::json::machine::derived::Derived;
use crate::json::machine::seen_keys::SeenKeys;
use crate::json::machine::unique::Distinct;
use crate::json::shape::object::{Others, Progress};
use crate::json::shape::{Met, SchemaId, ShapeId};
use std::sync::Arc;

/// The state of an output. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct JsonState {
    pub(crate) level: Level,
    pub(crate) at: At,
}

/// The innermost container that is open, or the outside of the outermost value.
#[derive(Debug, Clone)]
pub(crate) struct Level {
    pub(crate) kind: LevelKind,
    /// Entries that are complete.
    pub(crate) count: u32,
    /// Keys of an object that its alternatives do not name.
    pub(crate) seen: Seen,
    pub(crate) parent: Option<Arc<Parent>>,
    /// Number of containers around.
    pub(crate) depth: u32,
    /// The innermost array with distinct entries, this one or one around.
    pub(crate) distinct: Option<Arc<Distinct>>,
}

impl Level {
    /// The array with distinct entries that this is, if it is one.
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
    /// Whether nothing that is being written can repeat an entry that must not be repeated.
    pub(crate) fn is_clear(&self) -> bool {
        let between = matches!(self.at, At::After { .. });
        self.level
            .distinct
            .as_deref()
            .is_none_or(|distinct| distinct.is_clear(between && distinct.depth() == self.level.depth))
    }

    /// As if nothing that is being written could become equal to another entry.
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
    /// For each schema that is pending the least bytes that complete the output once such a value is complete.
    pub(crate) exits: Few<(SchemaId, Cost)>,
    /// Stands for all of the above in the keys of masks.
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
    /// Index of the next entry: the first property that may still come, or the index in an array as far as the prefix goes.
    pub(crate) at: u32,
    /// The schema of the container, among those that its own container waits for.
    pub(crate) schema: SchemaId,
    /// What the entries have counted for so far.
    pub(crate) met: Met,
    /// The named properties that were written, a bit for each, where they come in any order.
    pub(crate) written: Option<Arc<[u64]>>,
    /// After an entry, or after the comma that follows it, the least bytes that complete the output; of no meaning elsewhere. It follows
    /// from all of the above, the level and the containers around.
    pub(crate) rest: Derived<Cost>,
}

impl Item {
    /// A container of which nothing is written.
    pub(crate) fn new(shape: ShapeId, schema: SchemaId) -> Item {
        Item { shape, at: 0, schema, met: Met::default(), written: None, rest: Derived(Cost::ZERO) }
    }

    /// For the value with which the output ends.
    pub(crate) fn nowhere() -> Item {
        Item::new(ShapeId::new(0), SchemaId::new(0))
    }

    pub(crate) fn progress(&self) -> Progress<'_> {
        Progress { at: self.at, written: self.written.as_deref(), latest: None, met: self.met.set(), known: None }
    }
}

/// The place within the innermost container. `blanks` counts the white space that was written here.
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
    /// The white space that was written here, where there may be some.
    pub(crate) fn blanks(&mut self) -> Option<&mut u8> {
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
    /// The schema's literals from `low` to `high` begin with the `depth` bytes that were read.
    Literal {
        low: u32,
        high: u32,
        depth: u32,
    },
    Number {
        state: u32,
    },
    /// The schema's strings with this index.
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
    /// Of the classes of which a key may come next, with the class; the cheapest first.
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
    /// Names from `low` to `high`, in the order of their spelling, begin with the `depth` bytes that were read.
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
