//! `enum` and `const`: conditions that a value equals another (JSON Schema 2020-12 validation, sections 6.1.2 and 6.1.3).
//!
//! Scalars are told apart by value, so a list of them is one node. An array or object equals another entry by entry, so it becomes a
//! condition on its kind, its size and each of its entries; nothing later treats it as a constant.

use crate::error::CompileError;
use crate::json::schema::graph::{Kinds, Node, NodeId, Properties};
use crate::json::schema::keywords::{Keyword, KeywordReader};
use crate::json::text::value::Value;

impl KeywordReader<'_> {
    pub(super) fn equality(&mut self, keyword: Keyword<'_>) -> Result<NodeId, CompileError> {
        let Keyword { name, value, at, .. } = keyword;
        match (name, value) {
            ("const", value) => self.equal_to_one(std::slice::from_ref(value), at),
            (_, Value::Array(values)) => self.equal_to_one(values, at),
            _ => Err(self.error(at, "expected an array of values")),
        }
    }

    /// The value equals one of these. Scalars come first, in one node.
    fn equal_to_one(&mut self, values: &[Value], at: &str) -> Result<NodeId, CompileError> {
        let (composite, scalars): (Vec<&Value>, Vec<&Value>) =
            values.iter().partition(|value| matches!(value, Value::Array(_) | Value::Object(_)));
        for scalar in &scalars {
            if let Value::Number(_) = scalar {
                self.decimal(scalar, at)?;
            }
        }
        let mut any = Vec::with_capacity(composite.len() + 1);
        any.push(self.add(Node::Scalars(scalars.into_iter().cloned().collect()), at));
        for value in composite {
            any.push(self.equal_to(value, at)?);
        }
        Ok(if any.len() == 1 { any[0] } else { self.add(Node::Any(any), at) })
    }

    /// The value equals this one.
    fn equal_to(&mut self, value: &Value, at: &str) -> Result<NodeId, CompileError> {
        self.check_size()?;
        let mut all = Vec::new();
        match value {
            Value::Array(items) => {
                let prefix = items.iter().map(|item| self.equal_to(item, at)).collect::<Result<Vec<_>, _>>()?;
                let count = items.len() as u32;
                all.push(self.add(Node::Kinds(Kinds::ARRAY), at));
                all.push(self.add(Node::Items { prefix, rest: None }, at));
                all.push(self.add(Node::ItemCount { min: count, max: count }, at));
            }
            Value::Object(members) => {
                let mut named = Vec::with_capacity(members.len());
                all.push(self.add(Node::Kinds(Kinds::OBJECT), at));
                for (key, value) in members.iter() {
                    named.push((key.clone(), self.equal_to(value, at)?));
                    all.push(self.add(Node::Required(key.clone()), at));
                }
                let nothing = self.add(Node::Any(Vec::new()), at);
                let properties = Properties { named, patterns: Vec::new(), additional: Some(nothing), silent: true };
                all.push(self.add(Node::Properties(properties), at));
            }
            scalar => {
                if let Value::Number(_) = scalar {
                    self.decimal(scalar, at)?;
                }
                return Ok(self.add(Node::Scalars(vec![scalar.clone()]), at));
            }
        }
        Ok(self.add(Node::All(all), at))
    }
}
