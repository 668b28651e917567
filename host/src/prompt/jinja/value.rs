//! JSON to values, and values that Python has and `minijinja` has not.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectExt, ObjectRepr};

use super::text;

/// The value of JSON; keys stay in order.
pub(in crate::prompt) fn of_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(value) => Value::from(*value),
        serde_json::Value::Number(number) => {
            let integer = number.as_i64().map(Value::from).or_else(|| number.as_u64().map(Value::from));
            integer.unwrap_or_else(|| of_float(number.as_f64().unwrap_or(f64::NAN)))
        }
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => items.iter().map(of_json).collect(),
        serde_json::Value::Object(entries) => {
            Value::from_pairs(entries.iter().map(|(key, value)| (key.as_str(), of_json(value))))
        }
    }
}

/// A float whose text is Python's.
pub(super) fn of_float(value: f64) -> Value {
    if text::is_plain(value) { Value::from(value) } else { Value::from_object(Exponential(value)) }
}

/// A float that Python writes with an exponent; `minijinja` writes none.
pub(super) struct Exponential(pub(super) f64);

impl fmt::Debug for Exponential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::float(self.0))
    }
}

impl Object for Exponential {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The number that a value is, be it one of `minijinja` or of ours.
pub(super) fn as_float(value: &Value) -> Option<f64> {
    if let Some(float) = value.downcast_object_ref::<Exponential>() {
        return Some(float.0);
    }
    if value.is_number() { f64::try_from(value.clone()).ok() } else { None }
}

/// What Python's `dict.items()`, `keys()` and `values()` give: it can be iterated and has a length, and is no list.
#[derive(Debug)]
pub(super) struct View(pub(super) Vec<Value>);

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_enumerator(|view| Box::new(view.0.iter().cloned()))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.len())
    }
}

/// What Python's generators are: to be iterated once, true even when empty, without a length.
pub(super) fn generator(items: Vec<Value>) -> Value {
    Value::make_one_shot_iterator(items.into_iter())
}
