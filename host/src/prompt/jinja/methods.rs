//! Methods of Python's strings, lists and dicts.
//!
//! Those that `minijinja_contrib` has, and has as Python does, are its own. Those that change a list or a dict are refused by the
//! sandbox of transformers, and unknown here.

use minijinja::value::{Kwargs, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

use super::filters::pairs;
use super::text;
use super::value::View;

/// Calls a method that the value itself has not.
pub(super) fn call(state: &mut State, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let own = match value.kind() {
        ValueKind::String => of_string(value.as_str().unwrap_or_default(), method, arguments)?,
        ValueKind::Map => of_dict(value, method, arguments)?,
        ValueKind::Seq | ValueKind::Iterable => of_list(value, method, arguments)?,
        _ => None,
    };
    match own {
        Some(result) => Ok(result),
        None => pycompat::unknown_method_callback(state, value, method, arguments),
    }
}

fn of_string(text: &str, method: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    let result = match method {
        "strip" | "lstrip" | "rstrip" => {
            let chars = optional_text(arguments)?;
            let is_stripped = |character: char| match &chars {
                None => text::is_blank(character),
                Some(chars) => chars.contains(character),
            };
            Value::from(match method {
                "strip" => text.trim_matches(is_stripped),
                "lstrip" => text.trim_start_matches(is_stripped),
                _ => text.trim_end_matches(is_stripped),
            })
        }
        "split" => split(text, arguments, false)?,
        "rsplit" => split(text, arguments, true)?,
        "splitlines" if arguments.is_empty() => text::lines(text).into_iter().map(Value::from).collect(),
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(arguments)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(arguments)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "partition" => {
            let (separator,): (&str,) = from_args(arguments)?;
            let (before, found, after) = text.split_once(separator).map_or((text, "", ""), |(a, b)| (a, separator, b));
            Value::from((Value::from(before), Value::from(found), Value::from(after)))
        }
        "rpartition" => {
            let (separator,): (&str,) = from_args(arguments)?;
            let (before, found, after) = text.rsplit_once(separator).map_or(("", "", text), |(a, b)| (a, separator, b));
            Value::from((Value::from(before), Value::from(found), Value::from(after)))
        }
        "index" | "rindex" => {
            let (part,): (&str,) = from_args(arguments)?;
            let at = if method == "index" { text.find(part) } else { text.rfind(part) };
            let at = at.ok_or_else(|| impossible(format!("{method}: the text does not hold {part:?}")))?;
            Value::from(text[..at].chars().count())
        }
        "title" => {
            let () = from_args(arguments)?;
            let mut follows_a_letter = false;
            let mut title = String::with_capacity(text.len());
            for character in text.chars() {
                if follows_a_letter {
                    title.extend(character.to_lowercase())
                } else {
                    title.extend(character.to_uppercase())
                }
                follows_a_letter = character.is_lowercase() || character.is_uppercase();
            }
            Value::from(title)
        }
        "capitalize" => {
            let () = from_args(arguments)?;
            let mut characters = text.chars();
            let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
            Value::from(first + &characters.as_str().to_lowercase())
        }
        "casefold" => {
            let () = from_args(arguments)?;
            Value::from(text.to_lowercase())
        }
        "swapcase" => {
            let () = from_args(arguments)?;
            let swap = |character: char| -> String {
                if character.is_uppercase() {
                    character.to_lowercase().collect()
                } else {
                    character.to_uppercase().collect()
                }
            };
            Value::from(text.chars().map(swap).collect::<String>())
        }
        "zfill" => {
            let (width,): (usize,) = from_args(arguments)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            let missing = padding(text, width)?;
            Value::from(format!("{sign}{}{digits}", "0".repeat(missing)))
        }
        "center" | "ljust" | "rjust" => {
            let (width, fill): (usize, Option<&str>) = from_args(arguments)?;
            let fill = fill.unwrap_or(" ");
            let missing = padding(text, width)?;
            let before = match method {
                "ljust" => 0,
                "rjust" => missing,
                // Where it can't be even, CPython puts more before the text if the width is odd.
                _ => missing / 2 + (missing & width & 1),
            };
            Value::from(format!("{}{text}{}", fill.repeat(before), fill.repeat(missing - before)))
        }
        _ => return Ok(None),
    };
    Ok(Some(result))
}

/// The characters that a text lacks for a width.
fn padding(text: &str, width: usize) -> Result<usize, Error> {
    const WIDEST: usize = 10_000;
    if width > WIDEST {
        return Err(impossible(format!("a width of more than {WIDEST} characters")));
    }
    Ok(width.saturating_sub(text.chars().count()))
}

fn optional_text(arguments: &[Value]) -> Result<Option<String>, Error> {
    let (chars,): (Option<&Value>,) = from_args(arguments)?;
    match chars.filter(|chars| !chars.is_none()) {
        None => Ok(None),
        Some(chars) => match chars.as_str() {
            Some(chars) => Ok(Some(chars.to_owned())),
            None => Err(impossible(format!("strip takes a text or none, not a value of the kind `{}`", chars.kind()))),
        },
    }
}

/// `split(sep=None, maxsplit=-1)` and `rsplit`.
fn split(text: &str, arguments: &[Value], from_end: bool) -> Result<Value, Error> {
    let (separator, most, kwargs): (Option<&Value>, Option<i64>, Kwargs) = from_args(arguments)?;
    let named = kwargs.get::<Option<Value>>("sep")?;
    let separator = separator.or(named.as_ref()).filter(|separator| !separator.is_none());
    let most = most.map_or_else(|| kwargs.get::<Option<i64>>("maxsplit"), |most| Ok(Some(most)))?.unwrap_or(-1);
    kwargs.assert_all_used()?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let parts: Vec<&str> = match separator {
        None => split_at_blanks(text, most, from_end),
        Some(separator) => {
            let separator = separator.as_str().filter(|separator| !separator.is_empty());
            let separator = separator.ok_or_else(|| impossible("split takes a text that is not empty".to_owned()))?;
            if from_end {
                let mut parts: Vec<&str> = text.rsplitn(most.saturating_add(1), separator).collect();
                parts.reverse();
                parts
            } else {
                text.splitn(most.saturating_add(1), separator).collect()
            }
        }
    };
    Ok(parts.into_iter().map(Value::from).collect())
}

fn split_at_blanks(text: &str, most: usize, from_end: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_matches(text::is_blank);
    while !rest.is_empty() {
        let cut = if parts.len() == most {
            None
        } else if from_end {
            rest.rsplit_once(text::is_blank).map(|(before, part)| (part, before.trim_end_matches(text::is_blank)))
        } else {
            rest.split_once(text::is_blank).map(|(part, after)| (part, after.trim_start_matches(text::is_blank)))
        };
        let (part, other) = cut.unwrap_or((rest, ""));
        parts.push(part);
        rest = other;
    }
    if from_end {
        parts.reverse();
    }
    parts
}

fn of_dict(value: &Value, method: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    let all = match method {
        "items" => pairs(value)?,
        "keys" => value.try_iter()?.checked().collect::<Result<_, _>>()?,
        "values" => pairs(value)?.iter().map(|pair| pair.get_item_by_index(1)).collect::<Result<_, _>>()?,
        _ => return Ok(None),
    };
    let () = from_args(arguments)?;
    Ok(Some(Value::from_object(View(all))))
}

fn of_list(value: &Value, method: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    if method != "index" {
        return Ok(None);
    }
    let (wanted,): (&Value,) = from_args(arguments)?;
    for (place, item) in value.try_iter()?.checked().enumerate() {
        if item? == *wanted {
            return Ok(Some(Value::from(place)));
        }
    }
    Err(impossible("index: the list does not hold the value".to_owned()))
}

fn impossible(problem: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem)
}
