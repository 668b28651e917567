//! Reads the fields of a JSON object from an untrusted file.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;

use jig_plugin_api::{Error, ErrorCode, Result};
use serde_json::{Map, Value};

/// A JSON object in a file: every error names the file and the field. A `null` counts as absent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    file: &'a Path,
    prefix: &'a str,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(file: &'a Path, map: &'a Map<String, Value>) -> Self {
        Self { file, prefix: "", map }
    }

    /// An `InvalidFile` error about a field.
    pub(crate) fn invalid(&self, name: &str, problem: impl Display) -> Error {
        let Self { file, prefix, .. } = self;
        Error::new(ErrorCode::InvalidFile, format!("{}: field `{prefix}{name}`: {problem}", file.display()))
    }

    /// An `Unsupported` error about a field.
    pub(crate) fn unsupported(&self, name: &str, problem: impl Display) -> Error {
        let Self { file, prefix, .. } = self;
        Error::unsupported(format!("{}: field `{prefix}{name}`: {problem}", file.display()))
    }

    /// The value of a field, if it is there and not `null`.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// An object inside this one; `prefix` is put before its fields' names in errors.
    pub(crate) fn object(&self, name: &str, prefix: &'a str) -> Result<Option<Fields<'a>>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Fields { file: self.file, prefix, map })),
            Some(other) => Err(self.expected(name, "an object", other)),
        }
    }

    /// An integer within limits. A number such as `4.0` counts as one.
    pub(crate) fn integer(&self, name: &str, limits: RangeInclusive<usize>) -> Result<Option<usize>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let (least, most) = (*limits.start(), *limits.end());
        let whole =
            value.as_u64().or_else(|| value.as_f64().filter(|x| x.fract() == 0.0 && *x >= 0.0).map(|x| x as u64));
        match whole.and_then(|x| usize::try_from(x).ok()).filter(|x| limits.contains(x)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.expected(name, &format!("an integer from {least} to {most}"), value)),
        }
    }

    /// A finite number within limits.
    pub(crate) fn number(&self, name: &str, limits: RangeInclusive<f64>) -> Result<Option<f64>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.as_f64().filter(|x| x.is_finite() && limits.contains(x)) {
            Some(number) => Ok(Some(number)),
            None => {
                let wanted = format!("a number from {:e} to {:e}", limits.start(), limits.end());
                Err(self.expected(name, &wanted, value))
            }
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(self.expected(name, "true or false", other)),
        }
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.expected(name, "a string", other)),
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<&'a str>>> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let texts = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect());
        texts.map(Some).ok_or_else(|| self.expected(name, "an array of strings", value))
    }

    /// The value of a field that must be there.
    pub(crate) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.invalid(name, "is missing"))
    }

    fn expected(&self, name: &str, wanted: &str, found: &Value) -> Error {
        let mut shown = found.to_string();
        if let Some((cut, _)) = shown.char_indices().nth(60) {
            shown.truncate(cut);
            shown.push('…');
        }
        self.invalid(name, format!("expected {wanted}, found {shown}"))
    }
}
