//! The response, whole or as a stream of numbered events.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::output::{self, Output};
use crate::protocol::ApiError;
use crate::protocol::openai::chat;
use crate::protocol::openai::head::Tally;
use crate::protocol::openai::outputs::{Framed, Running};
use crate::request::Event;

/// What of the request stands in the response.
pub(super) struct Echo {
    fields: Map<String, Value>,
    model: String,
}

impl Echo {
    pub(super) fn new(fields: Map<String, Value>, model: &str) -> Self {
        Self { fields, model: model.to_owned() }
    }
}

/// The answer to a running request. Dropping it cancels the request.
pub(super) struct Answer {
    chat: chat::Answer,
    echo: Echo,
    id: String,
    created: u64,
    output: Output,
    /// Why it ended, as a chat says it.
    finish_reason: Option<&'static str>,
    /// The number of the next event.
    number: u64,
}

impl Answer {
    pub(super) fn new(chat: chat::Answer, echo: Echo, id: &str) -> Self {
        let output = Output::new(id);
        Self { chat, echo, id: format!("resp_{id}"), created: now(), output, finish_reason: None, number: 0 }
    }

    /// Waits for all of it.
    pub(super) async fn whole(mut self) -> Result<Value, ApiError> {
        while let Some(event) = self.chat.running().next().await {
            let (_, event) = event?;
            self.take(event);
        }
        Ok(self.response())
    }

    fn take(&mut self, event: Event) -> Vec<output::Event> {
        let mut events = Vec::new();
        for part in self.chat.take(event) {
            if let Some(delta) = part.delta {
                events.extend(self.output.push(delta, part.logprobs));
            }
            if let Some((reason, _)) = part.ending {
                self.finish_reason = Some(reason);
                events.extend(self.output.close());
            }
        }
        events
    }

    /// The response as it is now.
    fn response(&self) -> Value {
        let (status, incomplete) = match self.finish_reason {
            None => ("in_progress", Value::Null),
            Some("length") => ("incomplete", json!({"reason": "max_output_tokens"})),
            Some(_) => ("completed", Value::Null),
        };
        let defaults = [
            ("instructions", Value::Null),
            ("max_output_tokens", Value::Null),
            ("metadata", json!({})),
            ("parallel_tool_calls", json!(true)),
            ("previous_response_id", Value::Null),
            ("reasoning", json!({"effort": null, "summary": null})),
            ("temperature", Value::Null),
            ("text", json!({"format": {"type": "text"}})),
            ("tool_choice", json!("auto")),
            ("tools", json!([])),
            ("top_p", Value::Null),
            ("top_logprobs", json!(0)),
            ("truncation", json!("disabled")),
            ("user", Value::Null),
        ];
        let mut response = Map::new();
        response.insert("id".to_owned(), self.id.as_str().into());
        response.insert("object".to_owned(), "response".into());
        response.insert("created_at".to_owned(), self.created.into());
        response.insert("completed_at".to_owned(), self.finish_reason.map(|_| now()).into());
        response.insert("status".to_owned(), status.into());
        response.insert("background".to_owned(), false.into());
        response.insert("error".to_owned(), Value::Null);
        response.insert("incomplete_details".to_owned(), incomplete);
        response.insert("model".to_owned(), self.echo.model.as_str().into());
        response.insert("output".to_owned(), self.output.json(status).into());
        response.insert("store".to_owned(), false.into());
        for (name, default) in defaults {
            response.insert(name.to_owned(), self.echo.fields.get(name).cloned().unwrap_or(default));
        }
        let usage = self.finish_reason.map_or(Value::Null, |_| usage(self.chat.tally()));
        response.insert("usage".to_owned(), usage);
        response.into()
    }

    /// An event with its number, as a frame.
    fn frame(&mut self, kind: &str, mut event: Value) -> String {
        event["sequence_number"] = self.number.into();
        self.number += 1;
        format!("event: {kind}\ndata: {event}\n\n")
    }

    fn of_response(&mut self, kind: &str) -> String {
        let event = json!({"type": kind, "response": self.response()});
        self.frame(kind, event)
    }
}

impl Framed for Answer {
    fn running(&mut self) -> &mut Running {
        self.chat.running()
    }

    fn first(&mut self) -> String {
        self.of_response("response.created") + &self.of_response("response.in_progress")
    }

    fn frames(&mut self, _: usize, event: Event) -> String {
        let events = self.take(event);
        events.into_iter().map(|(kind, event)| self.frame(kind, event)).collect()
    }

    fn last(&mut self) -> String {
        match self.finish_reason {
            Some("length") => self.of_response("response.incomplete"),
            _ => self.of_response("response.completed"),
        }
    }

    fn failed(&mut self, error: &ApiError) -> String {
        let error = error.body()["error"].clone();
        let told =
            json!({"type": "error", "code": error["code"], "message": error["message"], "param": error["param"]});
        let told = self.frame("error", told);
        let mut response = self.response();
        response["status"] = "failed".into();
        response["error"] = json!({"code": "server_error", "message": error["message"]});
        told + &self.frame("response.failed", json!({"type": "response.failed", "response": response}))
    }
}

fn usage(tally: Tally) -> Value {
    json!({
        "input_tokens": tally.prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": tally.output,
        "output_tokens_details": {"reasoning_tokens": tally.reasoning.unwrap_or(0)},
        "total_tokens": tally.prompt + tally.output,
    })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
