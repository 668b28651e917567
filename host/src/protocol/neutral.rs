//! Fields that are accepted only where their value asks for nothing.

use serde_json::Value;

use super::fields::{Field, Refusal};

/// A field that is accepted only where its value changes nothing.
pub(in crate::protocol) struct Neutral {
    pub(in crate::protocol) name: &'static str,
    /// Whether a value other than `null` asks for nothing.
    pub(in crate::protocol) is_neutral: fn(&Value) -> bool,
    /// What to do.
    pub(in crate::protocol) remedy: &'static str,
}

/// A field of which no value but `null` asks for nothing.
pub(in crate::protocol) const fn never(name: &'static str, remedy: &'static str) -> Neutral {
    Neutral { name, is_neutral: |_| false, remedy }
}

/// A field that asks for nothing where `is_neutral`.
pub(in crate::protocol) const fn only(
    name: &'static str,
    is_neutral: fn(&Value) -> bool,
    remedy: &'static str,
) -> Neutral {
    Neutral { name, is_neutral, remedy }
}

/// Looks whether a field is one of a table: `None` if not.
pub(in crate::protocol) fn check(table: &[Neutral], field: &Field<'_>) -> Option<Result<(), Refusal>> {
    let neutral = table.iter().find(|neutral| neutral.name == field.name)?;
    Some(match field.json() {
        Ok(value) if value.is_null() || (neutral.is_neutral)(&value) => Ok(()),
        Ok(_) => Err(Refusal::unsupported(neutral.name, neutral.remedy)),
        Err(error) => Err(error),
    })
}

pub(in crate::protocol) fn is_false(value: &Value) -> bool {
    value == false
}

pub(in crate::protocol) fn is_true(value: &Value) -> bool {
    value == true
}

pub(in crate::protocol) fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.is_empty()) || value.as_array().is_some_and(Vec::is_empty)
}

/// An object of zeros, which is how vLLM spells that it does not look for repetitions.
pub(in crate::protocol) fn is_no_detection(value: &Value) -> bool {
    const KEYS: [&str; 3] = ["max_pattern_size", "min_pattern_size", "min_count"];
    let off = |(key, value): (&String, &Value)| KEYS.contains(&key.as_str()) && value == 0;
    value.as_object().is_some_and(|object| object.iter().all(off))
}
