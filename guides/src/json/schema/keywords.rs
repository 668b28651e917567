//! Reads a JSON Schema into the graph of its conditions: the walk over schemas, and the keywords of each.
//!
//! Each keyword becomes a node, and a schema is the conjunction of its keywords' nodes (JSON Schema 2020-12 core, section 7.6). A keyword
//! is enforced, is known to constrain nothing, or is refused with its pointer. Families of keywords are read in files of their own:
//! [`logic`](super::logic), [`equality`](super::equality), [`scalars`](super::scalars) and [`containers`](super::containers).
//!
//! A schema is read once for each dynamic scope: its node is known before its keywords are read, so that a recursive schema becomes a
//! cycle of the graph. Schemas inside a schema are read in place. The target of a reference waits in a queue, since the chain of
//! references may be longer than a stack is deep.

use crate::error::{CompileError, Place, too_big};
use crate::interrupt::passed;
use crate::json::language::cache::Languages;
use crate::json::schema::documents::Documents;
use crate::json::schema::drafts::Draft;
use crate::json::schema::graph::{Graph, Node, NodeId, PatternId, TRUE};
use crate::json::schema::loops;
use crate::json::schema::pointer::escape;
use crate::json::schema::references::{References, Referent, Resource, Scope, normal_uri};
use crate::json::schema::unevaluated;
use crate::json::text::value::Value;
use crate::options::{Digits, Formats, Limits, Options};
use foldhash::{HashMap, HashMapExt};
use std::collections::VecDeque;
use std::sync::Arc;

/// The pointers to all schemas may take so many times the bytes that a source may have: each spells out the whole way to its node, so that
/// deep nesting makes them quadratic.
const MOST_POINTERS: usize = 16;

/// Reads the schema.
pub(crate) fn read(
    root: &Value,
    limits: &Limits,
    options: &Options,
    languages: &Languages,
    documents: &Documents,
) -> Result<Graph, CompileError> {
    let mut reader = KeywordReader {
        root,
        documents,
        limits,
        formats: options.formats,
        digits: options.digits.unwrap_or(limits.digits),
        languages,
        graph: Graph {
            nodes: vec![Node::All(Vec::new())],
            pointers: vec!["".into()],
            root: TRUE,
            patterns: Vec::new(),
            either: HashMap::new(),
            digits: options.digits.unwrap_or(limits.digits),
        },
        references: References::collect(root),
        targets: HashMap::new(),
        resource: 0,
        scope: 0,
        known: HashMap::new(),
        waiting: VecDeque::new(),
        patterns: HashMap::new(),
        pointer_bytes: 0,
        evaluates: unevaluated::is_mentioned(root) || documents.values().any(unevaluated::is_mentioned),
        validates: validates(root, documents),
    };
    reader.check_size()?;
    reader.graph.root = reader.node_at("")?;
    while let Some(Waiting { pointer, id, resource, scope }) = reader.waiting.pop_front() {
        let value = documents.at(root, &pointer).ok_or_else(|| reader.error(&pointer, "nothing is there"))?;
        (reader.resource, reader.scope) = (resource, scope);
        reader.check_size()?;
        reader.read_into(id, value, &pointer)?;
    }
    let mut graph = reader.graph;
    loops::refuse(&graph)?;
    unevaluated::settle(&mut graph, limits);
    unevaluated::add_combinations(&mut graph, limits)?;
    Ok(graph)
}

/// The walk over a schema, and the graph so far.
pub(super) struct KeywordReader<'a> {
    pub(super) root: &'a Value,
    pub(super) documents: &'a Documents,
    pub(super) limits: &'a Limits,
    pub(super) formats: Formats,
    pub(super) digits: Digits,
    pub(super) languages: &'a Languages,
    pub(super) graph: Graph,
    pub(super) references: References,
    /// The targets of references, by the resource in which the references stand.
    pub(super) targets: HashMap<Resource, HashMap<String, Referent>>,
    /// The resource that is being read.
    pub(super) resource: Resource,
    /// The dynamic scope in which it is read.
    pub(super) scope: Scope,
    /// Schemas by their dynamic scope and JSON pointer.
    known: HashMap<(Scope, String), NodeId>,
    waiting: VecDeque<Waiting>,
    /// The index in the graph of each pattern or format.
    pub(super) patterns: HashMap<StringSet, PatternId>,
    /// Bytes of the pointers of all nodes.
    pointer_bytes: usize,
    /// Whether some schema asks which entries others have evaluated.
    pub(super) evaluates: bool,
    /// Whether the keywords of the validation vocabulary are demands.
    validates: bool,
}

/// A schema that a reference names, to be read later.
struct Waiting {
    pointer: String,
    id: NodeId,
    resource: Resource,
    scope: Scope,
}

/// A set of strings by the text that defines it.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum StringSet {
    Pattern(String),
    /// The strings of a pattern without its count.
    Uncounted(String),
    Format(String, Digits),
}

/// A keyword with its value, in its schema.
#[derive(Clone, Copy)]
pub(super) struct Keyword<'v> {
    pub(super) name: &'v str,
    pub(super) value: &'v Value,
    /// The pointer of the value.
    pub(super) at: &'v str,
    /// The schema that has the keyword.
    pub(super) schema: &'v Value,
    pub(super) schema_at: &'v str,
}

/// Keywords of the validation vocabulary (JSON Schema 2020-12 validation, section 6).
const VALIDATION: &[&str] = &[
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "required",
    "dependentRequired",
];

/// Whether a schema is under the validation vocabulary. It is not if its `$schema` is a document that lists vocabularies without
/// that one (JSON Schema 2020-12 core, section 8.1.2).
fn validates(root: &Value, documents: &Documents) -> bool {
    let Some(Value::String(uri)) = root.get("$schema") else { return true };
    let meta = normal_uri(uri).and_then(|uri| documents.get(&uri));
    match meta.and_then(|meta| meta.get("$vocabulary")) {
        Some(Value::Object(vocabularies)) => vocabularies.iter().any(|(uri, _)| uri.ends_with("/vocab/validation")),
        _ => true,
    }
}

impl KeywordReader<'_> {
    pub(super) fn error(&self, pointer: &str, reason: impl Into<String>) -> CompileError {
        CompileError::Syntax { at: Place::Pointer(pointer.to_owned()), reason: reason.into() }
    }

    /// The draft of the schema that is being read.
    fn draft(&self) -> Draft {
        self.references.draft(self.resource)
    }

    /// The value of a keyword of a schema; `None` where the draft does not have it.
    pub(super) fn given<'v>(&self, schema: &'v Value, keyword: &str) -> Option<&'v Value> {
        schema.get(keyword).filter(|_| !self.draft().lacks(keyword))
    }

    /// The node of the schema at `pointer`, which is read later.
    pub(super) fn node_at(&mut self, pointer: &str) -> Result<NodeId, CompileError> {
        let resource = self.references.resource_of(pointer);
        let scope = self.references.enter(self.scope, resource)?;
        let key = (scope, pointer.to_owned());
        if let Some(&id) = self.known.get(&key) {
            return Ok(id);
        }
        let id = self.add(Node::All(Vec::new()), pointer);
        self.known.insert(key, id);
        self.waiting.push_back(Waiting { pointer: pointer.to_owned(), id, resource, scope });
        Ok(id)
    }

    /// Adds a condition that is read from the place at `pointer`.
    pub(super) fn add(&mut self, node: Node, pointer: &str) -> NodeId {
        self.pointer_bytes += pointer.len();
        self.graph.add(node, Arc::from(pointer))
    }

    /// Fails where the interrupt is raised, or where the nodes' pointers take too much.
    pub(super) fn check_size(&self) -> Result<(), CompileError> {
        let most = self.limits.source_bytes.saturating_mul(MOST_POINTERS);
        if self.pointer_bytes + self.references.bytes() > most {
            let remedy = "use shorter names and ids, or $defs and $ref instead of nesting";
            return Err(too_big(Place::Source, "bytes of the JSON pointers to all schemas", most, remedy));
        }
        if passed(1) { Err(CompileError::Interrupted) } else { Ok(()) }
    }

    /// Reads a schema in place: schemas inside it right away, the targets of its references later.
    pub(super) fn schema(&mut self, value: &Value, pointer: &str) -> Result<NodeId, CompileError> {
        self.check_size()?;
        let around = (self.resource, self.scope);
        if let Some(resource) = self.references.resource_at(pointer) {
            (self.resource, self.scope) = (resource, self.references.enter(self.scope, resource)?);
        }
        let key = (self.scope, pointer.to_owned());
        let id = match self.known.get(&key) {
            Some(&id) => id,
            None => {
                let id = self.add(Node::All(Vec::new()), pointer);
                self.known.insert(key, id);
                self.read_into(id, value, pointer)?;
                id
            }
        };
        (self.resource, self.scope) = around;
        Ok(id)
    }

    /// An array of schemas.
    pub(super) fn schemas(&mut self, value: &Value, pointer: &str) -> Result<Vec<NodeId>, CompileError> {
        match value {
            Value::Array(items) if !items.is_empty() => {
                items.iter().enumerate().map(|(i, item)| self.schema(item, &format!("{pointer}/{i}"))).collect()
            }
            _ => Err(self.error(pointer, "expected an array of at least one schema")),
        }
    }

    /// Reads a schema into the node that was added for it.
    fn read_into(&mut self, id: NodeId, value: &Value, pointer: &str) -> Result<(), CompileError> {
        let node = match value {
            Value::Bool(true) => Node::All(Vec::new()),
            Value::Bool(false) => Node::Any(Vec::new()),
            Value::Object(members) => self.conditions(value, members, pointer)?,
            other => {
                return Err(self.error(pointer, format!("a schema is an object or a boolean, not {}", other.kind())));
            }
        };
        self.graph.nodes[id.index()] = node;
        Ok(())
    }

    /// The conjunction of a schema's keywords.
    fn conditions(&mut self, schema: &Value, members: &[(String, Value)], pointer: &str) -> Result<Node, CompileError> {
        let mut all = Vec::new();
        // Up to draft 7, all other keywords beside a reference are ignored (draft 7 core, section 8.3).
        if let (true, Some(reference)) = (self.draft() <= Draft::Seven, schema.get("$ref")) {
            let at = format!("{pointer}/$ref");
            let keyword = Keyword { name: "$ref", value: reference, at: &at, schema, schema_at: pointer };
            return Ok(Node::All(vec![self.reference(keyword)?]));
        }
        for (keyword, value) in members.iter() {
            if !self.validates && VALIDATION.contains(&keyword.as_str()) || self.draft().lacks(keyword) {
                continue;
            }
            let at = format!("{pointer}/{}", escape(keyword));
            let keyword = Keyword { name: keyword, value, at: &at, schema, schema_at: pointer };
            all.extend(self.keyword(keyword)?);
        }
        self.with_unevaluated(Node::All(all), schema, pointer)
    }

    /// The conditions of a schema in a scope of their own if the schema asks something of the entries that none of them evaluates (core,
    /// section 11).
    fn with_unevaluated(&mut self, inner: Node, schema: &Value, pointer: &str) -> Result<Node, CompileError> {
        let mut rest = |name: &str| {
            let value = self.given(schema, name);
            value.map(|value| self.schema(value, &format!("{pointer}/{name}"))).transpose()
        };
        let (properties, items) = (rest("unevaluatedProperties")?, rest("unevaluatedItems")?);
        if properties.is_none() && items.is_none() {
            return Ok(inner);
        }
        Ok(Node::Scope { inner: self.add(inner, pointer), properties, items })
    }

    /// The condition that a keyword adds, together with the keywords that it cannot be read without; `None` where it adds none.
    fn keyword(&mut self, keyword: Keyword<'_>) -> Result<Option<NodeId>, CompileError> {
        match keyword.name {
            "$ref" | "$dynamicRef" | "$recursiveRef" => self.reference(keyword).map(Some),
            "allOf" | "anyOf" | "oneOf" | "not" => self.logic(keyword).map(Some),
            "if" => self.conditional(keyword),
            "dependentRequired" | "dependentSchemas" | "dependencies" => {
                self.dependencies(keyword.value, keyword.at).map(Some)
            }
            "type" => self.kinds(keyword.value, keyword.at).map(Some),
            "enum" | "const" => self.equality(keyword).map(Some),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => self.bound(keyword),
            "multipleOf" => self.multiple(keyword).map(Some),
            "minLength" | "maxLength" => self.count_bound(keyword, |min, max| Node::Length { min, max }).map(Some),
            "pattern" => self.pattern(keyword).map(Some),
            "format" => self.format(keyword),
            "properties" | "patternProperties" | "additionalProperties" => self.properties(keyword),
            "required" => self.required(keyword.value, keyword.at).map(Some),
            "propertyNames" => self.property_names(keyword).map(Some),
            "minProperties" | "maxProperties" => {
                self.count_bound(keyword, |min, max| Node::PropertyCount { min, max }).map(Some)
            }
            "items" | "prefixItems" => self.items(keyword),
            "minItems" | "maxItems" => self.count_bound(keyword, |min, max| Node::ItemCount { min, max }).map(Some),
            "uniqueItems" => self.unique(keyword),
            "contains" => self.contains(keyword).map(Some),
            // `then` and `else` are read with `if`, `additionalItems` with `items`, `minContains` and `maxContains` with `contains`, the
            // `unevaluated` keywords with their whole schema. Annotations and unknown keywords constrain nothing (core, section 6.5).
            _ => Ok(None),
        }
    }
}
