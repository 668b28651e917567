use super::*;
use crate::output::Calling;
use crate::protocol::fields::{self, Refusal};
use serde_json::{Value, json};

fn read(body: Value) -> Result<Option<Offer>, Refusal> {
    let text = body.to_string();
    let mut draft = ToolFields::default();
    for field in fields::read(text.as_bytes()).unwrap() {
        assert!(draft.take(&field)?, "{}", field.name);
    }
    draft.finish()
}

fn tools(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"type": "function", "function": {"name": name}})).collect()
}

#[test]
fn the_template_gets_the_clients_order_without_what_models_were_not_trained_on() {
    let tool = json!({"function": {"strict": true, "parameters": {"type": "object", "properties": {"b": {}, "a": {}}}, "x": 1,
        "name": "f", "description": "d"}, "type": "function"});
    let rendered = read(json!({"tools": [tool]})).unwrap().unwrap().rendered();
    let expected = r#"{"function":{"parameters":{"type":"object","properties":{"b":{},"a":{}}},"name":"f","description":"d"},"type":"function"}"#;
    assert_eq!(rendered[0].to_string(), expected);
    let rendered = read(json!({"tools": tools(&["f"])})).unwrap().unwrap().rendered();
    assert_eq!(rendered[0]["function"]["parameters"], json!({"type": "object", "properties": {}}));
}

#[test]
fn the_choice_says_who_may_be_called() {
    let offer = |choice: Value| {
        let offer = read(json!({"tools": tools(&["a", "b"]), "tool_choice": choice})).unwrap().unwrap();
        (offer.calling, offer.callable, offer.is_named, offer.is_parallel)
    };
    let named = json!({"type": "function", "function": {"name": "b"}});
    for (choice, expected) in [
        (json!("auto"), (Calling::MayCall, vec![0, 1], false, true)),
        (json!("none"), (Calling::Never, vec![], false, true)),
        (json!("required"), (Calling::Must, vec![0, 1], false, true)),
        (named.clone(), (Calling::Must, vec![1], true, false)),
        (json!({"type": "function", "name": "a"}), (Calling::Must, vec![0], true, false)),
        (
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named]}}),
            (Calling::Must, vec![1], false, true),
        ),
        (
            json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "a"}]}),
            (Calling::MayCall, vec![0], false, true),
        ),
    ] {
        assert_eq!(offer(choice.clone()), expected, "{choice}");
    }
    let single = read(json!({"tools": tools(&["a"]), "parallel_tool_calls": false})).unwrap().unwrap();
    assert!(!single.is_parallel);
}

#[test]
fn no_tools_are_nothing_to_choose_from() {
    for body in
        [json!({}), json!({"tools": []}), json!({"tools": [], "tool_choice": "auto"}), json!({"tool_choice": "none"})]
    {
        assert_eq!(read(body.clone()).unwrap(), None, "{body}");
    }
}

#[test]
fn what_is_wrong_is_refused_with_its_path() {
    for (body, param, says) in [
        (json!({"tools": "x"}), "tools", "a list"),
        (json!({"tools": [{}]}), "tools[0].function", "missing"),
        (json!({"tools": [{"type": "web_search"}]}), "tools[0].type", "\"function\""),
        (json!({"tools": [{"type": "function", "function": {}}]}), "tools[0].function.name", "missing"),
        (json!({"tools": tools(&["a", "a"])}), "tools[1].function.name", "another tool"),
        (json!({"tools": tools(&["a<b"])}), "tools[0].function.name", "'<'"),
        (json!({"tools": tools(&["a\nb"])}), "tools[0].function.name", "character"),
        (json!({"tools": tools(&[""])}), "tools[0].function.name", "1 to 256"),
        (
            json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": 3}}]}),
            "tools[0].function.parameters",
            "a JSON Schema",
        ),
        (json!({"tool_choice": "required"}), "tool_choice", "no `tools`"),
        (json!({"tools": tools(&["a"]), "tool_choice": "alway"}), "tool_choice", "\"auto\""),
        (
            json!({"tools": tools(&["a"]), "tool_choice": {"type": "function", "function": {"name": "x"}}}),
            "tool_choice",
            "`a`",
        ),
        (
            json!({"tools": tools(&["a"]), "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}}),
            "tool_choice.allowed_tools.tools",
            "at least one",
        ),
    ] {
        let refusal = read(body.clone()).expect_err(&body.to_string());
        assert_eq!(refusal.param.as_deref(), Some(param), "{refusal}");
        assert!(refusal.message.contains(says), "{refusal}");
    }
}

#[test]
fn names_with_dots_slashes_and_colons_are_names() {
    assert!(read(json!({"tools": tools(&["ns.do", "mcp/run:it", "Größe"])})).is_ok());
}
