//! The schemas directly inside a schema, and the steps to them.

use crate::json::schema::keyword_table;
use crate::json::schema::pointer::escape;
use crate::json::text::value::Value;
use std::fmt::Write;

/// A step from a schema to one directly inside it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'a> {
    Keyword(&'a str),
    Member(&'a str, &'a str),
    Index(&'a str, usize),
}

impl Step<'_> {
    /// The pointer after this step.
    pub(super) fn after(self, mut pointer: String) -> String {
        // Writing to a String cannot fail.
        let _ = match self {
            Step::Keyword(keyword) => write!(pointer, "/{keyword}"),
            Step::Member(keyword, name) => write!(pointer, "/{keyword}/{}", escape(name)),
            Step::Index(keyword, index) => write!(pointer, "/{keyword}/{index}"),
        };
        pointer
    }
}

/// Calls `visit` with the schemas directly inside a schema and the steps to them.
pub(super) fn for_each_schema<'a>(schema: &'a Value, mut visit: impl FnMut(Step<'a>, &'a Value)) {
    let Value::Object(members) = schema else { return };
    for (keyword, value) in members.iter() {
        let holds = keyword_table::holds(keyword);
        match value {
            Value::Object(inner) if holds.map => {
                for (name, value) in inner.iter() {
                    visit(Step::Member(keyword, name), value);
                }
            }
            Value::Array(inner) if holds.list => {
                for (index, value) in inner.iter().enumerate() {
                    visit(Step::Index(keyword, index), value);
                }
            }
            Value::Object(_) if holds.schema => visit(Step::Keyword(keyword), value),
            _ => {}
        }
    }
}
