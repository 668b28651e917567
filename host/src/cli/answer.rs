//! What an answer on the terminal is asked for: the flags of `jig generate` and `jig chat`, and the way from a prompt to a request.

use std::path::Path;

use clap::Args;
use serde_json::{Map, Value, json};

use super::load::Loaded;
use crate::engine::RequestStream;
use crate::prompt::{Conversation, PromptError};
use crate::protocol::outlines;
use crate::request::Prompt;

type Failed = Box<dyn std::error::Error + Send + Sync>;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Answer")]
pub(super) struct AnswerArgs {
    /// JSON Schema that the answer must match: a file, or the schema itself
    #[arg(long, value_name = "FILE|JSON", conflicts_with_all = ["regex", "grammar"])]
    schema: Option<String>,
    /// Regular expression that the answer must match
    #[arg(long)]
    regex: Option<String>,
    /// File with a grammar that the answer must match, in GBNF or Lark
    #[arg(long, value_name = "FILE", conflicts_with = "regex")]
    grammar: Option<String>,
    /// Maximum number of tokens in the answer [default: 16 for a prompt without --chat, else until the answer is complete]
    #[arg(long, value_name = "TOKENS")]
    max_tokens: Option<u32>,
    /// 0 takes the most likely token; higher is more varied [default: 1]
    #[arg(long, allow_negative_numbers = true)]
    temperature: Option<f64>,
    /// Keep the most likely tokens whose probabilities sum to this [default: 1]
    #[arg(long, allow_negative_numbers = true)]
    top_p: Option<f64>,
    /// Keep this many of the most likely tokens [default: all]
    #[arg(long, allow_negative_numbers = true)]
    top_k: Option<i64>,
    /// A string that ends the answer; may be given more than once
    #[arg(long)]
    stop: Vec<String>,
}

/// What is to be answered.
pub(super) enum Question {
    /// A text to continue.
    Text(String),
    /// Messages.
    Conversation(Conversation),
}

impl AnswerArgs {
    /// Reads the files of the schema and the grammar where they are named, so that a mistake is told before a model is loaded.
    pub(super) fn checked(mut self) -> Result<Self, Failed> {
        self.schema = self.schema.as_deref().map(schema_text).transpose()?;
        if let Some(file) = &self.grammar {
            let text =
                std::fs::read_to_string(file).map_err(|error| format!("--grammar {file}: {error}; give a file"))?;
            self.grammar = Some(text);
        }
        Ok(self)
    }

    /// Asks the model.
    pub(super) fn ask(&self, question: Question, loaded: &Loaded) -> Result<RequestStream, Failed> {
        let body = self.body(&question).to_string();
        let mut asked = outlines::parse(body.as_bytes(), loaded.engine.info().vocab_size)?;
        if let Question::Conversation(conversation) = question {
            let template = loaded.chat_template.as_deref().ok_or(PromptError::NoTemplate)?;
            asked.request.prompt = Prompt::Rendered(template.prompt(&conversation)?);
        }
        let prepared =
            loaded.preparation.prepare(asked.request).map_err(|invalid| asked.names.of_preparation(&invalid))?;
        Ok(loaded.engine.submit(prepared.request)?)
    }

    /// The request as a client would send it, so that names, defaults and limits are the same.
    fn body(&self, question: &Question) -> Value {
        let (prompt, no_limit) = match question {
            Question::Text(text) => (text.as_str(), None),
            // Its place is taken by what the template writes.
            Question::Conversation(_) => ("conversation", Some(Value::Null)),
        };
        let mut body = Map::new();
        body.insert("prompt".to_owned(), prompt.into());
        let optional = [
            ("schema", self.schema.clone().map(Value::from)),
            ("regex", self.regex.clone().map(Value::from)),
            ("grammar", self.grammar.clone().map(Value::from)),
            ("max_tokens", self.max_tokens.map(Value::from).or(no_limit)),
            ("temperature", self.temperature.map(|value| json!(value))),
            ("top_p", self.top_p.map(|value| json!(value))),
            ("top_k", self.top_k.map(Value::from)),
            ("stop", (!self.stop.is_empty()).then(|| json!(self.stop))),
        ];
        body.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Value::Object(body)
    }
}

/// The schema itself, or the contents of the file that is named.
fn schema_text(value: &str) -> Result<String, String> {
    if value.trim_start().starts_with(['{', '"']) || matches!(value.trim(), "true" | "false") {
        return Ok(value.to_owned());
    }
    std::fs::read_to_string(Path::new(value)).map_err(|error| {
        format!("--schema {value}: {error}; give a file, or the schema itself, which begins with a brace")
    })
}
