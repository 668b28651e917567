//! Reads a JSON Schema into a graph of conditions. Every keyword is understood, known to be no constraint, or refused.

use crate::automaton::dfa::DfaLimits;
use crate::error::{CompileError, Place, too_big};
use crate::interrupt::passed;
use crate::json::language::cache::{Language, Languages};
use crate::json::language::format;
use crate::json::language::number::NumberAtom;
use crate::json::schema::documents::{Documents, place_of};
use crate::json::schema::drafts::Draft;
use crate::json::schema::graph::{Graph, Kinds, Node, NodeId, PatternId, Properties, TRUE};
use crate::json::schema::references::{References, Referent, Resource, Scope, Unresolved, escape};
use crate::json::text::decimal::{Decimal, GREATEST_EXPONENT};
use crate::json::text::value::Value;
use crate::options::{Formats, Limits};
use crate::regex::error::RegexError;
use foldhash::{HashMap, HashMapExt, HashSet};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Schemas of `contains` in one with `unevaluatedItems`. Each set of them that an item may meet is a condition of its own, so these double
/// with each.
const MOST_CONTAINS: usize = 4;

/// Digits of a number before or behind its point: exponents beyond make numbers that no program reads ([`Decimal`]).
const MOST_DIGITS: usize = GREATEST_EXPONENT as usize;

/// The pointers to all schemas may take so many times the bytes that a source may have.
const MOST_POINTERS: usize = 16;
/// Schemas with `unevaluatedItems` look at so many conditions for each step of the analysis.
const LOOKS_PER_STEP: usize = 8;

/// Reads the schema.
pub(crate) fn read(
    root: &Value,
    limits: &Limits,
    formats: Formats,
    languages: &Languages,
    documents: &Documents,
) -> Result<Graph, CompileError> {
    let mut reader = KeywordReader {
        root,
        documents,
        limits,
        formats,
        languages,
        graph: Graph {
            nodes: vec![Node::All(Vec::new())],
            pointers: vec!["".into()],
            root: TRUE,
            patterns: Vec::new(),
            either: HashMap::new(),
        },
        references: References::collect(root),
        targets: HashMap::new(),
        resource: 0,
        scope: 0,
        known: HashMap::new(),
        waiting: VecDeque::new(),
        patterns: HashMap::new(),
        pointer_bytes: 0,
        evaluates: mentions_unevaluated(root) || documents.values().any(mentions_unevaluated),
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
    reader.refuse_loops()?;
    reader.prepare_unevaluated_items()?;
    Ok(reader.graph)
}

struct KeywordReader<'a> {
    root: &'a Value,
    documents: &'a Documents,
    limits: &'a Limits,
    formats: Formats,
    languages: &'a Languages,
    graph: Graph,
    references: References,
    /// What references were found to name, by the resource in which they stand.
    targets: HashMap<Resource, HashMap<String, Referent>>,
    /// The resource that is being read.
    resource: Resource,
    /// The dynamic scope in which it is.
    scope: Scope,
    /// Schemas by their dynamic scope and JSON pointer.
    known: HashMap<(Scope, String), NodeId>,
    waiting: VecDeque<Waiting>,
    /// Index of each pattern or format in the graph, by its name.
    patterns: HashMap<(bool, String), PatternId>,
    /// Bytes of the pointers of all nodes.
    pointer_bytes: usize,
    /// Whether it matters which entries a condition has looked at.
    evaluates: bool,
    /// Whether the keywords of the validation vocabulary are demands.
    validates: bool,
}

/// A schema that was referred to, to be read when what refers to it is done: recursion would go as deep as a chain of
/// references is long.
struct Waiting {
    pointer: String,
    id: NodeId,
    resource: Resource,
    scope: Scope,
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
    let meta = crate::json::schema::references::normal_uri(uri).and_then(|uri| documents.get(&uri));
    match meta.and_then(|meta| meta.get("$vocabulary")) {
        Some(Value::Object(vocabularies)) => vocabularies.iter().any(|(uri, _)| uri.ends_with("/vocab/validation")),
        _ => true,
    }
}

fn mentions_unevaluated(root: &Value) -> bool {
    let mut open = vec![root];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                for (name, value) in members.iter() {
                    if name.starts_with("unevaluated") {
                        return true;
                    }
                    open.push(value);
                }
            }
            Value::Array(items) => open.extend(items.iter()),
            _ => {}
        }
    }
    false
}

impl KeywordReader<'_> {
    fn error(&self, pointer: &str, reason: impl Into<String>) -> CompileError {
        CompileError::Syntax { at: Place::Pointer(pointer.to_owned()), reason: reason.into() }
    }

    fn unsupported(&self, pointer: &str, keyword: &str, reason: &str) -> CompileError {
        CompileError::Unsupported {
            at: Place::Pointer(pointer.to_owned()),
            keyword: keyword.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// The draft that the schema that is being read is of.
    fn draft(&self) -> Draft {
        self.references.draft(self.resource)
    }

    /// What a keyword of a schema says; nothing where the draft does not have it.
    fn given<'v>(&self, schema: &'v Value, keyword: &str) -> Option<&'v Value> {
        schema.get(keyword).filter(|_| !self.draft().lacks(keyword))
    }

    /// The node of the schema at `pointer`, which is read later.
    fn node_at(&mut self, pointer: &str) -> Result<NodeId, CompileError> {
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

    fn add(&mut self, node: Node, pointer: &str) -> NodeId {
        self.pointer_bytes += pointer.len();
        self.graph.nodes.push(node);
        self.graph.pointers.push(Arc::from(pointer));
        NodeId::new(self.graph.nodes.len() - 1)
    }

    /// Ends where the interrupt is raised, or where the nodes' pointers take too much: each spells out the whole way to its node.
    fn check_size(&self) -> Result<(), CompileError> {
        let most = self.limits.source_bytes.saturating_mul(MOST_POINTERS);
        if self.pointer_bytes + self.references.bytes() > most {
            let remedy = "use shorter names and ids, or $defs and $ref instead of nesting";
            return Err(too_big(Place::Source, "bytes of the JSON pointers to all schemas", most, remedy));
        }
        if passed(1) { Err(CompileError::Interrupted) } else { Ok(()) }
    }

    fn negated(&mut self, node: NodeId, pointer: &str) -> NodeId {
        self.add(Node::Not(node), pointer)
    }

    /// Reads a schema in place; what it contains is read right away, what it refers to later.
    fn schema(&mut self, value: &Value, pointer: &str) -> Result<NodeId, CompileError> {
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

    fn schemas(&mut self, value: &Value, pointer: &str) -> Result<Vec<NodeId>, CompileError> {
        match value {
            Value::Array(items) if !items.is_empty() => {
                items.iter().enumerate().map(|(i, item)| self.schema(item, &format!("{pointer}/{i}"))).collect()
            }
            _ => Err(self.error(pointer, "expected an array of at least one schema")),
        }
    }

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

    fn conditions(&mut self, schema: &Value, members: &[(String, Value)], pointer: &str) -> Result<Node, CompileError> {
        let mut all = Vec::new();
        // Up to draft 7 a reference hides what stands beside it.
        if let (true, Some(reference)) = (self.draft() <= Draft::Seven, schema.get("$ref")) {
            return Ok(Node::All(vec![self.reference("$ref", reference, pointer)?]));
        }
        for (keyword, value) in members.iter() {
            if !self.validates && VALIDATION.contains(&keyword.as_str()) || self.draft().lacks(keyword) {
                continue;
            }
            let at = format!("{pointer}/{}", escape(keyword));
            if let Some(node) = self.keyword(keyword, value, schema, pointer, &at)? {
                all.push(node);
            }
        }
        self.with_unevaluated(Node::All(all), schema, pointer)
    }

    /// The conditions of a schema, with what is asked of the entries that none of them looks at.
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

    /// The condition that one keyword adds, together with those that it cannot be read without.
    fn keyword(
        &mut self,
        keyword: &str,
        value: &Value,
        schema: &Value,
        pointer: &str,
        at: &str,
    ) -> Result<Option<NodeId>, CompileError> {
        let node = match keyword {
            "$ref" => return self.reference(keyword, value, pointer).map(Some),
            "$dynamicRef" | "$recursiveRef" => return self.reference(keyword, value, pointer).map(Some),
            "type" => return self.kinds(value, at).map(Some),
            "enum" => match value {
                Value::Array(values) => return self.equal_to_one(values, at).map(Some),
                _ => return Err(self.error(at, "expected an array of values")),
            },
            "const" => return self.equal_to_one(std::slice::from_ref(value), at).map(Some),
            "allOf" => Node::All(self.schemas(value, at)?),
            "anyOf" => Node::Any(self.schemas(value, at)?),
            "oneOf" => Node::One(self.schemas(value, at)?),
            "not" => Node::Not(self.schema(value, at)?),
            "if" => match self.conditional(value, schema, pointer, at)? {
                Some(node) => node,
                None => return Ok(None),
            },
            "then" | "else" => return Ok(None),
            "minimum" if is_true(schema.get("exclusiveMinimum")) => {
                Node::Number(NumberAtom::ExclusiveMinimum(self.decimal(value, at)?))
            }
            "maximum" if is_true(schema.get("exclusiveMaximum")) => {
                Node::Number(NumberAtom::ExclusiveMaximum(self.decimal(value, at)?))
            }
            "minimum" => Node::Number(NumberAtom::Minimum(self.decimal(value, at)?)),
            "maximum" => Node::Number(NumberAtom::Maximum(self.decimal(value, at)?)),
            // The boolean of draft 4, which `minimum` and `maximum` look at.
            "exclusiveMinimum" | "exclusiveMaximum" if matches!(value, Value::Bool(_)) => return Ok(None),
            "exclusiveMinimum" => Node::Number(NumberAtom::ExclusiveMinimum(self.decimal(value, at)?)),
            "exclusiveMaximum" => Node::Number(NumberAtom::ExclusiveMaximum(self.decimal(value, at)?)),
            "multipleOf" => {
                let divisor = self.decimal(value, at)?;
                if divisor.negative || divisor.is_zero() {
                    return Err(self.error(at, "must be greater than 0"));
                }
                Node::Number(NumberAtom::MultipleOf(divisor))
            }
            "minLength" => Node::Length { min: self.count(value, at)?, max: u32::MAX },
            "maxLength" => Node::Length { min: 0, max: self.count(value, at)? },
            "pattern" => match value {
                Value::String(pattern) => Node::Pattern(self.pattern(pattern, at)?),
                _ => return Err(self.error(at, "expected a regex as a string")),
            },
            "format" => match value {
                Value::String(_) if self.formats == Formats::Annotate => return Ok(None),
                Value::String(name) => match self.format(name, at)? {
                    Some(pattern) => match format::longest(name) {
                        None => Node::Pattern(pattern),
                        Some(max) => {
                            let pattern = self.add(Node::Pattern(pattern), at);
                            let length = self.add(Node::Length { min: 0, max }, at);
                            Node::All(vec![pattern, length])
                        }
                    },
                    None => return Ok(None),
                },
                _ => return Err(self.error(at, "expected the name of a format")),
            },
            "properties" | "patternProperties" | "additionalProperties" => {
                // The three are read together, where the first of them stands.
                let three = ["properties", "patternProperties", "additionalProperties"];
                let Value::Object(members) = schema else { return Ok(None) };
                let earliest = members.iter().map(|(name, _)| name.as_str()).find(|name| three.contains(name));
                if earliest != Some(keyword) {
                    return Ok(None);
                }
                Node::Properties(self.properties(schema, pointer)?)
            }
            "required" => return self.required(value, at).map(Some),
            "propertyNames" => Node::PropertyNames(self.schema(value, at)?),
            "minProperties" => Node::PropertyCount { min: self.count(value, at)?, max: u32::MAX },
            "maxProperties" => Node::PropertyCount { min: 0, max: self.count(value, at)? },
            "dependentRequired" | "dependentSchemas" | "dependencies" => return self.dependencies(value, at).map(Some),
            "items" | "prefixItems" => {
                if keyword == "items" && self.given(schema, "prefixItems").is_some() {
                    return Ok(None);
                }
                self.items(schema, pointer)?
            }
            "additionalItems" => return Ok(None),
            "minItems" => Node::ItemCount { min: self.count(value, at)?, max: u32::MAX },
            "maxItems" => Node::ItemCount { min: 0, max: self.count(value, at)? },
            "uniqueItems" => match value {
                Value::Bool(true) => Node::Unique,
                Value::Bool(false) => return Ok(None),
                _ => return Err(self.error(at, "expected true or false")),
            },
            "contains" => {
                let node = self.schema(value, at)?;
                let bound = |reader: &Self, name: &str, none: u32| match reader.given(schema, name) {
                    Some(value) => reader.count(value, &format!("{pointer}/{name}")),
                    None => Ok(none),
                };
                Node::Contains { node, min: bound(self, "minContains", 1)?, max: bound(self, "maxContains", u32::MAX)? }
            }
            "minContains" | "maxContains" => return Ok(None),
            // Read together with the whole schema that they stand in.
            "unevaluatedItems" | "unevaluatedProperties" => return Ok(None),
            // Annotations, and keywords that no draft defines: neither constrains anything (core, section 6.5).
            _ => return Ok(None),
        };
        Ok(Some(self.add(node, at)))
    }

    fn kinds(&mut self, value: &Value, at: &str) -> Result<NodeId, CompileError> {
        let names = match value {
            Value::Array(names) if !names.is_empty() => names.as_slice(),
            Value::String(_) => std::slice::from_ref(value),
            _ => return Err(self.error(at, "expected the name of a type, or an array of names")),
        };
        let (mut kinds, mut integers) = (Kinds::NONE, false);
        for name in names {
            let Value::String(name) = name else { return Err(self.error(at, "the name of a type is a string")) };
            kinds = kinds.or(match name.as_str() {
                "null" => Kinds::NULL,
                "boolean" => Kinds::BOOLEAN,
                "number" => Kinds::NUMBER,
                "string" => Kinds::STRING,
                "array" => Kinds::ARRAY,
                "object" => Kinds::OBJECT,
                "integer" => {
                    integers = true;
                    continue;
                }
                "any" => Kinds::ALL,
                other => {
                    let known = "null, boolean, integer, number, string, array, object";
                    return Err(self.error(at, format!("unknown type {other:?}; known are {known}")));
                }
            });
        }
        if integers && !kinds.has(Kinds::NUMBER) {
            let whole = self.add(Node::Number(NumberAtom::Integer), at);
            let kinds = self.add(Node::Kinds(kinds.or(Kinds::NUMBER)), at);
            return Ok(self.add(Node::All(vec![kinds, whole]), at));
        }
        Ok(self.add(Node::Kinds(kinds), at))
    }

    fn decimal(&self, value: &Value, at: &str) -> Result<Decimal, CompileError> {
        match value {
            Value::Number(text) => Decimal::parse(text).ok_or_else(|| {
                too_big(Place::Pointer(at.to_owned()), "digits of a number", MOST_DIGITS, "use a number nearer to zero")
            }),
            _ => Err(self.error(at, format!("expected a number, not {}", value.kind()))),
        }
    }

    /// A count; those beyond 32 bits are cut off there, where no output can tell the difference.
    fn count(&self, value: &Value, at: &str) -> Result<u32, CompileError> {
        let decimal = self.decimal(value, at)?;
        if decimal.negative || !decimal.is_integer() {
            return Err(self.error(at, "expected a whole number from 0"));
        }
        let digits = decimal.whole();
        Ok(digits.iter().fold(0u32, |n, &digit| n.saturating_mul(10).saturating_add(u32::from(digit))))
    }

    /// The value equals one of these.
    fn equal_to_one(&mut self, values: &[Value], at: &str) -> Result<NodeId, CompileError> {
        let (composite, scalars): (Vec<&Value>, Vec<&Value>) =
            values.iter().partition(|value| matches!(value, Value::Array(_) | Value::Object(_)));
        for scalar in &scalars {
            if let Value::Number(_) = scalar {
                self.decimal(scalar, at)?;
            }
        }
        let mut any = Vec::with_capacity(composite.len() + 1);
        any.push(self.add(Node::Scalars(scalars.into_iter().cloned().collect()), at));
        for value in composite {
            any.push(self.equal_to(value, at)?);
        }
        Ok(if any.len() == 1 { any[0] } else { self.add(Node::Any(any), at) })
    }

    /// The value equals this one; arrays and objects entry by entry.
    fn equal_to(&mut self, value: &Value, at: &str) -> Result<NodeId, CompileError> {
        self.check_size()?;
        let mut all = Vec::new();
        match value {
            Value::Array(items) => {
                let prefix = items.iter().map(|item| self.equal_to(item, at)).collect::<Result<Vec<_>, _>>()?;
                let count = items.len() as u32;
                all.push(self.add(Node::Kinds(Kinds::ARRAY), at));
                all.push(self.add(Node::Items { prefix, rest: None }, at));
                all.push(self.add(Node::ItemCount { min: count, max: count }, at));
            }
            Value::Object(members) => {
                let mut named = Vec::with_capacity(members.len());
                all.push(self.add(Node::Kinds(Kinds::OBJECT), at));
                for (key, value) in members.iter() {
                    named.push((key.clone(), self.equal_to(value, at)?));
                    all.push(self.add(Node::Required(key.clone()), at));
                }
                let nothing = self.add(Node::Any(Vec::new()), at);
                let properties = Properties { named, patterns: Vec::new(), additional: Some(nothing), silent: true };
                all.push(self.add(Node::Properties(properties), at));
            }
            scalar => {
                if let Value::Number(_) = scalar {
                    self.decimal(scalar, at)?;
                }
                return Ok(self.add(Node::Scalars(vec![scalar.clone()]), at));
            }
        }
        Ok(self.add(Node::All(all), at))
    }

    fn conditional(
        &mut self,
        value: &Value,
        schema: &Value,
        pointer: &str,
        at: &str,
    ) -> Result<Option<Node>, CompileError> {
        let (then, otherwise) = (schema.get("then"), schema.get("else"));
        // A condition without consequences still evaluates the entries that it looks at.
        if then.is_none() && otherwise.is_none() && !self.evaluates {
            return Ok(None);
        }
        let condition = self.schema(value, at)?;
        let opposite = self.negated(condition, at);
        let branch = |reader: &mut Self, taken: NodeId, then: Option<&Value>, name: &str| {
            let mut all = vec![taken];
            if let Some(then) = then {
                all.push(reader.schema(then, &format!("{pointer}/{name}"))?);
            }
            Ok::<NodeId, CompileError>(reader.add(Node::All(all), at))
        };
        let yes = branch(self, condition, then, "then")?;
        let no = branch(self, opposite, otherwise, "else")?;
        Ok(Some(Node::Any(vec![yes, no])))
    }

    fn properties(&mut self, schema: &Value, pointer: &str) -> Result<Properties, CompileError> {
        let mut properties = Properties::default();
        if let Some(value) = schema.get("properties") {
            let at = format!("{pointer}/properties");
            let Value::Object(members) = value else { return Err(self.error(&at, "expected an object of schemas")) };
            for (name, value) in members.iter() {
                let node = self.schema(value, &format!("{at}/{}", escape(name)))?;
                properties.named.push((name.clone(), node));
            }
        }
        if let Some(value) = schema.get("patternProperties") {
            let at = format!("{pointer}/patternProperties");
            let Value::Object(members) = value else { return Err(self.error(&at, "expected an object of schemas")) };
            for (pattern, value) in members.iter() {
                let at = format!("{at}/{}", escape(pattern));
                let node = self.schema(value, &at)?;
                let pattern = self.pattern(pattern, &at)?;
                properties.patterns.push((pattern, node));
            }
        }
        if let Some(value) = schema.get("additionalProperties") {
            properties.additional = Some(self.schema(value, &format!("{pointer}/additionalProperties"))?);
        }
        Ok(properties)
    }

    fn names<'v>(&self, value: &'v Value, at: &str) -> Result<Vec<&'v str>, CompileError> {
        let wrong = || self.error(at, "expected an array of strings, the names of properties");
        let Value::Array(names) = value else { return Err(wrong()) };
        names.iter().map(|name| if let Value::String(name) = name { Ok(name.as_str()) } else { Err(wrong()) }).collect()
    }

    fn required(&mut self, value: &Value, at: &str) -> Result<NodeId, CompileError> {
        let names = self.names(value, at)?;
        let mut all = Vec::with_capacity(names.len());
        for name in names {
            self.check_size()?;
            all.push(self.add(Node::Required(name.to_owned()), at));
        }
        Ok(self.add(Node::All(all), at))
    }

    /// For each key: the object does not have it, or more is asked of the object.
    fn dependencies(&mut self, value: &Value, at: &str) -> Result<NodeId, CompileError> {
        let Value::Object(members) = value else {
            return Err(self.error(at, "expected an object"));
        };
        let mut all = Vec::with_capacity(members.len());
        for (name, value) in members.iter() {
            let at = format!("{at}/{}", escape(name));
            let asked = match value {
                Value::Array(_) => self.required(value, &at)?,
                schema => self.schema(schema, &at)?,
            };
            let object = self.add(Node::Kinds(Kinds::OBJECT), &at);
            let has = self.add(Node::Required(name.clone()), &at);
            let both = self.add(Node::All(vec![object, has]), &at);
            let hasnt = self.negated(both, &at);
            // What is asked only counts as having looked at entries where it is asked.
            let asked = self.add(Node::All(vec![both, asked]), &at);
            all.push(self.add(Node::Any(vec![hasnt, asked]), &at));
        }
        Ok(self.add(Node::All(all), at))
    }

    fn items(&mut self, schema: &Value, pointer: &str) -> Result<Node, CompileError> {
        let (prefix, rest) = match (self.given(schema, "prefixItems"), schema.get("items")) {
            (Some(prefix), rest) => (Some((prefix, "prefixItems")), rest.map(|rest| (rest, "items"))),
            (None, Some(prefix @ Value::Array(_))) => {
                let rest = schema.get("additionalItems").map(|rest| (rest, "additionalItems"));
                (Some((prefix, "items")), rest)
            }
            (None, rest) => (None, rest.map(|rest| (rest, "items"))),
        };
        let prefix = match prefix {
            // An empty array of schemas says nothing.
            None | Some((Value::Array(_), _)) if prefix.is_none_or(|(value, _)| *value == Value::Array(Vec::new())) => {
                Vec::new()
            }
            Some((value, name)) => self.schemas(value, &format!("{pointer}/{name}"))?,
            None => Vec::new(),
        };
        let rest = match rest {
            Some((value, name)) => Some(self.schema(value, &format!("{pointer}/{name}"))?),
            None => None,
        };
        Ok(Node::Items { prefix, rest })
    }

    fn limits(&self) -> DfaLimits {
        DfaLimits { states: self.limits.states, bytes: self.limits.bytes }
    }

    /// The strings in which the regex matches somewhere.
    fn pattern(&mut self, regex: &str, at: &str) -> Result<PatternId, CompileError> {
        if let Some(&pattern) = self.patterns.get(&(false, regex.to_owned())) {
            return Ok(pattern);
        }
        let place = |position| Place::Pattern(at.to_owned(), position);
        let language = self.languages.pattern(regex, self.limits()).map_err(|error| match error {
            RegexError::Syntax(position, reason) => CompileError::Syntax { at: place(position), reason },
            RegexError::Unsupported(position, construct, reason) => {
                CompileError::Unsupported { at: place(position), keyword: format!("pattern: {construct}"), reason }
            }
            RegexError::TooBig => too_big(
                Place::Pointer(at.to_owned()),
                "states of the pattern's automaton",
                self.limits.states,
                "use smaller counts of repetition (maxLength counts without limit), or fewer alternatives that begin alike",
            ),
        })?;
        Ok(self.add_pattern((false, regex.to_owned()), language))
    }

    fn add_pattern(&mut self, key: (bool, String), language: Arc<Language>) -> PatternId {
        let index = PatternId::new(self.graph.patterns.len());
        self.graph.patterns.push(language);
        self.patterns.insert(key, index);
        index
    }

    /// The strings of a format; `None` if no draft defines it.
    fn format(&mut self, name: &str, at: &str) -> Result<Option<PatternId>, CompileError> {
        if let Some(&pattern) = self.patterns.get(&(true, name.to_owned())) {
            return Ok(Some(pattern));
        }
        match self.languages.format(name, self.limits()) {
            Ok(Some(language)) => Ok(Some(self.add_pattern((true, name.to_owned()), language))),
            Ok(None) => Ok(None),
            Err(_) => Err(too_big(
                Place::Pointer(at.to_owned()),
                "states of the format's automaton",
                self.limits.states,
                "leave it out",
            )),
        }
    }

    fn reference(&mut self, keyword: &str, value: &Value, pointer: &str) -> Result<NodeId, CompileError> {
        let Value::String(reference) = value else {
            return Err(self.error(&format!("{pointer}/{keyword}"), "expected a reference as a string"));
        };
        if let Some(target) = self.targets.get(&self.resource).and_then(|targets| targets.get(reference)) {
            let place = if keyword == "$ref" { &target.pointer } else { self.references.outermost(target, self.scope) };
            let place = place.to_owned();
            return self.node_at(&place);
        }
        let mut resolved = self.references.resolve(self.resource, reference);
        if let Err(Unresolved::Elsewhere(uri)) = &resolved
            && let Some(document) = self.documents.get(uri)
        {
            self.references.add(document, uri, &place_of(uri), self.resource);
            resolved = self.references.resolve(self.resource, reference);
        }
        let target = match resolved {
            Ok(target) => target,
            Err(Unresolved::Wrong(reason)) => return Err(self.error(pointer, format!("{keyword}: {reason}"))),
            Err(Unresolved::Elsewhere(uri)) => {
                let reason = format!(
                    "refers to {uri}, which is neither part of this schema nor among the documents of the server, and none is \
                     fetched; put it into $defs, with \"$id\": {uri:?}"
                );
                return Err(self.unsupported(pointer, keyword, &reason));
            }
        };
        let place = if keyword == "$ref" { &target.pointer } else { self.references.outermost(&target, self.scope) };
        if self.documents.at(self.root, place).is_none() {
            return Err(self.error(pointer, format!("{keyword}: the schema has nothing at {reference:?}")));
        }
        let place = place.to_owned();
        self.targets.entry(self.resource).or_default().insert(reference.clone(), target);
        self.node_at(&place)
    }

    /// Adds the nodes that `unevaluatedItems` comes to beside each set of `contains` that may have looked at entries.
    fn prepare_unevaluated_items(&mut self) -> Result<(), CompileError> {
        // Each looks at all that is in it.
        let mut left = self.limits.work.saturating_mul(LOOKS_PER_STEP);
        for id in (0..self.graph.nodes.len()).map(NodeId::new) {
            let Node::Scope { inner, items: Some(items), .. } = self.graph.nodes[id.index()] else { continue };
            let (mut counted, mut open) = (BTreeSet::new(), vec![inner]);
            let mut seen: HashSet<NodeId> = HashSet::default();
            while let Some(node) = open.pop() {
                if !seen.insert(node) {
                    continue;
                }
                if left == 0 || passed(1) {
                    let at = Place::Pointer(self.graph.pointers[id.index()].to_string());
                    let most = self.limits.work.saturating_mul(LOOKS_PER_STEP);
                    return Err(too_big(at, "conditions in all schemas with unevaluatedItems", most, "use fewer"));
                }
                left -= 1;
                match &self.graph.nodes[node.index()] {
                    Node::All(nodes) | Node::Any(nodes) | Node::One(nodes) => open.extend(nodes),
                    Node::Scope { inner, .. } => open.push(*inner),
                    Node::Contains { node, .. } => {
                        counted.insert(*node);
                    }
                    _ => {}
                }
            }
            let at = self.graph.pointers[id.index()].clone();
            if counted.len() > MOST_CONTAINS {
                let at = Place::Pointer(at.to_string());
                return Err(too_big(at, "schemas of contains beside unevaluatedItems", MOST_CONTAINS, "use fewer"));
            }
            let counted: Vec<NodeId> = counted.into_iter().collect();
            for set in 1..1u32 << counted.len() {
                let chosen = (0..).zip(&counted).filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, &node)| node);
                let mut either: Vec<NodeId> = chosen.chain([items]).collect();
                either.sort_unstable();
                either.dedup();
                let node = self.add(Node::Any(either.clone()), &at);
                self.graph.either.insert(either, node);
            }
        }
        Ok(())
    }

    /// Refuses schemas that refer to themselves for the same value: what they mean is not defined.
    fn refuse_loops(&self) -> Result<(), CompileError> {
        let nodes = &self.graph.nodes;
        let inner = |id: NodeId| -> &[NodeId] {
            match &nodes[id.index()] {
                Node::All(inner) | Node::Any(inner) | Node::One(inner) => inner,
                Node::Not(inner) | Node::Scope { inner, .. } => std::slice::from_ref(inner),
                _ => &[],
            }
        };
        #[derive(Clone, Copy, PartialEq)]
        enum Visit {
            New,
            Open,
            Done,
        }
        let mut visits = vec![Visit::New; nodes.len()];
        for start in (0..nodes.len()).map(NodeId::new) {
            let mut stack = vec![(start, 0usize)];
            while let Some((id, next)) = stack.pop() {
                if next == 0 {
                    if visits[id.index()] == Visit::Done {
                        continue;
                    }
                    visits[id.index()] = Visit::Open;
                }
                match inner(id).get(next) {
                    None => visits[id.index()] = Visit::Done,
                    Some(&child) => {
                        stack.push((id, next + 1));
                        match visits[child.index()] {
                            Visit::Open => {
                                let pointer = self.graph.pointers[child.index()].to_string();
                                return Err(self.unsupported(&pointer, "$ref", "the schema refers to itself for the same value, so that it never says what is valid"));
                            }
                            Visit::New => stack.push((child, 0)),
                            Visit::Done => {}
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn is_true(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Bool(true)))
}
