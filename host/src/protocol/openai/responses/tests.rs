use serde_json::{Value, json};

use super::output::Output;
use super::translate::translate;
use crate::protocol::openai::chat::Delta;

fn chat(body: Value) -> Value {
    let translated = translate(body.to_string().as_bytes()).unwrap_or_else(|refusal| panic!("{body}: {refusal}"));
    serde_json::from_str(&translated.chat).expect("the body of a chat is JSON")
}

#[test]
fn a_text_is_what_a_user_says_and_instructions_come_first() {
    let chat = chat(
        json!({"input": "Hello", "instructions": "Be brief.", "max_output_tokens": 9, "store": true, "temperature": 0}),
    );
    let messages = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]);
    assert_eq!(chat, json!({"max_completion_tokens": 9, "temperature": 0, "messages": messages}));
}

#[test]
fn items_of_the_model_that_follow_each_other_are_one_message() {
    let call = json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"});
    let input = json!([
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Wait."}]},
        call, {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{\"a\":1}"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "message", "role": "assistant", "content": "A"},
        {"type": "message", "role": "assistant", "content": "B"},
    ]);
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let expected = json!([
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"reasoning_content": "hm", "content": [{"type": "output_text", "text": "Wait."}],
         "tool_calls": [call("c1", "f", "{}"), call("c2", "g", "{\"a\":1}")], "role": "assistant"},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"content": "A", "role": "assistant"},
        {"content": "B", "role": "assistant"},
    ]);
    assert_eq!(chat(json!({"input": input}))["messages"], expected);
}

#[test]
fn formats_and_tools_have_the_form_of_a_chat_and_keep_their_spelling() {
    let body = br#"{"input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"b":1.0,"a":1e2}}},
        "tools":[{"type":"function","name":"f","parameters":{"z":1.0},"strict":true}],
        "tool_choice":{"type":"function","name":"f"},"reasoning":{"effort":"low"}}"#;
    let chat = translate(body).unwrap().chat;
    for part in [
        r#""response_format":{"type":"json_schema","name":"n","schema":{"b":1.0,"a":1e2}}"#,
        r#""tools":[{"type":"function","function":{"name":"f","parameters":{"z":1.0},"strict":true}}]"#,
        r#""tool_choice":{"type":"function","function":{"name":"f"}}"#,
        r#""reasoning_effort":"low""#,
    ] {
        assert!(chat.contains(part), "{part} in {chat}");
    }
}

#[test]
fn what_needs_stored_responses_or_other_tools_is_refused() {
    for (body, param) in [
        (json!({}), "input"),
        (json!({"input": "x", "previous_response_id": "resp_1"}), "previous_response_id"),
        (json!({"input": "x", "background": true}), "background"),
        (json!({"input": "x", "prompt": {"id": "p"}}), "prompt"),
        (json!({"input": [{"type": "item_reference", "id": "i"}]}), "input[0]"),
        (json!({"input": [{"type": "computer_call"}]}), "input[0].type"),
        (json!({"input": [{"type": "function_call", "name": "f"}]}), "input[0].call_id"),
        (json!({"input": "x", "tools": [{"type": "web_search"}]}), "tools[0].type"),
        (json!({"input": "x", "include": ["file_search_call.results"]}), "include[0]"),
        (json!({"input": "x", "max_tokens": 3}), "max_tokens"),
        (json!({"input": "x", "text": {"fromat": {}}}), "text.fromat"),
    ] {
        let refusal = translate(body.to_string().as_bytes()).expect_err(&body.to_string());
        assert_eq!(refusal.param.as_deref(), Some(param), "{refusal}");
    }
}

#[test]
fn the_events_of_each_item_come_in_their_order_and_end_with_the_item() {
    let mut output = Output::new("1");
    let mut events = Vec::new();
    for delta in [
        Delta::Reasoning("hm".to_owned()),
        Delta::Content("Pa".to_owned()),
        Delta::Content("ris".to_owned()),
        Delta::Call { index: 0, id: "call_1".to_owned(), name: "f".to_owned() },
        Delta::Arguments { index: 0, json: "{}".to_owned() },
    ] {
        events.extend(output.push(delta, Vec::new()));
    }
    events.extend(output.close());
    let kinds: Vec<&str> = events.iter().map(|(kind, _)| kind.strip_prefix("response.").unwrap()).collect();
    let expected = [
        "output_item.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ];
    assert_eq!(kinds, expected);
    let done: Vec<&Value> = events
        .iter()
        .filter(|(kind, _)| *kind == "response.output_item.done")
        .map(|(_, event)| &event["item"])
        .collect();
    assert_eq!(Value::from(output.json("completed")), json!(done));
    assert_eq!(done[1]["content"][0]["text"], "Paris");
    assert_eq!((&done[2]["call_id"], &done[2]["arguments"]), (&json!("call_1"), &json!("{}")));
    let indices: Vec<u64> = events.iter().map(|(_, event)| event["output_index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2]);
}
