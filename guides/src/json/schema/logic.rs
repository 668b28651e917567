//! Keywords that apply schemas to the same value, and references (JSON Schema 2020-12 core, sections 8.2.3 and 10.2).

use crate::error::{CompileError, Place};
use crate::json::schema::documents::place_of;
use crate::json::schema::graph::{Kinds, Node, NodeId};
use crate::json::schema::keywords::{Keyword, KeywordReader};
use crate::json::schema::pointer::escape;
use crate::json::schema::references::{Referent, Unresolved};
use crate::json::text::value::Value;

impl KeywordReader<'_> {
    /// `$ref`, `$dynamicRef` and `$recursiveRef`: the node of the schema that is named. A static reference leads to its target, a dynamic
    /// one to the outermost schema of the dynamic scope that has the same anchor.
    pub(super) fn reference(&mut self, keyword: Keyword<'_>) -> Result<NodeId, CompileError> {
        let Value::String(reference) = keyword.value else {
            return Err(self.error(keyword.at, "expected a reference as a string"));
        };
        if let Some(target) = self.targets.get(&self.resource).and_then(|targets| targets.get(reference)) {
            let place = self.place_of_target(keyword, target).to_owned();
            return self.node_at(&place);
        }
        let target = self.target(keyword, reference)?;
        let place = self.place_of_target(keyword, &target);
        if self.documents.at(self.root, place).is_none() {
            let reason = format!("{}: the schema has nothing at {reference:?}", keyword.name);
            return Err(self.error(keyword.schema_at, reason));
        }
        let place = place.to_owned();
        self.targets.entry(self.resource).or_default().insert(reference.clone(), target);
        self.node_at(&place)
    }

    fn place_of_target<'t>(&'t self, keyword: Keyword<'_>, target: &'t Referent) -> &'t str {
        if keyword.name == "$ref" { &target.pointer } else { self.references.outermost(target, self.scope) }
    }

    /// The target of a reference. A document of the server is entered the first time that something refers to it.
    fn target(&mut self, keyword: Keyword<'_>, reference: &str) -> Result<Referent, CompileError> {
        let mut resolved = self.references.resolve(self.resource, reference);
        if let Err(Unresolved::Elsewhere(uri)) = &resolved
            && let Some(document) = self.documents.get(uri)
        {
            self.references.add(document, uri, &place_of(uri), self.resource);
            resolved = self.references.resolve(self.resource, reference);
        }
        let Keyword { name, schema_at, .. } = keyword;
        resolved.map_err(|unresolved| match unresolved {
            Unresolved::Wrong(reason) => self.error(schema_at, format!("{name}: {reason}")),
            Unresolved::Elsewhere(uri) => CompileError::Unsupported {
                at: Place::Pointer(schema_at.to_owned()),
                keyword: name.to_owned(),
                reason: format!(
                    "refers to {uri}, which is neither part of this schema nor among the documents of the server, and none is \
                     fetched; put it into $defs, with \"$id\": {uri:?}"
                ),
            },
        })
    }

    /// `allOf`, `anyOf`, `oneOf` and `not`.
    pub(super) fn logic(&mut self, keyword: Keyword<'_>) -> Result<NodeId, CompileError> {
        let Keyword { name, value, at, .. } = keyword;
        let node = match name {
            "allOf" => Node::All(self.schemas(value, at)?),
            "anyOf" => Node::Any(self.schemas(value, at)?),
            "oneOf" => Node::One(self.schemas(value, at)?),
            _ => Node::Not(self.schema(value, at)?),
        };
        Ok(self.add(node, at))
    }

    /// `if`, `then` and `else`: the condition holds and `then` with it, or the condition fails and `else` holds.
    pub(super) fn conditional(&mut self, keyword: Keyword<'_>) -> Result<Option<NodeId>, CompileError> {
        let Keyword { value, at, schema, schema_at, .. } = keyword;
        let (then, otherwise) = (schema.get("then"), schema.get("else"));
        // A condition without consequences constrains nothing, but it evaluates entries.
        if then.is_none() && otherwise.is_none() && !self.evaluates {
            return Ok(None);
        }
        let condition = self.schema(value, at)?;
        let opposite = self.add(Node::Not(condition), at);
        let mut branch = |taken: NodeId, name: &str| {
            let mut all = vec![taken];
            if let Some(then) = schema.get(name) {
                all.push(self.schema(then, &format!("{schema_at}/{name}"))?);
            }
            Ok::<NodeId, CompileError>(self.add(Node::All(all), at))
        };
        let (yes, no) = (branch(condition, "then")?, branch(opposite, "else")?);
        Ok(Some(self.add(Node::Any(vec![yes, no]), at)))
    }

    /// `dependentRequired`, `dependentSchemas` and the older `dependencies`: for each key, the object lacks it or satisfies its schema.
    pub(super) fn dependencies(&mut self, value: &Value, at: &str) -> Result<NodeId, CompileError> {
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
            let hasnt = self.add(Node::Not(both), &at);
            // With the key in both disjuncts only one of them holds, so the schema evaluates entries only where the key is there.
            let asked = self.add(Node::All(vec![both, asked]), &at);
            all.push(self.add(Node::Any(vec![hasnt, asked]), &at));
        }
        Ok(self.add(Node::All(all), at))
    }
}
