//! Complaints about the way from messages to the prompt.

use jig_tests::Server;
use serde_json::{Value, json};

use super::{ask, content, message, named, refused, rendered, tides};

fn text(rendered: &Value) -> &str {
    rendered["prompt"].as_str().unwrap()
}

#[test]
fn tools_stand_in_the_prompt_as_the_client_wrote_them() {
    let server = Server::demo();
    let tool = json!({"type": "function", "function": {"strict": true, "description": "<b> & 'c'", "parameters":
        {"type": "object", "required": ["z", "a"], "properties": {"z": {"type": "string"}, "a": {"type": "integer"}}}, "name": "f"}});
    let prompt =
        rendered(&server.client(), json!({"tools": [tool], "tool_choice": "required", "parallel_tool_calls": false}));
    let expected = r#"[{"type": "function", "function": {"description": "<b> & 'c'", "parameters": {"type": "object", "required": ["z", "a"], "properties": {"z": {"type": "string"}, "a": {"type": "integer"}}}, "name": "f"}}]"#;
    assert!(text(&prompt).contains(expected), "{prompt}");
}

#[test]
fn nothing_is_shown_for_null_and_for_no_calls() {
    const TEMPLATE: &str = "{% for m in messages %}[{{ m.role }}|{{ m.content }}|{% if m.tool_calls is defined %}{{ m.tool_calls[0].function.name }}{% endif %}]{% endfor %}\
        {% if tools %}{% endif %}{# <tool_call> \"arguments\" #}";
    let server = Server::demo_with(&["--chat-template", TEMPLATE]);
    let call = json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let messages = json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": null, "tool_calls": call},
        {"role": "assistant", "content": "b", "tool_calls": []}, {"role": "assistant", "content": "c", "tool_calls": null, "function_call": null}]);
    let prompt = rendered(&server.client(), json!({"messages": messages}));
    assert_eq!(text(&prompt), "[user|a|][assistant||f][assistant|b|][assistant|c|]");
}

#[test]
fn a_template_that_wants_its_system_message_first_gets_it_and_other_complaints_of_it_are_told() {
    const TEMPLATE: &str = "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('System message must be first') }}{% endif %}\
        {% if not loop.first and m.role == messages[loop.index0 - 1].role %}{{ raise_exception('Roles must alternate') }}{% endif %}{{ m.role }}={{ m.content }};{% endfor %}";
    let server = Server::demo_with(&["--chat-template", TEMPLATE]);
    let client = server.client();
    let of = |roles: &[&str]| {
        let messages =
            roles.iter().enumerate().map(|(number, role)| json!({"role": role, "content": number.to_string()}));
        json!({"messages": messages.collect::<Vec<_>>()})
    };
    let prompt = rendered(&client, of(&["user", "system", "assistant", "system", "user"]));
    assert_eq!(text(&prompt), "system=1\n\n3;user=0;assistant=2;user=4;");
    let prompt = rendered(&client, of(&["system", "developer", "user"]));
    assert_eq!(text(&prompt), "system=0\n\n1;user=2;");
    let error = refused(&client, of(&["user", "assistant", "assistant"]));
    assert_eq!((&error["code"], &error["param"]), (&json!("chat_template_error"), &json!("messages")));
    let told = error["message"].as_str().unwrap();
    assert!(told.contains("Roles must alternate") && told.contains("messages[1]"), "{told}");
}

#[test]
fn one_token_begins_the_text() {
    let own = Server::demo();
    let without = Server::demo_with(&["--chat-template", "{{ messages[-1].content }}:"]);
    for (server, expected) in [(&own, 1), (&without, 0)] {
        let prompt = rendered(&server.client(), json!({}));
        let ids = prompt["prompt_token_ids"].as_array().unwrap();
        assert_eq!(ids.iter().filter(|id| **id == 0).count(), expected, "as the template has it: {prompt}");
    }
    let plain = own.client().post("/tokenize", r#"{"prompt":"Iron"}"#).body;
    assert!(plain["tokens"].as_array().unwrap().iter().filter(|id| **id == 0).count() <= 1);
}

#[test]
fn ids_of_calls_have_nine_characters_where_the_template_demands_it() {
    const TEMPLATE: &str = "{% for m in messages %}{% for c in m.tool_calls or [] %}{% if c.id | length != 9 %}{{ raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}{% endif %}\
        [TOOL_CALLS][{{ c.id }}]{% endfor %}{% if m.role == 'tool' %}({{ m.tool_call_id }}){% endif %}{% endfor %}{% if tools %}{% endif %}:";
    let server = Server::demo_with(&["--chat-template", TEMPLATE]);
    let client = server.client();
    let answer = ask(&client, json!({"tools": [tides()], "tool_choice": named("tides"), "max_tokens": 100}));
    let id = message(&answer)["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    for id in [id, "call_abcdefghijklmnopqrstuvwx"] {
        let call = json!({"id": id, "type": "function", "function": {"name": "tides", "arguments": "{}"}});
        let messages = json!([{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": id, "content": "y"}]);
        let prompt = rendered(&client, json!({"messages": messages}));
        let (shown, rest) = text(&prompt).strip_prefix("[TOOL_CALLS][").unwrap().split_once(']').unwrap();
        assert!(shown.len() == 9 && rest.starts_with(&format!("({shown})")), "{prompt}");
    }
}

#[test]
fn tojson_writes_what_python_writes() {
    let server = Server::demo_with(&["--chat-template", "{{ messages | tojson }}"]);
    let value = "<b> & 'c' \"d\" \\ é 潮 🙂 \u{1}";
    let prompt = rendered(
        &server.client(),
        json!({"messages": [{"role": "user", "content": value, "x": [1.0, 1e22, null, true]}]}),
    );
    let expected =
        r#"[{"role": "user", "content": "<b> & 'c' \"d\" \\ é 潮 🙂 \u0001", "x": [1.0, 1e+22, null, true]}]"#;
    assert_eq!(text(&prompt), expected);
}

#[test]
fn a_full_context_is_told_in_the_words_that_agents_know() {
    let server = Server::demo();
    let client = server.client();
    let long = json!([{"role": "user", "content": "one two ".repeat(600)}]);
    let error = refused(&client, json!({"messages": long}));
    assert_eq!((&error["code"], &error["param"]), (&json!("context_length_exceeded"), &json!("messages")));
    let told = error["message"].as_str().unwrap();
    assert!(
        told.starts_with("This model's maximum context length is 512 tokens. However, your prompt contains "),
        "{told}"
    );
    // A reservation beyond the room is cut to the room.
    for name in ["max_tokens", "max_completion_tokens"] {
        let answer = ask(&client, json!({name: 32_000, "stop": ["."], "seed": 1}));
        assert!(answer["usage"]["total_tokens"].as_u64().unwrap() <= 512);
    }
}

#[test]
fn a_message_is_continued_where_it_ends() {
    let server = Server::demo();
    let client = server.client();
    for (begun, shown) in [("The tide", "The tide"), ("The tide ", "The tide "), ("{\"harbour\": ", "{\"harbour\": ")] {
        let messages = json!([{"role": "user", "content": "When?"}, {"role": "assistant", "content": begun}]);
        let fields = json!({"messages": messages, "continue_final_message": true, "add_generation_prompt": false});
        let prompt = rendered(&client, fields.clone());
        assert!(text(&prompt).ends_with(&format!("A: {shown}")), "{prompt}");
        let mut guided = fields;
        guided["guided_regex"] = json!("[a-z]{3}");
        assert_eq!(content(&ask(&client, guided)).len(), 3, "the answer has the new text alone");
    }
    let both = json!({"continue_final_message": true, "add_generation_prompt": true});
    assert_eq!(refused(&client, both)["param"], "continue_final_message");
}
