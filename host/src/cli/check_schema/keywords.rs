//! Which keywords a schema has, where, and whether they constrain anything.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// JSON pointers of the schemas in which a name stands.
type Places = BTreeMap<String, Vec<String>>;

/// The names in a schema and in all schemas inside it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Keywords {
    /// Keywords that constrain.
    pub(super) enforced: Places,
    /// Keywords that describe.
    pub(super) annotations: Places,
    /// Names that no draft defines.
    pub(super) unknown: Places,
    /// Values of `format` that no draft defines.
    pub(super) unknown_formats: Places,
    /// Keywords beside a `$ref`, where the draft says that they do not count.
    pub(super) beside_reference: Places,
    /// Keywords that the schema's draft does not have.
    pub(super) later: Places,
}

/// Keywords that constrain, or that hold schemas to be referred to.
#[rustfmt::skip]
const CONSTRAINTS: &[&str] = &[
    "$dynamicRef", "$recursiveRef", "$ref", "additionalItems", "additionalProperties", "allOf", "anyOf", "const",
    "contains", "dependencies", "dependentRequired", "dependentSchemas", "else", "enum", "exclusiveMaximum",
    "exclusiveMinimum", "format", "if", "items", "maxContains", "maxItems", "maxLength", "maxProperties", "maximum",
    "minContains", "minItems", "minLength", "minProperties", "minimum", "multipleOf", "not", "oneOf", "pattern",
    "patternProperties", "prefixItems", "properties", "propertyNames", "required", "then", "type", "unevaluatedItems",
    "unevaluatedProperties", "uniqueItems",
];

/// Keywords that name, identify or describe.
#[rustfmt::skip]
const ANNOTATIONS: &[&str] = &[
    "$anchor", "$comment", "$defs", "$dynamicAnchor", "$id", "$recursiveAnchor", "$schema", "$vocabulary",
    "contentEncoding", "contentMediaType", "contentSchema", "default", "definitions", "deprecated", "description",
    "examples", "id", "readOnly", "title", "writeOnly",
];

/// The formats that some draft defines.
#[rustfmt::skip]
const FORMATS: &[&str] = &[
    "color", "date", "date-time", "duration", "email", "host-name", "hostname", "idn-email", "idn-hostname", "ip-address",
    "ipv4", "ipv6", "iri", "iri-reference", "json-pointer", "phone", "regex", "relative-json-pointer", "style", "time", "uri",
    "uri-reference", "uri-template", "utc-millisec", "uuid",
];

/// Keywords whose value is a schema.
const ONE: &[&str] = &[
    "additionalItems",
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Keywords whose value is a list of schemas.
const LISTS: &[&str] = &["allOf", "anyOf", "items", "oneOf", "prefixItems"];

/// Keywords whose value has a schema for each of some names.
const MAPS: &[&str] = &["$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"];

impl Keywords {
    /// The keywords of a schema.
    pub(super) fn of(schema: &Value) -> Keywords {
        let named = schema.get("$schema").and_then(Value::as_str).unwrap_or_default();
        let alone = ["draft-03", "draft-04", "draft-06", "draft-07"].iter().any(|draft| named.contains(draft));
        let mut keywords = Keywords::default();
        keywords.read(schema, "", named, alone);
        keywords
    }

    /// `named`: the draft; `alone`: a `$ref` makes its siblings void.
    fn read(&mut self, schema: &Value, pointer: &str, named: &str, alone: bool) {
        let Value::Object(schema) = schema else { return };
        let reference = alone && schema.contains_key("$ref");
        for (name, value) in schema {
            let group = if ANNOTATIONS.contains(&name.as_str()) {
                &mut self.annotations
            } else if !CONSTRAINTS.contains(&name.as_str()) {
                &mut self.unknown
            } else if reference && name != "$ref" {
                &mut self.beside_reference
            } else if !jig_guides::draft_has_keyword(named, name) {
                &mut self.later
            } else {
                &mut self.enforced
            };
            match value.as_str().filter(|format| name == "format" && !FORMATS.contains(format)) {
                Some(format) => add(&mut self.unknown_formats, format, pointer),
                None => add(group, name, pointer),
            }
        }
        for (name, inner) in children(schema) {
            self.read(inner, &format!("{pointer}/{name}"), named, alone);
        }
    }
}

fn add(places: &mut Places, name: &str, pointer: &str) {
    places.entry(name.to_owned()).or_default().push(pointer.to_owned());
}

/// The schemas directly inside a schema, with the way to each as part of a JSON pointer.
fn children(schema: &Map<String, Value>) -> Vec<(String, &Value)> {
    let mut children = Vec::new();
    for (name, value) in schema {
        match value {
            Value::Object(_) if ONE.contains(&name.as_str()) => children.push((name.clone(), value)),
            Value::Array(list) if LISTS.contains(&name.as_str()) => {
                children.extend(list.iter().enumerate().map(|(i, inner)| (format!("{name}/{i}"), inner)));
            }
            Value::Object(map) if MAPS.contains(&name.as_str()) => {
                children.extend(map.iter().map(|(key, inner)| (format!("{name}/{}", escaped(key)), inner)));
            }
            _ => {}
        }
    }
    children
}

/// A name as a part of a JSON pointer (RFC 6901, section 3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::Keywords;
    use serde_json::json;

    fn names(places: &super::Places) -> Vec<&str> {
        places.keys().map(String::as_str).collect()
    }

    #[test]
    fn names_are_told_apart_by_what_they_do() {
        let keywords = Keywords::of(&json!({
            "title": "t", "x-order": 1, "type": "object",
            "properties": {"a/b": {"format": "colour"}, "c": {"format": "date", "enum": [{"not": 1}]}},
        }));
        assert_eq!(names(&keywords.enforced), ["enum", "format", "properties", "type"]);
        assert_eq!(keywords.enforced["format"], ["/properties/c"]);
        assert_eq!(names(&keywords.annotations), ["title"]);
        assert_eq!(names(&keywords.unknown), ["x-order"]);
        assert_eq!(keywords.unknown_formats["colour"], ["/properties/a~1b"]);
    }

    #[test]
    fn a_keyword_that_came_with_a_later_draft_constrains_nothing() {
        let schema = |draft: &str| json!({"$schema": draft, "if": {"type": "string"}, "then": {"maxLength": 3}});
        let old = Keywords::of(&schema("http://json-schema.org/draft-04/schema#"));
        assert_eq!(names(&old.later), ["if", "then"]);
        let new = Keywords::of(&schema("http://json-schema.org/draft-07/schema#"));
        assert_eq!(new.enforced["if"], [""]);
        assert!(new.later.is_empty());
    }

    #[test]
    fn what_stands_beside_a_reference_counts_since_2019_only() {
        let schema = |draft: &str| json!({"$schema": draft, "properties": {"a": {"$ref": "#", "maxLength": 3}}});
        let old = Keywords::of(&schema("http://json-schema.org/draft-07/schema#"));
        assert_eq!(old.beside_reference["maxLength"], ["/properties/a"]);
        let new = Keywords::of(&schema("https://json-schema.org/draft/2020-12/schema"));
        assert_eq!(new.enforced["maxLength"], ["/properties/a"]);
        assert!(new.beside_reference.is_empty());
    }
}
