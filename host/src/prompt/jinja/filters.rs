//! Filters and tests that answer otherwise in Python than in `minijinja`.

use minijinja::value::{Kwargs, Rest, Tuple, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters};

use super::value::{Exponential, as_float, generator, of_float};
use super::{json, plus, text};

/// The filter that stands behind what a loop iterates; [`super::source`] writes it.
pub(super) const ITERATED: &str = "_iterated";

/// Adds them.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("tojson", json::tojson);
    environment.add_filter("trim", trim);
    environment.add_filter("indent", indent);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_filter("items", items);
    environment.add_filter(ITERATED, iterated);
    environment.add_filter(plus::PLUS, plus::plus);
    // Those that are generators in Python; their work is that of `minijinja`.
    environment.add_filter("_map", filters::map);
    environment.add_filter("_select", filters::select);
    environment.add_filter("_reject", filters::reject);
    environment.add_filter("_selectattr", filters::selectattr);
    environment.add_filter("_rejectattr", filters::rejectattr);
    for (name, inner) in [
        ("map", "_map"),
        ("select", "_select"),
        ("reject", "_reject"),
        ("selectattr", "_selectattr"),
        ("rejectattr", "_rejectattr"),
    ] {
        environment.add_filter(name, move |state: &mut State, arguments: Rest<ValueOrKwargs>| {
            let arguments: Vec<Value> = arguments.iter().map(|argument| (**argument).clone()).collect();
            let items = state.apply_filter(inner, &arguments)?;
            Ok::<_, Error>(generator(items.try_iter()?.checked().collect::<Result<_, _>>()?))
        });
    }
    environment.add_test("iterable", |value: &Value| {
        value.is_undefined()
            || matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Iterable)
    });
    environment.add_test("number", |value: &Value| {
        matches!(value.kind(), ValueKind::Number | ValueKind::Bool)
            || value.downcast_object_ref::<Exponential>().is_some()
    });
    environment.add_test("float", |value: &Value| as_float(value).is_some() && !value.is_integer());
    environment.add_test("sequence", is_sequence);
}

/// Jinja's test: what has a length and can be asked for an item. Strings and dicts are such.
fn is_sequence(value: &Value) -> bool {
    value.is_undefined()
        || matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map)
        || (value.kind() == ValueKind::Iterable && value.len().is_some())
}

fn trim(value: &Value, chars: Option<String>) -> String {
    let text = value.to_string();
    match chars {
        None => text.trim_matches(text::is_blank),
        Some(chars) => text.trim_matches(|character| chars.contains(character)),
    }
    .to_owned()
}

fn indent(
    value: String,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    kwargs: Kwargs,
) -> Result<String, Error> {
    let width = width.map_or_else(|| kwargs.get::<Option<Value>>("width"), |width| Ok(Some(width)))?;
    let first = first.map_or_else(|| kwargs.get::<Option<bool>>("first"), |first| Ok(Some(first)))?.unwrap_or(false);
    let blank = blank.map_or_else(|| kwargs.get::<Option<bool>>("blank"), |blank| Ok(Some(blank)))?.unwrap_or(false);
    kwargs.assert_all_used()?;
    let before = match &width {
        None => " ".repeat(4),
        Some(width) => match width.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(usize::try_from(width.clone())?.min(1000)),
        },
    };
    // The line end that Jinja adds keeps that of the value: without it, the last line would have none.
    let value = value + "\n";
    let mut text = String::with_capacity(value.len());
    for (place, line) in text::lines(&value).into_iter().enumerate() {
        if place > 0 {
            text.push('\n');
        }
        if if place == 0 { first } else { blank || !line.is_empty() } {
            text.push_str(&before);
        }
        text.push_str(line);
    }
    Ok(text)
}

/// Python's `int(value)`, or the default where that fails.
fn int(value: &Value, default: Option<Value>, base: Option<u32>, kwargs: Kwargs) -> Result<Value, Error> {
    let default = default.map_or_else(|| kwargs.get::<Option<Value>>("default"), |value| Ok(Some(value)))?;
    let base = base.map_or_else(|| kwargs.get::<Option<u32>>("base"), |base| Ok(Some(base)))?.unwrap_or(10);
    kwargs.assert_all_used()?;
    let number = match value.kind() {
        ValueKind::Bool => Some(Value::from(i64::from(value.is_true()))),
        ValueKind::Number if value.is_integer() => Some(value.clone()),
        ValueKind::String => {
            let digits = value.as_str().unwrap_or_default().trim_matches(text::is_blank).replace('_', "");
            let integer = i128::from_str_radix(&digits, base.clamp(2, 36)).ok().map(Value::from);
            integer.or_else(|| digits.parse::<f64>().ok().filter(|float| float.is_finite()).map(truncated))
        }
        _ => as_float(value).filter(|float| float.is_finite()).map(truncated),
    };
    Ok(number.or(default).unwrap_or_else(|| Value::from(0)))
}

#[expect(clippy::cast_possible_truncation, reason = "Python's int drops the fraction; larger values saturate")]
fn truncated(float: f64) -> Value {
    Value::from(float as i128)
}

/// Python's `float(value)`, or the default where that fails.
fn float(value: &Value, default: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let default = default.map_or_else(|| kwargs.get::<Option<Value>>("default"), |value| Ok(Some(value)))?;
    kwargs.assert_all_used()?;
    let number = match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::String => value.as_str().unwrap_or_default().trim_matches(text::is_blank).parse().ok(),
        _ => as_float(value),
    };
    Ok(number.map(of_float).or(default).unwrap_or_else(|| Value::from(0.0)))
}

/// Python's `len(value)`; an undefined value has the length 0.
fn length(value: &Value) -> Result<usize, Error> {
    if value.is_undefined() {
        return Ok(0);
    }
    value.len().ok_or_else(|| impossible(format!("a value of the kind `{}` has no length", value.kind())))
}

/// The pairs of a mapping, as a generator.
fn items(value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Ok(generator(Vec::new()));
    }
    if value.kind() != ValueKind::Map {
        return Err(impossible("can only get item pairs from a mapping".to_owned()));
    }
    Ok(generator(pairs(value)?))
}

/// The pairs of a mapping.
pub(super) fn pairs(value: &Value) -> Result<Vec<Value>, Error> {
    let mut pairs = Vec::new();
    for key in value.try_iter()?.checked() {
        let key = key?;
        let item = value.get_item(&key)?;
        pairs.push(Value::from(Tuple::from([key, item])));
    }
    Ok(pairs)
}

/// What a loop goes over. In Python `None` is not iterable; the characters of a string and what a generator gives have a last one, as a
/// list has.
fn iterated(value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::None => Err(impossible("a loop over none: it is not iterable".to_owned())),
        ValueKind::String => Ok(value.as_str().unwrap_or_default().chars().map(Value::from).collect()),
        ValueKind::Iterable if value.len().is_none() => value.try_iter()?.checked().collect(),
        _ => Ok(value),
    }
}

fn impossible(problem: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem)
}
