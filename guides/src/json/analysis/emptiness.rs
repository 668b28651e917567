//! Why nothing satisfies a schema, and where: a contradiction, or values without end.
//!
//! A schema has no value where it allows nothing even if each schema of its entries had values: there the conditions contradict each other.
//! It has none either where each alternative needs an entry whose schema has none. The greatest fixpoint of "may have a value" leaves out
//! the schemas that are empty for these reasons, the least fixpoint also those whose values would never end: each contains another one.
//!
//! Both are over-approximations. A schema without a least cost that is in the least fixpoint may have values which the search for costs
//! has not found, and the answer is that nothing was proved.

use crate::error::{CompileError, too_big};
use crate::json::analysis::Builder;
use crate::json::analysis::branch::Term;
use crate::json::schema::graph::{Node, NodeId};
use crate::json::schema::pointer::escape;
use crate::json::shape::SchemaId;
use crate::json::shape::array::Array;
use crate::json::shape::clause_search::MOST_DECISIONS;
use crate::json::shape::object::Object;
use foldhash::HashSet;

/// Places that an error names.
const MOST_NAMED_PLACES: usize = 4;

/// Conditions on the same value that the search for the place of a member looks through.
const MOST_MEMBERS_LOOKED_AT: usize = 2_000;

impl Builder<'_> {
    /// The error for a root without a least cost.
    pub(super) fn why_empty(&self, root: SchemaId) -> CompileError {
        let greatest = self.may_have_values(true);
        let mut places = Vec::new();
        if !greatest[root.index()] {
            let hopes = vec![true; self.schemas.len()];
            self.contradictions(root, None, &greatest, &hopes, &mut HashSet::default(), &mut places);
            let several = places.len() > 1;
            let reason = if several {
                "the conditions at each of these places contradict each other, and each alternative needs one of them"
            } else {
                "the conditions there contradict each other"
            };
            return CompileError::Unsatisfiable { pointers: places, reason: reason.into() };
        }
        let least = self.may_have_values(false);
        if least[root.index()] {
            let remedy = "no answer was found, and none is proved to be impossible; use fewer conditions that some entry must \
                          meet beside maxProperties or maxItems (contains, not around properties)";
            let at = self.pointer(&self.conjunctions[root.index()]);
            return too_big(at, "decisions to find a shortest answer", MOST_DECISIONS, remedy);
        }
        let place = self.endless_place(root, &least);
        CompileError::Unsatisfiable {
            pointers: vec![place],
            reason: "values without end are asked for: each value there must contain another one of the same kind"
                .into(),
        }
    }

    /// The schemas that may have values, as a greatest or a least fixpoint.
    fn may_have_values(&self, greatest: bool) -> Vec<bool> {
        let mut may = vec![greatest; self.schemas.len()];
        loop {
            let mut changed = false;
            for id in (0..self.schemas.len()).rev() {
                let now = self.may_have_value(id, &may);
                changed |= now != may[id];
                may[id] = now;
            }
            if !changed {
                return may;
            }
        }
    }

    fn may_have_value(&self, id: usize, may: &[bool]) -> bool {
        let schema = &self.schemas[id];
        if !schema.literals.is_empty() || schema.numbers.is_some() || !schema.strings.is_empty() {
            return true;
        }
        let may = |id: SchemaId| may[id.index()];
        schema.objects.iter().any(|&object| may_be_object(&self.objects[object.index()], &may))
            || schema.arrays.iter().any(|&array| may_be_array(&self.arrays[array.index()], &may))
    }

    /// Collects the places of contradictions that leave a schema without values. `place` is that of the schema, where it is known.
    fn contradictions(
        &self,
        id: SchemaId,
        place: Option<String>,
        may: &[bool],
        hopes: &[bool],
        seen: &mut HashSet<SchemaId>,
        places: &mut Vec<String>,
    ) {
        if places.len() >= MOST_NAMED_PLACES || !seen.insert(id) {
            return;
        }
        let terms = &self.conjunctions[id.index()];
        if !self.may_have_value(id.index(), hopes) {
            let places_of_terms = || terms.iter().map(|term| self.graph.pointers[term.node.index()].to_string());
            let own: Vec<String> = match place {
                Some(place) if terms.len() <= 1 => vec![place],
                _ => places_of_terms().collect(),
            };
            for place in own {
                if places.len() < MOST_NAMED_PLACES && !places.contains(&place) {
                    places.push(place);
                }
            }
            return;
        }
        let schema = &self.schemas[id.index()];
        let lacks = |id: SchemaId| !may[id.index()];
        for &object in &schema.objects {
            let object = &self.objects[object.index()];
            let entry = object.properties.iter().find(|property| property.required && lacks(property.schema));
            if let Some(property) = entry {
                let place = self.place_of_member(terms, &property.name);
                self.contradictions(property.schema, place, may, hopes, seen, places);
            }
        }
        for &array in &schema.arrays {
            let array = &self.arrays[array.index()];
            let first = array.prefix.len() as u32;
            let entry = (0..array.min.min(first + 1)).find(|&at| array.entry(at).iter().all(|way| lacks(way.schema)));
            let counted =
                || array.prefix.iter().chain([&array.rest]).flat_map(|ways| ways.iter()).find(|way| lacks(way.schema));
            let way = entry.and_then(|at| array.entry(at).iter().next()).or_else(counted);
            if let Some(way) = way {
                self.contradictions(way.schema, None, may, hopes, seen, places);
            }
        }
        if places.is_empty() {
            places.extend(terms.first().map(|term| self.graph.pointers[term.node.index()].to_string()));
        }
    }

    /// Where the schema of a member stands, if one of the terms names it in `properties`.
    fn place_of_member(&self, terms: &[Term], name: &str) -> Option<String> {
        let mut open: Vec<NodeId> = terms.iter().filter(|term| term.holds).map(|term| term.node).collect();
        let mut seen: HashSet<NodeId> = HashSet::default();
        while let Some(node) = open.pop() {
            if seen.len() > MOST_MEMBERS_LOOKED_AT || !seen.insert(node) {
                continue;
            }
            match &self.graph.nodes[node.index()] {
                Node::All(nodes) | Node::Any(nodes) | Node::One(nodes) => open.extend(nodes),
                &Node::Scope { inner, .. } => open.push(inner),
                Node::Properties(properties) if properties.named.iter().any(|(own, _)| own == name) => {
                    let schema = self.graph.pointers[node.index()].rsplit_once('/');
                    return schema.map(|(schema, _)| format!("{schema}/properties/{}", escape(name)));
                }
                _ => {}
            }
        }
        None
    }

    /// A schema on the way from the root into values without end, which leads back to itself.
    fn endless_place(&self, root: SchemaId, least: &[bool]) -> String {
        let (mut id, mut seen) = (root, HashSet::default());
        let mut place = None;
        while seen.insert(id) {
            let schema = &self.schemas[id.index()];
            let lacks = |id: SchemaId| !least[id.index()];
            let of_object = schema.objects.iter().find_map(|&object| {
                let mut properties = self.objects[object.index()].properties.iter();
                properties.find(|property| property.required && lacks(property.schema))
            });
            let of_array = schema.arrays.iter().find_map(|&array| {
                let array = &self.arrays[array.index()];
                array.entry(0).iter().chain(array.rest.iter()).find(|way| lacks(way.schema))
            });
            let terms = &self.conjunctions[id.index()];
            (id, place) = match (of_object, of_array) {
                (Some(property), _) => (property.schema, self.place_of_member(terms, &property.name)),
                (None, Some(way)) => (way.schema, None),
                (None, None) => break,
            };
        }
        let own =
            || self.conjunctions[id.index()].first().map(|term| self.graph.pointers[term.node.index()].to_string());
        place.or_else(own).unwrap_or_default()
    }
}

fn may_be_object(object: &Object, may: &impl Fn(SchemaId) -> bool) -> bool {
    let required = object.properties.iter().filter(|property| property.required);
    let demands = (0..8).filter(|bit| object.demanded >> bit & 1 == 1);
    let meets = |bit: u32| {
        let properties = object.properties.iter().flat_map(|property| &property.meets);
        let classes =
            object.additional.iter().flat_map(|additional| &additional.classes).flat_map(|class| &class.meets);
        properties.chain(classes).any(|way| way.counts >> bit & 1 == 1 && may(way.schema))
    };
    object.min <= object.max
        && required.clone().count() <= object.max as usize
        && required.clone().all(|property| may(property.schema))
        && demands.clone().all(meets)
        && object.has_enough_keys(may)
        && object.may_meet_clauses(may)
}

fn may_be_array(array: &Array, may: &impl Fn(SchemaId) -> bool) -> bool {
    let first = array.prefix.len() as u32;
    let has_way = |at: u32| array.entry(at).iter().any(|way| may(way.schema));
    let ways = || array.prefix.iter().chain([&array.rest]).flat_map(|ways| ways.iter());
    let counters = array.counters.iter().enumerate().filter(|(_, counter)| counter.min > 0);
    array.min <= array.max
        && (0..array.min.min(first + 1)).all(has_way)
        && counters.clone().all(|(bit, counter)| {
            counter.min <= counter.max
                && counter.min <= array.max
                && ways().any(|way| way.counts >> bit & 1 == 1 && may(way.schema))
        })
}
