//! Messages as clients send them, to messages as templates expect them.
//!
//! | a client sends | a template gets |
//! |---|---|
//! | `content` as a list of parts | a text of the parts' texts, a line feed between them; the parts themselves where the template goes over them |
//! | a part that is no text | nothing: the message is refused |
//! | `content` of a tool that is neither | its JSON |
//! | `role` `developer` | `system`, where the template does not know developers; all system messages at the beginning are one |
//! | arguments of a call as a JSON text | the object, or the text where it is none |
//! | no calls, as `null` or an empty list | no key |
//! | what clients send back of an answer (`refusal`, `annotations`, `audio`, `parsed`, `index`) | nothing |

use serde_json::{Map, Value, json};

/// In which form a template gets the content of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentFormat {
    /// As parts where the template goes over them, else as a text.
    #[default]
    Auto,
    /// As a text.
    Text,
    /// As a list of parts.
    Parts,
}

/// A message that no template can be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct MessageError {
    /// The place, as a path: `messages[2].content[0].type`.
    pub place: String,
    /// What is wrong, and what would work.
    pub problem: String,
}

impl MessageError {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}

/// Keys of a message or a call that say nothing to a template.
const IGNORED: [&str; 6] = ["refusal", "annotations", "audio", "parsed", "reasoning_details", "index"];

/// How a template wants its messages.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Whether it knows the role `developer`.
    pub(super) developers: bool,
    /// Whether a content of a message of a role is given as parts.
    pub(super) parts: &'a dyn Fn(&str, &Value) -> bool,
}

/// Messages as a template expects them.
///
/// # Errors
/// The first message that is none.
pub(super) fn normalize(messages: &[Value], wanted: Wanted<'_>) -> Result<Vec<Value>, MessageError> {
    if messages.is_empty() {
        return Err(MessageError::new("messages", "must have at least one message"));
    }
    let mut has_developer = false;
    let mut normal = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        let place = format!("messages[{index}]");
        let Value::Object(entries) = message else {
            return Err(MessageError::new(place, "must be an object with `role` and `content`"));
        };
        let Some(role) = entries.get("role").and_then(Value::as_str) else {
            return Err(MessageError::new(
                format!("{place}.role"),
                "must be a string such as \"user\" or \"assistant\"",
            ));
        };
        let is_developer = role == "developer" && !wanted.developers;
        has_developer |= is_developer;
        let role = if is_developer { "system" } else { role };
        normal.push(Value::Object(message_of(&place, role, entries, wanted)?));
    }
    if has_developer {
        merge_leading(&mut normal);
    }
    Ok(normal)
}

fn message_of(
    place: &str,
    role: &str,
    entries: &Map<String, Value>,
    wanted: Wanted<'_>,
) -> Result<Map<String, Value>, MessageError> {
    let mut message = Map::new();
    for (name, value) in entries {
        match name.as_str() {
            _ if IGNORED.contains(&name.as_str()) => {}
            "role" => drop(message.insert("role".to_owned(), role.into())),
            "content" => {
                if let Some(content) = content_of(&format!("{place}.content"), role, value, &mut message, wanted)? {
                    message.insert("content".to_owned(), content);
                }
            }
            "tool_calls" => {
                if let Some(calls) = calls_of(&format!("{place}.tool_calls"), value)? {
                    message.insert("tool_calls".to_owned(), calls);
                }
            }
            // The form of one call that was there before lists of calls.
            "function_call" => {
                let is_told = entries
                    .get("tool_calls")
                    .is_some_and(|calls| calls.as_array().is_some_and(|calls| !calls.is_empty()));
                if !value.is_null() && !is_told {
                    let call = json!([{"type": "function", "function": value}]);
                    if let Some(calls) = calls_of(&format!("{place}.function_call"), &call)? {
                        message.insert("tool_calls".to_owned(), calls);
                    }
                }
            }
            "reasoning_content" | "reasoning" | "thinking" if !(value.is_string() || value.is_null()) => {
                return Err(MessageError::new(format!("{place}.{name}"), "must be a string"));
            }
            _ => drop(message.insert(name.clone(), value.clone())),
        }
    }
    Ok(message)
}

/// The content of a message; `None` where it has none.
fn content_of(
    place: &str,
    role: &str,
    value: &Value,
    message: &mut Map<String, Value>,
    wanted: Wanted<'_>,
) -> Result<Option<Value>, MessageError> {
    let as_parts = (wanted.parts)(role, value);
    match value {
        Value::Null => Ok(None),
        Value::String(text) if as_parts => Ok(Some(json!([{"type": "text", "text": text}]))),
        Value::String(_) => Ok(Some(value.clone())),
        Value::Array(parts) => {
            let (mut texts, mut thoughts) = (Vec::new(), Vec::new());
            for (index, part) in parts.iter().enumerate() {
                match part_of(&format!("{place}[{index}]"), part)? {
                    Part::Text(text) => texts.push(text),
                    Part::Thought(text) => thoughts.push(text),
                }
            }
            if !thoughts.is_empty() {
                message.entry("reasoning_content").or_insert_with(|| thoughts.join("\n").into());
            }
            if as_parts {
                return Ok(Some(texts.iter().map(|text| json!({"type": "text", "text": text})).collect()));
            }
            Ok(Some(texts.join("\n").into()))
        }
        _ if role == "tool" => Ok(Some(value.to_string().into())),
        _ => Err(MessageError::new(place, "must be a string, a list of parts of text, or null")),
    }
}

enum Part<'a> {
    Text(&'a str),
    Thought(&'a str),
}

fn part_of<'a>(place: &str, part: &'a Value) -> Result<Part<'a>, MessageError> {
    if let Some(text) = part.as_str() {
        return Ok(Part::Text(text));
    }
    let Some(kind) = part.get("type").and_then(Value::as_str) else {
        let problem = "must be a string such as \"text\": a part is {\"type\": \"text\", \"text\": ...}";
        return Err(MessageError::new(format!("{place}.type"), problem));
    };
    let key = match kind {
        "text" | "input_text" | "output_text" => "text",
        "refusal" => "refusal",
        "thinking" => "thinking",
        _ => {
            let problem = format!("\"{kind}\": this model reads text only; send parts of the type \"text\"");
            return Err(MessageError::new(format!("{place}.type"), problem));
        }
    };
    let text = part.get(key).and_then(Value::as_str);
    let text = text.ok_or_else(|| MessageError::new(format!("{place}.{key}"), "must be a string"))?;
    Ok(if kind == "thinking" { Part::Thought(text) } else { Part::Text(text) })
}

/// Calls with their arguments as objects; `None` where there are none.
fn calls_of(place: &str, value: &Value) -> Result<Option<Value>, MessageError> {
    let calls = match value {
        Value::Null => return Ok(None),
        Value::Array(calls) if calls.is_empty() => return Ok(None),
        Value::Array(calls) => calls,
        _ => return Err(MessageError::new(place, "must be a list of calls")),
    };
    let mut normal = Vec::with_capacity(calls.len());
    for (index, call) in calls.iter().enumerate() {
        let place = format!("{place}[{index}]");
        let Value::Object(entries) = call else {
            return Err(MessageError::new(place, "must be an object with `function`"));
        };
        let function = entries.get("function").and_then(Value::as_object);
        let function = function.filter(|function| function.get("name").is_some_and(Value::is_string));
        let Some(function) = function else {
            let problem = "must be an object with `name`, a string, and `arguments`";
            return Err(MessageError::new(format!("{place}.function"), problem));
        };
        let mut function = function.clone();
        let arguments = function.get("arguments").map_or_else(|| json!({}), arguments_of);
        function.insert("arguments".to_owned(), arguments);
        let mut call: Map<String, Value> = entries.clone();
        call.retain(|name, _| !IGNORED.contains(&name.as_str()));
        call.insert("function".to_owned(), Value::Object(function));
        normal.push(Value::Object(call));
    }
    Ok(Some(Value::Array(normal)))
}

/// The object that arguments are; a text that is no object stays what it is, as a call that was cut off left it.
fn arguments_of(arguments: &Value) -> Value {
    match arguments {
        Value::Null => json!({}),
        Value::String(text) if text.trim().is_empty() => json!({}),
        Value::String(text) => {
            let object = serde_json::from_str::<Map<String, Value>>(text);
            object.map_or_else(|_| arguments.clone(), Value::Object)
        }
        _ => arguments.clone(),
    }
}

/// Makes one of all system messages at the beginning, a blank line between their texts.
fn merge_leading(messages: &mut Vec<Value>) {
    let leading = messages.iter().take_while(|message| is_system(message)).count();
    let merged = merged(&messages[..leading]);
    if let Some(merged) = merged.filter(|_| leading > 1) {
        messages.splice(..leading, [merged]);
    }
}

/// The messages with all system messages in one at the front; `None` where they are so already.
pub(super) fn with_system_first(messages: &[Value]) -> Option<Vec<Value>> {
    let (system, others): (Vec<Value>, Vec<Value>) = messages.iter().cloned().partition(is_system);
    let is_so = system.is_empty() || (system.len() == 1 && is_system(&messages[0]));
    let merged = merged(&system).filter(|_| !is_so)?;
    Some(std::iter::once(merged).chain(others).collect())
}

fn is_system(message: &Value) -> bool {
    message["role"] == "system"
}

/// One message of several whose contents are all texts or all parts.
fn merged(messages: &[Value]) -> Option<Value> {
    let mut merged = messages.first()?.clone();
    let contents: Vec<&Value> = messages.iter().filter_map(|message| message.get("content")).collect();
    let texts: Option<Vec<&str>> = contents.iter().map(|content| content.as_str()).collect();
    let parts: Option<Vec<&Vec<Value>>> = contents.iter().map(|content| content.as_array()).collect();
    merged["content"] = match (texts, parts) {
        (Some(texts), _) => texts.join("\n\n").into(),
        (None, Some(parts)) => parts.into_iter().flatten().cloned().collect(),
        (None, None) => return None,
    };
    Some(merged)
}

/// The messages with an empty content where they have none; `None` where each has one.
pub(super) fn with_contents(messages: &[Value]) -> Option<Vec<Value>> {
    let mut changed = messages.to_vec();
    for message in changed.iter_mut().filter_map(Value::as_object_mut) {
        if message.get("content").is_none_or(Value::is_null) {
            message.insert("content".to_owned(), "".into());
        }
    }
    (changed != messages).then_some(changed)
}

/// The messages with the arguments of all calls as JSON texts; `None` where they are so already.
pub(super) fn with_texts_as_arguments(messages: &[Value]) -> Option<Vec<Value>> {
    let mut changed = messages.to_vec();
    for_each_call(&mut changed, |call| {
        if let Some(arguments) = call.get_mut("function").and_then(|function| function.get_mut("arguments"))
            && !arguments.is_string()
        {
            *arguments = arguments.to_string().into();
        }
    });
    (changed != messages).then_some(changed)
}

/// The messages with ids of calls of nine letters and digits, as some templates demand: the same for the same id. `None` where they
/// are so already.
pub(super) fn with_short_ids(messages: &[Value]) -> Option<Vec<Value>> {
    let mut changed = messages.to_vec();
    let shorten = |id: &mut Value| {
        if let Some(text) = id.as_str()
            && !(text.len() == 9 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        {
            *id = short_id(text).into();
        }
    };
    for_each_call(&mut changed, |call| call.get_mut("id").into_iter().for_each(shorten));
    changed.iter_mut().filter_map(|message| message.get_mut("tool_call_id")).for_each(shorten);
    (changed != messages).then_some(changed)
}

/// Nine letters and digits that stand for a text.
fn short_id(text: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    // FNV-1a, of 64 bits: the ids of a conversation are few.
    let mut hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut id = String::with_capacity(9);
    for _ in 0..9 {
        id.push(char::from(DIGITS[(hash % 62) as usize]));
        hash /= 62;
    }
    id
}

fn for_each_call(messages: &mut [Value], mut change: impl FnMut(&mut Value)) {
    for message in messages {
        if let Some(Value::Array(calls)) = message.get_mut("tool_calls") {
            calls.iter_mut().for_each(&mut change);
        }
    }
}

/// The first two messages that follow each other and are of the same role, for an error that speaks of alternating roles.
pub(super) fn same_roles(messages: &[Value]) -> Option<(usize, String)> {
    let spoken = |role: &str| matches!(role, "user" | "assistant");
    let roles = || messages.iter().map(|message| message["role"].as_str().unwrap_or_default());
    let (index, (role, _)) = roles().zip(roles().skip(1)).enumerate().find(|(_, (a, b))| a == b && spoken(a))?;
    Some((index, role.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(messages: Value) -> Result<Value, String> {
        let parts = |_: &str, content: &Value| content.is_array() && content[0] == "as parts";
        let messages = messages.as_array().cloned().expect("a list");
        let normal = normalize(&messages, Wanted { developers: false, parts: &parts });
        normal.map(Value::Array).map_err(|error| error.to_string())
    }

    #[test]
    fn parts_become_a_text_and_what_was_thought_becomes_reasoning() {
        let content = json!(["a", {"type": "text", "text": "b"}, {"type": "output_text", "text": "c"}, {"type": "refusal", "refusal": "d"},
            {"type": "thinking", "thinking": "t"}]);
        let expected = json!([{"role": "assistant", "reasoning_content": "t", "content": "a\nb\nc\nd"}]);
        assert_eq!(normal(json!([{"role": "assistant", "content": content}])), Ok(expected));
        let as_parts = normal(json!([{"role": "user", "content": ["as parts", "b"]}]));
        let expected =
            json!([{"role": "user", "content": [{"type": "text", "text": "as parts"}, {"type": "text", "text": "b"}]}]);
        assert_eq!(as_parts, Ok(expected));
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        for (message, place) in [
            (json!(1), "messages[0]: "),
            (json!({"content": "a"}), "messages[0].role: "),
            (json!({"role": "user", "content": 1}), "messages[0].content: "),
            (
                json!({"role": "user", "content": ["a", {"type": "image_url"}]}),
                "messages[0].content[1].type: \"image_url\"",
            ),
            (json!({"role": "user", "content": [{}]}), "messages[0].content[0].type: "),
            (json!({"role": "user", "content": [{"type": "text"}]}), "messages[0].content[0].text: "),
            (json!({"role": "assistant", "tool_calls": {}}), "messages[0].tool_calls: "),
            (json!({"role": "assistant", "tool_calls": [1]}), "messages[0].tool_calls[0]: "),
            (json!({"role": "assistant", "tool_calls": [{"function": {}}]}), "messages[0].tool_calls[0].function: "),
            (json!({"role": "assistant", "content": "a", "reasoning": 1}), "messages[0].reasoning: "),
        ] {
            let error = normal(json!([message])).expect_err("an error");
            assert!(error.starts_with(place), "{error}");
        }
        assert!(normal(json!([])).expect_err("an error").starts_with("messages: "));
    }

    #[test]
    fn an_answer_sent_back_as_it_came_is_a_message() {
        let dump = json!([{"role": "assistant", "content": null, "refusal": null, "annotations": [], "audio": null, "function_call": null,
            "parsed": {"a": 1}, "tool_calls": [{"id": "c", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{\"a\": [1.5]}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": {"b": 1}}, {"role": "assistant", "content": "d", "tool_calls": []}]);
        let expected = json!([{"role": "assistant",
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": {"a": [1.5]}}}]},
            {"role": "tool", "tool_call_id": "c", "content": "{\"b\":1}"}, {"role": "assistant", "content": "d"}]);
        assert_eq!(normal(dump), Ok(expected));
    }

    #[test]
    fn arguments_that_are_no_object_stay_the_text_that_they_are() {
        for (arguments, expected) in [
            (json!("{\"a\": "), json!("{\"a\": ")),
            (json!("[1]"), json!("[1]")),
            (json!(""), json!({})),
            (json!(null), json!({})),
            (json!({"a": 1}), json!({"a": 1})),
        ] {
            assert_eq!(arguments_of(&arguments), expected);
        }
        let old = json!([{"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": "{}"}}]);
        let called = json!([{"type": "function", "function": {"name": "f", "arguments": {}}}]);
        assert_eq!(normal(old).expect("messages")[0]["tool_calls"], called);
    }

    #[test]
    fn a_developer_is_the_system_and_messages_of_both_are_one() {
        let messages = json!([{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, {"role": "user", "content": "c"}]);
        let expected = json!([{"role": "system", "content": "a\n\nb"}, {"role": "user", "content": "c"}]);
        assert_eq!(normal(messages), Ok(expected));
        let twice = json!([{"role": "system", "content": "a"}, {"role": "system", "content": "b"}]);
        assert_eq!(normal(twice.clone()), Ok(twice));
    }

    #[test]
    fn ids_of_calls_become_short_and_stay_the_same_for_the_same() {
        let messages = [
            json!({"role": "assistant", "tool_calls": [{"id": "call_123"}, {"id": "a1B2c3D4e"}]}),
            json!({"role": "tool", "tool_call_id": "call_123"}),
        ];
        let short = with_short_ids(&messages).expect("other ids");
        let id = short[1]["tool_call_id"].as_str().expect("an id");
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(
            (&short[0]["tool_calls"][0]["id"], &short[0]["tool_calls"][1]["id"]),
            (&json!(id), &json!("a1B2c3D4e"))
        );
        assert_eq!(with_short_ids(&short), None);
    }
}
