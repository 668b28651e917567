//! Items of an input to messages of a chat. Consecutive items of the model (reasoning, text, calls) are one message, as a chat has them.

use serde_json::{Map, Value, json};

use crate::protocol::fields::{Field, Refusal};

/// The messages of an input: of a text, or of a list of items.
///
/// # Errors
/// An item that no chat has.
pub(super) fn messages(field: &Field<'_>) -> Result<Vec<Value>, Refusal> {
    if field.value.get().starts_with('"') {
        return Ok(vec![json!({"role": "user", "content": field.string()?})]);
    }
    let mut messages = Messages::default();
    for item in field.list("a text or a list of items")? {
        let Value::Object(members) = item.json()? else { return Err(item.must_be("an object")) };
        messages.take(&item.name, members)?;
    }
    messages.flush();
    Ok(messages.done)
}

#[derive(Default)]
struct Messages {
    done: Vec<Value>,
    /// The model's own message, as far as its items were read.
    own: Map<String, Value>,
}

impl Messages {
    fn take(&mut self, place: &str, item: Map<String, Value>) -> Result<(), Refusal> {
        let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        let need = |name: &str| {
            text(name).ok_or_else(|| Refusal::missing(&format!("{place}.{name}"), "an item of this type has it"))
        };
        match text("type").as_deref() {
            None | Some("message") => {
                let role = need("role")?;
                let content = item.get("content").cloned().unwrap_or(Value::Null);
                if role == "assistant" {
                    if self.own.contains_key("content") || self.own.contains_key("tool_calls") {
                        self.flush();
                    }
                    self.own.insert("content".to_owned(), content);
                } else {
                    self.flush();
                    self.done.push(json!({"role": role, "content": content}));
                }
            }
            Some("reasoning") => {
                if !self.own.is_empty() {
                    self.flush();
                }
                let parts = ["content", "summary"].iter().find_map(|name| item.get(*name)?.as_array());
                let texts = parts.into_iter().flatten().filter_map(|part| part["text"].as_str());
                let reasoning = texts.collect::<Vec<_>>().join("\n");
                if !reasoning.is_empty() {
                    self.own.insert("reasoning_content".to_owned(), reasoning.into());
                }
            }
            Some("function_call") => {
                let call = json!({"id": need("call_id")?, "type": "function",
                    "function": {"name": need("name")?, "arguments": need("arguments")?}});
                let calls = self.own.entry("tool_calls").or_insert_with(|| json!([]));
                if let Some(calls) = calls.as_array_mut() {
                    calls.push(call);
                }
            }
            Some("function_call_output") => {
                self.flush();
                let output = item.get("output").cloned().unwrap_or(Value::Null);
                self.done.push(json!({"role": "tool", "tool_call_id": need("call_id")?, "content": output}));
            }
            Some("item_reference") => {
                let remedy = "send the item itself: this server stores no responses";
                return Err(Refusal::unsupported(place, remedy));
            }
            Some(other) => {
                return Err(Refusal::value(
                    &format!("{place}.type"),
                    format_args!("is \"{other}\", which this model does not know"),
                ));
            }
        }
        Ok(())
    }

    fn flush(&mut self) {
        let mut own = std::mem::take(&mut self.own);
        if own.is_empty() {
            return;
        }
        own.insert("role".to_owned(), "assistant".into());
        own.entry("content").or_insert(Value::Null);
        self.done.push(own.into());
    }
}
