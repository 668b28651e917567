//! What all answers begin and end with, and the frames of a stream.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::constraint::Asked;
use super::settings::Settings;
use crate::request::{FinishReason, StoppedBy};

/// The last frame of every stream.
pub(super) const DONE: &str = "data: [DONE]\n\n";

/// A frame of a stream of server-sent events.
pub(super) fn frame(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// What stands at the head of an answer, and of every chunk of a stream.
#[derive(Clone, Debug)]
pub(super) struct Head {
    id: String,
    created: u64,
    model: String,
    fingerprint: String,
}

impl Head {
    /// `prefix` and the request's name are the answer's id.
    pub(super) fn new(prefix: &str, request: &str, settings: &Settings) -> Self {
        Self {
            id: format!("{prefix}{request}"),
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
            model: settings.name().to_owned(),
            fingerprint: settings.fingerprint().to_owned(),
        }
    }

    /// An answer or a chunk of this kind with these choices.
    pub(super) fn with(&self, object: &str, choices: Vec<Value>) -> Map<String, Value> {
        let mut answer = Map::new();
        answer.insert("id".to_owned(), self.id.as_str().into());
        answer.insert("object".to_owned(), object.into());
        answer.insert("created".to_owned(), self.created.into());
        answer.insert("model".to_owned(), self.model.as_str().into());
        answer.insert("system_fingerprint".to_owned(), self.fingerprint.as_str().into());
        answer.insert("choices".to_owned(), choices.into());
        answer
    }
}

/// The tokens of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) prompt: u32,
    pub(super) output: u32,
    /// Those of the output that are reasoning, where the model's reasoning is told apart.
    pub(super) reasoning: Option<u32>,
}

impl Tally {
    pub(super) fn json(self) -> Value {
        let mut usage = json!({
            "prompt_tokens": self.prompt,
            "completion_tokens": self.output,
            "total_tokens": self.prompt + self.output,
            "prompt_tokens_details": {"cached_tokens": 0},
        });
        if let Some(reasoning) = self.reasoning {
            usage["completion_tokens_details"] = json!({"reasoning_tokens": reasoning});
        }
        usage
    }
}

/// Whether outputs are held to a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// They are free.
    Not,
    /// Parts of them are.
    InPart,
    /// All of them is.
    Whole,
}

impl Held {
    /// Whether a constraint holds outputs.
    pub(super) fn by(constraint: Option<&Asked>) -> Self {
        match constraint {
            None => Self::Not,
            Some(asked) if asked.has_free_text() => Self::InPart,
            Some(_) => Self::Whole,
        }
    }
}

/// Why a choice ended, as `finish_reason` and `stop_reason`.
///
/// An answer that is held to a form is whole whatever ended it, so it ends with `stop`; where the limit on its tokens narrowed it, `stop_reason`
/// says so. Where it has free text, that may have been cut.
pub(super) fn ending(
    reason: FinishReason,
    stopped_by: Option<&StoppedBy>,
    squeezed: bool,
    held: Held,
) -> (&'static str, Value) {
    let finish_reason = if reason == FinishReason::Length && held != Held::Whole { "length" } else { "stop" };
    let stop_reason = match stopped_by {
        Some(StoppedBy::String(text)) => text.as_str().into(),
        Some(StoppedBy::Token(token)) => (*token).into(),
        None if held != Held::Not && squeezed && finish_reason == "stop" => "max_tokens".into(),
        None => Value::Null,
    };
    (finish_reason, stop_reason)
}
