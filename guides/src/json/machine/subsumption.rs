//! Subsumption: alternatives of an object that another alternative includes are dropped, so that the rest is an antichain (as in De Wulf,
//! Doyen, Henzinger, Raskin 2006).
//!
//! `anyOf` and `dependencies` make an alternative for each way to meet them, sometimes hundreds. Once some properties are written, most
//! alternatives allow the same rest: under `{"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}` both do after `{"a":1,"b":2`. Each byte
//! of a token is tried in each alternative, so the time of a mask falls with their number.
//!
//! The test is a comparison of bit sets, which is sound and not complete: it never drops an alternative that allows more.

use crate::automaton::cost::Cost;
use crate::json::machine::state::Item;
use crate::json::shape::object::{Additional, Object, Progress};
use crate::json::shape::{SchemaId, ShapeId};
use foldhash::{HashMap, HashMapExt};
use std::sync::Arc;

/// More alternatives than these are not compared, since the time is quadratic.
const MOST_ALTERNATIVES: usize = 1000;

/// The alternatives of the objects of one schema, compared with each other.
#[derive(Debug, Default)]
pub(super) struct Alternatives {
    members: HashMap<ShapeId, Member>,
    groups: Vec<Group>,
    /// The antichain with which an object begins.
    pub(crate) first: Vec<ShapeId>,
}

/// Alternatives that name the same properties.
#[derive(Debug)]
struct Group {
    names: Vec<Arc<str>>,
    /// By bit what alternatives of the group may allow: a schema for the property of this index, or additional keys where there is none.
    allowed: Vec<Option<usize>>,
}

/// What an alternative allows and asks for.
#[derive(Debug)]
struct Member {
    group: usize,
    /// The bits of [`Group::allowed`] that it has.
    allowed: Vec<u64>,
    /// A bit for each property.
    required: Vec<u64>,
    /// The least and the greatest number of entries.
    count: (u32, u32),
    /// The demands that entries must meet between them.
    demanded: u8,
}

/// What is written in an object: bits of `allowed` and `required` that no longer matter.
struct Gone {
    allowed: Vec<u64>,
    required: Vec<u64>,
}

impl Alternatives {
    /// Called once costs are settled: properties that have no value allow nothing.
    pub(crate) fn new<'a>(
        shapes: &[ShapeId],
        object: impl Fn(ShapeId) -> &'a Object,
        cost: impl Fn(SchemaId) -> Cost,
    ) -> Alternatives {
        let mut alternatives = Alternatives { first: shapes.to_vec(), ..Alternatives::default() };
        if !(2..=MOST_ALTERNATIVES).contains(&shapes.len()) {
            return alternatives;
        }
        let mut bits: Vec<HashMap<(usize, SchemaId), usize>> = Vec::new();
        let mut others: Vec<Vec<(&Additional, usize)>> = Vec::new();
        for &shape in shapes {
            let object = object(shape);
            if !object.clauses.is_empty() {
                continue;
            }
            let group = alternatives.group_of(object);
            bits.resize_with(alternatives.groups.len(), HashMap::new);
            others.resize_with(alternatives.groups.len(), Vec::new);
            let known = &mut alternatives.groups[group].allowed;
            let mut allowed = Vec::new();
            for (index, property) in object.properties.iter().enumerate() {
                if !cost(property.schema).is_never() {
                    let bit = *bits[group].entry((index, property.schema)).or_insert_with(|| {
                        known.push(Some(index));
                        known.len() - 1
                    });
                    set(&mut allowed, bit);
                }
            }
            if let Some(additional) = &object.additional {
                let same = others[group].iter().find(|(other, _)| are_same(other, additional)).map(|(_, bit)| *bit);
                set(
                    &mut allowed,
                    same.unwrap_or_else(|| {
                        known.push(None);
                        others[group].push((additional, known.len() - 1));
                        known.len() - 1
                    }),
                );
            }
            let (count, demanded) = ((object.min, object.max), object.demanded);
            let member = Member { group, allowed, required: object.required.clone(), count, demanded };
            alternatives.members.insert(shape, member);
        }
        let mut first: Vec<Item> = shapes.iter().map(|&shape| Item::new(shape, SchemaId::new(0))).collect();
        leave_out(&mut first, |item| item, |_, _| true, |_| &alternatives);
        alternatives.first = first.into_iter().map(|item| item.shape).collect();
        alternatives
    }

    fn group_of(&mut self, object: &Object) -> usize {
        let names = || object.properties.iter().map(|property| &property.name);
        let is_same = |group: &Group| {
            group.names.len() == object.properties.len()
                && group.names.iter().zip(names()).all(|(a, b)| Arc::ptr_eq(a, b) || a == b)
        };
        self.groups.iter().position(is_same).unwrap_or_else(|| {
            self.groups.push(Group { names: names().cloned().collect(), allowed: Vec::new() });
            self.groups.len() - 1
        })
    }

    /// What is written in an object of the group.
    fn gone(&self, group: usize, progress: &Progress<'_>) -> Gone {
        let group = &self.groups[group];
        let mut allowed = Vec::new();
        for (bit, index) in group.allowed.iter().enumerate() {
            if index.is_some_and(|index| !progress.is_left(index as u32)) {
                set(&mut allowed, bit);
            }
        }
        let mut required = Vec::new();
        (0..group.names.len())
            .filter(|&index| !progress.is_left(index as u32))
            .for_each(|index| set(&mut required, index));
        Gone { allowed, required }
    }
}

impl Member {
    /// Whether everything that may still follow in `other` may follow here. All demands must be met here.
    fn includes(&self, other: &Member, gone: &Gone) -> bool {
        self.group == other.group
            && self.count.0 <= other.count.0
            && self.count.1 >= other.count.1
            && is_within(&other.allowed, &self.allowed, &gone.allowed)
            && is_within(&self.required, &other.required, &gone.required)
    }
}

/// Drops the entries of a list whose items another one includes. `item` is the item of an entry, `alike` says whether two entries are the
/// same but for their items, `alternatives` has those of each schema.
pub(super) fn leave_out<'a, T>(
    list: &mut Vec<T>,
    item: impl Fn(&T) -> &Item,
    alike: impl Fn(&T, &T) -> bool,
    alternatives: impl Fn(SchemaId) -> &'a Alternatives,
) {
    if list.len() < 2 {
        return;
    }
    let members: Vec<Option<(SchemaId, &Member)>> = list
        .iter()
        .map(|entry| {
            let Item { shape, schema, .. } = *item(entry);
            Some((schema, alternatives(schema).members.get(&shape)?))
        })
        .collect();
    // An item with demands left asks for more than others may, so it includes none.
    let is_able =
        |&index: &usize| members[index].is_some_and(|(_, member)| member.demanded & !item(&list[index]).met.set() == 0);
    let able: Vec<usize> = (0..list.len()).filter(is_able).collect();
    // Alternatives of one group agree on what is written, so it is found once for each group.
    let mut gone: Vec<((SchemaId, usize), Gone)> = Vec::new();
    let mut stays = vec![true; list.len()];
    for one in 0..list.len() {
        let Some((schema, member)) = members[one] else { continue };
        let is_same = |&&two: &&usize| {
            two != one
                && stays[two]
                && members[two].is_some_and(|(other, two)| other == schema && two.group == member.group)
                && alike(&list[one], &list[two])
        };
        let mut same = able.iter().filter(is_same).peekable();
        if same.peek().is_none() {
            continue;
        }
        let key = (schema, member.group);
        let known = gone.iter().position(|(other, _)| *other == key).unwrap_or_else(|| {
            gone.push((key, alternatives(schema).gone(member.group, &item(&list[one]).progress())));
            gone.len() - 1
        });
        let gone = &gone[known].1;
        // Of two that include each other the first one stays, and not none.
        let is_included = same.any(|&two| {
            members[two].is_some_and(|(_, other)| {
                let mutual = is_able(&one) && member.includes(other, gone);
                other.includes(member, gone) && (two < one || !mutual)
            })
        });
        stays[one] = !is_included;
    }
    if stays.contains(&false) {
        let mut stays = stays.into_iter();
        list.retain(|_| stays.next().unwrap_or(true));
    }
}

fn set(bits: &mut Vec<u64>, bit: usize) {
    if bits.len() <= bit / 64 {
        bits.resize(bit / 64 + 1, 0);
    }
    bits[bit / 64] |= 1 << (bit % 64);
}

/// Whether each bit of `one` is set in `two` or in `gone`.
fn is_within(one: &[u64], two: &[u64], gone: &[u64]) -> bool {
    let word = |bits: &[u64], place: usize| bits.get(place).copied().unwrap_or(0);
    one.iter().enumerate().all(|(place, &bits)| bits & !word(two, place) & !word(gone, place) == 0)
}

/// Whether two alternatives allow the same additional keys with the same values.
pub(crate) fn are_same(one: &Additional, two: &Additional) -> bool {
    one.keys.characters.id() == two.keys.characters.id()
        && (Arc::ptr_eq(&one.class_of, &two.class_of) || one.class_of == two.class_of)
        && one.classes.len() == two.classes.len()
        && one.classes.iter().zip(&two.classes).all(|(a, b)| a.schema == b.schema)
}

#[cfg(test)]
mod tests {
    use super::MOST_ALTERNATIVES;
    use crate::automaton::Automaton;
    use crate::json;
    use crate::json::language::cache::Languages;
    use crate::json::language::spellable::Spellable;
    use crate::json::machine::state::{At, JsonState};
    use crate::json::schema::documents::Documents;
    use crate::options::{Limits, Options, Order};

    /// The alternatives of the object after each of these beginnings of a text.
    fn alternatives(schema: &str, texts: &[&str]) -> Vec<usize> {
        let (languages, options) =
            (Languages::new(1 << 20, Spellable::ALL), Options { order: Order::Any, ..Options::default() });
        let compiled =
            json::compile(schema, &options, &Limits::default(), &languages, &Documents::default(), &Default::default());
        let machine = compiled.expect("a schema");
        let after = |text: &&str| {
            let step = |state: JsonState, byte: u8| machine.step(&state, byte);
            text.bytes().try_fold(machine.start(), step).expect("allowed")
        };
        let count = |state: JsonState| match &state.at {
            At::Open { items, .. } | At::After { items, .. } => items.as_slice().len(),
            _ => 0,
        };
        texts.iter().map(|text| count(after(text))).collect()
    }

    /// With `propertyNames`, which says more than single keys tell, no term becomes a clause.
    const SCHEMA: &str = r#"{
        "properties": {"a": {}, "b": {}, "c": {}, "d": {"type": "string"}, "e": {}}, "additionalProperties": false,
        "anyOf": [{"required": ["a"], "propertyNames": {"minLength": 1}}, {"required": ["b"]}, {"required": ["c"]}],
        "dependencies": {"a": {"not": {"required": ["b", "c"]}}, "b": {"not": {"required": ["a", "c"]}}, "e": ["a"]}}"#;

    #[test]
    fn an_alternative_that_another_one_includes_is_dropped() {
        let counts =
            alternatives(SCHEMA, &["{", r#"{"d":"""#, r#"{"a":"""#, r#"{"a":"","b":"""#, r#"{"a":"","b":"","e":"""#]);
        // After a, alternatives with and without e stay, each without b or without c; nothing asks for a any more.
        assert_eq!(counts, [6, 6, 4, 2, 1]);
    }

    #[test]
    fn alternatives_beyond_the_limit_are_not_compared() {
        let list = |count: usize| {
            let objects: Vec<String> = (0..count).map(|value| format!(r#"{{"a": {value}, "b": []}}"#)).collect();
            format!(r#"{{"enum": [{}]}}"#, objects.join(","))
        };
        for count in [MOST_ALTERNATIVES, MOST_ALTERNATIVES + 1] {
            assert_eq!(alternatives(&list(count), &["{", r#"{"b":[]"#]), [count, count]);
        }
    }

    #[test]
    fn alternatives_that_allow_other_values_stay() {
        let schema = r#"{"type": "object", "additionalProperties": {"type": "null"}, "properties": {"a": {}, "b": {}},
            "anyOf": [{"properties": {"a": {"enum": [[], {}]}, "b": {}}},
                {"properties": {"a": {"enum": ["", {}]}, "b": {"type": "string"}}}]}"#;
        let texts = ["{", r#"{"a":[]"#, r#"{"a":"""#, r#"{"a":{}"#, r#"{"b":"""#, r#"{"b":[]"#, r#"{"x":null"#];
        let counts = alternatives(schema, &texts);
        assert_eq!(counts, [2, 1, 1, 2, 2, 1, 2]);
    }
}
