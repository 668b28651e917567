//! Tools in `POST /v1/chat/completions`.

use jig_tests::{Client, Server};
use serde_json::{Value, json};

use crate::{CHAT, answered, conversation};

fn tides() -> Value {
    json!({"type": "function", "function": {"name": "tides", "description": "Tides of a harbour", "strict": true, "parameters": {
        "type": "object",
        "properties": {"harbour": {"type": "string", "maxLength": 12}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
        "required": ["harbour"],
    }}})
}

fn clock() -> Value {
    json!({"type": "function", "function": {"name": "clock"}})
}

fn body(fields: Value) -> Value {
    let mut body = conversation("When is high tide?", json!({"tools": [tides(), clock()], "seed": 3}));
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

fn ask(client: &Client, fields: Value) -> Value {
    answered(client, &body(fields))
}

/// The calls of a message: names and arguments, which are checked.
fn calls(message: &Value) -> Vec<(String, Value)> {
    let read = |call: &Value| {
        assert_eq!(call["type"], "function");
        assert!(call["id"].as_str().unwrap().starts_with("call_"));
        let name = call["function"]["name"].as_str().unwrap().to_owned();
        let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        match name.as_str() {
            "clock" => assert_eq!(arguments, json!({})),
            _ => {
                assert!(arguments["harbour"].as_str().unwrap().chars().count() <= 12, "{arguments}");
                let days = arguments.get("days").map(|days| days.as_i64().unwrap());
                assert!(days.is_none_or(|days| (1..=9).contains(&days)), "{arguments}");
                assert!(arguments.as_object().unwrap().keys().all(|key| ["harbour", "days"].contains(&key.as_str())));
            }
        }
        (name, arguments)
    };
    message["tool_calls"].as_array().map(|calls| calls.iter().map(read).collect()).unwrap_or_default()
}

/// The messages and ends of the choices of a stream, put together as clients do it.
pub(crate) fn joined(chunks: &[Value], n: usize) -> Vec<(Value, Value)> {
    let mut choices = vec![(json!({"content": "", "tool_calls": []}), Value::Null); n];
    for choice in chunks.iter().flat_map(|chunk| chunk["choices"].as_array().unwrap()) {
        let (message, end) = &mut choices[choice["index"].as_u64().unwrap() as usize];
        let delta = &choice["delta"];
        assert!(delta["content"].as_str().is_none_or(str::is_empty) || delta.get("tool_calls").is_none(), "{delta}");
        if let Some(text) = delta["content"].as_str() {
            message["content"] = (message["content"].as_str().unwrap().to_owned() + text).into();
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let calls = message["tool_calls"].as_array_mut().unwrap();
            let index = call["index"].as_u64().unwrap() as usize;
            if index == calls.len() {
                assert!(
                    call["id"].is_string() && call["type"] == "function" && call["function"]["arguments"] == "",
                    "{call}"
                );
                calls.push(call.clone());
                continue;
            }
            assert_eq!(index + 1, calls.len());
            assert!(call.get("id").is_none() && call["function"].get("name").is_none(), "an id and a name come once");
            let so_far = calls[index]["function"]["arguments"].as_str().unwrap().to_owned();
            calls[index]["function"]["arguments"] = (so_far + call["function"]["arguments"].as_str().unwrap()).into();
        }
        if !choice["finish_reason"].is_null() {
            assert!(end.is_null(), "a choice ends once");
            *end = choice["finish_reason"].clone();
        }
    }
    choices
}

#[test]
fn required_calls_are_made_with_valid_arguments_and_finish_as_such() {
    let server = Server::demo();
    let client = server.client();
    for seed in 0..8 {
        let answer =
            ask(&client, json!({"tool_choice": "required", "seed": seed, "temperature": 2, "max_tokens": 200}));
        let choice = &answer["choices"][0];
        assert!(!calls(&choice["message"]).is_empty(), "{choice}");
        assert_eq!(choice["message"]["content"], Value::Null);
        assert!(["tool_calls", "length"].contains(&choice["finish_reason"].as_str().unwrap()), "{choice}");
    }
}

#[test]
fn a_named_tool_is_called_once_and_the_choice_stops() {
    let server = Server::demo();
    let client = server.client();
    let named = json!({"type": "function", "function": {"name": "clock"}});
    let answer = ask(&client, json!({"tool_choice": named}));
    let choice = &answer["choices"][0];
    assert_eq!(calls(&choice["message"]), [("clock".to_owned(), json!({}))]);
    assert_eq!(choice["finish_reason"], "stop");
    let only = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named]}});
    let answer = ask(&client, json!({"tool_choice": only, "parallel_tool_calls": false}));
    assert_eq!(calls(&answer["choices"][0]["message"]), [("clock".to_owned(), json!({}))]);
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn the_fragments_of_a_stream_add_up_to_the_answer_and_choices_do_not_mix() {
    let server = Server::demo();
    let client = server.client();
    for choice in [json!("required"), json!("auto"), json!({"type": "function", "function": {"name": "tides"}})] {
        let fields = json!({"tool_choice": choice, "n": 3, "temperature": 2, "seed": 11, "max_tokens": 120});
        let whole = ask(&client, fields.clone());
        let mut streamed = body(fields);
        streamed["stream"] = json!(true);
        let chunks = client.events(CHAT, &streamed);
        for ((message, end), choice) in joined(&chunks, 3).iter().zip(whole["choices"].as_array().unwrap()) {
            assert_eq!(end, &choice["finish_reason"]);
            assert_eq!(calls(message), calls(&choice["message"]));
            assert_eq!(message["content"].as_str().unwrap(), choice["message"]["content"].as_str().unwrap_or_default());
        }
    }
}

#[test]
fn a_tool_without_parameters_gets_its_empty_object_in_a_stream() {
    let server = Server::demo();
    let client = server.client();
    let named = json!({"type": "function", "function": {"name": "clock"}});
    let chunks = client.events(CHAT, &body(json!({"tool_choice": named, "stream": true})));
    let (message, end) = &joined(&chunks, 1)[0];
    assert_eq!((message["tool_calls"][0]["function"]["arguments"].as_str(), end.as_str()), (Some("{}"), Some("stop")));
}

#[test]
fn calls_fit_the_limit_or_the_request_is_refused_with_what_they_need() {
    let server = Server::demo();
    let client = server.client();
    let refused = client.post(CHAT, &body(json!({"tool_choice": "required", "max_tokens": 2})).to_string());
    assert_eq!(refused.status, 400, "{}", refused.body);
    for most in [40, 45, 50, 60] {
        for (choice, least) in [("required", 1), ("auto", 0)] {
            let answer = ask(&client, json!({"tool_choice": choice, "max_tokens": most, "temperature": 2}));
            let choice = &answer["choices"][0];
            assert!(calls(&choice["message"]).len() >= least, "{choice}");
            assert!(answer["usage"]["completion_tokens"].as_u64().unwrap() <= most);
        }
    }
}

#[test]
fn calls_and_the_answer_of_a_response_format_can_both_be_reached() {
    let server = Server::demo();
    let client = server.client();
    let id = |text: &str| {
        let answer = client.post("/tokenize", &json!({"prompt": text, "add_special_tokens": false}).to_string());
        answer.body["tokens"].as_array().unwrap().last().unwrap().to_string()
    };
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {
        "type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": false}}});
    for (first, is_call) in [("<", true), ("{", false)] {
        let bias = json!({id(first): 100});
        let answer = ask(
            &client,
            json!({"response_format": format, "logit_bias": bias, "parallel_tool_calls": false, "max_tokens": 200}),
        );
        let message = &answer["choices"][0]["message"];
        assert_eq!(!calls(message).is_empty(), is_call, "{message}");
        if !is_call {
            let content: Value = serde_json::from_str(message["content"].as_str().unwrap()).unwrap();
            assert!(content["a"].is_boolean());
        }
    }
}

#[test]
fn no_call_is_written_where_none_is_wanted_and_no_tools_mean_no_calls() {
    let server = Server::demo();
    let client = server.client();
    for seed in 0..4 {
        let answer = ask(&client, json!({"tool_choice": "none", "seed": seed, "temperature": 2, "max_tokens": 60}));
        let message = &answer["choices"][0]["message"];
        assert!(
            calls(message).is_empty() && !message["content"].as_str().unwrap().contains("<tool_call>"),
            "{message}"
        );
    }
    // A text that looks like a call is a text where no tools were given.
    let answer = ask(&client, json!({"tools": null, "structured_outputs": {"regex": "<tool_call>x"}}));
    assert_eq!(answer["choices"][0]["message"]["content"], "<tool_call>x");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
}

#[test]
fn the_prompt_has_the_tools_in_the_clients_order_and_nothing_of_the_server() {
    let server = Server::demo();
    let client = server.client();
    let rendered = client.post("/v1/chat/completions/render", &body(json!({})).to_string()).body;
    let prompt = rendered["prompt"].as_str().unwrap();
    let expected = r#"{"type": "function", "function": {"name": "tides", "description": "Tides of a harbour", "parameters": {"type": "object", "properties": {"harbour""#;
    assert!(prompt.contains(expected), "{prompt}");
    assert!(!prompt.contains("strict") && !prompt.contains("additionalProperties"), "{prompt}");
}

#[test]
fn history_with_calls_and_even_with_broken_ones_is_taken() {
    let server = Server::demo();
    let client = server.client();
    for arguments in ["{\"harbour\": \"Wyk\"}", "{\"harbour\": \"W", ""] {
        let call = json!({"id": "call_1", "type": "function", "function": {"name": "tides", "arguments": arguments}, "index": 0});
        let messages = json!([
            {"role": "user", "content": "When is high tide?"},
            {"role": "assistant", "content": null, "tool_calls": [call], "refusal": null, "function_call": null},
            {"role": "tool", "tool_call_id": "call_1", "content": "04:01"},
        ]);
        ask(&client, json!({"messages": messages, "max_tokens": 4}));
    }
}

#[test]
fn what_no_guide_enforces_is_left_out_and_named_or_refused_where_it_is_strict() {
    let server = Server::demo();
    let client = server.client();
    let tool = |strict: bool| {
        json!({"type": "function", "function": {"name": "f", "strict": strict, "parameters": {
            "type": "object", "properties": {"a": {"type": "string", "maxLength": 3, "pattern": "^(x)\\1$"}}, "required": ["a"]}}})
    };
    let ask = |strict| {
        let body = body(json!({"tools": [tool(strict)], "tool_choice": "required", "parallel_tool_calls": false}));
        client.request("POST", CHAT, &[], &body.to_string())
    };
    let answer = ask(false);
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(answer.header("x-jig-relaxed"), "tools[0].function.parameters/properties/a/pattern");
    let answer = ask(true);
    let error = &answer.json()["error"];
    assert_eq!((answer.status, &error["code"]), (400, &json!("invalid_json_schema")), "{error}");
    assert_eq!(error["param"], "tools[0].function.parameters");
}

/// A template whose model writes its turn as messages in channels.
const CHANNELS: &str = "{{ messages[-1].content }}{% if tools %}{% endif %}<|start|>assistant{# <|channel|>analysis <|channel|>commentary #}";

#[test]
fn a_turn_in_channels_is_read_as_thoughts_a_call_or_an_answer() {
    let server = Server::demo_with(&["--chat-template", CHANNELS]);
    assert!(server.log().contains("tool calls: harmony; reasoning: harmony"), "{}", server.log());
    let client = server.client();
    let schema = json!({"type": "integer", "minimum": 10, "maximum": 99});
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    for seed in 0..4 {
        let common = json!({"seed": seed, "temperature": 2, "max_tokens": 200, "thinking_token_budget": 20});
        let with = |fields: Value| {
            let mut all = common.clone();
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            all
        };
        let fields = with(json!({"tool_choice": "required"}));
        let whole = ask(&client, fields.clone())["choices"][0].clone();
        assert_eq!((calls(&whole["message"]).len(), &whole["finish_reason"]), (1, &json!("tool_calls")), "{whole}");
        let mut streamed = body(fields);
        streamed["stream"] = json!(true);
        let (message, end) = &joined(&client.events(CHAT, &streamed), 1)[0];
        assert_eq!((calls(message), end), (calls(&whole["message"]), &whole["finish_reason"]));
        let answer = ask(&client, with(json!({"tools": null, "response_format": format})));
        let content = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!((10..100).contains(&content.parse::<i32>().unwrap()), "{answer}");
        let none = ask(&client, with(json!({"tool_choice": "none", "max_tokens": 60})));
        assert!(calls(&none["choices"][0]["message"]).is_empty(), "{none}");
    }
}
