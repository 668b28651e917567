//! `POST /v1/responses`.

use jig_tests::{Client, Server};
use serde_json::{Value, json};

const PATH: &str = "/v1/responses";

/// The events of a stream: each has its kind as its name, and the next number.
fn events(client: &Client, body: &Value) -> Vec<Value> {
    let answer = client.request("POST", PATH, &[], &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut events = Vec::new();
    for frame in answer.body.split_terminator("\n\n") {
        let (kind, data) = frame.split_once('\n').expect("two lines");
        let event: Value = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
        assert_eq!(
            (kind.strip_prefix("event: "), &event["sequence_number"]),
            (event["type"].as_str(), &json!(events.len()))
        );
        events.push(event);
    }
    events
}

fn text(response: &Value) -> &str {
    response["output"][0]["content"][0]["text"].as_str().unwrap()
}

#[test]
fn a_response_has_the_form_of_openai_whole_and_streamed() {
    let server = Server::demo();
    let client = server.client();
    let mut body = json!({"input": "What is the capital of France?", "instructions": "Be brief.", "max_output_tokens": 12,
        "temperature": 0, "metadata": {"a": "b"}, "store": false});
    let whole = client.post(PATH, &body.to_string()).body;
    assert_eq!(
        (&whole["object"], &whole["model"], &whole["metadata"]),
        (&json!("response"), &json!("demo"), &json!({"a": "b"}))
    );
    assert!(["completed", "incomplete"].contains(&whole["status"].as_str().unwrap()));
    let usage = &whole["usage"];
    assert_eq!(
        usage["total_tokens"].as_u64().unwrap(),
        usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap()
    );

    body["stream"] = json!(true);
    let events = events(&client, &body);
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds[..4],
        ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    );
    let deltas = events.iter().filter(|event| event["type"] == "response.output_text.delta");
    let joined: String = deltas.map(|event| event["delta"].as_str().unwrap()).collect();
    let last = &events.last().unwrap()["response"];
    assert_eq!((joined.as_str(), text(last), text(&whole)), (text(&whole), text(&whole), joined.as_str()));
    assert_eq!((&last["status"], &last["usage"]), (&whole["status"], &whole["usage"]));
}

#[test]
fn a_format_is_kept_and_too_few_tokens_make_a_free_text_incomplete() {
    let server = Server::demo();
    let client = server.client();
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false});
    let format = json!({"format": {"type": "json_schema", "name": "x", "schema": schema, "strict": true}});
    let response = client.post(PATH, &json!({"input": "A record: ", "text": format}).to_string()).body;
    assert!(serde_json::from_str::<Value>(text(&response)).unwrap()["n"].is_i64(), "{response}");
    assert_eq!((&response["status"], &response["text"]), (&json!("completed"), &format));
    let response =
        client.post(PATH, &json!({"input": "A story: ", "max_output_tokens": 1, "ignore_eos": true}).to_string()).body;
    assert_eq!(
        (&response["status"], &response["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    for (body, param) in [
        (json!({"input": "x", "text": {"format": {"type": "json_schema", "name": "x"}}}), "text.format.json_schema"),
        (json!({"input": "x", "previous_response_id": "resp_1"}), "previous_response_id"),
        (json!({"input": "one two ".repeat(600)}), "input"),
    ] {
        let answer = client.post(PATH, &body.to_string());
        assert_eq!((answer.status, &answer.body["error"]["param"]), (400, &json!(param)), "{}", answer.body);
    }
}
