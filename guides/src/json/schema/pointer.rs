//! JSON pointers (RFC 6901), as text and as fragments of URIs.

use crate::json::text::value::Value;
use std::borrow::Cow;

/// Writes a key as a part of a JSON pointer (RFC 6901).
pub(crate) fn escape(key: &str) -> Cow<'_, str> {
    match key.contains(['~', '/']) {
        true => Cow::Owned(key.replace('~', "~0").replace('/', "~1")),
        false => Cow::Borrowed(key),
    }
}

/// Reads a part of a JSON pointer as a key.
fn unescape(part: &str) -> Cow<'_, str> {
    match part.contains('~') {
        true => Cow::Owned(part.replace("~1", "/").replace("~0", "~")),
        false => Cow::Borrowed(part),
    }
}

/// A pointer as this crate writes it, so that one schema has one pointer.
pub(super) fn canonical(pointer: &str) -> String {
    match pointer.contains('~') {
        true => pointer.split('/').map(|part| escape(&unescape(part)).into_owned()).collect::<Vec<_>>().join("/"),
        false => pointer.to_owned(),
    }
}

/// The value that a JSON pointer names.
pub(super) fn lookup<'a>(root: &'a Value, pointer: &str) -> Option<&'a Value> {
    if pointer.is_empty() {
        return Some(root);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(root, |value, part| {
        let part = unescape(part);
        match value {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            value => value.get(&part),
        }
    })
}

/// Decodes the percent-encoded fragment of a URI (RFC 3986, section 2.1); `None` if a `%` is not followed by two digits, or if the result
/// is not UTF-8.
pub(super) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let (high, low) = (rest.next()? as char, rest.next()? as char);
                (high.to_digit(16)? * 16 + low.to_digit(16)?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}
