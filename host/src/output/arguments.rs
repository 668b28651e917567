//! Which arguments of a function are strings, by the schema of its parameters: where calls write strings without quotation marks, only the
//! schema tells the string `5` from the number.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string and nothing else.
    String,
    /// No string.
    Other,
    /// A string or something else.
    Either,
}

/// The kinds of a function's arguments, by their names.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    named: Arc<HashMap<String, Kind>>,
}

/// References that are followed in a row.
const MOST_REFERENCES: usize = 32;

impl Kinds {
    /// The kinds by the schema of a function's parameters.
    #[must_use]
    pub fn of_schema(schema: &Value) -> Self {
        let Some(properties) = resolved(schema, schema).get("properties").and_then(Value::as_object) else {
            return Self::default();
        };
        let kind = |(name, property): (&String, &Value)| (name.clone(), kind(property, schema));
        Self { named: Arc::new(properties.iter().map(kind).collect()) }
    }

    /// The kind of an argument; an unknown one may be anything.
    #[must_use]
    pub fn of(&self, name: &str) -> Kind {
        self.named.get(name).copied().unwrap_or(Kind::Either)
    }
}

fn kind(schema: &Value, root: &Value) -> Kind {
    match may_be(schema, root, MOST_REFERENCES) {
        (true, false) => Kind::String,
        (false, _) => Kind::Other,
        (true, true) => Kind::Either,
    }
}

/// Whether a value may be a string, and whether it may be something else.
fn may_be(schema: &Value, root: &Value, depth: usize) -> (bool, bool) {
    let Some(object) = schema.as_object() else { return (true, true) };
    if depth == 0 {
        return (true, true);
    }
    let (mut string, mut other) = (true, true);
    let mut restrict = |(may_string, may_other): (bool, bool)| {
        string &= may_string;
        other &= may_other;
    };
    let of_value = |value: &Value| (value.is_string(), !value.is_string());
    let union = |parts: (bool, bool), part: (bool, bool)| (parts.0 | part.0, parts.1 | part.1);
    match object.get("type") {
        Some(Value::String(name)) => restrict((name == "string", name != "string")),
        Some(Value::Array(names)) => {
            restrict(names.iter().map(|name| (name == "string", name != "string")).fold((false, false), union));
        }
        _ => {}
    }
    if let Some(value) = object.get("const") {
        restrict(of_value(value));
    }
    if let Some(values) = object.get("enum").and_then(Value::as_array) {
        restrict(values.iter().map(of_value).fold((false, false), union));
    }
    if object.contains_key("$ref") {
        let target = resolved(schema, root);
        if !std::ptr::eq(target, schema) {
            restrict(may_be(target, root, depth - 1));
        }
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(branches) = object.get(key).and_then(Value::as_array) {
            restrict(branches.iter().map(|branch| may_be(branch, root, depth - 1)).fold((false, false), union));
        }
    }
    for branch in object.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        restrict(may_be(branch, root, depth - 1));
    }
    (string, other)
}

/// What a reference within the document leads to, or the schema itself.
fn resolved<'v>(mut schema: &'v Value, root: &'v Value) -> &'v Value {
    for _ in 0..MOST_REFERENCES {
        let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        match pointer.and_then(|pointer| root.pointer(pointer)) {
            Some(target) if schema.get("properties").is_none() => schema = target,
            _ => break,
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_schema_says_which_arguments_are_strings() {
        let kinds = Kinds::of_schema(&json!({
            "$defs": {"Unit": {"enum": ["km", "mi"]}, "Loop": {"$ref": "#/$defs/Loop"}},
            "type": "object",
            "properties": {
                "city": {"type": "string", "minLength": 1},
                "days": {"type": "integer"},
                "unit": {"$ref": "#/$defs/Unit"},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "mixed": {"enum": ["a", 1]},
                "both": {"allOf": [{"type": ["string", "integer"]}, {"type": "integer"}]},
                "any": {},
                "loop": {"$ref": "#/$defs/Loop"},
            },
        }));
        let found = ["city", "days", "unit", "note", "mixed", "both", "any", "loop", "else"].map(|name| kinds.of(name));
        use Kind::{Either, Other, String};
        assert_eq!(found, [String, Other, String, Either, Either, Other, Either, Either, Either]);
    }
}
