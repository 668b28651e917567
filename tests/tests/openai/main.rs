//! The OpenAI-compatible API of a real server.

mod chat;
mod clients;
mod complaints;
mod completions;
mod extensions;
mod ground;
mod responses;
mod structures;
mod tools;

use jig_tests::Client;
use serde_json::{Value, json};

/// The path of conversations.
const CHAT: &str = "/v1/chat/completions";

/// A conversation of one message, and these fields.
fn conversation(message: &str, fields: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": message}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

/// The answer to a conversation that is right.
fn answered(client: &Client, body: &Value) -> Value {
    let answer = client.post(CHAT, &body.to_string());
    assert_eq!(answer.status, 200, "{body}: {}", answer.body);
    answer.body
}
