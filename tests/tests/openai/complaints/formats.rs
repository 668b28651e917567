//! Complaints about schemas, regexes and the forms of output.

use jig_tests::Server;
use serde_json::{Value, json};

use super::{ask, calls, content, message, refused, token, tool};

#[test]
fn a_field_that_constrains_is_obeyed_or_refused_in_every_spelling() {
    let server = Server::demo();
    let client = server.client();
    let schema = json!({"type": "integer", "minimum": 10, "maximum": 99});
    for (fields, is_right) in [
        (
            json!({"guided_json": schema}),
            (|text: &str| (10..100).contains(&text.parse().unwrap_or(0))) as fn(&str) -> bool,
        ),
        (json!({"guided_regex": "[0-9]{3}-[a-f]"}), |text| text.len() == 5 && text.as_bytes()[3] == b'-'),
        (json!({"guided_choice": ["north", "south"]}), |text| ["north", "south"].contains(&text)),
        (json!({"guided_json_object": true, "max_tokens": 30}), |text| text.starts_with('{')),
        (json!({"structured_outputs": {"json": schema}}), |text| (10..100).contains(&text.parse().unwrap_or(0))),
        (json!({"structured_outputs": {"regex": "[0-9]{3}-[a-f]"}}), |text| text.as_bytes()[3] == b'-'),
        (json!({"regex": "[0-9]{3}-[a-f]"}), |text| text.as_bytes()[3] == b'-'),
        (json!({"json_schema": schema.to_string()}), |text| (10..100).contains(&text.parse().unwrap_or(0))),
    ] {
        let answer = ask(&client, fields.clone());
        assert!(is_right(content(&answer)), "{fields}: {answer}");
    }
    for (name, value) in [
        ("response_schema", schema.clone()),
        ("structured_output", json!({"json": schema})),
        ("guided_schema", schema.clone()),
        ("format", json!("json")),
        ("json_object", json!(true)),
        ("output_schema", schema.clone()),
        ("respose_format", json!({"type": "json_object"})),
        ("guided_jsn", schema),
        ("structural_tag", json!({})),
    ] {
        assert_eq!(refused(&client, json!({name: value}))["param"], name);
    }
}

#[test]
fn keywords_are_enforced_or_named_in_a_refusal() {
    let server = Server::demo();
    let client = server.client();
    let word = |text: &Value| {
        text.as_str().is_some_and(|text| (2..=4).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_lowercase()))
    };
    for seed in 0..4 {
        let schema = json!({"type": "object", "additionalProperties": false, "required": ["list", "word", "both", "seven", "set"], "properties": {
            "list": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 3},
            "word": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 4},
            "both": {"allOf": [{"type": "integer", "minimum": 3}, {"type": "integer", "maximum": 5}, {"not": {"const": 4}}]},
            "seven": {"type": "integer", "multipleOf": 7, "minimum": 1, "maximum": 50},
            "set": {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": true, "minItems": 3, "maxItems": 3},
        }});
        let answer = ask(&client, json!({"guided_json": schema, "seed": seed, "temperature": 2}));
        let value: Value = serde_json::from_str(content(&answer)).unwrap();
        assert!((2..=3).contains(&value["list"].as_array().unwrap().len()) && word(&value["word"]), "{value}");
        assert!(
            [3, 5].contains(&value["both"].as_i64().unwrap()) && value["seven"].as_i64().unwrap() % 7 == 0,
            "{value}"
        );
        let mut set: Vec<i64> = value["set"].as_array().unwrap().iter().map(|item| item.as_i64().unwrap()).collect();
        set.sort_unstable();
        assert_eq!(set, [1, 2, 3]);
        let compact =
            json!({"guided_json": {"type": "object"}, "guided_whitespace_pattern": "", "seed": seed, "max_tokens": 40});
        let text = ask(&client, compact);
        let value: Value = serde_json::from_str(content(&text)).unwrap();
        assert_eq!(value.to_string().len(), content(&text).len(), "no white space: {text}");
    }
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "^(x)\\1$"}}, "required": ["a"]});
    let error = refused(&client, json!({"guided_json": schema}));
    let text = error["message"].as_str().unwrap();
    assert!(text.contains("pattern") && text.contains("/properties/a"), "{text}");
    let error = refused(&client, json!({"guided_json": {}, "guided_whitespace_pattern": "x+"}));
    assert!(error["message"].as_str().unwrap().contains("`whitespace`"), "{error}");
}

#[test]
fn white_space_never_goes_on_and_on() {
    let server = Server::demo();
    let client = server.client();
    let bias = json!({token(&client, " "): 100, token(&client, "\n"): 100, token(&client, "\t"): 100});
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}}, "required": ["a", "b"],
        "additionalProperties": false});
    let answer = ask(&client, json!({"guided_json": schema, "logit_bias": bias, "seed": 1}));
    let text = content(&answer);
    assert!(serde_json::from_str::<Value>(text).is_ok() && !text.contains("  ") && !text.contains('\n'), "{text:?}");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let most = 60;
    let fields = json!({"response_format": {"type": "json_object"}, "whitespace": "any", "logit_bias": bias, "max_tokens": most});
    let answer = ask(&client, fields);
    assert!(serde_json::from_str::<Value>(content(&answer)).is_ok(), "{answer}");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
}

#[test]
fn what_can_not_be_compiled_is_refused_and_descriptions_are_no_grammar() {
    let server = Server::demo();
    let client = server.client();
    for fields in [
        json!({"guided_json": {"type": "strin"}}),
        json!({"guided_json": {"$ref": "#/$defs/nowhere"}}),
        json!({"guided_json": false}),
        json!({"guided_json": {"type": "object", "properties": {"a": false}, "required": ["a"]}}),
        json!({"guided_regex": "(a"}),
        json!({"guided_regex": "(a)\\1"}),
        json!({"guided_regex": "[^\\s\\S]"}),
    ] {
        assert_eq!(refused(&client, fields.clone())["code"], "invalid_json_schema", "{fields}");
    }
    let text = "root ::= \"x\" | [a-z]* \\u0000 \u{0} { ' ] (?P< 🙂 \n# %% <tool_call> </s>";
    let schema = json!({"title": text, "description": text, "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {"a": {"description": text, "type": "boolean", "default": text}}});
    let answer = ask(&client, json!({"guided_json": schema}));
    assert!(serde_json::from_str::<Value>(content(&answer)).unwrap()["a"].is_boolean());
    // Its prompt has to fit into the few tokens of the demo.
    let mut described = tool(
        "f",
        json!({"type": "object", "required": ["a"], "properties": {"a": {"description": text, "type": "boolean"}}}),
    );
    described["function"]["description"] = json!(text);
    let fields =
        json!({"tools": [described], "tool_choice": "required", "parallel_tool_calls": false, "max_tokens": 60});
    let [(name, arguments)] = &calls(message(&ask(&client, fields)))[..] else { panic!("one call") };
    assert!(name == "f" && arguments["a"].is_boolean());
}
