//! The keywords of a schema, grouped by whether they constrain anything.

use std::collections::BTreeMap;

use jig_guides::keywords::{self, Holds, Kind};
use serde_json::{Map, Value};

/// JSON pointers of the schemas in which a name stands.
pub type Places = BTreeMap<String, Vec<String>>;

/// The names in a schema and in all schemas inside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keywords {
    /// Keywords that constrain.
    pub enforced: Places,
    /// Keywords that describe.
    pub annotations: Places,
    /// Names that no draft defines.
    pub unknown: Places,
    /// Values of `format` that no draft defines.
    pub unknown_formats: Places,
    /// Keywords beside a `$ref`, where the draft says that they do not count.
    pub beside_reference: Places,
    /// Keywords that the schema's draft does not have.
    pub later: Places,
}

impl Keywords {
    /// The keywords of a schema.
    #[must_use]
    pub fn of(schema: &Value) -> Keywords {
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
            let group = match keywords::kind(name) {
                Kind::Annotation => &mut self.annotations,
                Kind::Unknown => &mut self.unknown,
                Kind::Constraint if reference && name != "$ref" => &mut self.beside_reference,
                Kind::Constraint if !jig_guides::draft_has_keyword(named, name) => &mut self.later,
                Kind::Constraint => &mut self.enforced,
            };
            match value.as_str().filter(|format| name == "format" && !keywords::is_format(format)) {
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
        // A content schema is about what a string encodes, which nothing checks.
        let holds = if name == "contentSchema" { Holds::default() } else { keywords::holds(name) };
        match value {
            Value::Object(_) if holds.schema => children.push((name.clone(), value)),
            Value::Array(list) if holds.list => {
                children.extend(list.iter().enumerate().map(|(i, inner)| (format!("{name}/{i}"), inner)));
            }
            Value::Object(map) if holds.map => {
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
    fn a_format_of_draft_3_that_is_not_enforced_is_told_to_constrain_nothing() {
        for format in ["color", "phone", "style", "utc-millisec"] {
            let keywords = Keywords::of(&json!({"type": "string", "format": format}));
            assert_eq!(
                (keywords.unknown_formats[format].as_slice(), keywords.enforced.get("format")),
                (&[String::new()][..], None)
            );
        }
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
