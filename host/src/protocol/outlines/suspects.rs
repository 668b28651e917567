//! Names in a schema that no draft defines, and that look like a keyword with a slip of the hand: `minLenght`.
//!
//! An unknown name constrains nothing (JSON Schema 2020-12 core, section 6.5), so a misspelt keyword passes in silence. The answer names
//! such ones, and `strict_schema` refuses them. Other unknown names, such as `x-order`, say nothing about an author's intent.

use std::fmt;

use jig_guides::keywords::{self, Kind};
use serde_json::Value;

use crate::protocol::fields::nearest;
use crate::schema_report::Keywords;

/// So many of them are named.
const MOST_NAMED: usize = 8;

/// Characters of a pointer that are shown.
const LONGEST_POINTER: usize = 120;

/// A name that looks like a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Suspect {
    pointer: String,
    name: String,
    remedy: String,
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Suspect { pointer, name, remedy } = self;
        if !pointer.is_empty() {
            let shown: String = pointer.chars().take(LONGEST_POINTER).collect();
            write!(f, "{shown}: ")?;
        }
        write!(f, "{name} is no keyword, {remedy}")
    }
}

/// The first names in a schema that look like a mistake.
pub(super) fn suspects(schema: &str) -> Vec<Suspect> {
    // A text that is no JSON is refused elsewhere.
    let Ok(schema) = serde_json::from_str::<Value>(schema) else { return Vec::new() };
    let unknown = Keywords::of(&schema).unknown;
    let found = unknown.iter().filter_map(|(name, places)| {
        let pointer = places.first()?.clone();
        Some(Suspect { pointer, name: name.clone(), remedy: remedy(name)? })
    });
    found.take(MOST_NAMED).collect()
}

/// What was meant by an unknown name.
fn remedy(name: &str) -> Option<String> {
    // OpenAPI 3.0 has it, JSON Schema does not.
    if name == "nullable" {
        return Some(r#"add "null" to the type"#.to_owned());
    }
    if name.starts_with("x-") || keywords::kind(name) != Kind::Unknown {
        return None;
    }
    let plain = |keyword: &str| keyword.to_ascii_lowercase();
    let near = nearest(name, keywords::constraints().filter(|keyword| keyword.len() > 3))
        .or_else(|| keywords::constraints().find(|keyword| plain(keyword) == plain(name)))?;
    Some(format!("did you mean {near}?"))
}

#[cfg(test)]
mod tests {
    use super::suspects;

    fn texts(schema: &str) -> Vec<String> {
        suspects(schema).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_misspelt_keyword_is_named_with_its_place_and_the_keyword_that_was_meant() {
        assert_eq!(
            texts(r#"{"properties": {"a": {"minLenght": 2}}, "addtionalProperties": false, "requierd": ["a"]}"#),
            [
                "addtionalProperties is no keyword, did you mean additionalProperties?",
                "/properties/a: minLenght is no keyword, did you mean minLength?",
                "requierd is no keyword, did you mean required?",
            ]
        );
        assert_eq!(
            texts(r#"{"type": "string", "nullable": true}"#),
            [r#"nullable is no keyword, add "null" to the type"#]
        );
        assert_eq!(texts(r#"{"maxlength": 3}"#), ["maxlength is no keyword, did you mean maxLength?"]);
    }

    #[test]
    fn names_that_look_like_no_keyword_and_names_of_properties_are_not_suspects() {
        for schema in [
            r#"{"x-order": 1, "x-nullable": true, "markdownDescription": "a", "tsType": "b", "defaultSnippets": []}"#,
            r#"{"properties": {"minLenght": {}, "nullable": {}}}"#,
            r#"{"title": "a", "$comment": "b", "default": {"nullable": 1}, "const": {"minLenght": 1}}"#,
            "true",
            "no JSON",
        ] {
            assert_eq!(texts(schema), [""; 0], "{schema}");
        }
    }
}
