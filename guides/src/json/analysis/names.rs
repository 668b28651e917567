//! The named properties of objects, which branches of a schema share.
//!
//! Branches mostly have the same `Properties` nodes and differ in single names that they require. So the properties of a set of nodes are
//! worked out once, and a branch with more names adds only these.

use crate::json::analysis::branch::Term;
use crate::json::schema::graph::{Graph, NodeId, Properties};
use crate::json::shape::SchemaId;
use crate::json::text::escape::write_string;
use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// A search through so few names is faster than a hash.
const FEW_NAMES: usize = 16;

/// The part of a named property that is the same in all branches with the same nodes.
#[derive(Debug)]
pub(super) struct NamedProperty {
    pub(super) name: Arc<str>,
    /// As JSON without the opening quote.
    pub(super) spelling: Arc<[u8]>,
    /// The conditions on its value.
    pub(super) asked: Vec<Term>,
    /// The schema of these conditions, once a branch has interned it. Branches that ask for more never need it.
    pub(super) schema: Cell<Option<SchemaId>>,
}

/// The properties that a set of nodes names.
#[derive(Debug)]
struct Own {
    properties: Vec<NamedProperty>,
    sorted: Vec<u32>,
    by_name: Vec<u32>,
    places: HashMap<Arc<str>, u32>,
}

/// The properties that a set of nodes names, and behind them the names that a branch adds.
#[derive(Debug)]
pub(super) struct Named {
    own: Rc<Own>,
    more: Vec<NamedProperty>,
    /// The places of these, if they are more than [`FEW_NAMES`].
    more_places: HashMap<Arc<str>, usize>,
    /// Indices, sorted by the spelling of the names.
    pub(super) sorted: Vec<u32>,
    /// Indices, sorted by the names.
    pub(super) by_name: Vec<u32>,
}

/// The properties that were worked out, by their nodes.
#[derive(Debug, Default)]
pub(super) struct KnownNames {
    own: HashMap<Vec<NodeId>, Rc<Own>>,
    /// By the names that a branch adds, too.
    all: HashMap<(Vec<NodeId>, Vec<String>), Rc<Named>>,
}

impl NamedProperty {
    fn new(graph: &Graph, nodes: &[&Properties], by_name: &[HashMap<&str, NodeId>], name: &str) -> NamedProperty {
        let mut asked = Vec::new();
        for (place, node) in nodes.iter().enumerate() {
            let before = asked.len();
            asked.extend(by_name.get(place).and_then(|own| own.get(name)).map(|&inner| Term::of(inner)));
            for &(pattern, inner) in &node.patterns {
                if graph.patterns[pattern.index()].accepts(name.as_bytes()) {
                    asked.push(Term::of(inner));
                }
            }
            if let (true, Some(additional)) = (asked.len() == before, node.additional) {
                asked.push(Term::of(additional));
            }
        }
        let spelling = write_string(name).as_bytes()[1..].into();
        NamedProperty { name: name.into(), spelling, asked, schema: Cell::new(None) }
    }
}

impl Own {
    fn new(graph: &Graph, nodes: &[&Properties]) -> Own {
        let by_name: Vec<HashMap<&str, NodeId>> =
            nodes.iter().map(|node| node.named.iter().map(|(name, inner)| (name.as_str(), *inner)).collect()).collect();
        let (mut properties, mut places) = (Vec::new(), HashMap::new());
        for (name, _) in nodes.iter().flat_map(|node| &node.named) {
            if !places.contains_key(name.as_str()) {
                let property = NamedProperty::new(graph, nodes, &by_name, name);
                places.insert(property.name.clone(), properties.len() as u32);
                properties.push(property);
            }
        }
        let mut sorted: Vec<u32> = (0..properties.len() as u32).collect();
        let mut by_name = sorted.clone();
        let property = |index: u32| -> &NamedProperty { &properties[index as usize] };
        sorted.sort_by(|&a, &b| property(a).spelling.cmp(&property(b).spelling));
        by_name.sort_by(|&a, &b| property(a).name.cmp(&property(b).name));
        Own { properties, sorted, by_name, places }
    }
}

impl Named {
    fn new(graph: &Graph, nodes: &[&Properties], own: Rc<Own>, more: &[String]) -> Named {
        let (sorted, by_name) = (own.sorted.clone(), own.by_name.clone());
        let mut named = Named { own, more: Vec::new(), more_places: HashMap::new(), sorted, by_name };
        if more.len() > FEW_NAMES {
            // The nodes name none of these.
            named.more = more.iter().map(|name| NamedProperty::new(graph, nodes, &[], name)).collect();
            let (mut sorted, mut by_name) = (named.sorted.clone(), named.by_name.clone());
            let all = named.own.properties.len() as u32..named.len() as u32;
            sorted.extend(all.clone());
            by_name.extend(all);
            let property = |index: u32| named.get(index as usize);
            sorted.sort_by(|&a, &b| property(a).spelling.cmp(&property(b).spelling));
            by_name.sort_by(|&a, &b| property(a).name.cmp(&property(b).name));
            let places = named.more.iter().enumerate().map(|(at, property)| (property.name.clone(), at));
            named.more_places = places.collect();
            (named.sorted, named.by_name) = (sorted, by_name);
            return named;
        }
        for name in more {
            named.more.push(NamedProperty::new(graph, nodes, &[], name));
            let (last, new) = (named.len() as u32 - 1, named.get(named.len() - 1));
            let place = named.sorted.partition_point(|&other| named.get(other as usize).spelling < new.spelling);
            let place_by_name = named.by_name.partition_point(|&other| named.get(other as usize).name < new.name);
            named.sorted.insert(place, last);
            named.by_name.insert(place_by_name, last);
        }
        named
    }

    pub(super) fn len(&self) -> usize {
        self.own.properties.len() + self.more.len()
    }

    pub(super) fn get(&self, place: usize) -> &NamedProperty {
        let own = &self.own.properties;
        own.get(place).unwrap_or_else(|| &self.more[place - own.len()])
    }

    pub(super) fn place(&self, name: &str) -> Option<usize> {
        match self.own.places.get(name) {
            Some(&place) => Some(place as usize),
            None => {
                let few = || self.more.iter().position(|more| *more.name == *name);
                let at = if self.more.len() > FEW_NAMES { self.more_places.get(name).copied() } else { few() };
                at.map(|at| self.own.properties.len() + at)
            }
        }
    }
}

impl KnownNames {
    /// The properties that the nodes name, and the names in `more` that they do not. `shared` identifies the nodes where other branches may
    /// have the same.
    pub(super) fn named<'n>(
        &mut self,
        graph: &Graph,
        shared: Option<Vec<NodeId>>,
        nodes: &[&Properties],
        more: impl Iterator<Item = &'n str>,
    ) -> Rc<Named> {
        let own = match shared.as_ref().and_then(|ids| self.own.get(ids)) {
            Some(own) => own.clone(),
            None => {
                let own = Rc::new(Own::new(graph, nodes));
                if let Some(ids) = &shared {
                    self.own.insert(ids.clone(), own.clone());
                }
                own
            }
        };
        let mut seen: HashSet<&str> = HashSet::new();
        let beside = more.filter(|&name| !own.places.contains_key(name) && seen.insert(name));
        let beside: Vec<String> = beside.map(str::to_owned).collect();
        let key = shared.map(|ids| (ids, beside.clone()));
        if let Some(named) = key.as_ref().and_then(|key| self.all.get(key)) {
            return named.clone();
        }
        let named = Rc::new(Named::new(graph, nodes, own, &beside));
        if let Some(key) = key {
            self.all.insert(key, named.clone());
        }
        named
    }
}
