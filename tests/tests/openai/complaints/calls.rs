//! Complaints about calls of tools.

use jig_tests::{Client, Server};
use serde_json::{Value, json};

use super::{ask, calls, clock, content, is_valid, message, named, refused, streamed, tides, token, tool};
use crate::tools::joined;

fn with_tools(fields: Value) -> Value {
    let mut all = json!({"tools": [tides(), clock()], "seed": 3, "temperature": 2, "max_tokens": 150});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    all
}

/// A message: its content, the names and arguments of its calls, and the `finish_reason`.
type Said = (String, Vec<(String, String)>, String);

/// The answer as it comes whole and as a stream brings it.
fn both_ways(client: &Client, fields: &Value, n: usize) -> [Vec<Said>; 2] {
    let plain = |message: &Value, end: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let call = |call: &Value| (text(&call["function"]["name"]), text(&call["function"]["arguments"]));
        let calls = message["tool_calls"].as_array().map(|calls| calls.iter().map(call).collect());
        (text(&message["content"]), calls.unwrap_or_default(), text(end))
    };
    let whole = ask(client, fields.clone());
    let whole = whole["choices"].as_array().unwrap();
    let whole = whole.iter().map(|choice| plain(&choice["message"], &choice["finish_reason"])).collect();
    let chunks = streamed(client, fields.clone());
    [whole, joined(&chunks, n).iter().map(|(message, end)| plain(message, end)).collect()]
}

#[test]
fn a_response_format_and_tools_leave_both_the_call_and_the_json_reachable() {
    let server = Server::demo();
    let client = server.client();
    let schema = json!({"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    for (first, is_call) in [("<", true), ("{", false)] {
        let bias = json!({token(&client, first): 100});
        let answer = ask(&client, with_tools(json!({"response_format": format, "logit_bias": bias})));
        let calls = calls(message(&answer));
        assert_eq!((calls.is_empty(), calls.iter().all(is_valid)), (!is_call, true), "{answer}");
        if !is_call {
            assert!(serde_json::from_str::<Value>(content(&answer)).unwrap()["a"].is_boolean());
        }
    }
}

#[test]
fn calls_of_auto_are_valid_whether_strict_or_not() {
    let server = Server::demo();
    let client = server.client();
    let bias = json!({token(&client, "<"): 100});
    let mut count = 0;
    for strict in [json!(null), json!(false), json!(true)] {
        let mut tool = tides();
        tool["function"]["strict"] = strict;
        for seed in 0..6 {
            let fields = json!({"tools": [tool, clock()], "seed": seed, "logit_bias": bias, "response_format": {"type": "json_object"}});
            let calls = calls(message(&ask(&client, with_tools(fields))));
            assert!(!calls.is_empty() && calls.iter().all(is_valid), "{calls:?}");
            count += 1;
        }
    }
    assert_eq!(count, 18);
}

#[test]
fn required_brings_calls_and_tool_calls_ends_messages_with_calls_alone() {
    let server = Server::demo();
    let client = server.client();
    for seed in 0..8 {
        let answer = ask(&client, with_tools(json!({"tool_choice": "required", "seed": seed})));
        let choice = &answer["choices"][0];
        assert!(!calls(&choice["message"]).is_empty() && choice["message"]["content"].is_null(), "{choice}");
        assert!(["tool_calls", "length"].contains(&choice["finish_reason"].as_str().unwrap()), "{choice}");
        let answer = ask(&client, with_tools(json!({"tool_choice": "auto", "seed": seed, "max_tokens": 20})));
        let choice = &answer["choices"][0];
        assert_eq!(calls(&choice["message"]).is_empty(), choice["finish_reason"] != "tool_calls", "{choice}");
    }
}

#[test]
fn a_hundred_tools_are_no_obstacle() {
    let server = Server::demo_with(&[
        "--chat-template",
        "{% if tools %}{% endif %}{{ messages[-1].content }}:{# <tool_call> \"arguments\" #}",
    ]);
    let client = server.client();
    let one = |number: usize| {
        let properties =
            json!({format!("key_{number}"): {"type": "string", "maxLength": 8}, "unit": {"enum": ["km", "mi"]}});
        tool(&format!("tool_{number}"), json!({"type": "object", "properties": properties, "required": ["unit"]}))
    };
    let tools: Vec<Value> = (0..100).map(one).collect();
    let only = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named("tool_99")]}});
    for choice in [json!("required"), only.clone()] {
        let fields = json!({"tools": tools, "tool_choice": choice, "temperature": 2, "max_tokens": 200, "seed": 5});
        for (name, arguments) in calls(message(&ask(&client, fields))) {
            let number = name.strip_prefix("tool_").unwrap();
            assert!(["km", "mi"].contains(&arguments["unit"].as_str().unwrap()), "{arguments}");
            let keys = arguments.as_object().unwrap().keys();
            assert!(keys.clone().all(|key| key == "unit" || key == &format!("key_{number}")), "{arguments}");
            assert!(choice != only || number == "99");
        }
    }
}

#[test]
fn auto_with_tools_answers_a_greeting_by_text() {
    let server = Server::demo();
    let client = server.client();
    let messages = json!([{"role": "user", "content": "Hello"}]);
    let answer = ask(&client, with_tools(json!({"messages": messages, "temperature": 0, "max_tokens": 12})));
    assert!(calls(message(&answer)).is_empty() && !content(&answer).is_empty(), "{answer}");
}

#[test]
fn the_finish_reason_is_the_same_streamed_and_whole() {
    let server = Server::demo();
    let client = server.client();
    let mut ends = Vec::new();
    for fields in [
        json!({"tool_choice": named("clock")}),
        json!({"tool_choice": "required", "tools": [clock()], "parallel_tool_calls": false}),
        json!({"tool_choice": "required", "max_tokens": 50}),
        json!({"tool_choice": "auto", "max_tokens": 5, "ignore_eos": true}),
        json!({"tool_choice": "none", "structured_outputs": {"choice": ["yes"]}}),
    ] {
        let [whole, streamed] = both_ways(&client, &with_tools(fields), 1);
        assert_eq!(whole, streamed);
        ends.push(whole[0].2.clone());
    }
    assert_eq!((&*ends[0], &*ends[1], &*ends[3], &*ends[4]), ("stop", "tool_calls", "length", "stop"));
    assert!(["tool_calls", "length"].contains(&&*ends[2]));
}

#[test]
fn a_call_fits_its_limit_and_a_broken_one_in_the_history_does_no_harm() {
    let server = Server::demo();
    let client = server.client();
    let error = refused(&client, with_tools(json!({"tool_choice": "required", "max_tokens": 2})));
    assert!(error["message"].as_str().unwrap().contains("at least"), "{error}");
    for most in (36..=60).step_by(3) {
        let answer = ask(&client, with_tools(json!({"tool_choice": "required", "max_tokens": most, "seed": most})));
        let calls = calls(message(&answer));
        assert!(!calls.is_empty() && calls.iter().all(is_valid), "{calls:?}");
        assert!(answer["usage"]["completion_tokens"].as_u64().unwrap() <= most);
    }
    for arguments in ["{\"harbour\": \"W", "{\"harbour\": }", "harbour", ""] {
        let call = json!({"id": "call_1", "type": "function", "function": {"name": "tides", "arguments": arguments}});
        let messages = json!([{"role": "user", "content": "When?"}, {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "failed"}]);
        ask(&client, with_tools(json!({"messages": messages, "max_tokens": 3})));
    }
}

#[test]
fn fragments_of_arguments_add_up_to_the_arguments() {
    let server = Server::demo();
    let client = server.client();
    let mut count = 0;
    for seed in 0..12 {
        let fields = with_tools(json!({"tool_choice": "required", "seed": seed, "forced_text": seed % 2 == 0}));
        let [whole, streamed] = both_ways(&client, &fields, 1);
        assert_eq!(whole, streamed);
        for (name, arguments) in &whole[0].1 {
            assert!(is_valid(&(name.clone(), serde_json::from_str(arguments).unwrap())), "{arguments}");
            count += 1;
        }
    }
    assert!(count >= 12);
}

#[test]
fn a_tool_without_parameters_gets_an_empty_object_in_a_stream() {
    let server = Server::demo();
    for parameters in [Value::Null, json!({}), json!({"type": "object", "properties": {}})] {
        let fields = json!({"tools": [tool("clock", parameters)], "tool_choice": named("clock")});
        let chunks = streamed(&server.client(), fields);
        let (message, _) = &joined(&chunks, 1)[0];
        assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{}");
    }
}

#[test]
fn a_call_that_comes_in_one_step_is_not_lost() {
    let server = Server::demo();
    let client = server.client();
    // Nothing of it is left to choose, so that all of it comes at once; with a stop string that stands in it, too.
    let schema = json!({"type": "object", "properties": {"harbour": {"const": "Wyk"}}, "required": ["harbour"]});
    for stop in [Value::Null, json!(["Wyk", "tool"])] {
        let fields = json!({"tools": [tool("tides", schema.clone())], "tool_choice": named("tides"), "stop": stop, "whitespace": null});
        let [whole, streamed] = both_ways(&client, &fields, 1);
        assert_eq!(whole, streamed);
        let (name, arguments) = &whole[0].1[0];
        assert_eq!(
            (name.as_str(), serde_json::from_str::<Value>(arguments).unwrap()),
            ("tides", json!({"harbour": "Wyk"}))
        );
    }
}

#[test]
fn choices_of_a_stream_do_not_mix_their_calls() {
    let server = Server::demo();
    let client = server.client();
    let [whole, streamed] = both_ways(&client, &with_tools(json!({"tool_choice": "required", "n": 4})), 4);
    assert_eq!(whole, streamed);
    let different: std::collections::HashSet<String> = whole.iter().map(|choice| format!("{:?}", choice.1)).collect();
    assert!(different.len() > 1, "the choices differ, so that mixing them would show");
}

#[test]
fn one_call_at_most_where_calls_are_not_parallel() {
    let server = Server::demo();
    let client = server.client();
    let mut most = 0;
    for seed in 0..10 {
        let fields = json!({"tool_choice": "required", "seed": seed, "max_tokens": 300, "tools": [clock()]});
        let count = |parallel: bool| {
            let mut fields = fields.clone();
            fields["parallel_tool_calls"] = json!(parallel);
            calls(message(&ask(&client, with_tools(fields)))).len()
        };
        assert_eq!(count(false), 1);
        most = most.max(count(true));
    }
    assert!(most > 1, "several calls are possible");
}

#[test]
fn text_before_a_call_is_whole_in_a_stream() {
    let server = Server::demo();
    let client = server.client();
    let text = "Let me see the tides & times:";
    let format = json!({"type": "structural_tag", "format": {"type": "sequence", "elements": [
        {"type": "const_string", "value": text},
        {"type": "const_string", "value": "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>"},
    ]}});
    let fields = json!({"tools": [clock()], "response_format": format, "tool_choice": "auto"});
    let [whole, streamed] = both_ways(&client, &fields, 1);
    assert_eq!(whole, streamed);
    assert_eq!(whole[0], (text.to_owned(), vec![("clock".to_owned(), "{}".to_owned())], "tool_calls".to_owned()));
}

#[test]
fn tags_in_prose_are_prose_where_no_tools_are_given() {
    let server = Server::demo();
    for text in
        ["Write <tool_call> so", "<think>x</think>", "<tool_call>\n{\"name\": \"a\", \"arguments\": {}}\n</tool_call>"]
    {
        for tools in [Value::Null, json!([])] {
            let fields = json!({"tools": tools, "structured_outputs": {"choice": [text]}});
            let answer = ask(&server.client(), fields);
            assert_eq!((content(&answer), &answer["choices"][0]["finish_reason"]), (text, &json!("stop")));
        }
    }
}

#[test]
fn arguments_are_a_text_and_objects_are_taken_back() {
    let server = Server::demo();
    let client = server.client();
    let answer = ask(&client, with_tools(json!({"tool_choice": named("tides")})));
    let call = &message(&answer)["tool_calls"][0];
    assert!(call["function"]["arguments"].is_string());
    let mut object = call.clone();
    object["function"]["arguments"] = json!({"harbour": "Wyk"});
    let messages = json!([{"role": "user", "content": "When?"}, {"role": "assistant", "tool_calls": [object]},
        {"role": "tool", "tool_call_id": call["id"], "content": "04:01"}]);
    let prompt = super::rendered(&client, json!({"messages": messages}));
    assert!(prompt["prompt"].as_str().unwrap().contains(r#""arguments": {"harbour": "Wyk"}"#), "{prompt}");
}

#[test]
fn what_looks_like_a_call_and_is_none_is_content() {
    // No guide holds the text to the form of calls where a format of the request's own holds it to another.
    for (parser, text) in [
        ("lfm2", "<|tool_call_start|>nothing"),
        ("hermes", "<tool_call>{\"name\": 5}</tool_call>"),
        ("hermes", "<tool_call>"),
        ("llama3_json", "{\"name\": [1]}"),
        ("qwen3_coder", "<tool_call>\n<function="),
        ("mistral", "[TOOL_CALLS]oh"),
    ] {
        let flags =
            ["--tool-call-parser", parser, "--chat-template", "{{ messages[-1].content }}{% if tools %}{% endif %}:"];
        let server = Server::demo_with(&flags);
        let format = json!({"type": "structural_tag", "format": {"type": "const_string", "value": text}});
        for seed in 0..4 {
            let fields = json!({"tools": [tides()], "response_format": format, "seed": seed, "temperature": 2, "max_tokens": 100});
            let answer = ask(&server.client(), fields.clone());
            let chunks = streamed(&server.client(), fields);
            let (streamed, end) = &joined(&chunks, 1)[0];
            assert_eq!(end, &answer["choices"][0]["finish_reason"]);
            let called = calls(message(&answer)).len();
            assert_eq!(called, streamed["tool_calls"].as_array().unwrap().len());
            // A guided call is one; the text of the format is none, unless there is a name and an open bracket in it.
            if called == 0 {
                assert_eq!((content(&answer), streamed["content"].as_str()), (text, Some(text)), "{parser}");
            }
        }
    }
}
