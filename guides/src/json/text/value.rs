//! JSON text to values that keep the spelling of numbers and the order of keys, which usual parsers drop and a schema needs.

use crate::error::{CompileError, Place};
use crate::interrupt::passed;
use crate::json::text::decimal::Decimal;
use crate::json::text::escape::short_escape;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// A number in its spelling.
    Number(String),
    String(String),
    Array(Vec<Value>),
    Object(Members),
}

/// The members of an object in their order, with unique keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Members {
    list: Vec<(String, Value)>,
    /// Indices into `list`, sorted by key: a look is a binary search.
    sorted: Vec<u32>,
}

impl Members {
    /// # Errors
    /// The index of a repeated key.
    pub(crate) fn new(list: Vec<(String, Value)>) -> Result<Members, usize> {
        let mut sorted: Vec<u32> = (0..list.len() as u32).collect();
        sorted.sort_by(|&a, &b| list[a as usize].0.cmp(&list[b as usize].0));
        match sorted.windows(2).find(|pair| list[pair[0] as usize].0 == list[pair[1] as usize].0) {
            Some(pair) => Err(pair[1] as usize),
            None => Ok(Members { list, sorted }),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        let index = self.sorted.binary_search_by(|&index| self.list[index as usize].0.as_str().cmp(key)).ok()?;
        self.list.get(*self.sorted.get(index)? as usize).map(|(_, value)| value)
    }
}

impl std::ops::Deref for Members {
    type Target = [(String, Value)];

    fn deref(&self) -> &[(String, Value)] {
        &self.list
    }
}

impl Value {
    /// The member of an object.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Object(members) => members.get(key),
            _ => None,
        }
    }

    /// The kind of the value with its article, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

/// Parses a text that is one JSON value with at most `depth` levels of nesting.
pub(crate) fn parse(text: &str, depth: usize) -> Result<Value, CompileError> {
    // Some editors put a byte order mark before a text. RFC 8259 (section 8.1) lets a parser skip it.
    let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut parser = Parser { text: text.as_bytes(), source: text, at, depth, most: depth };
    parser.space();
    let value = parser.value()?;
    parser.space();
    if parser.at < parser.text.len() {
        return Err(parser.error("something follows the JSON value"));
    }
    Ok(value)
}

struct Parser<'a> {
    text: &'a [u8],
    source: &'a str,
    at: usize,
    /// Levels of nesting that are left.
    depth: usize,
    /// Levels of nesting at the start, for the error.
    most: usize,
}

impl Parser<'_> {
    fn error(&self, reason: &str) -> CompileError {
        CompileError::Syntax { at: Place::Text(self.at), reason: reason.to_owned() }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, CompileError> {
        if self.text[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.error("not JSON; expected a value"))
        }
    }

    fn value(&mut self) -> Result<Value, CompileError> {
        if passed(1) {
            return Err(CompileError::Interrupted);
        }
        match self.peek() {
            Some(b'{') => self.nested(Parser::object),
            Some(b'[') => self.nested(Parser::array),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            None => Err(self.error("the JSON text ends too early")),
            Some(_) => Err(self.error("not JSON; expected a value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, CompileError>) -> Result<Value, CompileError> {
        if self.depth == 0 {
            return Err(CompileError::TooBig {
                at: Place::Text(self.at),
                limit: "levels of nesting",
                allowed: self.most as u64,
                remedy: "use $defs and $ref instead of nesting".into(),
            });
        }
        self.depth -= 1;
        self.at += 1;
        let value = read(self);
        self.depth += 1;
        value
    }

    fn array(&mut self) -> Result<Value, CompileError> {
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            self.space();
            items.push(self.value()?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return Err(self.error("not JSON; expected ',' or ']'")),
            }
        }
    }

    fn object(&mut self) -> Result<Value, CompileError> {
        let mut members: Vec<(String, Value)> = Vec::new();
        let mut places: Vec<usize> = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return self.members(members, &places);
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.error("not JSON; expected a key in double quotes"));
            }
            places.push(self.at);
            let key = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.error("not JSON; expected ':'"));
            }
            self.at += 1;
            self.space();
            members.push((key, self.value()?));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return self.members(members, &places);
                }
                _ => return Err(self.error("not JSON; expected ',' or '}'")),
            }
        }
    }

    fn members(&mut self, list: Vec<(String, Value)>, places: &[usize]) -> Result<Value, CompileError> {
        Members::new(list).map(Value::Object).map_err(|second| {
            self.at = places[second];
            self.error("a key that the object already has; its first meaning would be lost")
        })
    }

    fn digits(&mut self) -> Result<(), CompileError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.error("not JSON; expected a digit")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Value, CompileError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Value::Number(self.source[start..self.at].to_owned()))
    }

    fn string(&mut self) -> Result<String, CompileError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|b| b != b'"' && b != b'\\' && b >= b' ') {
                self.at += 1;
            }
            out.push_str(&self.source[start..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.error("a control character in a string must be escaped")),
                None => return Err(self.error("a string without its closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, CompileError> {
        let half = "half of a surrogate pair is no character";
        let letter = self.text.get(self.at + 1).copied();
        self.at += 2;
        if letter != Some(b'u') {
            return letter.and_then(short_escape).ok_or_else(|| self.error("not JSON; unknown escape"));
        }
        let first = self.hex()?;
        let mut units = vec![first];
        if (0xD800..0xDC00).contains(&first) && self.text[self.at.min(self.text.len())..].starts_with(b"\\u") {
            self.at += 2;
            units.push(self.hex()?);
        }
        let mut characters = char::decode_utf16(units);
        characters.next().and_then(Result::ok).ok_or_else(|| self.error(half))
    }

    fn hex(&mut self) -> Result<u16, CompileError> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let value = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u16::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.error("not JSON; \\u takes four hexadecimal digits"))?;
        self.at += 4;
        Ok(value)
    }
}

/// Whether two values are equal as JSON Schema defines it (draft 2020-12 core, section 4.2.2): numbers by value, objects in any order.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || Decimal::parse(a).is_some_and(|a| Some(a) == Decimal::parse(b))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::text::escape::write_string;

    #[test]
    fn numbers_keep_their_spelling_and_objects_their_order() {
        let value = parse(r#" {"b": 1.50, "a": [-0, 1E+2, "\u00e9\ud83d\ude00\n"]} "#, 9).expect("JSON");
        assert_eq!(
            value,
            Value::Object(
                Members::new(vec![
                    ("b".into(), Value::Number("1.50".into())),
                    (
                        "a".into(),
                        Value::Array(vec![
                            Value::Number("-0".into()),
                            Value::Number("1E+2".into()),
                            Value::String("é😀\n".into())
                        ])
                    ),
                ])
                .expect("unique keys")
            )
        );
    }

    #[test]
    fn malformed_json_is_refused() {
        for text in
            ["", "{", "[1,]", "01", "1.", "\"\\ud800\"", "\"\t\"", "{\"a\":1,\"a\":2}", "nul", "1 2", "'a'", "\"\\u12"]
        {
            assert!(parse(text, 9).is_err(), "{text}");
        }
        assert!(parse(&"[".repeat(100_000), 256).is_err());
    }

    #[test]
    fn written_strings_read_back() {
        let text = "a\"\\\u{0}\n\u{7f}é😀/";
        assert_eq!(parse(&write_string(text), 0), Ok(Value::String(text.into())));
    }

    fn value(text: &str) -> Value {
        parse(text, 9).expect("JSON")
    }

    #[test]
    fn equal_values_are_the_same_however_they_are_spelled() {
        assert!(same(&value(r#"{"a":1,"b":[2.0]}"#), &value(r#"{"b":[2],"a":10e-1}"#)));
        assert!(!same(&value("[1]"), &value("[1,1]")) && !same(&value("1"), &value("true")));
    }
}
