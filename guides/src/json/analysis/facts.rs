//! What certainly holds for every value that satisfies a condition: an over-approximation of the condition, cheap to compare.
//!
//! Two conditions exclude each other where their facts leave no kind of value to both. "Exactly one" then needs no opposite, a disjunct
//! that the branch excludes is dropped, and a term whose opposite the branch excludes holds already. The proof is incomplete, and may be:
//! what it misses costs branches, which close later, and loses no value.
//!
//! `{"properties": {"t": {"const": "a"}}, "required": ["t"]}` has the facts that an object has `t`, and that `t` is one scalar. With
//! `{"const": "b"}` in its place no object is left; strings are, as neither condition constrains them.

use crate::json::analysis::branch::Term;
use crate::json::schema::graph::{Graph, Kinds, PatternId, Properties};
use crate::json::text::decimal::Decimal;
use crate::json::text::value::Value;
use foldhash::{HashMap, HashSet};
use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Levels of entries that facts look into.
pub(super) const LEVELS: u8 = 2;

/// Entries of arrays that are compared by index.
pub(super) const COMPARED_ITEMS: usize = 4;

/// Scalars of a list that are tried against the conditions of another one.
const TRIED_SCALARS: usize = 256;

/// Patterns with so many states together are compared.
const COMPARED_STATES: usize = 300;

/// A scalar, by its value and not by its spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum ScalarValue<'g> {
    Number(Option<Decimal>),
    Other(&'g Value),
}

impl<'g> ScalarValue<'g> {
    pub(super) fn new(value: &'g Value) -> ScalarValue<'g> {
        match value {
            Value::Number(text) => ScalarValue::Number(Decimal::parse(text)),
            other => ScalarValue::Other(other),
        }
    }

    fn kind(&self) -> Kinds {
        match self {
            ScalarValue::Number(_) => Kinds::NUMBER,
            ScalarValue::Other(value) => kind_of(value),
        }
    }
}

/// The scalars of a list.
pub(super) fn scalars<'g, V: Borrow<Value>>(values: &'g [V]) -> HashSet<ScalarValue<'g>> {
    values.iter().map(|value| ScalarValue::new(value.borrow())).collect()
}

pub(super) fn kind_of(value: &Value) -> Kinds {
    match value {
        Value::Null => Kinds::NULL,
        Value::Bool(_) => Kinds::BOOLEAN,
        Value::Number(_) => Kinds::NUMBER,
        Value::String(_) => Kinds::STRING,
        Value::Array(_) => Kinds::ARRAY,
        Value::Object(_) => Kinds::OBJECT,
    }
}

/// Scalars by value.
pub(super) type ScalarSet<'g> = Rc<HashSet<ScalarValue<'g>>>;

/// A bound on numbers, and whether it is excluded itself.
pub(super) type NumberBound = Option<(Decimal, bool)>;

/// An over-approximation of a condition.
#[derive(Debug, Clone)]
pub(super) struct Facts<'g> {
    pub(super) kinds: Kinds,
    /// The only scalars, if there is a list of them; it says nothing of arrays and objects.
    pub(super) scalars: Option<ScalarSet<'g>>,
    /// Scalars that do not satisfy it.
    pub(super) excluded: Vec<ScalarSet<'g>>,
    pub(super) least: NumberBound,
    pub(super) greatest: NumberBound,
    pub(super) length: (u32, u32),
    /// Sets of strings that strings are in, or are not in.
    pub(super) patterns: Vec<(PatternId, bool)>,
    pub(super) item_count: (u32, u32),
    /// The first entries of arrays, where they are there.
    pub(super) items: Vec<Rc<Facts<'g>>>,
    pub(super) property_count: (u32, u32),
    pub(super) required: BTreeSet<Rc<str>>,
    /// The values of keys, where these are there.
    pub(super) fields: HashMap<Rc<str>, Rc<Facts<'g>>>,
    /// The values of keys that a condition neither names nor matches with a pattern.
    pub(super) beside: Vec<(&'g Properties, Rc<Facts<'g>>)>,
    /// Lists of which each key is one.
    pub(super) keys: Vec<ScalarSet<'g>>,
    /// Of each list one holds.
    pub(super) either: Vec<Rc<[Rc<Facts<'g>>]>>,
}

impl<'g> Facts<'g> {
    /// Of a condition that every value may satisfy.
    pub(super) fn open() -> Facts<'g> {
        Facts {
            kinds: Kinds::ALL,
            scalars: None,
            excluded: Vec::new(),
            least: None,
            greatest: None,
            length: (0, u32::MAX),
            patterns: Vec::new(),
            item_count: (0, u32::MAX),
            items: Vec::new(),
            property_count: (0, u32::MAX),
            required: BTreeSet::new(),
            fields: HashMap::default(),
            beside: Vec::new(),
            keys: Vec::new(),
            either: Vec::new(),
        }
    }

    pub(super) fn of_kinds(kinds: Kinds) -> Facts<'g> {
        Facts { kinds, ..Facts::open() }
    }

    /// Of an object that has a key, or may have it, with these facts about the value.
    pub(super) fn of_field(name: Rc<str>, value: Rc<Facts<'g>>, required: bool) -> Facts<'g> {
        let mut facts = Facts::open();
        facts.required.extend(required.then(|| name.clone()));
        facts.fields.insert(name, value);
        facts
    }

    /// The amount that a copy copies.
    pub(super) fn size(&self) -> usize {
        self.fields.len() + self.required.len() + self.excluded.len() + self.either.len() + self.patterns.len()
    }

    /// Adds the facts of one more condition that holds.
    pub(super) fn meet(&mut self, other: &Facts<'g>) {
        self.kinds = self.kinds.and(other.kinds);
        self.scalars = match (self.scalars.take(), &other.scalars) {
            (Some(own), Some(more)) => Some(Rc::new(own.intersection(more).cloned().collect())),
            (own, more) => own.or_else(|| more.clone()),
        };
        self.excluded.extend(other.excluded.iter().cloned());
        self.least = stronger(self.least.take(), &other.least, true);
        self.greatest = stronger(self.greatest.take(), &other.greatest, false);
        for (own, more) in [
            (&mut self.length, other.length),
            (&mut self.item_count, other.item_count),
            (&mut self.property_count, other.property_count),
        ] {
            *own = (own.0.max(more.0), own.1.min(more.1));
        }
        self.patterns.extend(other.patterns.iter().copied());
        for (index, item) in other.items.iter().enumerate() {
            match self.items.get_mut(index) {
                Some(own) => Rc::make_mut(own).meet(item),
                None => self.items.push(item.clone()),
            }
        }
        self.required.extend(other.required.iter().cloned());
        for (name, value) in &other.fields {
            match self.fields.get_mut(name) {
                Some(own) if Rc::ptr_eq(own, value) => {}
                Some(own) => Rc::make_mut(own).meet(value),
                None => drop(self.fields.insert(name.clone(), value.clone())),
            }
        }
        self.beside.extend(other.beside.iter().cloned());
        self.keys.extend(other.keys.iter().cloned());
        self.either.extend(other.either.iter().cloned());
    }
}

fn stronger(one: NumberBound, two: &NumberBound, least: bool) -> NumberBound {
    match (one, two) {
        (Some(one), Some(two)) => {
            let two_is_stronger = match two.0.cmp(&one.0) {
                std::cmp::Ordering::Equal => two.1,
                order => order.is_gt() == least,
            };
            Some(if two_is_stronger { two.clone() } else { one })
        }
        (one, two) => one.or_else(|| two.clone()),
    }
}

/// The facts of the terms of a graph.
#[derive(Debug, Default)]
pub(super) struct KnownFacts<'g> {
    /// By term and by the levels of entries that they look into.
    pub(super) known: HashMap<(Term, u8), Rc<Facts<'g>>>,
    /// Conditions on the same value around the one that is being worked out.
    pub(super) depth: u8,
}

/// A comparison of facts, which gives up after so many steps.
pub(super) struct FactsComparison<'c> {
    graph: &'c Graph,
    /// The steps that are left.
    pub(super) left: usize,
}

impl<'c> FactsComparison<'c> {
    pub(super) fn new(graph: &'c Graph, steps: usize) -> FactsComparison<'c> {
        FactsComparison { graph, left: steps }
    }

    /// The kinds of which some value may satisfy both conditions. Of all other kinds none does.
    pub(super) fn common(&mut self, one: &Facts<'_>, two: &Facts<'_>) -> Kinds {
        let mut kinds = one.kinds.and(two.kinds);
        let work = one.required.len() + two.required.len() + one.either.len() + two.either.len() + 1;
        if kinds == Kinds::NONE || self.left < work {
            return kinds;
        }
        self.left -= work;
        kinds = kinds.and(self.common_scalars(one, two, kinds));
        if kinds.has(Kinds::ARRAY) && !self.may_share_arrays(one, two) {
            kinds = kinds.and(Kinds::ARRAY.complement());
        }
        if kinds.has(Kinds::OBJECT) && !self.may_share_objects(one, two) {
            kinds = kinds.and(Kinds::OBJECT.complement());
        }
        for (own, other) in [(one, two), (two, one)] {
            for list in &own.either {
                let mut any = Kinds::NONE;
                for facts in list.iter() {
                    // Enough is known once every kind may be shared.
                    if kinds.and(any) == kinds {
                        break;
                    }
                    any = any.or(self.common(facts, other));
                }
                kinds = kinds.and(any);
                if kinds == Kinds::NONE {
                    return kinds;
                }
            }
        }
        kinds
    }

    /// Of these kinds those with scalars in common, and arrays and objects.
    fn common_scalars(&mut self, one: &Facts<'_>, two: &Facts<'_>, kinds: Kinds) -> Kinds {
        let composite = Kinds::ARRAY.or(Kinds::OBJECT);
        let list = match (&one.scalars, &two.scalars) {
            (Some(few), Some(many)) if few.len() <= many.len() => Some((few, Some(many))),
            (Some(many), Some(few)) => Some((few, Some(many))),
            (Some(list), None) | (None, Some(list)) => Some((list, None)),
            (None, None) => None,
        };
        if let Some((few, many)) = list {
            self.left = self.left.saturating_sub(few.len());
            let tried = few.len() <= TRIED_SCALARS;
            let shared = few.iter().filter(|scalar| many.is_none_or(|many| many.contains(*scalar)));
            let shared = shared.filter(|scalar| !tried || self.may_be(one, scalar) && self.may_be(two, scalar));
            return kinds.and(shared.fold(Kinds::NONE, |kinds, scalar| kinds.or(scalar.kind())).or(composite));
        }
        let mut kinds = kinds;
        let least = stronger(one.least.clone(), &two.least, true);
        let greatest = stronger(one.greatest.clone(), &two.greatest, false);
        if let (Some((least, open)), Some((greatest, also_open))) = (least, greatest)
            && (least > greatest || least == greatest && (open || also_open))
        {
            kinds = kinds.and(Kinds::NUMBER.complement());
        }
        if one.length.0.max(two.length.0) > one.length.1.min(two.length.1) || !self.may_share_strings(one, two) {
            kinds = kinds.and(Kinds::STRING.complement());
        }
        kinds
    }

    /// Whether a scalar may satisfy a condition.
    fn may_be(&self, facts: &Facts<'_>, scalar: &ScalarValue<'_>) -> bool {
        if !facts.kinds.has(scalar.kind()) || facts.excluded.iter().any(|list| list.contains(scalar)) {
            return false;
        }
        match scalar {
            ScalarValue::Number(Some(number)) => {
                let above = facts.least.as_ref().is_none_or(|(least, open)| number > least || number == least && !open);
                let greatest = facts.greatest.as_ref();
                above && greatest.is_none_or(|(most, open)| number < most || number == most && !open)
            }
            ScalarValue::Other(Value::String(text)) => {
                let length = text.chars().count() as u32;
                let fails = |&(pattern, holds): &(PatternId, bool)| {
                    self.graph.patterns[pattern.index()].certainly(text, !holds)
                };
                facts.length.0 <= length && length <= facts.length.1 && !facts.patterns.iter().any(fails)
            }
            _ => true,
        }
    }

    /// Whether patterns may match one string.
    fn may_share_strings(&mut self, one: &Facts<'_>, two: &Facts<'_>) -> bool {
        one.patterns.iter().all(|&(pattern, holds)| {
            two.patterns.iter().all(|&(other, also_holds)| {
                if pattern == other {
                    return holds == also_holds;
                }
                let (pattern, other) = (&self.graph.patterns[pattern.index()], &self.graph.patterns[other.index()]);
                let states = pattern.possible().len() + other.possible().len();
                if !holds || !also_holds || states > COMPARED_STATES || self.left < states * 4 {
                    return true;
                }
                self.left -= states * 4;
                let shared = pattern.possible().intersection(other.possible(), COMPARED_STATES * 8);
                !shared.is_ok_and(|shared| shared.is_empty())
            })
        })
    }

    fn may_share_arrays(&mut self, one: &Facts<'_>, two: &Facts<'_>) -> bool {
        let least = one.item_count.0.max(two.item_count.0);
        if least > one.item_count.1.min(two.item_count.1) {
            return false;
        }
        (0..COMPARED_ITEMS.min(least as usize)).all(|index| {
            self.may_share_values(one.items.get(index).map(Rc::as_ref), two.items.get(index).map(Rc::as_ref))
        })
    }

    fn may_share_objects(&mut self, one: &Facts<'_>, two: &Facts<'_>) -> bool {
        let least = one.property_count.0.max(two.property_count.0);
        if least > one.property_count.1.min(two.property_count.1) {
            return false;
        }
        one.required.iter().chain(&two.required).all(|name| {
            let beside = one.beside.iter().chain(&two.beside);
            let (left, right) = (one.fields.get(name).map(Rc::as_ref), two.fields.get(name).map(Rc::as_ref));
            let key = Value::String(name.to_string());
            let key = ScalarValue::Other(&key);
            one.keys.iter().chain(&two.keys).all(|keys| has_key(keys, &key))
                && beside.into_iter().all(|(properties, value)| {
                    self.may_name(properties, name)
                        || self.may_share_values(Some(value), left) && self.may_share_values(Some(value), right)
                })
                && self.may_share_values(left, right)
        })
    }

    fn may_share_values(&mut self, one: Option<&Facts<'_>>, two: Option<&Facts<'_>>) -> bool {
        match (one, two) {
            (Some(one), Some(two)) => self.common(one, two) != Kinds::NONE,
            (Some(one), None) | (None, Some(one)) => one.kinds != Kinds::NONE,
            (None, None) => true,
        }
    }

    /// Whether a condition names a key, or matches it with a pattern.
    fn may_name(&mut self, properties: &Properties, name: &str) -> bool {
        self.left = self.left.saturating_sub(properties.named.len() / 8);
        let mut patterns = properties.patterns.iter();
        properties.named.iter().any(|(own, _)| own == name)
            || patterns.any(|(pattern, _)| self.graph.patterns[pattern.index()].accepts(name.as_bytes()))
    }
}

/// Whether a list has a key. The key lives shorter than the list.
fn has_key(keys: &HashSet<ScalarValue<'_>>, key: &ScalarValue<'_>) -> bool {
    keys.contains(key)
}
