//! What vLLM has beside the API of OpenAI.

use jig_tests::{Client, Server};
use serde_json::{Value, json};

use crate::{CHAT, answered, conversation};

/// The prompt opens the thoughts, or leaves it to the model, as a variable has it.
const TEMPLATE: &str = "{{ messages[-1].content }}:{% if opens %}<think>\n{% endif %}{% if tools %}{% endif %}{# <tool_call> \"arguments\" </think> #}";

fn body(fields: Value) -> Value {
    conversation("What is the capital of France?", fields)
}

fn ask(client: &Client, fields: Value) -> Value {
    answered(client, &body(fields))
}

#[test]
fn thoughts_end_at_their_budget_and_the_answer_follows() {
    let server = Server::demo_with(&["--chat-template", TEMPLATE]);
    let client = server.client();
    let end = client.post("/tokenize", &json!({"prompt": "</think>", "add_special_tokens": false}).to_string());
    let end = end.body["count"].as_u64().unwrap();
    let tool = json!({"type": "function", "function": {"name": "clock"}});
    let thoughts = |answer: &Value| answer["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap();
    for fields in [
        json!({"max_tokens": 90, "ignore_eos": true}),
        json!({"guided_regex": "[a-z]{4}"}),
        json!({"tools": [tool], "tool_choice": "required", "parallel_tool_calls": false}),
    ] {
        for budget in [0, 8, 20, 40] {
            let mut fields = fields.clone();
            (fields["thinking_token_budget"], fields["chat_template_kwargs"]) = (json!(budget), json!({"opens": true}));
            (fields["seed"], fields["temperature"]) = (json!(budget), json!(2));
            let answer = ask(&client, fields.clone());
            // Forced text may be of other tokens than the fewest that there are.
            assert!(thoughts(&answer) <= budget + 2 * end, "{fields}: {answer}");
            let message = &answer["choices"][0]["message"];
            assert!(!message["reasoning_content"].as_str().unwrap_or_default().contains("think"), "{answer}");
            match (&fields["guided_regex"], &fields["tools"]) {
                (Value::String(_), _) => assert_eq!(message["content"].as_str().unwrap().len(), 4, "{answer}"),
                (_, Value::Array(_)) => assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{}", "{answer}"),
                _ => {
                    assert!(!message["content"].as_str().unwrap().is_empty(), "{answer}");
                    assert_eq!(answer["usage"]["completion_tokens"], 90, "the answer has the rest");
                }
            }
            assert_eq!(answer["choices"][0]["stop_reason"], Value::Null, "no limit of the answer has struck: {answer}");
        }
    }
    // A model that begins no thoughts has no budget for them.
    let open = ask(&client, json!({"thinking_token_budget": 0, "guided_choice": ["yes", "no"]}));
    assert!(["yes", "no"].contains(&open["choices"][0]["message"]["content"].as_str().unwrap()), "{open}");
}

#[test]
fn the_tokens_of_a_prompt_are_scored_as_vllm_scores_them() {
    let server = Server::demo();
    let client = server.client();
    let prompt = client.post("/v1/chat/completions/render", &body(json!({})).to_string()).body;
    let ids = prompt["prompt_token_ids"].as_array().unwrap();
    for top in [0, 3] {
        let answer = ask(&client, json!({"prompt_logprobs": top, "max_tokens": 1, "n": 2}));
        let scores = answer["prompt_logprobs"].as_array().unwrap();
        assert_eq!((scores.len(), &scores[0]), (ids.len(), &Value::Null));
        for (score, id) in scores.iter().zip(ids).skip(1) {
            let entries = score.as_object().unwrap();
            let own = &entries[&id.to_string()];
            assert!(own["logprob"].as_f64().unwrap() <= 0.0 && own["decoded_token"].is_string(), "{score}");
            assert!((top..=top + 1).contains(&entries.len()), "{score}");
            let mut ranks: Vec<u64> = entries.values().filter_map(|entry| entry["rank"].as_u64()).collect();
            ranks.sort_unstable();
            assert_eq!(ranks, (1..=top as u64).collect::<Vec<_>>(), "{score}");
        }
    }
    assert_eq!(ask(&client, json!({"max_tokens": 1})).get("prompt_logprobs"), None);
    let refused = client.post(CHAT, &body(json!({"prompt_logprobs": 1, "stream": true})).to_string());
    assert_eq!((refused.status, &refused.body["error"]["param"]), (400, &json!("prompt_logprobs")));
}

#[test]
fn messages_have_the_role_that_the_operator_wants() {
    let server = Server::demo_with(&["--response-role", "bot"]);
    let client = server.client();
    assert_eq!(ask(&client, json!({"max_tokens": 1}))["choices"][0]["message"]["role"], "bot");
    let chunks = client.events(CHAT, &body(json!({"max_tokens": 1, "stream": true})));
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "bot");
}

#[test]
fn one_path_takes_all_kinds_of_bodies_and_another_tells_the_load() {
    let server = Server::demo();
    let client = server.client();
    for (body, object) in [
        (body(json!({"max_tokens": 1})), "chat.completion"),
        (json!({"prompt": "Iron", "max_tokens": 1}), "text_completion"),
        (json!({"input": "Iron", "max_output_tokens": 1}), "response"),
    ] {
        let answer = client.post("/invocations", &body.to_string());
        assert_eq!((answer.status, &answer.body["object"]), (200, &json!(object)), "{}", answer.body);
    }
    let streamed = client.events("/invocations", &body(json!({"max_tokens": 1, "stream": true})));
    assert_eq!(streamed[0]["object"], "chat.completion.chunk");
    let refused = client.post("/invocations", r#"{"inputs": "x"}"#);
    assert_eq!((refused.status, &refused.body["error"]["code"]), (400, &json!("missing_required_parameter")));
    assert_eq!(client.get("/load").body, json!({"server_load": 0}));
}

#[test]
fn a_command_line_of_vllm_starts_a_server_with_a_warning_for_each_flag_that_does_nothing() {
    let server = Server::demo_with(&[
        "--trust-remote-code",
        "--structured-outputs-config",
        r#"{"backend": "xgrammar"}"#,
        "--tool-strict-level=1",
        "--enable-auto-tool-choice",
        "--tensor-parallel-size",
        "1",
    ]);
    ask(&server.client(), json!({"max_tokens": 1}));
    for flag in ["trust-remote-code", "structured-outputs-config", "tool-strict-level", "tensor-parallel-size"] {
        assert!(server.log().contains(&format!("--{flag}")), "{}", server.log());
    }
    let refused = jig_tests::jig().args(["--model", "demo", "--quantization", "awq"]).output().unwrap();
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && told.contains("--quantization") && told.contains("--dtype"), "{told}");
}

#[test]
fn ignored_fields_are_counted_by_name() {
    let server = Server::demo();
    let client = server.client();
    for fields in [json!({"frobnicate": 1, "max_tokens": 1}), json!({"frobnicate": 2, "a\"b": 3, "max_tokens": 1})] {
        ask(&client, fields);
    }
    let metrics = client.get("/metrics").body;
    for line in [
        "jig:ignored_fields_total{model_name=\"demo\",engine=\"0\",field=\"frobnicate\"} 2",
        "jig:ignored_fields_total{model_name=\"demo\",engine=\"0\",field=\"a\\\"b\"} 1",
    ] {
        assert!(metrics.as_str().unwrap().lines().any(|own| own == line), "{metrics}");
    }
}
