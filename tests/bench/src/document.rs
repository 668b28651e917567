//! Judges whether a text is a valid document, with a validator that is independent of guides.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use jsonschema::{Draft, Retrieve, Uri, Validator};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The independent verdict on a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Valid,
    /// The text is not JSON, has a duplicate key, or violates the schema; the string says where.
    Invalid(String),
    /// The text is JSON with unique keys, but the validator can't decide: it cannot read the schema, or it rejects a document whose
    /// numbers it reads inexactly.
    Unjudged,
}

/// A validator of the schema's draft. A schema that names no draft is read as 2020-12 or, if that fails (`items` as a list,
/// `exclusiveMinimum` as a boolean), as the newest draft that accepts it. `None` if no draft does, or if the schema refers to other
/// documents than these, texts by URI.
pub(crate) fn validator(schema: &Value, documents: &BTreeMap<String, String>) -> Option<Validator> {
    let retriever = || Given(documents.clone());
    let options = || jsonschema::options().should_validate_formats(true).with_retriever(retriever());
    let named = schema.get("$schema").and_then(Value::as_str).is_some();
    let own = options().build(schema).ok();
    if named && own.is_some() {
        return own;
    }
    own.or_else(|| {
        let drafts = [Draft::Draft202012, Draft::Draft7, Draft::Draft4];
        drafts.into_iter().find_map(|draft| options().with_draft(draft).build(schema).ok())
    })
}

/// Documents by URI.
struct Given(BTreeMap<String, String>);

impl Retrieve for Given {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let text = self.0.get(uri.as_str().trim_end_matches('#')).ok_or("no such document")?;
        Ok(serde_json::from_str(text)?)
    }
}

/// Judges a text.
pub(crate) fn judge(validator: Option<&Validator>, text: &[u8]) -> Verdict {
    let mut reader = serde_json::Deserializer::from_slice(text);
    if let Err(error) = UniqueKeys.deserialize(&mut reader).and_then(|()| reader.end()) {
        // A number too large for a double is still JSON.
        let is_too_great = error.to_string().starts_with("number out of range") && !numbers_are_exact(text);
        return if is_too_great { Verdict::Unjudged } else { Verdict::Invalid(error.to_string()) };
    }
    let value: Value = match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => return Verdict::Invalid(error.to_string()),
    };
    let Some(validator) = validator else { return Verdict::Unjudged };
    match validator.validate(&value) {
        Ok(()) => Verdict::Valid,
        Err(_) if !numbers_are_exact(text) => Verdict::Unjudged,
        Err(error) => {
            let said: String = error.to_string().chars().take(300).collect();
            Verdict::Invalid(format!("at {}: {said}", error.instance_path()))
        }
    }
}

/// The validator reads numbers as IEEE doubles. Numbers with at most this many digits stay distinct.
const EXACT_DIGITS: usize = 15;

/// Whether no number of a JSON text has more digits than a double keeps.
fn numbers_are_exact(text: &[u8]) -> bool {
    let (mut inside, mut escaped, mut digits) = (false, false, 0);
    for &byte in text {
        if inside {
            inside = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        inside = byte == b'"';
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' => {}
            _ => digits = 0,
        }
        if digits > EXACT_DIGITS {
            return false;
        }
    }
    true
}

/// Reads JSON and fails on a duplicate key.
struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(UniqueKeys)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut keys: HashSet<String> = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if !keys.insert(key.clone()) {
                return Err(serde::de::Error::custom(format!("the key {key:?} comes twice")));
            }
            members.next_value_seed(UniqueKeys)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, judge, validator};
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn a_text_is_valid_if_it_is_json_with_unique_keys_that_the_schema_allows() {
        let validator = validator(&json!({"properties": {"a": {"type": "integer"}}}), &BTreeMap::new());
        let judged = |text: &str| judge(validator.as_ref(), text.as_bytes());
        assert_eq!(judged(r#"{"a":1,"b":[{"a":null}]}"#), Verdict::Valid);
        for invalid in [r#"{"a":1,"a":1}"#, r#"[{"b":1,"b":2}]"#, r#"{"a":"1"}"#, r#"{"a":1"#, r#"{"a":1}}"#, "01"] {
            assert!(matches!(judged(invalid), Verdict::Invalid(_)), "{invalid}");
        }
    }

    #[test]
    fn a_document_with_inexact_numbers_is_unjudged_where_the_validator_rejects_it() {
        let validator =
            validator(&json!({"properties": {"a": {"multipleOf": 7}, "b": {"type": "string"}}}), &BTreeMap::new());
        let judged = |text: &str| judge(validator.as_ref(), text.as_bytes());
        assert_eq!(judged(r#"{"a":20749389045927212545}"#), Verdict::Unjudged);
        assert_eq!(judged(&format!("[{}]", "7".repeat(400))), Verdict::Unjudged);
        assert!(matches!(judged(r#"{"a":20}"#), Verdict::Invalid(_)));
        assert!(matches!(judged(r#"{"b":7,"20749389045927212545":"\"20749389045927212545"}"#), Verdict::Invalid(_)));
    }

    #[test]
    fn schemas_of_older_drafts_have_a_validator_and_unknown_references_have_none() {
        for schema in [json!({"items": [{"type": "string"}]}), json!({"minimum": 1, "exclusiveMinimum": true})] {
            assert!(validator(&schema, &BTreeMap::new()).is_some(), "{schema}");
        }
        assert!(validator(&json!({"$ref": "http://elsewhere.example/schema"}), &BTreeMap::new()).is_none());
    }
}
