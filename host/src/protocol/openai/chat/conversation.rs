//! The fields of a body that make a conversation, and its prompt.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::prepare::Unprepared;
use crate::prompt::{ChatTemplate, Conversation, PromptError, RenderError};
use crate::protocol::fields::{Field, Refusal};
use crate::protocol::openai::failure::{Names, refused};
use crate::protocol::{ApiError, Service};
use crate::request::Rendered;

/// The names of the fields that [`Draft::take`] reads.
pub(in crate::protocol::openai) const NAMES: &[&str] = &[
    "messages",
    "documents",
    "reasoning_effort",
    "add_generation_prompt",
    "continue_final_message",
    "add_special_tokens",
    "chat_template",
    "chat_template_kwargs",
];

/// The most messages.
const MOST_MESSAGES: usize = 16_384;

const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// What has been read so far.
#[derive(Clone, Debug, Default)]
pub(in crate::protocol::openai) struct Draft {
    messages: Option<Vec<Value>>,
    documents: Option<Vec<Value>>,
    reasoning_effort: Option<String>,
    add_generation_prompt: Option<bool>,
    continue_final_message: bool,
    template: Option<String>,
    variables: Map<String, Value>,
}

/// A conversation, and what of the request decides how it becomes a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::protocol::openai) struct Asked {
    pub(in crate::protocol::openai) conversation: Conversation,
    reasoning_effort: Option<String>,
    /// The request's own template.
    template: Option<String>,
}

impl Draft {
    /// Reads a field that is not null. Returns whether it is one of [`NAMES`].
    pub(in crate::protocol::openai) fn take(&mut self, field: &Field<'_>) -> Result<bool, Refusal> {
        match field.name.as_str() {
            "messages" => self.messages = Some(messages(field)?),
            "documents" => {
                let entries = field.list("a list of objects")?;
                self.documents = Some(entries.iter().map(object).collect::<Result<_, _>>()?);
            }
            "reasoning_effort" => {
                let effort = field.string()?;
                if !EFFORTS.contains(&effort.as_str()) {
                    let known = EFFORTS.map(|effort| format!("\"{effort}\"")).join(", ");
                    return Err(field.must_be(format!("one of {known}")));
                }
                self.reasoning_effort = Some(effort);
            }
            "add_generation_prompt" => self.add_generation_prompt = Some(field.boolean()?),
            "continue_final_message" => self.continue_final_message = field.boolean()?,
            "add_special_tokens" => {
                if field.boolean()? {
                    let remedy = "leave it out or send false: the chat template writes them";
                    return Err(Refusal::unsupported(&field.name, remedy));
                }
            }
            "chat_template" => self.template = Some(field.string()?),
            "chat_template_kwargs" => match object(field)? {
                Value::Object(variables) => self.variables = variables,
                _ => return Err(field.must_be("an object")),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What the fields ask for together; `tools` are what the template is to describe.
    ///
    /// # Errors
    /// No messages, and fields that contradict each other.
    pub(in crate::protocol::openai) fn finish(self, tools: Option<Vec<Value>>) -> Result<Asked, Refusal> {
        let remedy = r#"give the conversation, such as [{"role": "user", "content": "Hello"}]"#;
        let messages = self.messages.ok_or_else(|| Refusal::missing("messages", remedy))?;
        if self.continue_final_message && self.add_generation_prompt == Some(true) {
            let rest = "is given together with `add_generation_prompt`; give one of the two";
            return Err(Refusal::value("continue_final_message", rest));
        }
        let conversation = Conversation {
            messages,
            tools,
            documents: self.documents,
            variables: self.variables,
            add_generation_prompt: self.add_generation_prompt.unwrap_or(!self.continue_final_message),
            continue_final_message: self.continue_final_message,
        };
        Ok(Asked { conversation, reasoning_effort: self.reasoning_effort, template: self.template })
    }
}

impl Asked {
    /// The text of the last message, if there is one that is a text.
    pub(super) fn last_text(&self) -> Option<&str> {
        self.conversation.messages.last()?["content"].as_str()
    }

    /// The prompt, by the model's template or by the request's own. It takes some milliseconds.
    ///
    /// # Errors
    /// No template, and a conversation of which it makes no prompt.
    pub(in crate::protocol::openai) async fn prompt(
        mut self,
        service: &Service,
        names: &Names,
    ) -> Result<Rendered, ApiError> {
        if self.template.is_some() && !service.settings().trust_request_chat_template {
            let remedy = "leave it out, or start the server with --trust-request-chat-template";
            return Err(refused(Refusal::value("chat_template", format_args!("is not taken from requests; {remedy}"))));
        }
        let Some(own) = service.chat_template().cloned() else { return Err(unrendered(&PromptError::NoTemplate)) };
        let work = move || {
            let template = match self.template.take() {
                Some(text) => Arc::new(own.replaced(&text).map_err(|problem| wrong_template(&problem))?),
                None => own,
            };
            self.note_effort(&template);
            template.prompt(&self.conversation).map_err(|error| unrendered(&error))
        };
        service.stages().read(work).await.map_err(|error: Unprepared| names.unprepared(error))?
    }

    /// Tells the template how much the model is to think. Where it only knows yes or no, `none` is no.
    fn note_effort(&mut self, template: &ChatTemplate) {
        const SWITCH: &str = "enable_thinking";
        let Some(effort) = self.reasoning_effort.take() else { return };
        let variables = &mut self.conversation.variables;
        if template.reads(SWITCH) && !variables.contains_key(SWITCH) {
            variables.insert(SWITCH.to_owned(), (effort != "none").into());
        }
        variables.entry("reasoning_effort").or_insert_with(|| effort.into());
    }
}

fn messages(field: &Field<'_>) -> Result<Vec<Value>, Refusal> {
    let what = "a list of at least one message";
    let entries = field.list(what)?;
    if entries.is_empty() {
        return Err(field.must_be(what));
    }
    if entries.len() > MOST_MESSAGES {
        let rest = format_args!("has {} entries, and at most {MOST_MESSAGES} are allowed", entries.len());
        return Err(Refusal::value(&field.name, rest));
    }
    entries.iter().map(object).collect()
}

fn object(field: &Field<'_>) -> Result<Value, Refusal> {
    if field.value.get().starts_with('{') { field.json() } else { Err(field.must_be("an object")) }
}

fn wrong_template(problem: &str) -> ApiError {
    ApiError::new(400, "chat_template_error", format!("`chat_template` can't be read: {problem}"))
        .with_param("chat_template")
}

/// A conversation without a prompt.
fn unrendered(error: &PromptError) -> ApiError {
    let message = error.to_string();
    match error {
        PromptError::NoTemplate => ApiError::new(400, "chat_template_error", message).with_param("messages"),
        PromptError::Message(error) => {
            let place = error.place.clone();
            ApiError::new(400, "invalid_value", message).with_param(place)
        }
        PromptError::Variable { name } => {
            ApiError::new(400, "invalid_value", message).with_param(format!("chat_template_kwargs.{name}"))
        }
        PromptError::Render(RenderError::NotContinued(_)) => {
            ApiError::new(400, "invalid_value", message).with_param("continue_final_message")
        }
        PromptError::Render(_) => ApiError::new(400, "chat_template_error", message).with_param("messages"),
    }
}
