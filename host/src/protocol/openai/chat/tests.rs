use serde_json::{Value, json};

use super::parse::{Chat, parse};
use crate::protocol::fields::Refusal;
use crate::protocol::openai::Settings;
use crate::protocol::openai::settings::Defaults;
use crate::request::GenerationParams;

const VOCAB: u32 = 1000;

fn with(fields: Value) -> Result<Chat, Refusal> {
    let mut body = json!({"messages": [{"role": "user", "content": "x"}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    parse(body.to_string().as_bytes(), VOCAB, &Settings::new("demo"))
}

#[test]
fn messages_alone_have_the_defaults_of_openai() {
    let read = with(json!({})).unwrap();
    assert_eq!(read.params, GenerationParams::default());
    let conversation = read.conversation.conversation;
    assert!(conversation.add_generation_prompt && !conversation.continue_final_message && conversation.tools.is_none());
}

#[test]
fn null_is_the_same_as_absent() {
    let plain = with(json!({})).unwrap();
    for name in [
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "logprobs",
        "top_logprobs",
        "n",
        "max_tokens",
        "stop",
        "stream",
        "max_completion_tokens",
        "stream_options",
        "response_format",
        "reasoning_effort",
        "chat_template",
        "documents",
        "user",
        "chat_template_kwargs",
        "thinking_token_budget",
        "function_call",
        "functions",
        "logit_bias",
        "audio",
        "web_search_options",
    ] {
        assert_eq!(with(json!({name: null})), Ok(plain.clone()), "{name}");
    }
    let inert = json!({"tools": [], "tool_choice": "auto", "parallel_tool_calls": true, "modalities": ["text"], "store": true,
        "verbosity": "low", "prediction": {"type": "content", "content": "x"}, "thinking_token_budget": -1});
    assert_eq!(with(inert), Ok(plain));
}

#[test]
fn the_limit_is_the_first_of_its_two_names_or_the_models_own() {
    let limit = |fields: Value| with(fields).unwrap().params.max_tokens;
    assert_eq!(limit(json!({"max_tokens": 32_000})), Some(32_000));
    assert_eq!(limit(json!({"max_tokens": 5, "max_completion_tokens": 7})), Some(7));
    assert_eq!(limit(json!({"max_tokens": -1})), None);
    let mut settings = Settings::new("demo");
    settings.defaults = Defaults { max_tokens: Some(9), ..Defaults::default() };
    let body = |more: &str| format!(r#"{{"messages":[{{"role":"user","content":"x"}}]{more}}}"#);
    let limit = |more: &str| parse(body(more).as_bytes(), VOCAB, &settings).unwrap().params.max_tokens;
    assert_eq!((limit(""), limit(r#","max_tokens":20"#), limit(r#","guided_regex":"a+""#)), (Some(9), Some(20), None));
}

#[test]
fn log_probabilities_are_wanted_by_one_field_and_counted_by_another() {
    let logprobs = |fields: Value| with(fields).map(|read| read.params.sampling.logprobs);
    assert_eq!(logprobs(json!({"logprobs": true})), Ok(Some(0)));
    assert_eq!(logprobs(json!({"logprobs": true, "top_logprobs": 5})), Ok(Some(5)));
    assert_eq!(logprobs(json!({"logprobs": false, "top_logprobs": 0})), Ok(None));
    assert_eq!(logprobs(json!({"top_logprobs": 5})).unwrap_err().param.as_deref(), Some("top_logprobs"));
}

#[test]
fn thoughts_and_the_scores_of_the_prompt_are_counted_where_asked() {
    let read = |fields: Value| with(fields).map(|read| (read.thinking_tokens, read.params.prompt_logprobs)).unwrap();
    assert_eq!(read(json!({"thinking_token_budget": 0, "prompt_logprobs": 0})), (Some(0), Some(0)));
    assert_eq!(read(json!({"thinking_token_budget": 64, "prompt_logprobs": 5})), (Some(64), Some(5)));
    assert_eq!(read(json!({"thinking_token_budget": -1})), (None, None));
}

#[test]
fn zero_is_a_probability_that_keeps_the_most_likely_token() {
    let sampling = with(json!({"top_p": 0})).unwrap().params.sampling;
    assert_eq!((sampling.top_p, sampling.top_k), (1.0, 1));
    assert_eq!(with(json!({"temperature": 0, "n": 3})).unwrap().params.n, 3);
}

#[test]
fn what_is_wrong_is_refused_with_its_name() {
    for (fields, param, says) in [
        (json!({"messages": []}), "messages", "at least one"),
        (json!({"messages": "x"}), "messages", "a list"),
        (json!({"messages": ["x"]}), "messages[0]", "an object"),
        (json!({"tool_choice": "required"}), "tool_choice", "`tools`"),
        (json!({"functions": []}), "functions", "`tools`"),
        (json!({"max_tokens": 0}), "max_tokens", "positive"),
        (json!({"top_logprobs": 21, "logprobs": true}), "top_logprobs", "0 to 20"),
        (json!({"top_logprobs": -1, "logprobs": true}), "top_logprobs", "0 to 20"),
        (json!({"logprobs": 5}), "logprobs", "true or false"),
        (json!({"reasoning_effort": "huge"}), "reasoning_effort", "\"high\""),
        (json!({"modalities": ["audio"]}), "modalities", "text"),
        (json!({"web_search_options": {}}), "web_search_options", "searches nothing"),
        (json!({"echo": true}), "echo", "continue_final_message"),
        (json!({"prompt_logprobs": 2, "stream": true}), "prompt_logprobs", "`stream`"),
        (json!({"prompt_logprobs": -1}), "prompt_logprobs", "0 to 20"),
        (json!({"thinking_token_budget": -2}), "thinking_token_budget", "-1"),
        (
            json!({"add_generation_prompt": true, "continue_final_message": true}),
            "continue_final_message",
            "one of the two",
        ),
        (json!({"add_special_tokens": true}), "add_special_tokens", "template"),
        (json!({"chat_template_kwargs": []}), "chat_template_kwargs", "an object"),
        (json!({"tool_choise": "auto"}), "tool_choise", "did you mean `tool_choice`?"),
        (json!({"stream_options": {}}), "stream_options", "stream"),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}),
            "response_format.json_schema.schema",
            "missing",
        ),
    ] {
        let refusal = with(fields.clone()).expect_err(&fields.to_string());
        assert_eq!(refusal.param.as_deref(), Some(param), "{refusal}");
        assert!(refusal.message.contains(says), "{refusal}");
    }
    assert_eq!(parse(b"{}", VOCAB, &Settings::new("demo")).unwrap_err().code, "missing_field");
}

#[test]
fn a_message_that_is_continued_may_be_repeated() {
    let messages = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "The capital"}]);
    let read = with(json!({"messages": messages, "continue_final_message": true, "echo": true})).unwrap();
    assert_eq!(read.echo.as_deref(), Some("The capital"));
    let conversation = read.conversation.conversation;
    assert!(conversation.continue_final_message && !conversation.add_generation_prompt);
}
