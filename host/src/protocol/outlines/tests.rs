use jig_guides::{Digits, Formats, Order, Source, Whitespace};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::HashMap;

use super::*;
use crate::protocol::fields::Refusal;
use crate::request::limits::{MAX_N, MIN_TEMPERATURE};
use crate::request::{Field, GenerationParams, Invalid, Prompt, TextRequest};

const VOCAB: u32 = 1000;

fn read(body: &Value) -> Result<Generate, Refusal> {
    parse(body.to_string().as_bytes(), VOCAB)
}

/// A request with a prompt and these further fields.
fn with(fields: Value) -> Result<Generate, Refusal> {
    let mut body = json!({"prompt": "x"});
    let (Value::Object(body_fields), Value::Object(fields)) = (&mut body, fields) else { panic!("an object") };
    body_fields.extend(fields);
    read(&body)
}

fn refused(fields: Value) -> Refusal {
    let text = fields.to_string();
    with(fields).expect_err(&text)
}

#[test]
fn a_prompt_alone_has_the_defaults_of_vllm() {
    let request = read(&json!({"prompt": "x"})).unwrap();
    assert!(!request.stream);
    let params = GenerationParams { max_tokens: Some(16), ..GenerationParams::default() };
    let text = TextRequest { prompt: Prompt::Text("x".to_owned()), constraint: None, params, bad_words: Vec::new() };
    assert_eq!(request.request, text);
}

#[test]
fn null_is_the_same_as_absent() {
    let names = super::names::SUPPORTED.iter().chain(&["prompt_logprobs", "thinking_token_budget", "best_of"]);
    for name in names.filter(|name| !["prompt", "max_tokens"].contains(name)) {
        assert_eq!(with(json!({*name: null})).unwrap(), with(json!({})).unwrap(), "{name}");
    }
    assert_eq!(read(&json!({"prompt": null})).unwrap_err().code, "missing_field");
}

#[test]
fn max_tokens_null_is_no_limit() {
    assert_eq!(with(json!({"max_tokens": null})).unwrap().request.params.max_tokens, None);
}

#[test]
fn a_guide_ends_the_text_where_no_limit_is_given() {
    assert_eq!(with(json!({"regex": "a+"})).unwrap().request.params.max_tokens, None);
    assert_eq!(with(json!({"regex": "a+", "max_tokens": 7})).unwrap().request.params.max_tokens, Some(7));
}

#[test]
fn values_at_their_limits_are_taken() {
    let cases = [
        json!({"n": 1}),
        json!({"n": 16384}),
        json!({"temperature": 0}),
        json!({"temperature": 2.0}),
        json!({"top_p": 1}),
        json!({"top_k": -1}),
        json!({"top_k": 0}),
        json!({"min_p": 0}),
        json!({"min_p": 1}),
        json!({"presence_penalty": -2}),
        json!({"frequency_penalty": 2}),
        json!({"repetition_penalty": 0.001}),
        json!({"max_tokens": 1}),
        json!({"min_tokens": 16}),
        json!({"stop": "s"}),
        json!({"stop": []}),
        json!({"stop_token_ids": [0, 999]}),
        json!({"logprobs": 0}),
        json!({"logprobs": 20}),
        json!({"seed": -5}),
        json!({"seed": u64::MAX}),
        json!({"allowed_token_ids": [1]}),
        json!({"prompt": [0, 999]}),
    ];
    for fields in cases {
        assert!(with(fields.clone()).is_ok(), "{fields}: {:?}", with(fields.clone()));
    }
}

#[test]
fn values_beyond_their_limits_are_refused_with_the_name_of_the_field() {
    let cases = [
        json!({"n": 0}),
        json!({"n": 16385}),
        json!({"n": 1.5}),
        json!({"n": true}),
        json!({"n": "2"}),
        json!({"temperature": -0.1}),
        json!({"temperature": 2.01}),
        json!({"temperature": "hot"}),
        json!({"top_p": 0}),
        json!({"top_p": 1e-60}),
        json!({"top_p": 1.1}),
        json!({"top_k": -2}),
        json!({"min_p": -0.1}),
        json!({"min_p": 1.1}),
        json!({"presence_penalty": 2.1}),
        json!({"frequency_penalty": -2.1}),
        json!({"repetition_penalty": 0}),
        json!({"repetition_penalty": 1e300}),
        json!({"max_tokens": 0}),
        json!({"max_tokens": 4_294_967_296u64}),
        json!({"min_tokens": -1}),
        json!({"min_tokens": 17}),
        json!({"stop": ["a", ""]}),
        json!({"stop": [1]}),
        json!({"stop": vec!["x"; 1001]}),
        json!({"stop_token_ids": [1000]}),
        json!({"stop_token_ids": [-1]}),
        json!({"stop_token_ids": 5}),
        json!({"logprobs": 21}),
        json!({"logprobs": -1}),
        json!({"seed": 1.5}),
        json!({"allowed_token_ids": []}),
        json!({"bad_words": "x"}),
        json!({"bad_words": [""]}),
        json!({"logit_bias": {"1000": 1}}),
        json!({"logit_bias": {"x": 1}}),
        json!({"logit_bias": {"1": "x"}}),
        json!({"logit_bias": {"1": 1, "01": 1}}),
        json!({"logit_bias": []}),
        json!({"stream": 1}),
        json!({"ignore_eos": "no"}),
        json!({"prompt": []}),
        json!({"prompt": [1000]}),
        json!({"prompt": ["x"]}),
        json!({"prompt": 5}),
        json!({"schema": 5}),
        json!({"schema": ""}),
        json!({"schema": []}),
        json!({"regex": ""}),
        json!({"regex": "a\0"}),
        json!({"regex": {}}),
    ];
    for fields in cases {
        let (name, _) = fields.as_object().unwrap().iter().next().unwrap();
        let error = refused(fields.clone());
        assert_eq!(error.param.as_deref(), Some(name.as_str()), "{error}");
        assert_eq!(error.code, "invalid_value", "{error}");
        assert!(error.message.contains(name.as_str()), "{error}");
    }
}

#[test]
fn a_list_says_which_entry_is_wrong() {
    let error = refused(json!({"stop_token_ids": [1, 2, 5000]}));
    assert_eq!(
        error.to_string(),
        "`stop_token_ids[2]` is token 5000, which is not in the model's vocabulary of 1000 tokens"
    );
    assert_eq!(refused(json!({"stop": ["a", 1]})).to_string(), "`stop[1]` must be a string, not 1");
}

#[test]
fn a_number_that_no_number_can_be_is_refused() {
    let error = parse(br#"{"prompt":"x","temperature":1e999}"#, VOCAB).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("temperature"));
    assert!(parse(br#"{"prompt":"x","temperature":NaN}"#, VOCAB).unwrap_err().message.contains("line 1"));
}

#[test]
fn a_temperature_near_zero_is_raised_and_zero_is_greedy() {
    assert_eq!(with(json!({"temperature": 0.001})).unwrap().request.params.sampling.temperature, 0.01);
    let greedy =
        with(json!({"temperature": 0, "top_p": 0.5, "top_k": 3, "min_p": 0.2})).unwrap().request.params.sampling;
    assert_eq!((greedy.temperature, greedy.top_p, greedy.top_k, greedy.min_p), (0.0, 1.0, 0, 0.0));
    assert_eq!(refused(json!({"temperature": 0, "n": 2})).param.as_deref(), Some("n"));
}

#[test]
fn a_seed_of_minus_one_is_none() {
    assert_eq!(with(json!({"seed": -1})).unwrap().request.params.seed, None);
    assert_eq!(with(json!({"seed": 7})).unwrap().request.params.seed, Some(7));
}

#[test]
fn logprobs_may_be_a_boolean() {
    assert_eq!(with(json!({"logprobs": true})).unwrap().request.params.sampling.logprobs, Some(1));
    assert_eq!(with(json!({"logprobs": false})).unwrap().request.params.sampling.logprobs, None);
}

#[test]
fn a_bias_is_cut_to_a_hundred() {
    let sampling = with(json!({"logit_bias": {"7": 1000, "3": -0.5}})).unwrap().request.params.sampling;
    assert_eq!(sampling.logit_bias, [(3, -0.5), (7, 100.0)]);
}

#[test]
fn an_unknown_field_is_refused_with_the_nearest_name() {
    for (name, near) in [
        ("temprature", "did you mean `temperature`?"),
        ("Temperature", "did you mean `temperature`?"),
        ("top-p", "did you mean `top_p`?"),
        ("shema", "did you mean `schema`?"),
        ("max_token", "did you mean `max_tokens`?"),
        ("promt", "did you mean `prompt`?"),
        ("max_new_tokens", "use `max_tokens`"),
        ("guided_json", "use `schema`"),
        ("something_else_entirely", "the fields are prompt, schema"),
    ] {
        let error = refused(json!({name: 1}));
        assert_eq!((error.param.as_deref(), error.code), (Some(name), "unknown_field"));
        assert!(error.message.contains(near), "{error}");
    }
    assert_eq!(refused(json!({"temprature": null})).code, "unknown_field");
}

#[test]
fn what_is_not_supported_is_refused_unless_it_asks_for_nothing() {
    for (name, neutral, asking) in [
        ("prompt_logprobs", json!(null), json!(1)),
        ("prompt_logprobs", json!(null), json!(0)),
        ("flat_logprobs", json!(false), json!(true)),
        ("detokenize", json!(true), json!(false)),
        ("spaces_between_special_tokens", json!(true), json!(false)),
        ("output_kind", json!("CUMULATIVE"), json!("DELTA")),
        ("output_kind", json!(0), json!(1)),
        ("stream_interval", json!(1), json!(4)),
        ("skip_clone", json!(true), json!(1)),
        ("extra_args", json!({}), json!({"a": 1})),
        ("thinking_token_budget", json!(-1), json!(5)),
        ("repetition_detection", json!({"max_pattern_size": 0}), json!({"max_pattern_size": 4})),
        ("best_of", json!(1), json!(2)),
        ("use_beam_search", json!(false), json!(true)),
        ("length_penalty", json!(1.0), json!(0.5)),
        ("guided_decoding", json!(null), json!({})),
    ] {
        assert_eq!(with(json!({name: neutral})).unwrap(), with(json!({})).unwrap(), "{name}: {neutral}");
        let error = refused(json!({name: asking}));
        assert_eq!((error.param.as_deref(), error.code), (Some(name), "unsupported"));
        assert!(error.message.contains("not supported yet"), "{error}");
    }
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    for body in [r#"{"prompt":"x","n":1,"n":2}"#, r#"{"prompt":"x","logit_bias":{"1":1,"1":2}}"#] {
        let error = parse(body.as_bytes(), VOCAB).unwrap_err();
        assert!(error.message.contains("is there twice"), "{error}");
    }
}

#[test]
fn a_body_that_is_no_json_object_is_refused_with_the_place() {
    for (body, says) in [
        (&b""[..], "the body is empty"),
        (b" \n", "the body is empty"),
        (b"[]", "must be a JSON object, not a list"),
        (b"5", "must be a JSON object, not a single value"),
        (b"{\"prompt\":\n \"x\",}", "line 2 column"),
        (b"{\"prompt\":\"x\"", "line 1 column 13"),
        (b"{\"prompt\":\"x\"} x", "trailing characters"),
        (b"{\"prompt\":\"\xff\"}", "not UTF-8 (at byte 11)"),
        (b"prompt=x", "line 1 column 1"),
    ] {
        let error = parse(body, VOCAB).unwrap_err();
        assert_eq!((error.param.as_deref(), error.code), (None, "invalid_json"), "{error}");
        assert!(error.message.contains(says), "{error}");
    }
}

#[test]
fn a_schema_keeps_its_order_of_keys_and_its_spelling_of_numbers() {
    let body = br#"{"prompt":"x","schema":{"b":1.0,"a":1e2, "c": 12345678901234567890123}}"#;
    let source = parse(body, VOCAB).unwrap().request.constraint.unwrap().source;
    assert_eq!(source, Source::JsonSchema(r#"{"b":1.0,"a":1e2, "c": 12345678901234567890123}"#.to_owned()));
}

#[test]
fn a_schema_may_be_a_boolean_or_a_text() {
    for (schema, text) in [(json!(true), "true"), (json!(r#"{"type":"null"}"#), r#"{"type":"null"}"#)] {
        let source = with(json!({"schema": schema})).unwrap().request.constraint.unwrap().source;
        assert_eq!(source, Source::JsonSchema(text.to_owned()));
    }
}

#[test]
fn a_schema_wins_over_a_regex() {
    let source = |body| with(body).unwrap().request.constraint.unwrap().source;
    assert_eq!(source(json!({"regex": "a", "schema": true})), Source::JsonSchema("true".to_owned()));
    assert_eq!(source(json!({"regex": "a", "schema": null})), Source::Regex("a".to_owned()));
}

#[test]
fn structured_outputs_name_one_source() {
    let source = |value: Value| with(json!({"structured_outputs": value})).unwrap().request.constraint.unwrap().source;
    assert_eq!(source(json!({"json": true})), Source::JsonSchema("true".to_owned()));
    assert_eq!(source(json!({"json": "{}"})), Source::JsonSchema("{}".to_owned()));
    assert_eq!(source(json!({"regex": "a", "json": null})), Source::Regex("a".to_owned()));
    assert_eq!(source(json!({"choice": ["a", "b"]})), Source::Choice(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(source(json!({"json_object": true})), Source::JsonObject);
    let compact = with(json!({"structured_outputs": {"json_object": true, "disable_any_whitespace": true}})).unwrap();
    assert_eq!(compact.request.constraint.unwrap().options.whitespace, Whitespace::Compact);
    for (wrong, says) in [
        (json!(7), "must be an object"),
        (json!({}), "has none"),
        (json!({"json": true, "regex": "a"}), "has several"),
        (json!({"json_object": false}), "must be true"),
        (json!({"choice": []}), "at least one string"),
        (json!({"choice": [1]}), "choice[0]"),
        (json!({"grammar": " "}), "is empty"),
        (json!({"structural_tag": {}}), "not supported yet"),
        (json!({"json": true, "disable_additional_properties": true}), "not supported yet"),
        (json!({"jason": true}), "did you mean `json`?"),
    ] {
        let error = refused(json!({"structured_outputs": wrong}));
        assert_eq!(error.param.as_deref(), Some("structured_outputs"), "{error}");
        assert!(error.message.contains(says), "{error}");
    }
    let grammar = "root ::= [a-z]+";
    assert_eq!(source(json!({"grammar": grammar})), Source::Grammar(grammar.to_owned()));
    let field = with(json!({"grammar": grammar})).unwrap().request.constraint.unwrap().source;
    assert_eq!(field, Source::Grammar(grammar.to_owned()));
    for other in
        [json!({"grammar": grammar, "regex": "a"}), json!({"grammar": grammar, "structured_outputs": {"json": true}})]
    {
        assert!(refused(other).message.contains("together with"));
    }
    let both = refused(json!({"structured_outputs": {"json": true}, "schema": true}));
    assert!(both.message.contains("together with `schema`"), "{both}");
}

#[test]
fn how_json_is_written_is_a_choice_of_the_request() {
    let options = |body: Value| with(body).unwrap().request.constraint.unwrap().options;
    let chosen = options(json!({"schema": true, "whitespace": "any", "property_order": "any", "formats": "annotate"}));
    assert_eq!((chosen.whitespace, chosen.order, chosen.formats), (Whitespace::Any, Order::Any, Formats::Annotate));
    assert_eq!(chosen.digits, None);
    assert_eq!(options(json!({"schema": true, "digits": "any"})).digits, Some(Digits::Any));
    let outputs = json!({"json": true, "disable_any_whitespace": true});
    let chosen = options(json!({"structured_outputs": outputs, "property_order": "any"}));
    assert_eq!((chosen.whitespace, chosen.order), (Whitespace::Compact, Order::Any));
    for (wrong, param, says) in [
        (
            json!({"schema": true, "whitespace": "none"}),
            "whitespace",
            r#"must be "optional" or "compact" or "spaces" or "pretty" or "any", not the string "none""#,
        ),
        (json!({"schema": true, "whitespace": true}), "whitespace", r#"must be "optional""#),
        (json!({"regex": "a", "whitespace": "any"}), "whitespace", "no schema is given"),
        (json!({"formats": "assert"}), "formats", "no schema is given"),
        (json!({"schema": true, "digits": 17}), "digits", r#"must be "bounded" or "any""#),
        (json!({"structured_outputs": outputs, "whitespace": "any"}), "whitespace", "disable_any_whitespace"),
    ] {
        let error = refused(wrong);
        assert_eq!(error.param.as_deref(), Some(param), "{error}");
        assert!(error.message.contains(says), "{error}");
    }
}

#[test]
fn every_supported_name_is_read() {
    for name in super::names::SUPPORTED {
        let error = with(json!({*name: {"no": "value"}}));
        assert!(!matches!(&error, Err(error) if error.code == "unsupported"), "{name}: {error:?}");
    }
}

#[test]
fn deep_nesting_is_no_danger() {
    for field in ["schema", "prompt", "stop", "extra_args", "nothing"] {
        let body = format!(r#"{{"prompt":"x","{field}":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
        assert!(parse(body.as_bytes(), VOCAB).is_err(), "{field}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3i64..30).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z0-9_]{1,3}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Bodies that are often JSON, and often nearly.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let pieces =
        r#"{ } [ ] : , " \ null nul 1 01 e2 "x" "prompt" "prompt":"x" "n":1 "n":2 "stop":[] "seed":-0 "\ud800" "\x" é"#;
    let pieces: Vec<&str> = pieces.split(' ').chain([" ", "\u{feff}"]).collect();
    let text = prop::collection::vec(prop::sample::select(pieces), 0..7).prop_map(|pieces| pieces.concat());
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        text.clone().prop_map(String::into_bytes),
        text.clone().prop_map(|text| format!("{{{text}}}").into_bytes()),
        text.prop_map(|text| format!("{{\"prompt\":\"x\",{text}}}").into_bytes()),
    ]
}

proptest! {
    /// But for a mark of byte order, which is skipped, and keys that are there twice, which are refused.
    #[test]
    fn bytes_are_refused_as_no_json_exactly_where_they_are_no_object_of_json(body in nearly_json()) {
        let text = std::str::from_utf8(&body).ok().map(|text| text.strip_prefix('\u{feff}').unwrap_or(text));
        let is_object = text.is_some_and(|text| serde_json::from_str::<HashMap<String, Box<RawValue>>>(text).is_ok());
        match parse(&body, VOCAB) {
            Ok(_) => prop_assert!(is_object),
            Err(error) if error.code == "invalid_json" => {
                let twice = error.message.contains("is there twice");
                prop_assert!(error.param.is_none() && (!is_object || twice), "{}", error);
            }
            Err(error) => prop_assert!(is_object && error.param.is_some(), "{}", error),
        }
    }

    #[test]
    fn any_value_of_any_field_is_taken_within_its_limits_or_refused_with_its_name(
        name in prop::sample::select(super::names::SUPPORTED), value in any_json()
    ) {
        match with(json!({name: value})) {
            Err(error) => {
                prop_assert_eq!(error.param.as_deref(), Some(name), "{}", error);
            }
            Ok(request) => {
                let (params, sampling) = (&request.request.params, &request.request.params.sampling);
                prop_assert!((1..=MAX_N).contains(&params.n));
                prop_assert!(sampling.temperature == 0.0 || (MIN_TEMPERATURE..=2.0).contains(&sampling.temperature));
                prop_assert!(sampling.top_p > 0.0 && sampling.top_p <= 1.0);
                prop_assert!((0.0..=1.0).contains(&sampling.min_p));
                prop_assert!(sampling.repetition_penalty > 0.0 && sampling.repetition_penalty.is_finite());
                prop_assert!(params.max_tokens != Some(0));
                prop_assert!(params.stop_token_ids.iter().all(|token| *token < VOCAB));
                prop_assert!(params.stop.iter().all(|stop| !stop.is_empty()));
            }
        }
    }

    #[test]
    fn a_name_with_one_slip_is_found_again(
        name in prop::sample::select(super::names::SUPPORTED), place in any::<prop::sample::Index>(), letter in "[a-z]"
    ) {
        let mut slip: Vec<char> = name.chars().collect();
        let place = place.index(slip.len());
        slip[place] = letter.chars().next().unwrap();
        let slip: String = slip.into_iter().collect();
        prop_assume!(name.len() > 2 && !super::names::is_known(&slip));
        let error = refused(json!({slip: 1}));
        prop_assert!(error.message.contains("did you mean") || error.message.contains("use `"), "{}", error);
    }
}

#[test]
fn a_refusal_from_below_names_the_field_that_the_client_used() {
    let told = |body: Value, invalid: &Invalid| {
        let names = with(body).unwrap().names;
        [names.of_preparation(invalid), names.of_engine(invalid)].map(|refusal| (refusal.param, refusal.message))
    };
    let too_big = Invalid::new(Field::Constraint, "too big");
    for (body, name) in [
        (json!({"schema": true}), "schema"),
        (json!({"regex": "a"}), "regex"),
        (json!({"structured_outputs": {"regex": "a"}}), "structured_outputs"),
    ] {
        let [prepared, _] = told(body, &too_big);
        assert_eq!(prepared, (Some(name.to_owned()), format!("`{name}`: too big")));
    }
    let prompt = Some("prompt".to_owned());
    let [prepared, _] = told(json!({}), &Invalid::new(Field::Prompt, "has no tokens"));
    assert_eq!(prepared, (prompt.clone(), "`prompt` has no tokens".to_owned()));
    let [_, taken] = told(json!({}), &Invalid::new(Field::Prompt, "it has 7 tokens"));
    assert_eq!(taken, (prompt, "prompt: it has 7 tokens".to_owned()));
    let [_, taken] = told(json!({}), &Invalid { field: None, problem: "another model".to_owned() });
    assert_eq!(taken, (None, "another model".to_owned()));
}
