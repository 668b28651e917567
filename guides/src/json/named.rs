//! The named properties of objects, which branches of a schema have in common: worked out once for each set of conditions.

use super::analysis::Builder;
use super::branch::Term;
use super::node::{Graph, NodeId, Properties};
use super::shape::SchemaId;
use super::text::write_string;
use foldhash::{HashMap, HashMapExt};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// The properties that some conditions name, and others beside them.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) names: Vec<Arc<str>>,
    /// As JSON without the opening quotes.
    pub(super) spellings: Vec<Arc<[u8]>>,
    /// What the conditions ask of each value.
    pub(super) asked: Vec<Vec<Term>>,
    /// The schema of that, once it was wanted.
    schemas: RefCell<Vec<Option<SchemaId>>>,
    /// Indices, sorted by the spelling of the names.
    pub(super) sorted: Vec<u32>,
    /// Indices, sorted by the names.
    pub(super) by_name: Vec<u32>,
    places: HashMap<Arc<str>, u32>,
}

/// What was worked out, by the nodes that name properties and by the names beside those.
pub(super) type KnownNames = HashMap<(Vec<NodeId>, Vec<String>), Rc<Named>>;

impl Named {
    fn new(graph: &Graph, nodes: &[&Properties], more: &[String]) -> Named {
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut places: HashMap<Arc<str>, u32> = HashMap::new();
        let named = nodes.iter().flat_map(|properties| properties.named.iter().map(|(name, _)| name));
        for name in named.chain(more) {
            if !places.contains_key(name.as_str()) {
                let name: Arc<str> = name.as_str().into();
                places.insert(name.clone(), names.len() as u32);
                names.push(name);
            }
        }
        let mut asked: Vec<Vec<Term>> = vec![Vec::new(); names.len()];
        for node in nodes {
            // Whether the node speaks of the name otherwise than by what it asks of all others.
            let mut spoken = vec![false; names.len()];
            let mut own: HashMap<&str, NodeId> = HashMap::new();
            own.extend(node.named.iter().map(|(name, inner)| (name.as_str(), *inner)));
            for (name, inner) in own {
                if let Some(&place) = places.get(name) {
                    asked[place as usize].push((inner, true));
                    spoken[place as usize] = true;
                }
            }
            for ((name, asked), spoken) in names.iter().zip(&mut asked).zip(&mut spoken) {
                for &(pattern, inner) in &node.patterns {
                    if graph.patterns[pattern as usize].accepts(name.as_bytes()) {
                        asked.push((inner, true));
                        *spoken = true;
                    }
                }
                if let (false, Some(additional)) = (*spoken, node.additional) {
                    asked.push((additional, true));
                }
            }
        }
        let spellings: Vec<Arc<[u8]>> = names.iter().map(|name| write_string(name).as_bytes()[1..].into()).collect();
        let mut sorted: Vec<u32> = (0..names.len() as u32).collect();
        let mut by_name = sorted.clone();
        sorted.sort_by(|&a, &b| spellings[a as usize].cmp(&spellings[b as usize]));
        by_name.sort_by(|&a, &b| names[a as usize].cmp(&names[b as usize]));
        let schemas = RefCell::new(vec![None; names.len()]);
        Named { names, spellings, asked, schemas, sorted, by_name, places }
    }

    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).map(|&place| place as usize)
    }
}

impl Builder<'_> {
    /// The properties that the nodes name, and those of `more` that they do not; `shared` are the nodes where others ask for the same.
    pub(super) fn named<'n>(
        &mut self,
        shared: Option<Vec<NodeId>>,
        nodes: &[&Properties],
        more: impl Iterator<Item = &'n str>,
    ) -> Rc<Named> {
        let graph = self.graph;
        let Some(ids) = shared else {
            let more: Vec<String> = more.map(str::to_owned).collect();
            return Rc::new(Named::new(graph, nodes, &more));
        };
        let mut of = |ids: Vec<NodeId>, more: Vec<String>| match self.known_names.get(&(ids.clone(), more.clone())) {
            Some(known) => known.clone(),
            None => {
                let named = Rc::new(Named::new(graph, nodes, &more));
                self.known_names.insert((ids, more), named.clone());
                named
            }
        };
        let own = of(ids.clone(), Vec::new());
        let mut beside: Vec<String> = Vec::new();
        for name in more {
            if own.place(name).is_none() && !beside.iter().any(|other| other == name) {
                beside.push(name.to_owned());
            }
        }
        if beside.is_empty() { own } else { of(ids, beside) }
    }

    /// The schema of what the conditions ask of a property.
    pub(super) fn schema_of_named(&mut self, named: &Named, place: usize) -> SchemaId {
        if let Some(schema) = named.schemas.borrow()[place] {
            return schema;
        }
        let schema = self.intern(named.asked[place].clone());
        named.schemas.borrow_mut()[place] = Some(schema);
        schema
    }
}
