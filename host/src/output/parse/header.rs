//! What stands before the arguments of a call: the texts around it, and the function's name.

use super::json::JsonEnd;
use super::text::{Found, begins_with, first_of};
use crate::output::family::{Call, Family};

/// The longest name of a function, in bytes.
const LONGEST_NAME: usize = 1024;
/// The longest text before the arguments, in bytes. It is longer than the texts and the name only where arguments come before the name.
const LONGEST_HEADER: usize = 64 << 10;

/// What a text begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// It ends before that can be told.
    Unknown,
    /// No call.
    No,
    /// A call whose arguments begin after this many bytes.
    Call {
        length: usize,
        name: String,
        /// The number that the text gives the call, where the family has such numbers.
        number: Option<u32>,
        /// The arguments, where they stood before the name; or what stands for them where there are none.
        arguments: Option<String>,
    },
}

/// Reads the texts before a call of a family, and its name. `is_first` says that no call stands before it in its section.
pub(super) fn read(text: &str, family: &Family, is_first: bool) -> Header {
    let unknown = if text.len() > LONGEST_HEADER { Header::No } else { Header::Unknown };
    let mut at = 0;
    let around = if is_first { family.section.begin } else { family.section.between };
    if is_first || !around.trim().is_empty() {
        match begins_with(&text[at..], around.trim()) {
            Found::At(length) => at += length,
            Found::Unknown => return unknown,
            // A separator may be missing where the next call has a beginning of its own.
            Found::No if !is_first && !family.call.begin().is_empty() => {}
            Found::No => return Header::No,
        }
    }
    at += blanks(&text[at..]);
    match begins_with(&text[at..], family.call.begin()) {
        Found::At(length) => at += length,
        Found::Unknown => return unknown,
        Found::No => return Header::No,
    }
    let header = match &family.call {
        Call::Object { name, arguments, .. } => object(text, at, name, arguments),
        Call::Named { is_numbered, after_name, .. } => named(text, at, after_name, *is_numbered),
        Call::Tagged(tags) => {
            let after = tags.after_name.trim();
            if after.is_empty() {
                name_up_to(text, at, &["\n", "<"], &[])
            } else {
                name_up_to(text, at, &[after], &[after])
            }
        }
        Call::Python => name_up_to(text, at, &["("], &["("]),
        Call::Bare { .. } => name_up_to(text, at, &["{"], &["{"]),
        // Such calls are messages of their own.
        Call::Channel => Header::No,
    };
    if header == Header::Unknown { unknown } else { header }
}

/// A name that ends with one of `ends`, of which those in `taken` belong to the header.
fn name_up_to(text: &str, at: usize, ends: &[&str], taken: &[&str]) -> Header {
    let rest = &text[at..];
    match first_of(rest, ends) {
        Ok((length, number)) => {
            let name = rest[..length].trim();
            if name.is_empty() || name.len() > LONGEST_NAME {
                return Header::No;
            }
            let end = if taken.contains(&ends[number]) { ends[number].len() } else { 0 };
            Header::Call { length: at + length + end, name: name.to_owned(), number: None, arguments: None }
        }
        Err(_) if rest.len() > LONGEST_NAME => Header::No,
        Err(_) => Header::Unknown,
    }
}

/// A name before a JSON object.
fn named(text: &str, at: usize, after_name: &str, is_numbered: bool) -> Header {
    let after = after_name.trim();
    let after = after.split('\n').next().unwrap_or_default();
    let header = name_up_to(text, at, &[after, "{"], &[after]);
    let Header::Call { length, mut name, arguments, .. } = header else { return header };
    // Mistral's eleventh tokenizer writes an id between the name and the arguments.
    if let Some((before, _)) = name.split_once("[CALL_ID]") {
        name = before.trim().to_owned();
    }
    let mut number = None;
    if is_numbered && let Some((before, digits)) = name.rsplit_once(':') {
        number = digits.trim().parse().ok();
        if number.is_some() {
            name = before.to_owned();
        }
    }
    if name.is_empty() { Header::No } else { Header::Call { length, name, number, arguments } }
}

/// The members of an object up to the value of its arguments.
fn object(text: &str, from: usize, name_key: &str, arguments_key: &str) -> Header {
    let mut at = from + blanks(&text[from..]);
    let (mut name, mut arguments) = (None, None);
    match text[at..].bytes().next() {
        Some(b'{') => at += 1,
        Some(_) => return Header::No,
        None => return Header::Unknown,
    }
    loop {
        at += blanks(&text[at..]);
        let Some(byte) = text[at..].bytes().next() else { return Header::Unknown };
        if byte != b'"' {
            return Header::No;
        }
        let Some(key) = value(&text[at..]) else { return Header::Unknown };
        at += key.len();
        let Ok(key) = serde_json::from_str::<String>(key) else { return Header::No };
        at += blanks(&text[at..]);
        match text[at..].bytes().next() {
            Some(b':') => at += 1,
            Some(_) => return Header::No,
            None => return Header::Unknown,
        }
        if key == arguments_key
            && let Some(name) = name
        {
            return Header::Call { length: at, name, number: None, arguments: None };
        }
        let Some(found) = value(&text[at..]) else { return Header::Unknown };
        at += found.len();
        if key == name_key {
            match serde_json::from_str::<String>(found) {
                Ok(text) if !text.is_empty() && text.len() <= LONGEST_NAME => name = Some(text),
                _ => return Header::No,
            }
        } else if key == arguments_key {
            arguments = Some(found.trim().to_owned());
        }
        at += blanks(&text[at..]);
        match text[at..].bytes().next() {
            Some(b',') => at += 1,
            Some(b'}') => {
                let Some(name) = name else { return Header::No };
                let arguments = arguments.filter(|text| text != "null").unwrap_or_else(|| "{}".to_owned());
                return Header::Call { length: at + 1, name, number: None, arguments: Some(arguments) };
            }
            Some(_) => return Header::No,
            None => return Header::Unknown,
        }
    }
}

/// What closes an object after the value of its arguments: its other members and its brace. `None` where that can't be told yet.
pub(super) fn rest_of_object(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += blanks(&text[at..]);
        match text[at..].bytes().next()? {
            b'}' => return Some(at + 1),
            b',' => at += 1,
            _ => return Some(at),
        }
        at += blanks(&text[at..]);
        if !text[at..].starts_with('"') {
            return if text[at..].is_empty() { None } else { Some(at) };
        }
        at += value(&text[at..])?.len();
        at += blanks(&text[at..]);
        if text[at..].bytes().next()? == b':' {
            at += 1;
            at += value(&text[at..])?.len();
        }
    }
}

/// A whole JSON value at the beginning of a text, with the white space before it.
fn value(text: &str) -> Option<&str> {
    let mut end = JsonEnd::default();
    let length = end.read(text);
    end.has_ended().then(|| &text[..length])
}

/// The length of the white space at the beginning of a text.
pub(super) fn blanks(text: &str) -> usize {
    text.len() - text.trim_start().len()
}
