//! The pieces of a message: put together, or each as a delta of a stream.

use serde_json::{Map, Value, json};

use crate::output::parse::Piece;
use crate::protocol::openai::settings::ReasoningField;

/// A message so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    content: String,
    reasoning: String,
    calls: Vec<Call>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

/// Something new of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::protocol::openai) enum Delta {
    Content(String),
    Reasoning(String),
    Call { index: usize, id: String, name: String },
    Arguments { index: usize, json: String },
}

impl Delta {
    /// What a piece adds; `id` names a call by its index and its function.
    pub(super) fn of(piece: Piece, id: impl Fn(usize, &str) -> String) -> Option<Self> {
        Some(match piece {
            Piece::Content { text, .. } => Self::Content(text),
            Piece::Reasoning(text) => Self::Reasoning(text),
            Piece::Call { index, name, .. } => Self::Call { index, id: id(index, &name), name },
            Piece::Arguments { index, json } => Self::Arguments { index, json },
            Piece::CallEnd { .. } => return None,
        })
    }

    /// The delta of a stream. A name and an id come once: clients put the texts of deltas together.
    pub(super) fn json(self, field: ReasoningField) -> Value {
        match self {
            Self::Content(text) => json!({"content": text}),
            Self::Reasoning(text) => {
                let mut delta = Map::new();
                insert_reasoning(&mut delta, text, field);
                delta.into()
            }
            Self::Call { index, id, name } => json!({"tool_calls": [
                {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]}),
            Self::Arguments { index, json } => {
                json!({"tool_calls": [{"index": index, "function": {"arguments": json}}]})
            }
        }
    }
}

impl Message {
    pub(super) fn push(&mut self, delta: Delta) {
        match delta {
            Delta::Content(text) => self.content.push_str(&text),
            Delta::Reasoning(text) => self.reasoning.push_str(&text),
            Delta::Call { id, name, .. } => self.calls.push(Call { id, name, arguments: String::new() }),
            Delta::Arguments { index, json } => {
                if let Some(call) = self.calls.get_mut(index) {
                    call.arguments.push_str(&json);
                }
            }
        }
    }

    /// The message of an answer. Its content is null where it has calls and no text.
    pub(super) fn json(self, role: &str, field: ReasoningField) -> Value {
        let mut message = Map::new();
        message.insert("role".to_owned(), role.into());
        let is_null = self.content.is_empty() && !self.calls.is_empty();
        message.insert("content".to_owned(), if is_null { Value::Null } else { self.content.into() });
        message.insert("refusal".to_owned(), Value::Null);
        message.insert("annotations".to_owned(), json!([]));
        if !self.reasoning.is_empty() {
            insert_reasoning(&mut message, self.reasoning, field);
        }
        if !self.calls.is_empty() {
            let call = |call: Call| {
                json!({"id": call.id, "type": "function",
                "function": {"name": call.name, "arguments": call.arguments}})
            };
            message.insert("tool_calls".to_owned(), self.calls.into_iter().map(call).collect::<Vec<_>>().into());
        }
        message.into()
    }
}

fn insert_reasoning(into: &mut Map<String, Value>, text: String, field: ReasoningField) {
    if matches!(field, ReasoningField::Both | ReasoningField::ReasoningContent) {
        into.insert("reasoning_content".to_owned(), text.as_str().into());
    }
    if matches!(field, ReasoningField::Both | ReasoningField::Reasoning) {
        into.insert("reasoning".to_owned(), text.into());
    }
}
