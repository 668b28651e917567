use serde_json::{Value, json};

use super::parse::{Completions, parse};
use crate::protocol::fields::Refusal;
use crate::protocol::openai::Settings;
use crate::protocol::openai::settings::Defaults;
use crate::request::{GenerationParams, Prompt};

const VOCAB: u32 = 1000;

fn with(fields: Value) -> Result<Completions, Refusal> {
    let mut body = json!({"prompt": "x"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    parse(body.to_string().as_bytes(), VOCAB, &Settings::new("demo"))
}

fn params(fields: Value) -> GenerationParams {
    let text = fields.to_string();
    with(fields).expect(&text).params
}

#[test]
fn a_prompt_alone_has_the_defaults_of_openai() {
    let read = with(json!({"model": "demo"})).unwrap();
    assert_eq!(read.params, GenerationParams { max_tokens: Some(16), ..GenerationParams::default() });
    assert_eq!((read.prompts, read.is_list, read.echo), (vec![Prompt::Text("x".to_owned())], false, false));
}

#[test]
fn a_prompt_is_a_text_or_tokens_or_a_list_of_either() {
    let text = |text: &str| Prompt::Text(text.to_owned());
    for (prompt, expected, is_list) in [
        (json!(""), vec![text("")], false),
        (json!([1, 2]), vec![Prompt::Tokens(vec![1, 2])], false),
        (json!(["a", "b"]), vec![text("a"), text("b")], true),
        (json!([[1], [2, 3]]), vec![Prompt::Tokens(vec![1]), Prompt::Tokens(vec![2, 3])], true),
        (json!(["a", [3]]), vec![text("a"), Prompt::Tokens(vec![3])], true),
    ] {
        let read = with(json!({"prompt": prompt})).unwrap();
        assert_eq!((read.prompts, read.is_list), (expected, is_list));
    }
    for (wrong, param) in [
        (json!([]), "prompt"),
        (json!([[]]), "prompt[0]"),
        (json!([1000]), "prompt"),
        (json!(["a", 1]), "prompt[1]"),
        (json!({}), "prompt"),
        (json!(vec!["x"; 1025]), "prompt"),
    ] {
        let refusal = with(json!({"prompt": wrong})).unwrap_err();
        assert_eq!(refusal.param.as_deref(), Some(param), "{refusal}");
    }
    assert_eq!(with(json!({"prompt": null})).unwrap_err().code, "missing_field");
}

#[test]
fn an_answer_has_16_tokens_unless_its_form_ends_it_or_the_prompt_alone_is_scored() {
    for (fields, max_tokens, prompt_logprobs) in [
        (json!({"max_tokens": null}), Some(16), None),
        (json!({"max_tokens": -1}), None, None),
        (json!({"max_tokens": 7, "max_completion_tokens": 5}), Some(5), None),
        (json!({"guided_regex": "a+"}), None, None),
        (json!({"guided_regex": "a+", "max_tokens": 9}), Some(9), None),
        (json!({"echo": true}), Some(16), None),
        (json!({"echo": true, "logprobs": 2}), Some(16), Some(2)),
        (json!({"echo": true, "logprobs": 1, "max_tokens": 0}), Some(0), Some(1)),
        (json!({"echo": true, "max_tokens": 0}), Some(0), Some(0)),
    ] {
        let read = params(fields.clone());
        assert_eq!((read.max_tokens, read.prompt_logprobs), (max_tokens, prompt_logprobs), "{fields}");
    }
}

#[test]
fn the_models_own_defaults_hold_where_the_request_says_nothing() {
    let mut settings = Settings::new("demo");
    settings.defaults = Defaults { temperature: Some(0.5), top_k: Some(20), ..Defaults::default() };
    let read = |body: &str| parse(body.as_bytes(), VOCAB, &settings).unwrap().params.sampling;
    let sampling = read(r#"{"prompt":"x"}"#);
    assert_eq!((sampling.temperature, sampling.top_k), (0.5, 20));
    let sampling = read(r#"{"prompt":"x","temperature":1,"top_k":-1}"#);
    assert_eq!((sampling.temperature, sampling.top_k), (1.0, 0));
}

#[test]
fn what_is_wrong_is_refused_with_its_name() {
    for (fields, param, says) in [
        (json!({"n": 129}), "n", "from 1 to 128"),
        (json!({"n": "2"}), "n", "from 1 to 128"),
        (json!({"best_of": 2}), "best_of", "`n`"),
        (json!({"suffix": "x"}), "suffix", "leave it out"),
        (json!({"logprobs": 21}), "logprobs", "from 0 to 20"),
        (json!({"max_tokens": 0}), "max_tokens", "positive"),
        (json!({"max_tokens": 0, "echo": true, "guided_json": true}), "max_tokens", "form"),
        (json!({"max_tokens": 3, "min_tokens": 4}), "min_tokens", "more than"),
        (json!({"stream_options": {"include_usage": true}}), "stream_options", "stream"),
        (
            json!({"stream": true, "stream_options": {"include_usage": 1}}),
            "stream_options.include_usage",
            "true or false",
        ),
        (json!({"prompt_logprobs": 1}), "prompt_logprobs", "echo"),
        (json!({"use_beam_search": true}), "use_beam_search", "false"),
        (json!({"priority": 1}), "priority", "0"),
        (json!({"respose_format": {}}), "respose_format", "response_format"),
        (json!({"temperature": 2.5}), "temperature", "from 0 to 2"),
    ] {
        let refusal = with(fields.clone()).expect_err(&fields.to_string());
        assert_eq!(refusal.param.as_deref(), Some(param), "{refusal}");
        assert!(refusal.message.contains(says), "{refusal}");
    }
}

#[test]
fn null_is_the_same_as_absent_and_what_changes_no_answer_is_taken() {
    let plain = with(json!({})).unwrap();
    let names = [
        "suffix",
        "best_of",
        "logprobs",
        "echo",
        "stream",
        "stream_options",
        "seed",
        "n",
        "stop",
        "logit_bias",
        "presence_penalty",
        "response_format",
        "structured_outputs",
        "guided_json",
        "user",
        "nothing",
        "prompt_logprobs",
    ];
    for name in names {
        let read = with(json!({name: null})).unwrap();
        assert_eq!((read.params, read.common), (plain.params.clone(), plain.common.clone()), "{name}");
    }
    let inert = json!({"user": "u", "metadata": {"a": "b"}, "store": true, "service_tier": "auto", "best_of": 1, "suffix": "",
        "use_beam_search": false, "length_penalty": 1.0, "spaces_between_special_tokens": true, "cache_salt": "s"});
    let read = with(inert).unwrap();
    assert_eq!((read.params, read.common), (plain.params, plain.common));
    let read = with(json!({"frobnicate": 1, "a,b": 2})).unwrap();
    assert_eq!(read.common.ignored.header().as_deref(), Some("frobnicate, a?b"));
}
