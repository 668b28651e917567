//! What is left of a schema after analysis: for each set of conditions the alternatives that satisfy it.

use super::strings::{Characters, Strings};
use crate::automaton::dfa::{Dfa, NEVER};
use std::sync::Arc;

/// Index of an analysed schema.
pub(crate) type SchemaId = u32;
/// Index of an [`Object`] or [`Array`].
pub(crate) type ShapeId = u32;

/// The alternatives that a value has.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    /// Texts that are values as they stand, sorted.
    pub(crate) literals: Arc<[Box<[u8]>]>,
    pub(crate) numbers: Option<Arc<Numbers>>,
    pub(crate) strings: Vec<Arc<Strings>>,
    pub(crate) objects: Vec<ShapeId>,
    pub(crate) arrays: Vec<ShapeId>,
    /// Least bytes of a value; [`NEVER`] if there is none.
    pub(crate) cost: u32,
}

/// A set of numbers by their spelling.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) dfa: Dfa,
    pub(crate) costs: Vec<u32>,
}

impl Numbers {
    pub(crate) fn new(dfa: Dfa) -> Numbers {
        let costs = dfa.costs(|_| 1);
        Numbers { dfa, costs }
    }
}

/// One alternative of an object: its entries, in the order in which they are written.
#[derive(Debug)]
pub(crate) struct Object {
    /// The named properties in their order; after them come additional ones.
    pub(crate) properties: Vec<Property>,
    /// Indices of the properties, sorted by the spelling of their names.
    pub(crate) sorted: Vec<u32>,
    /// Keys that are not named, by class.
    pub(crate) additional: Option<Additional>,
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// For each index the first required property from there on, or the number of properties.
    pub(crate) next_required: Vec<u32>,
    /// For each index the required properties from there on: how many, and their bytes with a comma each.
    pub(crate) required_from: Vec<(u32, u64)>,
}

#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: String,
    /// The name as JSON without the opening quote.
    pub(crate) spelling: Box<[u8]>,
    pub(crate) schema: SchemaId,
    pub(crate) required: bool,
}

/// The keys that an object may have beside the named ones.
#[derive(Debug)]
pub(crate) struct Additional {
    pub(crate) keys: Strings,
    /// For each accepting state of `keys` the class of the key; `u32::MAX` for other states.
    pub(crate) class_of: Vec<u32>,
    pub(crate) classes: Vec<KeyClass>,
    /// For each state how many keys are accepted from it, as far as counted.
    pub(crate) counts: Vec<u32>,
}

#[derive(Debug)]
pub(crate) struct KeyClass {
    pub(crate) schema: SchemaId,
    /// Least bytes of a key of this class, without quotes.
    pub(crate) key_cost: u32,
}

/// Counts of keys beyond this are as good as infinite.
pub(crate) const MANY_KEYS: u32 = 1 << 24;

/// One alternative of an array.
#[derive(Debug)]
pub(crate) struct Array {
    pub(crate) prefix: Vec<SchemaId>,
    pub(crate) rest: SchemaId,
    pub(crate) min: u32,
    pub(crate) max: u32,
}

/// Adds costs of which one may be [`NEVER`]. Sums too great to count are capped below it.
pub(crate) fn add(a: u32, b: u32) -> u32 {
    if a == NEVER || b == NEVER { NEVER } else { a.saturating_add(b).min(NEVER - 1) }
}

fn capped(cost: u64) -> u32 {
    cost.min(u64::from(NEVER - 1)) as u32
}

impl Property {
    /// Bytes of the entry: key, colon, value.
    pub(crate) fn cost(&self, costs: &impl Fn(SchemaId) -> u32) -> u32 {
        add(costs(self.schema), self.spelling.len() as u32 + 2)
    }
}

impl Additional {
    /// Whether there are so many keys that no set of used ones exhausts them.
    pub(crate) fn is_endless(&self) -> bool {
        self.counts[self.keys.characters.dfa.start() as usize] >= MANY_KEYS
    }

    /// Length of key within which there are more keys than `used`.
    fn key_length(&self, used: u64, class: &KeyClass) -> u32 {
        if !self.is_endless() {
            // Few keys: count on the longest of them.
            let dfa = &self.keys.characters.dfa;
            return dfa.longest(super::strings::spelled_length).unwrap_or(class.key_cost).max(class.key_cost);
        }
        let (mut length, mut keys, mut all) = (0, 1u64, 1u64);
        while all <= used {
            keys = keys.saturating_mul(64);
            all = all.saturating_add(keys);
            length += 1;
        }
        class.key_cost + length
    }

    /// Bytes of the cheapest entry with a key that is not among `used` others: key, colon, value.
    pub(crate) fn cost(&self, used: u64, costs: &impl Fn(SchemaId) -> u32) -> u32 {
        self.classes
            .iter()
            .map(|class| match class.key_cost {
                NEVER => NEVER,
                _ => add(costs(class.schema), self.key_length(used, class) + 3),
            })
            .min()
            .unwrap_or(NEVER)
    }
}

impl Object {
    /// Fills in what follows from the properties' costs.
    pub(crate) fn sum_up(&mut self, costs: &impl Fn(SchemaId) -> u32) {
        let count = self.properties.len();
        self.next_required = vec![count as u32; count + 1];
        self.required_from = vec![(0, 0); count + 1];
        for (i, property) in self.properties.iter().enumerate().rev() {
            self.next_required[i] = if property.required { i as u32 } else { self.next_required[i + 1] };
            let (number, bytes) = self.required_from[i + 1];
            self.required_from[i] = if property.required {
                let cost = u64::from(property.cost(costs));
                (number + 1, bytes.saturating_add(cost + 1))
            } else {
                (number, bytes)
            };
        }
    }

    /// Least bytes to the closing brace, which is counted, when `count` entries are complete, properties from `at` on
    /// may follow, and `others` additional ones were written. After an entry each further one takes a comma;
    /// `first` says that there is none yet.
    pub(crate) fn cost_to_close(
        &self,
        at: u32,
        count: u32,
        others: u32,
        first: bool,
        costs: &impl Fn(SchemaId) -> u32,
    ) -> u32 {
        match self.cost_of_entries(at, count, others, 0, costs) {
            None => NEVER,
            Some((entries, bytes)) => capped(bytes + 1 - u64::from(first && entries > 0)),
        }
    }

    /// As [`Object::cost_to_close`] after a comma, when at least one more entry must follow.
    pub(crate) fn cost_after_comma(&self, at: u32, count: u32, others: u32, costs: &impl Fn(SchemaId) -> u32) -> u32 {
        self.cost_of_entries(at, count, others, 1, costs).map_or(NEVER, |(_, bytes)| capped(bytes))
    }

    /// The entries that must follow, at least `least`: how many, and their bytes with a comma each.
    fn cost_of_entries(
        &self,
        at: u32,
        count: u32,
        others: u32,
        least: u32,
        costs: &impl Fn(SchemaId) -> u32,
    ) -> Option<(u32, u64)> {
        let (required, mut bytes) = self.required_from[at as usize];
        if bytes >= u64::from(NEVER)
            && self.properties[at as usize..].iter().any(|p| p.required && p.cost(costs) == NEVER)
        {
            return None;
        }
        let wanted = self.min.saturating_sub(count).max(least);
        let more = wanted.saturating_sub(required);
        if u64::from(count) + u64::from(required) + u64::from(more) > u64::from(self.max) {
            return None;
        }
        if more > 0 {
            bytes += self.cost_of_more(at, more, others, costs)?;
        }
        Some((required + more, bytes))
    }

    /// The cheapest `more` entries that are not required.
    fn cost_of_more(&self, at: u32, more: u32, others: u32, costs: &impl Fn(SchemaId) -> u32) -> Option<u64> {
        let mut optional: Vec<u32> = self.properties[at as usize..]
            .iter()
            .filter(|property| !property.required)
            .map(|property| property.cost(costs))
            .filter(|&cost| cost != NEVER)
            .collect();
        optional.sort_unstable();
        let additional = match &self.additional {
            None => None,
            Some(additional) => {
                let used = u64::from(others) + self.properties.len() as u64 + u64::from(more);
                let cost = additional.cost(used, costs);
                // Named keys may be among the countable ones.
                let keys = additional.counts[additional.keys.characters.dfa.start() as usize];
                let named = if additional.is_endless() { 0 } else { self.named_among(additional) };
                let left = keys.saturating_sub(named).saturating_sub(others);
                (cost != NEVER).then_some((cost, if additional.is_endless() { u32::MAX } else { left }))
            }
        };
        let (each, mut available) = additional.unwrap_or((NEVER, 0));
        let (mut sum, mut missing) = (0u64, more);
        for cost in optional {
            if missing == 0 {
                break;
            }
            if cost > each && available > 0 {
                let taken = available.min(missing);
                sum += u64::from(taken) * (u64::from(each) + 1);
                (missing, available) = (missing - taken, available - taken);
                if missing == 0 {
                    break;
                }
            }
            sum += u64::from(cost) + 1;
            missing -= 1;
        }
        if missing > available {
            return None;
        }
        if missing > 0 {
            sum += u64::from(missing) * (u64::from(each) + 1);
        }
        Some(sum)
    }

    /// How many of the named properties have keys that could be additional ones.
    fn named_among(&self, additional: &Additional) -> u32 {
        self.properties.iter().filter(|property| additional.keys.contains(&property.name)).count() as u32
    }
}

impl Array {
    /// The schema of the entry at an index; indices beyond the prefix are all alike.
    pub(crate) fn item(&self, at: u32) -> SchemaId {
        self.prefix.get(at as usize).copied().unwrap_or(self.rest)
    }

    /// Least bytes to the closing bracket, which is counted, when `count` entries are complete and the next one has
    /// index `at`. `first` as in [`Object::cost_to_close`].
    pub(crate) fn cost_to_close(&self, at: u32, count: u32, first: bool, costs: &impl Fn(SchemaId) -> u32) -> u32 {
        if count > self.max || self.min > self.max {
            return NEVER;
        }
        let missing = self.min.saturating_sub(count);
        if missing == 0 {
            return 1;
        }
        let mut bytes = 1u64 - u64::from(first);
        let fixed = (self.prefix.len() as u32).saturating_sub(at).min(missing);
        for index in at..at + fixed {
            match costs(self.item(index)) {
                NEVER => return NEVER,
                cost => bytes += u64::from(cost) + 1,
            }
        }
        if missing > fixed {
            match costs(self.rest) {
                NEVER => return NEVER,
                cost => bytes = bytes.saturating_add((u64::from(cost) + 1).saturating_mul(u64::from(missing - fixed))),
            }
        }
        capped(bytes)
    }
}

/// Strings of which all characters are allowed.
pub(crate) fn any_strings(characters: Arc<Characters>, min: u32, max: u32) -> Strings {
    Strings { characters, min, max, escapes: super::strings::Escapes::Usual }
}
