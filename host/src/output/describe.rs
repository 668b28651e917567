//! Tools described in a system prompt, for a model whose chat template knows none.

use serde_json::Value;

/// The text that tells a model of its tools, and in which form it is to call them: that of the Hermes family, which most models have seen.
/// `tools` are objects of `type` and `function`, as chat templates get them.
#[must_use]
pub fn described(tools: &[Value]) -> String {
    let list: Vec<String> = tools.iter().map(Value::to_string).collect();
    format!(
        "You can call functions. Their signatures are between <tools> and </tools>, one on each line:\n<tools>\n{}\n</tools>\n\nTo call a \
         function, write its name and its arguments as a JSON object between <tool_call> and </tool_call>:\n<tool_call>\n{{\"name\": \
         \"function-name\", \"arguments\": {{\"argument\": \"value\"}}}}\n</tool_call>",
        list.join("\n")
    )
}

/// The messages of a conversation without tools that says the same as one with tools: they are described in the system message, and calls
/// and their results are texts.
#[must_use]
pub fn without_tools(messages: &[Value], tools: &[Value]) -> Vec<Value> {
    let mut plain: Vec<Value> = Vec::with_capacity(messages.len() + 1);
    if !tools.is_empty() {
        plain.push(serde_json::json!({"role": "system", "content": described(tools)}));
    }
    for message in messages {
        let role = message["role"].as_str().unwrap_or_default();
        let text = text_of(&message["content"]);
        match role {
            "system" | "developer" if plain.len() == 1 && !tools.is_empty() && plain[0]["role"] == "system" => {
                let joined = format!("{text}\n\n{}", plain[0]["content"].as_str().unwrap_or_default());
                plain[0]["content"] = joined.trim_start().into();
            }
            "assistant" => {
                let mut message = message.clone();
                let calls = message["tool_calls"].as_array().map(|calls| calls.iter().map(called).collect::<String>());
                if let Some(object) = message.as_object_mut()
                    && let Some(calls) = calls.filter(|calls| !calls.is_empty())
                {
                    object.remove("tool_calls");
                    object.insert("content".to_owned(), format!("{text}{calls}").trim_start().into());
                }
                plain.push(message);
            }
            "tool" | "function" => {
                let result = format!("<tool_response>\n{text}\n</tool_response>");
                // Templates want the roles to alternate.
                match plain.last_mut().filter(|last| is_result(last)) {
                    Some(last) => {
                        let joined = format!("{}\n{result}", last["content"].as_str().unwrap_or_default());
                        last["content"] = joined.into();
                    }
                    None => plain.push(serde_json::json!({"role": "user", "content": result})),
                }
            }
            _ => plain.push(message.clone()),
        }
    }
    plain
}

fn is_result(message: &Value) -> bool {
    let is_text = |text: &str| text.starts_with("<tool_response>\n") && text.ends_with("\n</tool_response>");
    message["role"] == "user" && message["content"].as_str().is_some_and(is_text)
}

fn called(call: &Value) -> String {
    let function = &call["function"];
    let arguments = match &function["arguments"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str())),
        Value::Null => serde_json::json!({}),
        other => other.clone(),
    };
    format!("\n<tool_call>\n{{\"name\": {}, \"arguments\": {arguments}}}\n</tool_call>", function["name"])
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let text = |part: &Value| part.as_str().or_else(|| part["text"].as_str()).map(ToOwned::to_owned);
            parts.iter().filter_map(text).collect::<Vec<_>>().join("\n")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tools_calls_and_results_are_texts() {
        let tools = [json!({"type": "function", "function": {"name": "clock", "parameters": {}}})];
        let messages = [
            json!({"role": "system", "content": "Be short."}),
            json!({"role": "user", "content": "Time?"}),
            json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": "1", "function": {"name": "clock", "arguments": "{\"zone\": \"UTC\"}"}},
                {"id": "2", "function": {"name": "clock", "arguments": ""}},
            ]}),
            json!({"role": "tool", "tool_call_id": "1", "content": "12:00"}),
            json!({"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "13:00"}]}),
            json!({"role": "user", "content": "Thanks."}),
        ];
        let plain = without_tools(&messages, &tools);
        let roles: Vec<&str> = plain.iter().map(|message| message["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["system", "user", "assistant", "user", "user"]);
        let system = plain[0]["content"].as_str().unwrap();
        assert!(system.starts_with("Be short.\n\nYou can call functions."), "{system}");
        assert!(system.contains(r#"{"type":"function","function":{"name":"clock","parameters":{}}}"#), "{system}");
        assert_eq!(
            plain[2],
            json!({"role": "assistant", "content":
                "<tool_call>\n{\"name\": \"clock\", \"arguments\": {\"zone\":\"UTC\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"clock\", \"arguments\": \"\"}\n</tool_call>"})
        );
        assert_eq!(
            plain[3]["content"],
            "<tool_response>\n12:00\n</tool_response>\n<tool_response>\n13:00\n</tool_response>"
        );
        assert_eq!(plain[4], messages[5]);
    }

    #[test]
    fn a_conversation_without_tools_or_calls_stays_as_it_is() {
        let messages = [json!({"role": "system", "content": "x"}), json!({"role": "user", "content": "y"})];
        assert_eq!(without_tools(&messages, &[]), messages);
        let tools = [json!({"type": "function", "function": {"name": "a"}})];
        assert_eq!(without_tools(&messages[1..], &tools)[0]["role"], "system");
    }
}
