//! `tojson`: Python's `json.dumps`, as transformers calls it.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::text;
use super::value::{Exponential, View};

/// Deeper values are refused.
const MAX_DEPTH: usize = 200;

/// The filter: `tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
pub(super) fn tojson(state: &State, value: &Value, kwargs: Kwargs) -> Result<String, Error> {
    let mark = state.lookup(super::MARK).and_then(|mark| mark.as_str()?.chars().next());
    let ensure_ascii = kwargs.get::<Option<Value>>("ensure_ascii")?.is_some_and(|value| value.is_true());
    let indent = match kwargs.get::<Option<Value>>("indent")? {
        None => None,
        Some(value) if value.is_none() => None,
        Some(value) => match value.as_str() {
            Some(text) => Some(text.to_owned()),
            None => Some(" ".repeat(usize::try_from(value)?.min(100))),
        },
    };
    let separators = kwargs.get::<Option<Value>>("separators")?.filter(|value| !value.is_none());
    let sort_keys = kwargs.get::<Option<Value>>("sort_keys")?.is_some_and(|value| value.is_true());
    kwargs.assert_all_used()?;
    let (item, key) = match separators {
        None => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
        Some(pair) => (pair.get_item_by_index(0)?.to_string(), pair.get_item_by_index(1)?.to_string()),
    };
    let mut writer = Writer { text: String::new(), mark, ensure_ascii, indent, item, key, sort_keys };
    writer.value(value, 0)?;
    Ok(writer.text)
}

struct Writer {
    text: String,
    /// Is no part of the value, and so never escaped.
    mark: Option<char>,
    ensure_ascii: bool,
    indent: Option<String>,
    item: String,
    key: String,
    sort_keys: bool,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(refusal(format!("tojson: more than {MAX_DEPTH} values inside of each other")));
        }
        if let Some(float) = value.downcast_object_ref::<Exponential>() {
            self.text.push_str(&float_text(float.0));
            return Ok(());
        }
        match value.kind() {
            ValueKind::None => self.text.push_str("null"),
            ValueKind::Bool => self.text.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if value.is_integer() => self.text.push_str(&value.to_string()),
            ValueKind::Number => self.text.push_str(&float_text(f64::try_from(value.clone())?)),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            // What is lazy and has no length is a generator in Python.
            ValueKind::Seq | ValueKind::Iterable
                if value.len().is_some() && value.downcast_object_ref::<View>().is_none() =>
            {
                let items: Vec<Value> = value.try_iter()?.checked().collect::<Result<_, _>>()?;
                self.container('[', ']', depth, &items, |writer, item| writer.value(item, depth + 1))?;
            }
            ValueKind::Map => {
                let mut entries = Vec::new();
                for key in value.try_iter()?.checked() {
                    let key = key?;
                    let value = value.get_item(&key)?;
                    entries.push((key_text(&key)?, value));
                }
                if self.sort_keys {
                    entries.sort_by(|a, b| a.0.cmp(&b.0));
                }
                self.container('{', '}', depth, &entries, |writer, (key, value)| {
                    writer.string(key);
                    writer.text.push_str(&writer.key.clone());
                    writer.value(value, depth + 1)
                })?;
            }
            kind => return Err(refusal(format!("tojson: a value of the kind `{kind}` is not JSON"))),
        }
        Ok(())
    }

    fn container<T>(
        &mut self,
        open: char,
        close: char,
        depth: usize,
        items: &[T],
        mut write: impl FnMut(&mut Self, &T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.text.push(open);
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                self.text.push_str(&self.item);
            }
            self.line(depth + 1);
            write(self, item)?;
        }
        if !items.is_empty() {
            self.line(depth);
        }
        self.text.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n(indent.as_str(), depth));
        }
    }

    fn string(&mut self, text: &str) {
        self.text.push('"');
        for character in text.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                _ if Some(character) == self.mark => self.text.push(character),
                '\u{0}'..='\u{1f}' => self.escape(character),
                // With ensure_ascii, Python escapes U+007F no more than any other character of ASCII.
                _ if self.ensure_ascii && !character.is_ascii() => self.escape(character),
                _ => self.text.push(character),
            }
        }
        self.text.push('"');
    }

    fn escape(&mut self, character: char) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            self.text.push_str(&format!("\\u{unit:04x}"));
        }
    }
}

/// The key of an object, as `json.dumps` writes keys that are no strings.
fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String => Ok(key.to_string()),
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::Number if key.is_integer() => Ok(key.to_string()),
        ValueKind::Number => Ok(float_text(f64::try_from(key.clone())?)),
        kind => Err(refusal(format!("tojson: a key of the kind `{kind}` is not JSON"))),
    }
}

/// As [`text::float`]; what is no number has another name in `json.dumps`.
fn float_text(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        text::float(value)
    }
}

fn refusal(problem: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem)
}
