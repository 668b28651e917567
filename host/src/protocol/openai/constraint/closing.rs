//! A schema whose objects have no properties but those that it names: `"additionalProperties": false` where it says nothing else.

use serde_json::value::RawValue;

use crate::protocol::fields::{Field, Refusal};

/// Levels of nesting of schemas.
const DEEPEST: usize = 128;

/// Keywords whose value is a schema, or a list of schemas.
const SCHEMAS: &[&str] = &[
    "items",
    "additionalItems",
    "additionalProperties",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "propertyNames",
    "allOf",
    "anyOf",
    "oneOf",
    "prefixItems",
];

/// Keywords whose value is an object of schemas.
const NAMED_SCHEMAS: &[&str] =
    &["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];

/// The schema with its objects closed. All else keeps its spelling.
///
/// # Errors
/// What can't be read, or is nested too deeply.
pub(super) fn closed(schema: &str) -> Result<String, String> {
    let mut text = String::with_capacity(schema.len() + 64);
    let raw: &RawValue =
        serde_json::from_str(schema).map_err(|error| format!("can't close a schema that is not JSON: {error}"))?;
    close(raw, DEEPEST, &mut text).map_err(|error| error.message)?;
    Ok(text)
}

fn close(schema: &RawValue, levels: usize, text: &mut String) -> Result<(), Refusal> {
    let field = Field { name: "schema".to_owned(), value: schema };
    let Some(levels) = levels.checked_sub(1) else {
        return Err(Refusal::value("schema", "can't be closed: it is nested too deeply"));
    };
    match schema.get().as_bytes().first() {
        Some(b'{') => {
            let members = field.object("an object")?;
            let has = |name: &str| members.iter().any(|member| member.name == name);
            let is_object = has("properties")
                || members.iter().any(|member| member.name == "type" && member.value.get().contains("\"object\""));
            text.push('{');
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&serde_json::Value::from(member.name.as_str()).to_string());
                text.push(':');
                match member.name.as_str() {
                    name if SCHEMAS.contains(&name) => close(member.value, levels, text)?,
                    name if NAMED_SCHEMAS.contains(&name) => close_each(member, levels, text)?,
                    _ => text.push_str(member.value.get()),
                }
            }
            if is_object && !has("additionalProperties") {
                text.push_str(r#","additionalProperties":false"#);
            }
            text.push('}');
        }
        Some(b'[') => {
            text.push('[');
            for (index, entry) in field.list("a list")?.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                close(entry.value, levels, text)?;
            }
            text.push(']');
        }
        _ => text.push_str(schema.get()),
    }
    Ok(())
}

/// The schemas of an object of schemas.
fn close_each(field: &Field<'_>, levels: usize, text: &mut String) -> Result<(), Refusal> {
    if !field.value.get().starts_with('{') {
        text.push_str(field.value.get());
        return Ok(());
    }
    text.push('{');
    for (index, member) in field.object("an object")?.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(member.name.as_str()).to_string());
        text.push(':');
        close(member.value, levels, text)?;
    }
    text.push('}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_closed_where_they_say_nothing_and_numbers_keep_their_spelling() {
        for (schema, expected) in [
            (r#"{"type":"object"}"#, r#"{"type":"object","additionalProperties":false}"#),
            (
                r#"{"properties":{"properties":{"type":["object","null"]}}}"#,
                r#"{"properties":{"properties":{"type":["object","null"],"additionalProperties":false}},"additionalProperties":false}"#,
            ),
            (
                r#"{"type":"object","additionalProperties":{"type":"object"}}"#,
                r#"{"type":"object","additionalProperties":{"type":"object","additionalProperties":false}}"#,
            ),
            (
                r#"{"anyOf":[{"type":"object"},true,{"const":{"type":"object","x":1.0}}]}"#,
                r#"{"anyOf":[{"type":"object","additionalProperties":false},true,{"const":{"type":"object","x":1.0}}]}"#,
            ),
            ("true", "true"),
        ] {
            assert_eq!(closed(schema).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_schema_or_too_deep_is_an_error() {
        assert!(closed("{").is_err());
        let deep = r#"{"items":"#.repeat(200) + "true" + &"}".repeat(200);
        assert!(closed(&deep).unwrap_err().contains("too deeply"));
    }
}
