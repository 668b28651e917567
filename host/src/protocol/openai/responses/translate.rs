//! The body of a response to the body of a chat. Schemas keep their spelling: they are taken over as text.

use serde_json::{Map, Value, json};

use super::items;
use crate::protocol::fields::{self, Field, Refusal};

/// A chat, and what of the body the response repeats.
#[derive(Clone, Debug, Default)]
pub(super) struct Translated {
    /// The JSON text of the chat's body.
    pub(super) chat: String,
    pub(super) stream: bool,
    /// Fields that stand in the response as they were sent.
    pub(super) echo: Map<String, Value>,
}

/// Fields that a chat has by the same name.
const SAME: &[&str] = &[
    "model",
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "service_tier",
    "metadata",
];

/// Fields that the response repeats.
const ECHOED: &[&str] = &[
    "instructions",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "reasoning",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "top_logprobs",
    "truncation",
    "user",
];

/// The members of the chat's body, each as JSON text.
#[derive(Default)]
struct Body(Vec<(String, String)>);

impl Body {
    fn set(&mut self, name: &str, json: impl Into<String>) {
        self.0.push((name.to_owned(), json.into()));
    }

    fn text(self) -> String {
        let members = self.0.iter().map(|(name, json)| format!("{}:{json}", Value::from(name.as_str())));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

/// # Errors
/// The first mistake found: see [`Refusal`].
pub(super) fn translate(body: &[u8]) -> Result<Translated, Refusal> {
    let (mut chat, mut echo) = (Body::default(), Map::new());
    let (mut messages, mut instructions, mut stream, mut wants_logprobs) = (None, None, false, false);
    let mut top_logprobs = None;
    for field in fields::read(body)? {
        if field.is_null() {
            continue;
        }
        let name = field.name.as_str();
        if ECHOED.contains(&name) {
            echo.insert(name.to_owned(), field.json()?);
        }
        match name {
            "input" => messages = Some(items::messages(&field)?),
            "instructions" => instructions = Some(field.string()?),
            "stream" => stream = field.boolean()?,
            "max_output_tokens" => chat.set("max_completion_tokens", field.value.get()),
            "top_logprobs" => top_logprobs = Some(field.value.get().to_owned()),
            "include" => wants_logprobs = include(&field)?,
            "text" => text(&field, &mut chat)?,
            "reasoning" => reasoning(&field, &mut chat)?,
            "tools" => chat.set("tools", tools(&field)?),
            "tool_choice" => chat.set("tool_choice", tool_choice(&field)?),
            "truncation" => truncation(&field)?,
            "store" | "stream_options" => {}
            "previous_response_id" | "conversation" => {
                let remedy = "send the whole conversation as `input`: this server stores no responses";
                return Err(Refusal::unsupported(name, remedy));
            }
            "background" => {
                if field.boolean()? {
                    return Err(Refusal::unsupported(name, "leave it out or send false"));
                }
            }
            "prompt" => return Err(Refusal::unsupported(name, "send the text of the prompt as `input`")),
            "max_tool_calls" => return Err(Refusal::unsupported(name, "leave it out: this server runs no tools")),
            "messages" => return Err(Refusal::unknown(name, "use `input`")),
            "response_format" => return Err(Refusal::unknown(name, "use `text.format`")),
            "max_tokens" | "max_completion_tokens" => return Err(Refusal::unknown(name, "use `max_output_tokens`")),
            "prompt_logprobs" => return Err(Refusal::unsupported(name, "leave it out, or ask `/v1/chat/completions`")),
            "n" if field.value.get() != "1" => return Err(Refusal::unsupported(name, "leave it out or send 1")),
            _ if SAME.contains(&name) => chat.set(name, field.value.get()),
            // What else a chat knows (vLLM's extensions), it reads or refuses by itself.
            _ => chat.set(name, field.value.get()),
        }
    }
    let mut messages = messages.ok_or_else(|| Refusal::missing("input", "give a text, or a list of items"))?;
    if let Some(instructions) = instructions {
        messages.insert(0, json!({"role": "system", "content": instructions}));
    }
    chat.set("messages", Value::from(messages).to_string());
    if wants_logprobs || top_logprobs.is_some() {
        chat.set("logprobs", "true");
        chat.set("top_logprobs", top_logprobs.unwrap_or_else(|| "0".to_owned()));
    }
    Ok(Translated { chat: chat.text(), stream, echo })
}

/// Whether log-probabilities are asked for. What else may be included is there anyway, or is a thing of a service.
fn include(field: &Field<'_>) -> Result<bool, Refusal> {
    let mut wants_logprobs = false;
    for entry in field.list("a list of strings")? {
        match entry.string()?.as_str() {
            "message.output_text.logprobs" => wants_logprobs = true,
            "reasoning.encrypted_content" => {}
            other => {
                return Err(Refusal::value(&entry.name, format_args!("is \"{other}\", which this server has not")));
            }
        }
    }
    Ok(wants_logprobs)
}

/// `{"format", "verbosity"}`.
fn text(field: &Field<'_>, chat: &mut Body) -> Result<(), Refusal> {
    for member in field.object("an object")? {
        match member.name.as_str() {
            _ if member.is_null() => {}
            "format" => chat.set("response_format", member.value.get()),
            "verbosity" => {}
            name => return Err(Refusal::unknown(&format!("text.{name}"), "it may have `format` and `verbosity`")),
        }
    }
    Ok(())
}

/// `{"effort", "summary"}`.
fn reasoning(field: &Field<'_>, chat: &mut Body) -> Result<(), Refusal> {
    for member in field.object("an object")? {
        if member.name == "effort" && !member.is_null() {
            chat.set("reasoning_effort", member.value.get());
        }
    }
    Ok(())
}

/// A tool has its members beside its type, where a chat has them in an object.
fn tools(field: &Field<'_>) -> Result<String, Refusal> {
    let mut tools = Vec::new();
    for tool in field.list("a list of tools")? {
        let members = tool.object("an object")?;
        let kind = members.iter().find(|member| member.name == "type").map(Field::string).transpose()?;
        let kind = kind.unwrap_or_else(|| "function".to_owned());
        if kind != "function" && kind != "custom" {
            let rest = format_args!(
                "is \"{kind}\"; this server runs no tools of its own, so that a tool must be a \"function\""
            );
            return Err(Refusal::value(&format!("{}.type", tool.name), rest));
        }
        let mut own = Body::default();
        for member in members.iter().filter(|member| member.name != "type") {
            own.set(&member.name, member.value.get());
        }
        tools.push(format!(r#"{{"type":"{kind}","{kind}":{}}}"#, own.text()));
    }
    Ok(format!("[{}]", tools.join(",")))
}

/// A text as it is; a choice of tools as a chat has it.
fn tool_choice(field: &Field<'_>) -> Result<String, Refusal> {
    if !field.value.get().starts_with('{') {
        return Ok(field.value.get().to_owned());
    }
    let value = field.json()?;
    let function = |tool: &Value| json!({"type": "function", "function": {"name": tool["name"]}});
    let choice = match value["type"].as_str() {
        Some("function") => function(&value),
        Some("allowed_tools") => {
            let tools = value["tools"].as_array().into_iter().flatten().map(function).collect::<Vec<_>>();
            json!({"type": "allowed_tools", "allowed_tools": {"mode": value["mode"], "tools": tools}})
        }
        _ => return Err(field.must_be(r#"a text, or an object of the type "function" or "allowed_tools""#)),
    };
    Ok(choice.to_string())
}

/// An input that is too long is refused; nothing of it is left out unasked.
fn truncation(field: &Field<'_>) -> Result<(), Refusal> {
    match field.string()?.as_str() {
        "auto" | "disabled" => Ok(()),
        _ => Err(field.must_be(r#""auto" or "disabled""#)),
    }
}
