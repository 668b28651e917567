//! The schema of a function's parameters, as guides enforce it.
//!
//! Such schemas come from frameworks, not from people who know guides. So an object that names its properties is closed: a model gains
//! nothing by inventing keys. And a keyword that no guide enforces is left out, with its place, rather than the request refused.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

/// Levels of nesting that are looked into.
const DEEPEST: usize = 128;

/// Keywords whose value is an object of schemas that describe parts of a value.
const PROPERTIES: &[&str] = &["properties", "patternProperties"];
/// Keywords whose value is a schema, or a list of schemas, that describes parts of a value.
const PARTS: &[&str] = &["items", "prefixItems", "additionalItems", "additionalProperties"];
/// Keywords with alternatives, one of which is enough.
const ALTERNATIVES: &[&str] = &["anyOf"];
/// Keywords whose schemas say something of a value together with others: what is closed there may contradict, or change what another says.
const TOGETHER: &[&str] =
    &["allOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies", "contains", "propertyNames"];
/// Keywords that tell properties of an object beside `properties`.
const OTHER_PROPERTIES: &[&str] = &[
    "additionalProperties",
    "unevaluatedProperties",
    "patternProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependencies",
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
];
/// Keywords whose schemas count against a value: a wider schema there makes a narrower one.
const AGAINST: &[&str] = &["not", "if", "contains", "oneOf", "unevaluatedProperties", "unevaluatedItems"];

/// The schema of a function that takes nothing.
#[must_use]
pub fn none() -> Value {
    json!({"type": "object", "properties": {}, "additionalProperties": false})
}

/// The schema with its objects closed: those that name properties, say nothing of others, and stand where nothing else does.
#[must_use]
pub fn closed(mut schema: Value) -> Value {
    let open = open_definitions(&schema);
    close(&mut schema, &open, "#", DEEPEST);
    // Arguments are an object, whether the schema says so or not. Beside a reference some drafts read nothing.
    if let Some(object) = schema.as_object_mut()
        && !["type", "$ref"].iter().any(|key| object.contains_key(*key))
    {
        object.insert("type".to_owned(), "object".into());
    }
    schema
}

/// The schema with the outermost object closed whatever it says: for arguments that are written in tags, which only known names have.
#[must_use]
pub fn only_named(mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.remove("patternProperties");
        object.remove("unevaluatedProperties");
        object.entry("properties").or_insert_with(|| json!({}));
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    schema
}

fn close(schema: &mut Value, open: &HashSet<String>, at: &str, levels: usize) {
    let (Some(object), Some(levels)) = (schema.as_object_mut(), levels.checked_sub(1)) else { return };
    for key in PROPERTIES.iter().chain(&["$defs", "definitions"]) {
        for (name, inner) in object.get_mut(*key).and_then(Value::as_object_mut).into_iter().flatten() {
            let place = format!("{at}/{key}/{}", escaped(name));
            let is_definition = !PROPERTIES.contains(key);
            if !(is_definition && open.contains(&place)) {
                close(inner, open, &place, levels);
            }
        }
    }
    for key in PARTS.iter().chain(ALTERNATIVES) {
        match object.get_mut(*key) {
            Some(Value::Array(list)) => {
                for (index, inner) in list.iter_mut().enumerate() {
                    close(inner, open, &format!("{at}/{key}/{index}"), levels);
                }
            }
            Some(inner) => close(inner, open, &format!("{at}/{key}"), levels),
            None => {}
        }
    }
    let names_properties = object.get("properties").is_some_and(Value::is_object);
    if names_properties && !OTHER_PROPERTIES.iter().any(|key| object.contains_key(*key)) {
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

/// The definitions that are used where they may not be closed, as the references that lead to them.
fn open_definitions(root: &Value) -> HashSet<String> {
    let mut open = HashSet::new();
    references(root, false, &mut open, DEEPEST);
    // What an open definition refers to by keywords that speak of the same value is open, too; one that stands for a part of it may be
    // closed, yet nothing is lost by leaving it open.
    loop {
        let mut further = open.clone();
        for reference in &open {
            if let Some(target) = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) {
                references(target, true, &mut further, DEEPEST);
            }
        }
        if further.len() == open.len() {
            return open;
        }
        open = further;
    }
}

/// Collects the references that stand where nothing may be closed. `is_open` says whether the schema stands there itself.
fn references(schema: &Value, is_open: bool, open: &mut HashSet<String>, levels: usize) {
    let Some(levels) = levels.checked_sub(1) else { return };
    match schema {
        Value::Array(list) => list.iter().for_each(|inner| references(inner, is_open, open, levels)),
        Value::Object(object) => {
            // A reference beside properties says something of the same object.
            let is_beside = object.contains_key("properties") || object.contains_key("unevaluatedProperties");
            for (key, inner) in object {
                match (key.as_str(), inner) {
                    ("$ref", Value::String(reference)) if is_open || is_beside => {
                        open.insert(reference.clone());
                    }
                    ("enum" | "const" | "default" | "examples", _) => {}
                    ("anyOf", _) if is_beside => references(inner, true, open, levels),
                    (key, _) => references(inner, is_open || TOGETHER.contains(&key), open, levels),
                }
            }
        }
        _ => {}
    }
}

/// Leaves the keyword out that no guide enforces, `pointer` being where it stands, so that all that was valid still is. Returns what was
/// left out, as a JSON pointer; `None` where nothing can be.
pub fn relax(schema: &mut Value, pointer: &str, keyword: &str) -> Option<String> {
    let steps: Vec<String> = pointer.split('/').skip(1).map(unescaped).collect();
    // A keyword below one that counts against a value can't be left out alone: all that counts against it is.
    let is_name = |at: usize| at > 0 && ["properties", "$defs", "definitions"].contains(&steps[at - 1].as_str());
    let against = (0..steps.len()).find(|&at| AGAINST.contains(&steps[at].as_str()) && !is_name(at));
    let (parents, name) = match against {
        Some(at) => (&steps[..at], steps[at].as_str()),
        None if steps.last().is_some_and(|last| last == keyword) => (&steps[..steps.len() - 1], keyword),
        None => (&steps[..], keyword),
    };
    let parent = parents.iter().try_fold(schema, |value, step| match value {
        Value::Object(object) => object.get_mut(step),
        Value::Array(list) => list.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })?;
    let object = parent.as_object_mut()?;
    object.remove(name)?;
    match name {
        // An alternative is enough where exactly one was wanted, and nothing more is known of it.
        "properties" | "patternProperties" | "allOf" | "anyOf" | "$ref" | "dependentSchemas" => {
            remove_all(object, &["additionalProperties", "unevaluatedProperties"]);
        }
        "if" => remove_all(object, &["then", "else"]),
        "contains" => remove_all(object, &["minContains", "maxContains"]),
        "prefixItems" => remove_all(object, &["items", "additionalItems", "unevaluatedItems"]),
        _ => {}
    }
    let place: String = parents.iter().map(|step| format!("/{}", escaped(step))).collect();
    Some(format!("{place}/{}", escaped(name)))
}

fn remove_all(object: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        object.remove(*name);
    }
}

/// A name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_that_name_their_properties_are_closed() {
        assert_eq!(closed(json!({"anyOf": [{}]})), json!({"anyOf": [{}], "type": "object"}), "arguments are an object");
        let schema = json!({"type": "object", "properties": {
            "a": {"type": "object", "properties": {"b": {}}},
            "c": {"type": "array", "items": {"properties": {"d": {}}}},
            "e": {"type": "object"},
            "f": {"anyOf": [{"properties": {"g": {}}}, {"type": "null"}]},
        }});
        let expected = json!({"type": "object", "properties": {
            "a": {"type": "object", "properties": {"b": {}}, "additionalProperties": false},
            "c": {"type": "array", "items": {"properties": {"d": {}}, "additionalProperties": false}},
            "e": {"type": "object"},
            "f": {"anyOf": [{"properties": {"g": {}}, "additionalProperties": false}, {"type": "null"}]},
        }, "additionalProperties": false});
        assert_eq!(closed(schema), expected);
    }

    #[test]
    fn objects_that_several_schemas_describe_stay_open() {
        for schema in [
            json!({"properties": {"a": {}}, "additionalProperties": true}),
            json!({"properties": {"a": {}}, "patternProperties": {"^x": {}}}),
            json!({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}),
            json!({"properties": {"a": {}}, "allOf": [{"properties": {"b": {}}}]}),
            json!({"properties": {"a": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            json!({"oneOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {}}}]}),
            json!({"not": {"properties": {"a": {}}}}),
            json!({"$defs": {"Base": {"properties": {"a": {}}}}, "allOf": [{"$ref": "#/$defs/Base"}]}),
            json!({"$defs": {"Base": {"properties": {"a": {}}}}, "properties": {"b": {}}, "$ref": "#/$defs/Base"}),
            json!({"$defs": {"A": {"allOf": [{"$ref": "#/$defs/B"}]}, "B": {"properties": {"a": {}}}}, "$ref": "#/$defs/A"}),
        ] {
            let mut expected = schema.clone();
            if schema.get("$ref").is_none() {
                expected["type"] = "object".into();
            }
            assert_eq!(closed(schema), expected);
        }
    }

    #[test]
    fn definitions_are_closed_where_nothing_but_a_reference_uses_them() {
        let schema =
            json!({"$defs": {"Point": {"properties": {"x": {}}}}, "properties": {"at": {"$ref": "#/$defs/Point"}}});
        let schema = closed(schema);
        assert_eq!(schema["$defs"]["Point"]["additionalProperties"], false);
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn what_no_guide_enforces_is_left_out_and_named() {
        let mut schema = json!({"properties": {"a/b": {"type": "string", "magic": 1}}});
        assert_eq!(relax(&mut schema, "/properties/a~1b", "magic").as_deref(), Some("/properties/a~1b/magic"));
        assert_eq!(schema, json!({"properties": {"a/b": {"type": "string"}}}));
        assert_eq!(relax(&mut schema, "/properties/a~1b", "magic"), None);
        let mut schema = json!({"patternProperties": {"(": {}}, "additionalProperties": false});
        assert_eq!(
            relax(&mut schema, "/patternProperties", "patternProperties").as_deref(),
            Some("/patternProperties")
        );
        assert_eq!(schema, json!({}));
    }

    #[test]
    fn what_counts_against_a_value_is_left_out_as_a_whole() {
        let mut schema = json!({"properties": {"not": {"not": {"magic": 1}}}});
        assert_eq!(relax(&mut schema, "/properties/not/not", "magic").as_deref(), Some("/properties/not/not"));
        assert_eq!(schema, json!({"properties": {"not": {}}}));
        let mut schema = json!({"if": {"magic": 1}, "then": {"type": "string"}});
        assert_eq!(relax(&mut schema, "/if", "magic").as_deref(), Some("/if"));
        assert_eq!(schema, json!({}));
    }

    #[test]
    fn arguments_in_tags_have_names_that_are_known() {
        assert_eq!(only_named(json!({"type": "object"})), none());
    }
}
