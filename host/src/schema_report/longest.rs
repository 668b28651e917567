//! An upper bound on the length of an answer, from single keywords.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// How many schemas are visited before the search is given up.
const WORK: usize = 100_000;

/// The most bytes that one character of a JSON string takes: two escapes of a surrogate pair.
const CHARACTER: u64 = 12;

/// An upper bound on the bytes of an answer, white space included, and so on its tokens, which have at least one byte each.
/// `None`: answers can have any length, or no single keyword sets a limit.
pub(super) fn bytes(schema: &Value) -> Option<u64> {
    let mut search = Search { root: schema, known: HashMap::new(), work: WORK };
    search.schema(schema)
}

struct Search<'a> {
    root: &'a Value,
    /// By reference; no limit while it is being worked out, so that recursion has none.
    known: HashMap<&'a str, Option<u64>>,
    work: usize,
}

impl<'a> Search<'a> {
    /// The lowest of the limits that the keywords of a schema set, each by itself.
    fn schema(&mut self, schema: &'a Value) -> Option<u64> {
        let Value::Object(schema) = schema else {
            return (schema == &Value::Bool(false)).then_some(0);
        };
        self.work = self.work.checked_sub(1)?;
        // What stands beside a reference counts in some drafts only.
        if let Some(to) = schema.get("$ref") {
            return self.reference(to.as_str()?);
        }
        let all = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        let all: Vec<u64> = all.filter_map(|part| self.schema(part)).collect();
        let any = ["anyOf", "oneOf"].map(|name| self.longest_of(schema.get(name)?.as_array()?));
        let values = match (schema.get("const"), schema.get("enum").and_then(Value::as_array)) {
            (Some(value), _) => Some(value_bytes(value)),
            (None, Some(values)) => values.iter().map(value_bytes).max(),
            (None, None) => None,
        };
        let typed = self.typed(schema);
        [values, typed].into_iter().chain(any).flatten().chain(all).min()
    }

    fn longest_of(&mut self, schemas: &'a [Value]) -> Option<u64> {
        schemas.iter().map(|schema| self.schema(schema)).collect::<Option<Vec<u64>>>()?.into_iter().max()
    }

    fn reference(&mut self, to: &'a str) -> Option<u64> {
        if let Some(known) = self.known.get(to) {
            return *known;
        }
        let schema = self.root.pointer(to.strip_prefix('#')?)?;
        self.known.insert(to, None);
        let bytes = self.schema(schema);
        self.known.insert(to, bytes);
        bytes
    }

    /// The limit of the types that are allowed.
    fn typed(&mut self, schema: &'a Map<String, Value>) -> Option<u64> {
        let types: Vec<&str> = match schema.get("type")? {
            Value::String(name) => vec![name.as_str()],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => return None,
        };
        let mut longest = 0;
        for name in types {
            longest = longest.max(match name {
                "null" => 4,
                "boolean" => 5,
                "integer" => integer_bytes(schema)?,
                "string" => 2 + CHARACTER.checked_mul(count(schema, "maxLength")?)?,
                "array" => self.array(schema)?,
                "object" => self.object(schema)?,
                _ => return None,
            });
        }
        Some(longest)
    }

    fn array(&mut self, schema: &'a Map<String, Value>) -> Option<u64> {
        let listed = ["prefixItems", "items"].iter().find_map(|name| schema.get(*name)?.as_array());
        let listed = listed.map_or(&[][..], Vec::as_slice);
        // A list under `items` is the older spelling of `prefixItems`; the rest then is `additionalItems`.
        let rest = match schema.get("items") {
            Some(Value::Array(_)) => schema.get("additionalItems"),
            items => items,
        };
        let closed = rest == Some(&Value::Bool(false));
        let most = match count(schema, "maxItems") {
            Some(most) if !closed => most,
            most => most.unwrap_or(u64::MAX).min(if closed { listed.len() as u64 } else { u64::MAX }),
        };
        if most == u64::MAX {
            return None;
        }
        let mut item = 0;
        for schema in listed.iter().take(usize::try_from(most).unwrap_or(usize::MAX)) {
            item = self.schema(schema)?.max(item);
        }
        if most > listed.len() as u64 {
            item = self.schema(rest?)?.max(item);
        }
        // Brackets with a space between, and each item with two spaces and a comma.
        most.checked_mul(item.checked_add(3)?)?.checked_add(3)
    }

    fn object(&mut self, schema: &'a Map<String, Value>) -> Option<u64> {
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        if !closed || schema.contains_key("patternProperties") {
            return None;
        }
        let mut total: u64 = 3;
        for (name, value) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if value == &Value::Bool(false) {
                continue;
            }
            // A comma, a colon, and the white space around them.
            let entry = string_bytes(name).checked_add(self.schema(value)?)?.checked_add(6)?;
            total = total.checked_add(entry)?;
        }
        Some(total)
    }
}

/// A keyword whose value is a count.
fn count(schema: &Map<String, Value>, name: &str) -> Option<u64> {
    let value = schema.get(name)?;
    // 3.0 is a count as well.
    value
        .as_u64()
        .or_else(|| value.as_f64().filter(|value| value.fract() == 0.0 && *value >= 0.0).map(|value| value as u64))
}

/// Sign and digits of an integer between two bounds.
fn integer_bytes(schema: &Map<String, Value>) -> Option<u64> {
    let bound = |names: [&str; 2]| names.iter().find_map(|name| schema.get(*name)?.as_f64());
    let least = bound(["minimum", "exclusiveMinimum"])?;
    let most = bound(["maximum", "exclusiveMaximum"])?;
    let digits = |value: f64| format!("{:.0}", value.trunc()).len() as u64;
    Some(digits(least).max(digits(most)))
}

/// The longest spelling of a string: every character escaped.
fn string_bytes(text: &str) -> u64 {
    2 + 6 * text.encode_utf16().count() as u64
}

/// The longest spelling of a value: numbers as they are, white space where it may be.
fn value_bytes(value: &Value) -> u64 {
    match value {
        Value::String(text) => string_bytes(text),
        Value::Array(items) => 3 + items.iter().map(|item| value_bytes(item) + 3).sum::<u64>(),
        Value::Object(members) => {
            3 + members.iter().map(|(name, value)| string_bytes(name) + value_bytes(value) + 6).sum::<u64>()
        }
        other => other.to_string().len() as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;
    use serde_json::json;

    #[test]
    fn limits_are_found_where_keywords_set_them() {
        for (schema, most) in [
            (json!({"type": "boolean"}), 5),
            (json!({"enum": [1, 200]}), 3),
            (json!({"type": "integer", "minimum": -5, "maximum": 1000}), 4),
            (json!({"type": "string", "maxLength": 2}), 26),
            (json!({"type": "array", "items": {"type": "null"}, "maxItems": 2}), 17),
            (json!({"type": "array", "prefixItems": [{"const": 1}], "items": false}), 7),
            (json!({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/a"}], "$defs": {"a": {"const": 12345}}}), 5),
            (json!({"allOf": [{"type": "string"}, {"type": "string", "maxLength": 1}]}), 14),
            (json!(false), 0),
        ] {
            assert_eq!(bytes(&schema), Some(most), "{schema}");
        }
        let closed = json!({"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": false});
        assert!(bytes(&closed).is_some_and(|most| most >= "{ \"a\" : null }".len() as u64));
    }

    #[test]
    fn what_has_no_limit_has_none() {
        for schema in [
            json!({"type": "string"}),
            json!({"type": "number", "minimum": 0, "maximum": 1}),
            json!({"type": "object", "properties": {"a": {"type": "null"}}}),
            json!({"type": "array", "items": {"type": "null"}}),
            json!({"type": ["null", "string"]}),
            json!({"type": "array", "maxItems": 1, "items": {"$ref": "#"}}),
            json!({}),
        ] {
            assert_eq!(bytes(&schema), None, "{schema}");
        }
    }
}
