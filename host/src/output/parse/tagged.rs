//! Arguments in tags, turned into a JSON object.

use super::text::{Found, begins_with, escaped, longest_beginning};
use crate::output::arguments::{Kind, Kinds};
use crate::output::family::Tags;

/// The longest name of an argument, in bytes.
const LONGEST_KEY: usize = 4096;

/// Reads the arguments of one call.
#[derive(Debug)]
pub(super) struct TaggedArguments {
    tags: Tags,
    kinds: Kinds,
    count: usize,
    value: Option<Value>,
}

/// The value of an argument whose end is not known yet.
#[derive(Debug)]
enum Value {
    /// A string: given out as it comes.
    String,
    /// Anything else: given out when it is whole, for only then it is known what it is.
    Other { kind: Kind, text: String },
}

impl TaggedArguments {
    pub(super) fn new(tags: Tags, kinds: Kinds) -> Self {
        Self { tags, kinds, count: 0, value: None }
    }

    /// Reads the beginning of `text` and adds JSON text to `json`. Returns how much was read, and whether the arguments have ended; `None`
    /// where nothing can be read yet. `is_last` says that no text follows.
    pub(super) fn read(&mut self, text: &str, is_last: bool, json: &mut String) -> Option<(usize, bool)> {
        if self.value.is_some() {
            return self.read_value(text, is_last, json);
        }
        let skipped = text.len() - text.trim_start().len();
        let rest = &text[skipped..];
        let opened = begins_with(rest, self.tags.open);
        let ended = begins_with(rest, self.tags.end);
        match (opened, ended) {
            (Found::At(length), _) => {
                let read = self.read_key(&rest[length..], is_last, json)?;
                Some((skipped + length + read, false)).filter(|_| self.value.is_some()).or_else(|| {
                    self.finish(json);
                    Some((0, true))
                })
            }
            (_, Found::At(_)) | (Found::No, Found::No) => {
                self.finish(json);
                Some((skipped, true))
            }
            _ if is_last => {
                self.finish(json);
                Some((text.len(), true))
            }
            _ => None,
        }
    }

    /// Reads a key and what stands before its value. Leaves no value where there is no key.
    fn read_key(&mut self, text: &str, is_last: bool, json: &mut String) -> Option<usize> {
        let after = self.tags.after_key;
        let mark = after.split('\n').next().unwrap_or(after);
        let Some(end) = text.find(mark) else {
            return if is_last || text.len() > LONGEST_KEY { Some(0) } else { None };
        };
        let key = text[..end].trim();
        let mut at = end;
        match begins_with(&text[at..], after) {
            Found::At(length) => at += length,
            Found::Unknown if !is_last => return None,
            Found::Unknown | Found::No => at += mark.len(),
        }
        let mut kind = self.kinds.of(key);
        if self.tags.says_string {
            let Some(close) = text[at..].find('>') else {
                return if is_last || text.len() > LONGEST_KEY { Some(0) } else { None };
            };
            kind = if text[at..at + close].contains("\"true\"") { Kind::String } else { Kind::Other };
            at += close + 1;
        }
        if after.ends_with('\n') {
            match text[at..].chars().next() {
                Some('\n') => at += 1,
                None if !is_last => return None,
                _ => {}
            }
        }
        json.push_str(if self.count == 0 { "{\"" } else { ", \"" });
        json.push_str(&escaped(key));
        json.push_str("\": ");
        self.count += 1;
        self.value = Some(match kind {
            Kind::String => {
                json.push('"');
                Value::String
            }
            kind => Value::Other { kind, text: String::new() },
        });
        Some(at)
    }

    fn read_value(&mut self, text: &str, is_last: bool, json: &mut String) -> Option<(usize, bool)> {
        let close = self.tags.close.trim_end();
        let (length, read, is_whole) = match text.find(close) {
            Some(at) => (at, at + close.len(), true),
            None if is_last => (text.len(), text.len(), true),
            None => {
                let sure = text.len() - longest_beginning(text, close);
                (sure, sure, false)
            }
        };
        if length == 0 && !is_whole {
            return None;
        }
        match &mut self.value {
            Some(Value::String) => json.push_str(&escaped(&text[..length])),
            Some(Value::Other { text: held, .. }) => held.push_str(&text[..length]),
            None => {}
        }
        if is_whole {
            match self.value.take() {
                Some(Value::Other { kind, text }) => json.push_str(&other(kind, &text)),
                _ => json.push('"'),
            }
        }
        Some((read, false))
    }

    fn finish(&mut self, json: &mut String) {
        json.push_str(if self.count == 0 { "{}" } else { "}" });
    }
}

/// A value that is no string, or may be one: JSON where it is JSON, and a string where it is not.
fn other(kind: Kind, text: &str) -> String {
    let value = text.trim();
    let parsed = serde_json::from_str::<&serde_json::value::RawValue>(value);
    let is_json = parsed.is_ok() && (kind == Kind::Other || !value.starts_with('"'));
    if is_json { value.to_owned() } else { format!("\"{}\"", escaped(text)) }
}
