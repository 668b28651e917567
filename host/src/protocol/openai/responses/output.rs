//! The pieces of a message to items of an output, and to the events of a stream.

use serde_json::{Value, json};

use crate::protocol::openai::chat::Delta;

/// The items so far.
pub(super) struct Output {
    /// By which ids are told apart from those of other responses.
    id: String,
    items: Vec<Item>,
    /// Whether the last item is still written.
    is_open: bool,
}

#[derive(Clone, Debug)]
enum Item {
    Reasoning(String),
    Message { text: String, logprobs: Vec<Value> },
    Call { id: String, name: String, arguments: String },
}

/// An event of a stream, without its number.
pub(super) type Event = (&'static str, Value);

impl Output {
    pub(super) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), items: Vec::new(), is_open: false }
    }

    /// Takes something new of the message; returns the events that tell it.
    pub(super) fn push(&mut self, delta: Delta, logprobs: Vec<Value>) -> Vec<Event> {
        let mut events = Vec::new();
        match delta {
            Delta::Content(text) => {
                if !matches!(self.last(), Some(Item::Message { .. })) {
                    self.open(Item::Message { text: String::new(), logprobs: Vec::new() }, &mut events);
                }
                if let Some(Item::Message { text: own, logprobs: entries }) = self.last() {
                    own.push_str(&text);
                    entries.extend(logprobs.iter().cloned());
                }
                let members = json!({"content_index": 0, "delta": text, "logprobs": logprobs});
                events.push(self.event("response.output_text.delta", members));
            }
            Delta::Reasoning(text) => {
                if !matches!(self.last(), Some(Item::Reasoning(_))) {
                    self.open(Item::Reasoning(String::new()), &mut events);
                }
                if let Some(Item::Reasoning(own)) = self.last() {
                    own.push_str(&text);
                }
                events.push(self.event("response.reasoning_text.delta", json!({"content_index": 0, "delta": text})));
            }
            Delta::Call { id, name, .. } => {
                self.open(Item::Call { id, name, arguments: String::new() }, &mut events);
            }
            Delta::Arguments { json: text, .. } => {
                if let Some(Item::Call { arguments, .. }) = self.last() {
                    arguments.push_str(&text);
                }
                events.push(self.event("response.function_call_arguments.delta", json!({"delta": text})));
            }
        }
        events
    }

    /// Ends the last item.
    pub(super) fn close(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let at = self.items.len().saturating_sub(1);
        let Some(item) = self.items.last().filter(|_| self.is_open).cloned() else { return events };
        self.is_open = false;
        match &item {
            Item::Reasoning(text) => {
                events.push(self.event("response.reasoning_text.done", json!({"content_index": 0, "text": text})));
            }
            Item::Message { text, logprobs } => {
                let members = json!({"content_index": 0, "text": text, "logprobs": logprobs});
                events.push(self.event("response.output_text.done", members));
                let part = json!({"content_index": 0, "part": part(text, logprobs)});
                events.push(self.event("response.content_part.done", part));
            }
            Item::Call { name, arguments, .. } => {
                let members = json!({"name": name, "arguments": arguments});
                events.push(self.event("response.function_call_arguments.done", members));
            }
        }
        let done = json!({"type": "response.output_item.done", "output_index": at, "item": self.item(at, "completed")});
        events.push(("response.output_item.done", done));
        events
    }

    /// All items.
    pub(super) fn json(&self, status: &str) -> Vec<Value> {
        let last = self.items.len().saturating_sub(1);
        (0..self.items.len()).map(|at| self.item(at, if at == last { status } else { "completed" })).collect()
    }

    /// The item that is being written, if one is.
    fn last(&mut self) -> Option<&mut Item> {
        self.items.last_mut().filter(|_| self.is_open)
    }

    fn open(&mut self, item: Item, events: &mut Vec<Event>) {
        events.extend(self.close());
        let is_message = matches!(item, Item::Message { .. });
        self.items.push(item);
        self.is_open = true;
        let at = self.items.len() - 1;
        let mut begun = self.item(at, "in_progress");
        if is_message {
            begun["content"] = json!([]);
        }
        let added = json!({"type": "response.output_item.added", "output_index": at, "item": begun});
        events.push(("response.output_item.added", added));
        if is_message {
            let part = json!({"content_index": 0, "part": part("", &[])});
            events.push(self.event("response.content_part.added", part));
        }
    }

    /// An event of the last item.
    fn event(&self, kind: &'static str, mut members: Value) -> Event {
        let at = self.items.len().saturating_sub(1);
        members["type"] = kind.into();
        members["item_id"] = self.item_id(at).into();
        members["output_index"] = at.into();
        (kind, members)
    }

    fn item_id(&self, at: usize) -> String {
        let prefix = match self.items.get(at) {
            Some(Item::Reasoning(_)) => "rs",
            Some(Item::Call { .. }) => "fc",
            _ => "msg",
        };
        format!("{prefix}_{}_{at}", self.id)
    }

    fn item(&self, at: usize, status: &str) -> Value {
        let id = self.item_id(at);
        match &self.items[at] {
            Item::Reasoning(text) => {
                let content = json!([{"type": "reasoning_text", "text": text}]);
                json!({"id": id, "type": "reasoning", "summary": [], "content": content, "status": status})
            }
            Item::Message { text, logprobs } => {
                let content = json!([part(text, logprobs)]);
                json!({"id": id, "type": "message", "role": "assistant", "status": status, "content": content})
            }
            Item::Call { id: call, name, arguments } => {
                json!({"id": id, "type": "function_call", "call_id": call, "name": name,
                "arguments": arguments, "status": status})
            }
        }
    }
}

fn part(text: &str, logprobs: &[Value]) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs})
}
