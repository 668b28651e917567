//! Whether a prefix of a JSON text can be continued to a given value.
//!
//! An array with `uniqueItems` must not become equal to an earlier entry, so it compares a text that is still being written with values.
//! For example `[1,"a` can become `[1.0,"ab"]`, and cannot become `[1,"b"]`.

use crate::json::text::decimal::Decimal;
use crate::json::text::escape::short_escape;
use crate::json::text::value::{Members, Value};

/// How a prefix of a text compares with a value.
#[derive(PartialEq)]
pub(crate) enum Agreement {
    /// It is or becomes another value.
    Differs,
    /// It can still become the value.
    Open,
    /// It is the value, complete.
    Equal,
}

fn skip_space(text: &[u8], at: &mut usize) {
    while matches!(text.get(*at), Some(b' ' | b'\n' | b'\t' | b'\r')) {
        *at += 1;
    }
}

/// Compares a prefix of a JSON value with `value`. `Open` is an over-approximation: such a prefix may have no continuation that is equal.
/// If the text ends inside a string, but not inside an escape, `begin` is called with each string that it may become and the bytes of
/// that string that were read.
pub(crate) fn meet(text: &[u8], at: &mut usize, value: &Value, begin: &mut impl FnMut(&str, usize)) -> Agreement {
    skip_space(text, at);
    let Some(&first) = text.get(*at) else { return Agreement::Open };
    match (first, value) {
        (b'"', Value::String(value)) => match read_string(text, at) {
            (read, Ending::Quote) if read == value.as_bytes() => Agreement::Equal,
            (read, Ending::Open) if value.as_bytes().starts_with(&read) => {
                begin(value, read.len());
                Agreement::Open
            }
            (read, ending) if ending.may_go_on_to(&read, value) => Agreement::Open,
            _ => Agreement::Differs,
        },
        (b'[', Value::Array(items)) => meet_array(text, at, items, begin),
        (b'{', Value::Object(members)) => meet_object(text, at, members, begin),
        (b'-' | b'0'..=b'9', Value::Number(value)) => meet_number(text, at, value),
        (b't' | b'f' | b'n', Value::Bool(_) | Value::Null) => {
            let word: &[u8] = match value {
                Value::Bool(true) => b"true",
                Value::Bool(false) => b"false",
                _ => b"null",
            };
            let rest = &text[*at..];
            let length = rest.len().min(word.len());
            *at += length;
            match (rest[..length] == word[..length], length == word.len()) {
                (true, true) => Agreement::Equal,
                (true, false) => Agreement::Open,
                _ => Agreement::Differs,
            }
        }
        _ => Agreement::Differs,
    }
}

fn meet_array(text: &[u8], at: &mut usize, items: &[Value], begin: &mut impl FnMut(&str, usize)) -> Agreement {
    *at += 1;
    let mut index = 0;
    loop {
        skip_space(text, at);
        match text.get(*at) {
            None => return Agreement::Open,
            Some(b']') => {
                *at += 1;
                return if index == items.len() { Agreement::Equal } else { Agreement::Differs };
            }
            Some(b',') => *at += 1,
            Some(_) => {
                let Some(item) = items.get(index) else { return Agreement::Differs };
                match meet(text, at, item, begin) {
                    Agreement::Equal => index += 1,
                    other => return other,
                }
            }
        }
    }
}

fn meet_object(text: &[u8], at: &mut usize, members: &Members, begin: &mut impl FnMut(&str, usize)) -> Agreement {
    let mut reached = Reached { at: *at + 1, members: 0 };
    meet_members(text, at, &mut reached, members, begin)
}

/// How far the members of an object have been compared: the position after the last comma, and the number of members before it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reached {
    pub(crate) at: usize,
    members: usize,
}

/// As [`meet`] for an object whose members up to `reached` agree; moves `reached` to the last comma. A caller that keeps it compares each
/// member once, not once for each byte of the text.
pub(crate) fn meet_members(
    text: &[u8],
    at: &mut usize,
    reached: &mut Reached,
    members: &Members,
    begin: &mut impl FnMut(&str, usize),
) -> Agreement {
    *at = reached.at;
    let mut met = reached.members;
    loop {
        skip_space(text, at);
        match text.get(*at) {
            None => return Agreement::Open,
            Some(b'}') => {
                *at += 1;
                return if met == members.len() { Agreement::Equal } else { Agreement::Differs };
            }
            Some(b',') => {
                *at += 1;
                *reached = Reached { at: *at, members: met };
            }
            Some(_) => {
                let (key, ending) = read_string(text, at);
                if !matches!(ending, Ending::Quote) {
                    let near = members.iter().filter(|(other, _)| ending.may_go_on_to(&key, other));
                    let any = near.clone().next().is_some();
                    if matches!(ending, Ending::Open) {
                        near.for_each(|(other, _)| begin(other, key.len()));
                    }
                    return if any { Agreement::Open } else { Agreement::Differs };
                }
                let value = std::str::from_utf8(&key).ok().and_then(|key| members.get(key));
                let Some(value) = value else { return Agreement::Differs };
                skip_space(text, at);
                if text.get(*at).is_none() {
                    return Agreement::Open;
                }
                // The colon.
                *at += 1;
                match meet(text, at, value, begin) {
                    Agreement::Equal => met += 1,
                    other => return other,
                }
            }
        }
    }
}

fn meet_number(text: &[u8], at: &mut usize, value: &str) -> Agreement {
    let length =
        text[*at..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
    let number = &text[*at..*at + length];
    *at += length;
    let number = String::from_utf8_lossy(number);
    if *at < text.len() {
        let equal = Decimal::parse(&number).is_some_and(|number| Some(number) == Decimal::parse(value));
        return if equal { Agreement::Equal } else { Agreement::Differs };
    }
    // Digits and an exponent may follow, so only the significant digits so far are compared.
    let digits = |number: &str| -> Vec<u8> {
        let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
        let digits = mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|&digit| digit == b'0');
        digits.collect()
    };
    let (read, wanted) = (digits(&number), digits(value));
    let common = read.len().min(wanted.len());
    let zeros = |rest: &[u8]| rest.iter().all(|&digit| digit == b'0');
    let agree = number.starts_with('-') == value.starts_with('-') || zeros(&wanted);
    if agree && read[..common] == wanted[..common] && zeros(&read[common..]) {
        Agreement::Open
    } else {
        Agreement::Differs
    }
}

/// How the text of a string ends.
enum Ending<'a> {
    Quote,
    /// Between characters, or within an unescaped one.
    Open,
    /// Within an escape, of which these bytes are there.
    Escape(&'a [u8]),
}

impl Ending<'_> {
    /// Whether a string whose characters so far are `read` and that has this ending, no quote, can be continued to `value`.
    fn may_go_on_to(&self, read: &[u8], value: &str) -> bool {
        let Some(rest) = value.as_bytes().strip_prefix(read) else { return false };
        match *self {
            Ending::Quote => false,
            Ending::Open => true,
            // After a lone backslash any escape may follow.
            Ending::Escape([_]) => !rest.is_empty(),
            Ending::Escape(begun) => {
                let next = std::str::from_utf8(rest).ok().and_then(|rest| rest.chars().next());
                next.is_some_and(|next| {
                    let units =
                        next.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
                    units.as_bytes().get(..begun.len()).is_some_and(|units| units.eq_ignore_ascii_case(begun))
                })
            }
        }
    }
}

/// Reads a string or a prefix of one: the bytes of its characters, and how it ends.
fn read_string<'a>(text: &'a [u8], at: &mut usize) -> (Vec<u8>, Ending<'a>) {
    let mut characters = Vec::new();
    *at += 1;
    loop {
        let rest = text.get(*at..).unwrap_or_default();
        let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\')).count();
        characters.extend_from_slice(&rest[..plain]);
        *at += plain;
        match rest.get(plain) {
            None => return (characters, Ending::Open),
            Some(b'"') => {
                *at += 1;
                return (characters, Ending::Quote);
            }
            Some(_) => match escaped(&rest[plain..]) {
                Some((character, length)) => {
                    characters.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    *at += length;
                }
                None => {
                    *at = text.len();
                    return (characters, Ending::Escape(&rest[plain..]));
                }
            },
        }
    }
}

/// The character of the escape at the beginning of a text, and the bytes of the escape; `None` if it is incomplete.
fn escaped(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = std::str::from_utf8(text.get(at..at + 4)?).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    let character = match text.get(1)? {
        b'u' => {
            let first = unit(2)?;
            if !(0xD800..0xDC00).contains(&first) {
                return Some((char::from_u32(u32::from(first))?, 6));
            }
            let pair = [first, unit(8)?];
            return Some((char::decode_utf16(pair).next()?.ok()?, 12));
        }
        byte => short_escape(*byte)?,
    };
    Some((character, 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::text::value;

    fn agrees(text: &str, whole: &str) -> bool {
        let whole = value::parse(whole, 9).expect("JSON");
        meet(text.as_bytes(), &mut 0, &whole, &mut |_, _| {}) != Agreement::Differs
    }

    #[test]
    fn a_beginning_of_some_spelling_of_a_value_agrees_with_it_and_any_other_text_differs() {
        for (text, whole) in [
            (r#"{"b": [1, "#, r#"{"a":null,"b":[1,2]}"#),
            (r#"{"b":[1.0,2],"a"#, r#"{"a":null,"b":[1,2]}"#),
            (r#""\u00e"#, r#""é""#),
            (r#""\u00E"#, r#""é""#),
            (r#""a\u002"#, r#""a.""#),
            (r#""a\"#, r#""a\n""#),
            (r#""\ud83d\ude0"#, r#""😀""#),
            (r#""\ud83d\ude00\t"#, r#""😀\ta""#),
            (r#""\u0026\/""#, r#""&/""#),
            ("10", "1"),
            ("0.", "0.05"),
            ("fal", "false"),
            ("", "[]"),
        ] {
            assert!(agrees(text, whole), "{text} {whole}");
        }
        for (text, whole) in [
            (r#"{"c"#, r#"{"a":null,"b":[1,2]}"#),
            (r#"{"b":[2"#, r#"{"a":null,"b":[1,3]}"#),
            (r#""b"#, r#""a""#),
            (r#""\ud83d\ude01"#, r#""😀""#),
            (r#""\ud83d\ude1"#, r#""😀""#),
            (r#""a\u002f"#, r#""a.""#),
            (r#""a\u1"#, r#""a.""#),
            (r#""a\"#, r#""a""#),
            (r#""\n"#, r#""n""#),
            ("12", "1"),
            ("[1]", "[1,2]"),
            ("t", "false"),
            ("{", "[]"),
        ] {
            assert!(!agrees(text, whole), "{text} {whole}");
        }
    }
}
