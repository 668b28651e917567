//! `POST /v1/chat/completions`.

use std::io::Write;
use std::net::TcpStream;

use jig_tests::{Client, Server};
use serde_json::{Value, json};

use crate::{CHAT, answered, conversation};

fn body(fields: Value) -> Value {
    conversation("What is the capital of France?", fields)
}

fn ask(client: &Client, fields: Value) -> Value {
    answered(client, &body(fields))
}

fn content(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().unwrap()
}

#[test]
fn a_conversation_is_answered_in_the_form_of_openai() {
    let server = Server::demo();
    let client = server.client();
    let answer = ask(&client, json!({"temperature": 0, "max_tokens": 8}));
    assert_eq!((&answer["object"], &answer["model"]), (&json!("chat.completion"), &json!("demo")));
    assert!(answer["id"].as_str().unwrap().starts_with("chatcmpl-") && answer["system_fingerprint"].is_string());
    let choice = &answer["choices"][0];
    let message = choice["message"].as_object().unwrap();
    assert_eq!((&message["role"], &message["refusal"]), (&json!("assistant"), &Value::Null));
    assert!(message["content"].is_string() && !message.contains_key("tool_calls"));
    assert_eq!((choice["index"].clone(), choice.get("logprobs")), (json!(0), Some(&Value::Null)));
    assert!(["stop", "length"].contains(&choice["finish_reason"].as_str().unwrap()));
    let usage = &answer["usage"];
    let rendered = client.post("/v1/chat/completions/render", &body(json!({})).to_string()).body;
    assert_eq!(usage["prompt_tokens"], rendered["prompt_token_ids"].as_array().unwrap().len());
    assert!(rendered["prompt"].as_str().unwrap().contains("What is the capital of France?"));
    // A limit far beyond the context is none.
    ask(&client, json!({"max_tokens": 32_000, "stop": ["."], "seed": 1}));
}

#[test]
fn a_stream_has_the_chunks_in_the_order_that_clients_expect() {
    let server = Server::demo();
    let client = server.client();
    let fields = json!({"n": 3, "seed": 7, "max_tokens": 20, "logprobs": true, "top_logprobs": 2});
    let whole = ask(&client, fields.clone());
    let mut streamed = body(fields);
    streamed["stream"] = json!(true);
    streamed["stream_options"] = json!({"include_usage": true});
    let mut chunks = client.events(CHAT, &streamed);
    for (index, chunk) in chunks[..3].iter().enumerate() {
        let expected = json!([{"index": index, "delta": {"role": "assistant", "content": ""}, "logprobs": null, "finish_reason": null}]);
        assert_eq!(chunk["choices"], expected);
    }
    let last = chunks.pop().unwrap();
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &whole["usage"]));
    let mut texts = vec![String::new(); 3];
    let mut logprobs = vec![Vec::new(); 3];
    let mut ends = vec![Value::Null; 3];
    for chunk in &chunks[3..] {
        assert_eq!((&chunk["id"], &chunk["created"], &chunk["usage"]), (&last["id"], &last["created"], &Value::Null));
        let [choice] = chunk["choices"].as_array().unwrap().as_slice() else { panic!("{chunk}") };
        let index = choice["index"].as_u64().unwrap() as usize;
        assert_eq!(ends[index], Value::Null, "nothing follows the end");
        assert_eq!(choice["delta"].get("role"), None);
        texts[index].push_str(choice["delta"]["content"].as_str().unwrap_or_default());
        logprobs[index].extend(choice["logprobs"]["content"].as_array().unwrap().iter().cloned());
        if !choice["finish_reason"].is_null() {
            assert_eq!(choice["delta"], json!({}));
            ends[index] = choice["finish_reason"].clone();
        }
    }
    for index in 0..3 {
        let choice = &whole["choices"][index];
        assert_eq!(
            (texts[index].as_str(), &ends[index]),
            (choice["message"]["content"].as_str().unwrap(), &choice["finish_reason"])
        );
        assert_eq!(&Value::from(logprobs[index].clone()), &choice["logprobs"]["content"]);
    }
    let plain = client.events(CHAT, &body(json!({"stream": true, "max_tokens": 3})));
    assert!(plain.iter().all(|chunk| chunk.get("usage").is_none()));
    let running = json!({"stream": true, "max_tokens": 3, "stream_options": {"include_usage": true, "continuous_usage_stats": true}});
    assert!(client.events(CHAT, &body(running)).iter().all(|chunk| chunk["usage"]["total_tokens"].is_u64()));
}

#[test]
fn the_bytes_of_all_log_probabilities_are_the_content() {
    let server = Server::demo();
    let client = server.client();
    for seed in 0..12 {
        let answer = ask(
            &client,
            json!({"logprobs": true, "top_logprobs": 5, "seed": seed, "temperature": 2, "max_tokens": 40,
            "guided_regex": "[a-zé€😀 ]{5,40}", "stop": ["e"]}),
        );
        let entries = answer["choices"][0]["logprobs"]["content"].as_array().unwrap();
        let bytes: Vec<u8> = entries
            .iter()
            .flat_map(|entry| entry["bytes"].as_array().unwrap())
            .map(|byte| byte.as_u64().unwrap() as u8)
            .collect();
        let text = content(&answer);
        // A token through which a stop string cuts has all its bytes.
        assert!(bytes.starts_with(text.as_bytes()) && bytes.len() < text.len() + 16, "{text:?}: {bytes:?}");
        assert!(entries.iter().all(|entry| entry["top_logprobs"].as_array().unwrap().len() == 5));
        if answer["choices"][0]["stop_reason"].is_null() {
            assert_eq!(bytes, text.as_bytes());
        }
    }
}

#[test]
fn a_guided_answer_is_whole_in_every_spelling() {
    let server = Server::demo();
    let client = server.client();
    let schema = json!({"type": "object", "properties": {"capital": {"type": "string", "maxLength": 20}}, "required": ["capital"],
        "additionalProperties": false});
    for (fields, is_json) in [
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": true, "schema": schema}}}),
            true,
        ),
        (json!({"response_format": {"type": "json_object", "schema": schema}}), true),
        (json!({"structured_outputs": {"json": schema}}), true),
        (json!({"guided_json": schema.to_string()}), true),
        (json!({"response_format": {"type": "json_object"}, "max_tokens": 40}), true),
        (json!({"guided_regex": "[A-Z][a-z]{2,8}"}), false),
        (json!({"structured_outputs": {"choice": ["Paris", "Rome"]}}), false),
    ] {
        let answer = ask(&client, fields.clone());
        let text = content(&answer);
        assert_eq!(
            serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object()),
            is_json,
            "{fields}: {text}"
        );
        assert_eq!(answer["choices"][0]["finish_reason"], "stop", "{fields}");
    }
    let answer =
        client.post(CHAT, &body(json!({"response_format": {"type": "json_object"}, "guided_regex": "a"})).to_string());
    assert_eq!((answer.status, &answer.body["error"]["param"]), (400, &json!("guided_regex")), "{}", answer.body);
}

#[test]
fn a_message_can_be_continued() {
    let server = Server::demo();
    let client = server.client();
    let messages = json!([{"role": "user", "content": "What is the capital of France?"}, {"role": "assistant", "content": "It is"}]);
    let fields = json!({"messages": messages, "continue_final_message": true, "add_generation_prompt": false, "max_tokens": 5, "seed": 1});
    let new = ask(&client, fields.clone());
    let mut echoed = fields;
    echoed["echo"] = json!(true);
    assert_eq!(content(&ask(&client, echoed)), format!("It is{}", content(&new)));
}

#[test]
fn what_is_wrong_with_a_conversation_is_told() {
    let server = Server::demo();
    let client = server.client();
    for (fields, param, code) in [
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}),
            "messages[0].content[0]",
            "",
        ),
        (
            json!({"messages": [{"role": "user", "content": "one two ".repeat(600)}]}),
            "messages",
            "context_length_exceeded",
        ),
        (json!({"chat_template": "x"}), "chat_template", "invalid_value"),
        (json!({"chat_template_kwargs": {"messages": []}}), "chat_template_kwargs.messages", "invalid_value"),
        (json!({"tool_choice": "required"}), "tool_choice", "invalid_value"),
    ] {
        let answer = client.post(CHAT, &body(fields.clone()).to_string());
        let error = &answer.body["error"];
        assert_eq!(answer.status, 400, "{fields}");
        assert!(error["param"].as_str().unwrap().starts_with(param), "{fields}: {error}");
        assert!(code.is_empty() || error["code"] == code, "{error}");
    }
    let trusting = Server::demo_with(&["--trust-request-chat-template"]);
    let rendered = trusting
        .client()
        .post("/v1/chat/completions/render", &body(json!({"chat_template": "{{ messages[0].content }}!"})).to_string())
        .body;
    assert_eq!(rendered["prompt"], "What is the capital of France?!");
}

/// Starts a request, and closes the connection when the request runs.
fn leave(server: &Server, body: &Value) {
    let host = server.address().strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    let body = body.to_string();
    write!(socket, "POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    while server.client().metric("vllm:num_requests_running") < 1.0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_client_that_leaves_ends_its_request_streamed_or_not() {
    let server = Server::demo_with(&["--max-num-seqs", "1"]);
    for stream in [true, false] {
        leave(&server, &body(json!({"guided_regex": "[a-z]{400}", "n": 8, "stream": stream})));
        ask(&server.client(), json!({"max_tokens": 2}));
    }
    assert_eq!(server.client().metric("jig:requests_cancelled_total"), 2.0);
}
