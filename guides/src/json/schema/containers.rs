//! Keywords that constrain objects and arrays (JSON Schema 2020-12 core, section 10.3; validation, sections 6.4 and 6.5).
//!
//! Keywords that depend on each other become one node: `additionalProperties` means the keys that `properties` and `patternProperties`
//! leave, `items` the entries behind `prefixItems`, `minContains` the entries that `contains` counts.

use crate::error::CompileError;
use crate::json::schema::graph::{Node, NodeId, Properties};
use crate::json::schema::keywords::{Keyword, KeywordReader};
use crate::json::schema::pointer::escape;
use crate::json::text::value::Value;

/// Keywords that are read together, where the first of them stands.
const PROPERTIES: [&str; 3] = ["properties", "patternProperties", "additionalProperties"];

impl KeywordReader<'_> {
    /// The node of `properties`, `patternProperties` and `additionalProperties`; `None` where an earlier one of them has led to it.
    pub(super) fn properties(&mut self, keyword: Keyword<'_>) -> Result<Option<NodeId>, CompileError> {
        let Value::Object(members) = keyword.schema else { return Ok(None) };
        let earliest = members.iter().map(|(name, _)| name.as_str()).find(|name| PROPERTIES.contains(name));
        if earliest != Some(keyword.name) {
            return Ok(None);
        }
        let properties = self.all_properties(keyword.schema, keyword.schema_at)?;
        Ok(Some(self.add(Node::Properties(properties), keyword.at)))
    }

    fn all_properties(&mut self, schema: &Value, pointer: &str) -> Result<Properties, CompileError> {
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
                let pattern = self.strings_of_pattern(pattern, &at)?;
                properties.patterns.push((pattern, node));
            }
        }
        if let Some(value) = schema.get("additionalProperties") {
            properties.additional = Some(self.schema(value, &format!("{pointer}/additionalProperties"))?);
        }
        Ok(properties)
    }

    /// `propertyNames`.
    pub(super) fn property_names(&mut self, keyword: Keyword<'_>) -> Result<NodeId, CompileError> {
        let names = self.schema(keyword.value, keyword.at)?;
        Ok(self.add(Node::PropertyNames(names), keyword.at))
    }

    fn names<'v>(&self, value: &'v Value, at: &str) -> Result<Vec<&'v str>, CompileError> {
        let wrong = || self.error(at, "expected an array of strings, the names of properties");
        let Value::Array(names) = value else { return Err(wrong()) };
        names.iter().map(|name| if let Value::String(name) = name { Ok(name.as_str()) } else { Err(wrong()) }).collect()
    }

    /// `required`, and the arrays of `dependentRequired`.
    pub(super) fn required(&mut self, value: &Value, at: &str) -> Result<NodeId, CompileError> {
        let names = self.names(value, at)?;
        let mut all = Vec::with_capacity(names.len());
        for name in names {
            self.check_size()?;
            all.push(self.add(Node::Required(name.to_owned()), at));
        }
        Ok(self.add(Node::All(all), at))
    }

    /// `prefixItems` and `items`; up to draft 2019-09 `items`, as an array, and `additionalItems`.
    pub(super) fn items(&mut self, keyword: Keyword<'_>) -> Result<Option<NodeId>, CompileError> {
        let Keyword { name, at, schema, schema_at, .. } = keyword;
        if name == "items" && self.given(schema, "prefixItems").is_some() {
            return Ok(None);
        }
        let (prefix, rest) = match (self.given(schema, "prefixItems"), schema.get("items")) {
            (Some(prefix), rest) => (Some((prefix, "prefixItems")), rest.map(|rest| (rest, "items"))),
            (None, Some(prefix @ Value::Array(_))) => {
                let rest = schema.get("additionalItems").map(|rest| (rest, "additionalItems"));
                (Some((prefix, "items")), rest)
            }
            (None, rest) => (None, rest.map(|rest| (rest, "items"))),
        };
        let prefix = match prefix {
            // Older drafts allow an empty array, which constrains nothing.
            Some((Value::Array(schemas), _)) if schemas.is_empty() => Vec::new(),
            Some((value, name)) => self.schemas(value, &format!("{schema_at}/{name}"))?,
            None => Vec::new(),
        };
        let rest = rest.map(|(value, name)| self.schema(value, &format!("{schema_at}/{name}"))).transpose()?;
        Ok(Some(self.add(Node::Items { prefix, rest }, at)))
    }

    /// `uniqueItems`.
    pub(super) fn unique(&mut self, keyword: Keyword<'_>) -> Result<Option<NodeId>, CompileError> {
        match keyword.value {
            Value::Bool(true) => Ok(Some(self.add(Node::Unique, keyword.at))),
            Value::Bool(false) => Ok(None),
            _ => Err(self.error(keyword.at, "expected true or false")),
        }
    }

    /// `contains` with `minContains` and `maxContains`.
    pub(super) fn contains(&mut self, keyword: Keyword<'_>) -> Result<NodeId, CompileError> {
        let Keyword { value, at, schema, schema_at, .. } = keyword;
        let node = self.schema(value, at)?;
        let bound = |name: &str, none: u32| match self.given(schema, name) {
            Some(value) => self.count(value, &format!("{schema_at}/{name}")),
            None => Ok(none),
        };
        let (min, max) = (bound("minContains", 1)?, bound("maxContains", u32::MAX)?);
        Ok(self.add(Node::Contains { node, min, max }, at))
    }
}
