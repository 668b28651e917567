//! A value of a field as what the field wants, or the reason why it is not.

use std::ops::RangeInclusive;

use serde_json::Value;
use serde_json::value::RawValue;

use super::Refusal;
use super::body::{Field, Fields};
use crate::request::limits::MAX_STRINGS;

impl<'a> Field<'a> {
    pub(in crate::protocol) fn is_null(&self) -> bool {
        self.value.get() == "null"
    }

    /// The error that this field "must be" something else.
    pub(in crate::protocol) fn must_be(&self, what: impl std::fmt::Display) -> Refusal {
        Refusal::value(&self.name, format_args!("must be {what}, not {}", describe(self.value)))
    }

    /// The value in memory.
    pub(in crate::protocol) fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_str(self.value.get())
            .map_err(|error| Refusal::value(&self.name, format_args!("can't be read: {error}")))
    }

    pub(in crate::protocol) fn boolean(&self) -> Result<bool, Refusal> {
        match self.value.get() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.must_be("true or false")),
        }
    }

    /// An integer; `what` describes those that are allowed.
    pub(in crate::protocol) fn integer(&self, range: RangeInclusive<i128>, what: &str) -> Result<i128, Refusal> {
        match integer(self.value) {
            Some(number) if range.contains(&number) => Ok(number),
            _ => Err(self.must_be(what)),
        }
    }

    /// A number that `is_right`; `what` describes those that are allowed. What a 32-bit float can't tell from a number that
    /// is not allowed is not allowed.
    pub(in crate::protocol) fn number(&self, what: &str, is_right: impl Fn(f32) -> bool) -> Result<f32, Refusal> {
        let Ok(number) = serde_json::from_str::<f64>(self.value.get()) else { return Err(self.must_be(what)) };
        let number = number as f32;
        if number.is_finite() && is_right(number) { Ok(number) } else { Err(self.must_be(what)) }
    }

    pub(in crate::protocol) fn string(&self) -> Result<String, Refusal> {
        if !self.value.get().starts_with('"') {
            return Err(self.must_be("a string"));
        }
        serde_json::from_str(self.value.get())
            .map_err(|error| Refusal::value(&self.name, format_args!("is a string that can't be read: {error}")))
    }

    /// The entries of a list, each named by its place.
    pub(in crate::protocol) fn list(&self, what: &str) -> Result<Vec<Field<'a>>, Refusal> {
        let entries = serde_json::from_str::<Vec<&'a RawValue>>(self.value.get());
        let entries = entries.map_err(|_| self.must_be(what))?;
        let name = |index| format!("{}[{index}]", self.name);
        Ok(entries.into_iter().enumerate().map(|(index, value)| Field { name: name(index), value }).collect())
    }

    /// Non-empty strings, at most [`MAX_STRINGS`]; a single one where `or_one` allows it.
    pub(in crate::protocol) fn strings(&self, or_one: bool) -> Result<Vec<String>, Refusal> {
        let is_one = or_one && self.value.get().starts_with('"');
        let what = if or_one { "a string or a list of strings" } else { "a list of strings" };
        let entries = if is_one { vec![self.clone()] } else { self.list(what)? };
        if entries.len() > MAX_STRINGS {
            return Err(Refusal::value(
                &self.name,
                format_args!("has {} entries, and at most {} are allowed", entries.len(), MAX_STRINGS),
            ));
        }
        let read = |entry: Field<'_>| {
            let text = entry.string().map_err(|error| error.within(&self.name))?;
            let empty = || Refusal::value(&entry.name, "must not be empty").within(&self.name);
            if text.is_empty() { Err(empty()) } else { Ok(text) }
        };
        entries.into_iter().map(read).collect()
    }

    /// Token ids of a vocabulary of `vocab_size` tokens, at least one.
    pub(in crate::protocol) fn token_ids(&self, vocab_size: u32, what: &str) -> Result<Vec<u32>, Refusal> {
        let entries = serde_json::from_str::<Vec<&RawValue>>(self.value.get()).map_err(|_| self.must_be(what))?;
        let read = |(index, entry): (usize, &&RawValue)| match integer(entry) {
            Some(token) if (0..i128::from(vocab_size)).contains(&token) => Ok(token as u32),
            Some(token) => Err(Refusal::value(
                &format!("{}[{index}]", self.name),
                format_args!("is token {token}, which is not in the model's vocabulary of {vocab_size} tokens"),
            )
            .within(&self.name)),
            None => {
                let field = Field { name: format!("{}[{index}]", self.name), value: entry };
                Err(field.must_be("a token id").within(&self.name))
            }
        };
        entries.iter().enumerate().map(read).collect()
    }

    /// The fields of an object, each with the name of this one before its own.
    pub(in crate::protocol) fn object(&self, what: &str) -> Result<Vec<Field<'a>>, Refusal> {
        if !self.value.get().starts_with('{') {
            return Err(self.must_be(what));
        }
        let fields = serde_json::from_str::<Fields<'a>>(self.value.get());
        let fields = fields.map_err(|error| Refusal::value(&self.name, format_args!("can't be read: {error}")))?;
        Ok(fields.0)
    }
}

/// An integer as JSON spells it; `None` for all else, `1.0` included.
fn integer(value: &RawValue) -> Option<i128> {
    let digits = value.get().strip_prefix('-').unwrap_or(value.get());
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A number with more digits is out of any range.
    value.get().parse().ok()
}

/// A value in a few words.
fn describe(value: &RawValue) -> String {
    const LONGEST: usize = 40;
    let text = value.get();
    let kind = match text.as_bytes().first() {
        Some(b'"') => "the string ",
        Some(b'[') => return if text == "[]" { "an empty list".to_owned() } else { "a list".to_owned() },
        Some(b'{') => return "an object".to_owned(),
        _ => "",
    };
    match text.char_indices().nth(LONGEST) {
        None => format!("{kind}{text}"),
        Some((end, _)) => format!("{kind}{}...", &text[..end]),
    }
}
