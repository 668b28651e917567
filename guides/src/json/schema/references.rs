//! The target of a reference: resources, anchors and dynamic scopes (JSON Schema 2020-12 core, sections 8.2 and 9).
//!
//! A schema with an id of its own is a resource: references inside it are resolved against its URI (RFC 3986), and its anchors
//! are its own. `$dynamicRef` depends on the resources that were entered on the way to it. For each dynamic anchor only the first resource
//! that has it counts, so ways with the same first resources are one [`Scope`]. There are finitely many scopes, and a schema is read once
//! for each.

use crate::error::{CompileError, Place, too_big};
use crate::interrupt::passed;
use crate::json::schema::drafts::Draft;
use crate::json::schema::pointer::{canonical, percent_decode};
use crate::json::schema::subschemas::{Step, for_each_schema};
use crate::json::text::value::Value;
use fluent_uri::{Iri, IriRef};
use std::collections::{BTreeMap, HashMap};

/// Dynamic scopes of one schema. Each reads the schemas in it anew, and their number may be exponential in that of the anchors.
const MAX_SCOPES: usize = 1_000;
/// Bytes of URIs and pointers. Each spells out the whole way to a schema, so that deep nesting makes them quadratic.
const SCOPE_BYTES: usize = 64 << 20;
/// The base of a schema without an id. Nobody can refer to it from elsewhere.
const NO_ID: &str = "json-schema:///";
/// `$recursiveAnchor` of draft 2019-09 is kept as a dynamic anchor with this name, which no anchor can have.
const RECURSIVE: &str = "#";

/// Index of a resource.
pub(super) type Resource = u32;
/// Index of a dynamic scope.
pub(super) type Scope = u32;

/// The URIs, anchors and scopes of a schema, of the schemas inside it, and of the documents that it refers to.
pub(super) struct References {
    resources: Vec<Located>,
    /// The resource that begins at a pointer.
    roots: HashMap<String, Resource>,
    /// The resource of each URI; `None` where two have it.
    uris: HashMap<String, Option<Resource>>,
    /// Where each dynamic anchor leads, by scope.
    scopes: Vec<BTreeMap<String, String>>,
    known_scopes: HashMap<BTreeMap<String, String>, Scope>,
    /// The scope that each scope becomes when a resource is entered.
    entered: HashMap<(Scope, Resource), Scope>,
    /// Bytes of the URIs and pointers of resources and anchors.
    bytes: usize,
}

struct Located {
    pointer: String,
    /// `None` where the id is no URI: only references within the resource can be followed then.
    base: Option<Iri<String>>,
    draft: Draft,
    anchors: HashMap<String, Anchor>,
}

enum Anchor {
    At {
        pointer: String,
        dynamic: bool,
    },
    /// Two schemas have it. Only a reference to it is an error.
    Twice,
}

/// The target of a reference.
#[derive(Debug)]
pub(super) struct Referent {
    pub(super) pointer: String,
    /// The dynamic anchor by which the reference names it.
    dynamic: Option<String>,
}

/// Why a reference was not followed.
#[derive(Debug)]
pub(super) enum Unresolved {
    /// It names nothing.
    Wrong(String),
    /// It names something that is not here.
    Elsewhere(String),
}

impl References {
    /// Finds the resources and anchors of a schema.
    pub(super) fn collect(root: &Value) -> References {
        let first = Iri::parse(NO_ID.to_owned()).ok();
        let mut references = References {
            resources: vec![Located {
                pointer: String::new(),
                base: first,
                draft: Draft::of(root, Draft::Of2020),
                anchors: HashMap::new(),
            }],
            roots: HashMap::from([(String::new(), 0)]),
            uris: HashMap::new(),
            scopes: vec![BTreeMap::new()],
            known_scopes: HashMap::from([(BTreeMap::new(), 0)]),
            entered: HashMap::new(),
            bytes: 0,
        };
        references.enter_document(root, 0);
        references
    }

    /// Finds the resources and anchors of one more document, which has a URI and is found at `place`. A document that names no draft has
    /// the draft of the resource that refers to it.
    pub(super) fn add(&mut self, document: &Value, uri: &str, place: &str, from: Resource) {
        let resource = self.resources.len() as Resource;
        let (base, draft) = (Iri::parse(uri.to_owned()).ok(), Draft::of(document, self.draft(from)));
        self.resources.push(Located { pointer: place.to_owned(), base, draft, anchors: HashMap::new() });
        self.roots.insert(place.to_owned(), resource);
        self.uris.insert(uri.to_owned(), Some(resource));
        self.enter_document(document, resource);
    }

    /// Notes the ids and anchors of all schemas in a document.
    fn enter_document(&mut self, document: &Value, resource: Resource) {
        // Steps to schemas, each with the index of the step before it plus one. Few schemas have an id or an anchor, so that pointers
        // are written only for these.
        let mut steps: Vec<(usize, Step<'_>)> = Vec::new();
        let beginning = self.resources[resource as usize].pointer.clone();
        let mut open = vec![(document, None, resource)];
        while let Some((schema, place, outer)) = open.pop() {
            // Reading the schema then fails by the size or the interrupt.
            if self.bytes > SCOPE_BYTES || passed(1) {
                return;
            }
            let pointer = || {
                let before = |&place: &usize| place.checked_sub(1).map(|place| steps[place].0);
                let all: Vec<usize> = std::iter::successors(place, before).take_while(|&place| place > 0).collect();
                all.iter().rev().fold(beginning.clone(), |pointer, place| steps[place - 1].1.after(pointer))
            };
            let resource = self.enter_schema(schema, &pointer, outer, place.is_none());
            for_each_schema(schema, |step, inner| {
                steps.push((place.unwrap_or(0), step));
                open.push((inner, Some(steps.len()), resource));
            });
        }
    }

    /// Notes the id and the anchors of one schema, and returns the resource that it belongs to. `whole` tells whether it is a document.
    fn enter_schema(&mut self, schema: &Value, pointer: &dyn Fn() -> String, outer: Resource, whole: bool) -> Resource {
        let text = |key: &str| match schema.get(key) {
            Some(Value::String(text)) => Some(text.as_str()),
            _ => None,
        };
        let draft = Draft::of(schema, self.resources[outer as usize].draft);
        let old = draft <= Draft::Seven;
        if old && !whole && schema.get("$ref").is_some() {
            return outer;
        }
        let id = text("$id").or_else(|| text("id").filter(|_| old || whole));
        let mut resource = outer;
        if let Some(id) = id.filter(|id| !id.starts_with('#')) {
            let base = self.resources[outer as usize].base.as_ref();
            let base = base.and_then(|base| resolve(base, id.split('#').next().unwrap_or_default()));
            if !whole {
                resource = self.resources.len() as Resource;
                let pointer = pointer();
                self.bytes += pointer.len() + base.as_ref().map_or(0, |base| base.as_str().len());
                self.roots.insert(pointer.clone(), resource);
                self.resources.push(Located { pointer, base, draft, anchors: HashMap::new() });
            } else if base.is_some() {
                self.resources[outer as usize].base = base;
            }
        }
        if whole || resource != outer {
            if let Some(base) = &self.resources[resource as usize].base {
                let known = self.uris.entry(base.as_str().to_owned());
                // A document that is known by its own id is there already.
                known.and_modify(|other| *other = other.filter(|&other| other == resource)).or_insert(Some(resource));
            }
            if schema.get("$recursiveAnchor") == Some(&Value::Bool(true)) {
                self.note(resource, RECURSIVE, &pointer(), true);
            }
        }
        // Up to draft 7 an anchor is an id that is a fragment.
        let fragment = ["$id", "id"].iter().find_map(|key| text(key)?.strip_prefix('#'));
        for name in [text("$anchor"), fragment.filter(|name| !name.is_empty())].into_iter().flatten() {
            self.note(resource, name, &pointer(), false);
        }
        if let Some(name) = text("$dynamicAnchor") {
            self.note(resource, name, &pointer(), true);
        }
        resource
    }

    /// Notes an anchor.
    fn note(&mut self, resource: Resource, name: &str, pointer: &str, dynamic: bool) {
        self.bytes += pointer.len();
        let anchors = &mut self.resources[resource as usize].anchors;
        let anchor = match anchors.get(name) {
            None => Anchor::At { pointer: pointer.to_owned(), dynamic },
            // `$anchor` and `$dynamicAnchor` of one schema may have the same name.
            Some(Anchor::At { pointer: other, dynamic: before }) if other == pointer => {
                Anchor::At { pointer: pointer.to_owned(), dynamic: dynamic || *before }
            }
            Some(_) => Anchor::Twice,
        };
        anchors.insert(name.to_owned(), anchor);
    }

    /// Bytes of the URIs and pointers of resources and anchors; beyond any limit where the search for them was given up.
    pub(super) fn bytes(&self) -> usize {
        if self.bytes > SCOPE_BYTES { usize::MAX / 2 } else { self.bytes }
    }

    /// The resource that a place belongs to.
    pub(super) fn resource_of(&self, pointer: &str) -> Resource {
        if self.roots.len() == 1 {
            return 0;
        }
        let mut pointer = pointer;
        loop {
            if let Some(&resource) = self.roots.get(pointer) {
                return resource;
            }
            pointer = pointer.rfind('/').map_or("", |end| &pointer[..end]);
        }
    }

    /// The resource that begins at a place.
    pub(super) fn resource_at(&self, pointer: &str) -> Option<Resource> {
        // Most schemas are one resource, so that no pointer is hashed.
        if self.roots.len() == 1 {
            return pointer.is_empty().then_some(0);
        }
        self.roots.get(pointer).copied()
    }

    /// The draft that a resource is of.
    pub(super) fn draft(&self, resource: Resource) -> Draft {
        self.resources[resource as usize].draft
    }

    /// The scope that `scope` becomes when a resource is entered.
    pub(super) fn enter(&mut self, scope: Scope, resource: Resource) -> Result<Scope, CompileError> {
        if let Some(&known) = self.entered.get(&(scope, resource)) {
            return Ok(known);
        }
        let entered = self.enter_anew(scope, resource)?;
        self.entered.insert((scope, resource), entered);
        Ok(entered)
    }

    fn enter_anew(&mut self, scope: Scope, resource: Resource) -> Result<Scope, CompileError> {
        let entry = &self.resources[resource as usize];
        let mut names = self.scopes[scope as usize].clone();
        for (name, anchor) in &entry.anchors {
            if let Anchor::At { pointer, dynamic: true } = anchor {
                names.entry(name.clone()).or_insert_with(|| pointer.clone());
            }
        }
        if let Some(&known) = self.known_scopes.get(&names) {
            return Ok(known);
        }
        if self.scopes.len() >= MAX_SCOPES {
            let at = Place::Pointer(entry.pointer.clone());
            let remedy = "use fewer schemas with $dynamicAnchor";
            return Err(too_big(at, "ways to resolve the dynamic references", MAX_SCOPES, remedy));
        }
        let new = self.scopes.len() as Scope;
        self.scopes.push(names.clone());
        self.known_scopes.insert(names, new);
        Ok(new)
    }

    /// The target of a reference that stands in `resource`.
    pub(super) fn resolve(&self, resource: Resource, reference: &str) -> Result<Referent, Unresolved> {
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let resource = if document.is_empty() { resource } else { self.document(resource, document)? };
        let entry = &self.resources[resource as usize];
        let fragment = percent_decode(fragment).ok_or_else(|| {
            Unresolved::Wrong(format!("{reference:?} is no reference: a % is not followed by two digits"))
        })?;
        if fragment.is_empty() {
            let is_dynamic = matches!(entry.anchors.get(RECURSIVE), Some(Anchor::At { dynamic: true, .. }));
            return Ok(Referent { pointer: entry.pointer.clone(), dynamic: is_dynamic.then(|| RECURSIVE.to_owned()) });
        }
        if fragment.starts_with('/') {
            return Ok(Referent { pointer: format!("{}{}", entry.pointer, canonical(&fragment)), dynamic: None });
        }
        match entry.anchors.get(&fragment) {
            Some(Anchor::At { pointer, dynamic }) => {
                Ok(Referent { pointer: pointer.clone(), dynamic: dynamic.then(|| fragment.clone()) })
            }
            Some(Anchor::Twice) => {
                Err(Unresolved::Wrong(format!("more than one schema has the anchor {fragment:?}; use #/... instead")))
            }
            None => Err(Unresolved::Wrong(format!("no schema here has the anchor {fragment:?}"))),
        }
    }

    /// The resource of a URI without a fragment.
    fn document(&self, from: Resource, document: &str) -> Result<Resource, Unresolved> {
        let Some(base) = &self.resources[from as usize].base else {
            return Err(Unresolved::Wrong(format!(
                "{document:?} can't be resolved: the schema around it has an id that is no URI"
            )));
        };
        let uri =
            resolve(base, document).ok_or_else(|| Unresolved::Wrong(format!("{document:?} is no URI reference")))?;
        match self.uris.get(uri.as_str()) {
            Some(Some(resource)) => Ok(*resource),
            Some(None) => Err(Unresolved::Wrong(format!("more than one schema has the id {uri}"))),
            None => Err(Unresolved::Elsewhere(match uri.as_str().strip_prefix(NO_ID) {
                Some(_) => document.to_owned(),
                None => uri.into_string(),
            })),
        }
    }

    /// The place of a target in a dynamic scope: that of the outermost schema with the same dynamic anchor, or its own.
    pub(super) fn outermost<'a>(&'a self, target: &'a Referent, scope: Scope) -> &'a str {
        let place = target.dynamic.as_ref().and_then(|name| self.scopes[scope as usize].get(name));
        place.unwrap_or(&target.pointer)
    }
}

/// Resolves a reference without a fragment; `None` if it is no URI reference.
fn resolve(base: &Iri<String>, reference: &str) -> Option<Iri<String>> {
    let resolved = IriRef::parse(reference).ok()?.resolve_against(base).ok()?;
    Some(resolved.normalize())
}

/// An absolute URI in normal form without its fragment, as references are resolved to it; `None` if it is no absolute URI.
pub(super) fn normal_uri(uri: &str) -> Option<String> {
    let uri = uri.split('#').next().unwrap_or_default();
    Some(Iri::parse(uri.to_owned()).ok()?.normalize().into_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::text::value;

    fn resolved(schema: &str, from: &str, reference: &str) -> String {
        let schema = value::parse(schema, 100).expect("JSON");
        let references = References::collect(&schema);
        match references.resolve(references.resource_of(from), reference) {
            Ok(target) => target.pointer,
            Err(Unresolved::Wrong(reason)) => format!("wrong: {reason}"),
            Err(Unresolved::Elsewhere(uri)) => format!("elsewhere: {uri}"),
        }
    }

    #[test]
    fn a_reference_below_an_id_resolves_against_that_id() {
        let schema = r##"{"$id":"http://a.example/root/list.json","$defs":{
            "node":{"$id":"node","$defs":{"x":{"$anchor":"here"}}},
            "urn":{"$id":"urn:uuid:1","items":{"$id":"/other.json","$anchor":"here"}},
            "plain":{"$anchor":"here"}}}"##;
        for (from, reference, expected) in [
            ("", "node", "/$defs/node"),
            ("", "http://a.example/root/list.json#", ""),
            ("", "../root/./node#/$defs/x", "/$defs/node/$defs/x"),
            ("", "#here", "/$defs/plain"),
            ("/$defs/node/$defs/x", "#here", "/$defs/node/$defs/x"),
            ("/$defs/node", "list.json#here", "/$defs/plain"),
            ("/$defs/node", "#/$defs/x", "/$defs/node/$defs/x"),
            ("", "urn:uuid:1", "/$defs/urn"),
            ("", "more.json", "elsewhere: http://a.example/root/more.json"),
            ("", "#there", "wrong: no schema here has the anchor \"there\""),
        ] {
            assert_eq!(resolved(schema, from, reference), expected, "{reference} from {from}");
        }
    }

    #[test]
    fn in_draft_7_an_id_beside_a_reference_is_ignored_and_a_fragment_id_is_an_anchor() {
        let schema = r##"{"$schema":"http://json-schema.org/draft-07/schema#","$id":"http://a.example/","definitions":{
            "x":{"$id":"http://b.example/","$ref":"y"},"y":{"$id":"#z"}}}"##;
        assert_eq!(resolved(schema, "/definitions/x", "#z"), "/definitions/y");
        assert_eq!(resolved(schema, "/definitions/x", "http://b.example/"), "elsewhere: http://b.example/");
    }

    #[test]
    fn pointers_in_fragments_resolve_to_one_spelling() {
        assert_eq!(resolved("{}", "", "#/$defs/a%25b%22"), "/$defs/a%b\"");
        assert_eq!(resolved("{}", "", "#/$defs/a~1b"), "/$defs/a~1b");
        assert!(resolved("{}", "", "#/a%2").starts_with("wrong"));
    }
}
