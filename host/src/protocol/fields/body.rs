//! The JSON text of a body as a list of fields.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Refusal;

/// A field: its name, and its value as the client spelled it. A schema's order of keys and spelling of numbers matter, so
/// no value is read before it is known what it is to be.
#[derive(Clone, Debug)]
pub(in crate::protocol) struct Field<'a> {
    pub(in crate::protocol) name: String,
    pub(in crate::protocol) value: &'a RawValue,
}

/// The fields of an object in their order, none twice.
pub(super) struct Fields<'a>(pub(super) Vec<Field<'a>>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut fields, mut names) = (Vec::new(), HashSet::new());
                while let Some(name) = map.next_key::<String>()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format_args!("the key `{name}` is there twice")));
                    }
                    fields.push(Field { name, value: map.next_value()? });
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

/// The fields of a body.
///
/// # Errors
/// What is no UTF-8, no JSON, no object, or has a key twice; with line and column.
pub(in crate::protocol) fn read(body: &[u8]) -> Result<Vec<Field<'_>>, Refusal> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Refusal::body(format!("the body is not UTF-8 (at byte {}); send JSON text in UTF-8", error.valid_up_to()))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Err(Refusal::body(r#"the body is empty; send a JSON object such as {"prompt": "Hello"}"#));
    }
    let fields = serde_json::from_str::<Fields<'_>>(text).map_err(|error| {
        let other = match text.trim_ascii().as_bytes()[0] {
            b'{' => None,
            b'[' => Some("a list"),
            b'"' => Some("a string"),
            _ => Some("a single value"),
        };
        if let Some(other) = other.filter(|_| error.is_data()) {
            return Refusal::body(format!("the body must be a JSON object, not {other}"));
        }
        let what = if error.is_data() { "is not what it should be" } else { "is not JSON" };
        Refusal::body(format!("the body {what}: {error}"))
    })?;
    Ok(fields.0)
}
