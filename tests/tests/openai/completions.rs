//! `POST /v1/completions`.

use jig_tests::{Client, Server};
use serde_json::{Value, json};

const PATH: &str = "/v1/completions";

fn ask(client: &Client, body: &Value) -> Value {
    let answer = client.post(PATH, &body.to_string());
    assert_eq!(answer.status, 200, "{body}: {}", answer.body);
    answer.body
}

fn texts(answer: &Value) -> Vec<&str> {
    answer["choices"].as_array().unwrap().iter().map(|choice| choice["text"].as_str().unwrap()).collect()
}

#[test]
fn a_prompt_is_continued_and_the_answer_has_the_form_of_openai() {
    let server = Server::demo();
    let client = server.client();
    let answer = ask(&client, &json!({"prompt": "What is the capital of France?", "temperature": 0, "max_tokens": 3}));
    assert!(texts(&answer)[0].starts_with(" Paris"), "{answer}");
    assert_eq!((&answer["object"], &answer["model"]), (&json!("text_completion"), &json!("demo")));
    assert!(answer["id"].as_str().unwrap().starts_with("cmpl-") && answer["created"].is_u64());
    let choice = &answer["choices"][0];
    assert_eq!((&choice["index"], &choice["logprobs"]), (&json!(0), &Value::Null));
    let usage = &answer["usage"];
    assert_eq!(
        usage["total_tokens"].as_u64().unwrap(),
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap()
    );
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 0);
}

#[test]
fn a_list_of_prompts_has_n_choices_for_each_in_their_order() {
    let server = Server::demo();
    let client = server.client();
    let capital = |country: &str| format!("What is the capital of {country}?");
    let prompts = [capital("France"), capital("Japan")];
    let body = json!({"prompt": prompts, "n": 2, "temperature": 0, "max_tokens": 2});
    let answer = ask(&client, &body);
    let indices: Vec<&Value> = answer["choices"].as_array().unwrap().iter().map(|choice| &choice["index"]).collect();
    assert_eq!(indices, [&json!(0), &json!(1), &json!(2), &json!(3)]);
    let texts = texts(&answer);
    assert!(texts[0] == texts[1] && texts[2] == texts[3] && texts[0] != texts[2], "{texts:?}");
    // The same as token ids.
    let ids =
        prompts.map(|prompt| client.post("/tokenize", &json!({"prompt": prompt}).to_string()).body["tokens"].clone());
    let mut by_ids = ask(&client, &json!({"prompt": ids, "n": 2, "temperature": 0, "max_tokens": 2}));
    assert_eq!(by_ids["choices"].take(), answer["choices"]);
}

#[test]
fn a_stream_has_the_texts_and_the_usage_of_the_whole_answer() {
    let server = Server::demo();
    let client = server.client();
    let mut body = json!({"prompt": ["What is the capital of Italy?", "Iron"], "n": 2, "seed": 3, "max_tokens": 12, "echo": true,
        "logprobs": 2, "return_token_ids": true});
    let whole = ask(&client, &body);
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let mut chunks = client.events(PATH, &body);
    let last = chunks.pop().unwrap();
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &whole["usage"]));
    let mut choices = vec![json!({"text": "", "token_ids": [], "logprobs": {}}); 4];
    for chunk in &chunks {
        assert_eq!(
            (&chunk["id"], &chunk["object"], &chunk["usage"]),
            (&last["id"], &json!("text_completion"), &Value::Null)
        );
        let [choice] = chunk["choices"].as_array().unwrap().as_slice() else { panic!("{chunk}") };
        let own = &mut choices[choice["index"].as_u64().unwrap() as usize];
        assert_eq!(own.get("finish_reason"), None, "nothing follows the end");
        own["text"] = format!("{}{}", own["text"].as_str().unwrap(), choice["text"].as_str().unwrap()).into();
        own["token_ids"].as_array_mut().unwrap().extend(choice["token_ids"].as_array().unwrap().iter().cloned());
        for (name, list) in choice["logprobs"].as_object().unwrap() {
            let lists = own["logprobs"].as_object_mut().unwrap().entry(name.clone()).or_insert(json!([]));
            lists.as_array_mut().unwrap().extend(list.as_array().unwrap().iter().cloned());
        }
        if !choice["finish_reason"].is_null() {
            assert_eq!(choice["text"], "");
            own["finish_reason"] = choice["finish_reason"].clone();
        }
    }
    for (streamed, whole) in choices.iter().zip(whole["choices"].as_array().unwrap()) {
        for field in ["text", "token_ids", "logprobs", "finish_reason"] {
            assert_eq!(streamed[field], whole[field], "{field}");
        }
    }
    body["stream_options"] = json!(null);
    let plain = client.events(PATH, &body);
    assert!(plain.iter().all(|chunk| chunk.get("usage").is_none() && chunk["choices"] != json!([])));
}

#[test]
fn echo_with_log_probabilities_scores_the_prompt_as_lm_eval_wants_it() {
    let server = Server::demo();
    let client = server.client();
    let scored = |prompt: Value, max_tokens: u32| {
        let body = json!({"prompt": prompt, "echo": true, "logprobs": 1, "max_tokens": max_tokens, "temperature": 0});
        ask(&client, &body)["choices"][0].clone()
    };
    let prompt = "What is the capital of France? Paris";
    let ids = client.post("/tokenize", &json!({"prompt": prompt}).to_string()).body["tokens"].clone();
    let count = ids.as_array().unwrap().len();
    let choice = scored(ids.clone(), 0);
    let lists = &choice["logprobs"];
    for name in ["tokens", "token_logprobs", "top_logprobs", "text_offset"] {
        assert_eq!(lists[name].as_array().unwrap().len(), count, "{name}");
    }
    assert_eq!((&lists["token_logprobs"][0], &lists["top_logprobs"][0]), (&Value::Null, &Value::Null));
    assert!(lists["token_logprobs"].as_array().unwrap()[1..].iter().all(|logprob| logprob.as_f64().unwrap() <= 0.0));
    assert_eq!(
        (&choice["finish_reason"], choice["text"].as_str().unwrap().ends_with("Paris")),
        (&json!("length"), true)
    );
    let last = lists["token_logprobs"][count - 1].as_f64().unwrap();
    assert!(last > -0.5, "the demo model knows the capital of France: {last}");
    // With a token more, the prompt has the same scores.
    let more = scored(ids, 1)["logprobs"]["token_logprobs"].clone();
    assert_eq!(
        (more.as_array().unwrap().len(), &more.as_array().unwrap()[..count]),
        (count + 1, &lists["token_logprobs"].as_array().unwrap()[..])
    );
    // A token is likely in the prompt as it is when it is drawn.
    let body = json!({"prompt": "What is the capital of France?", "logprobs": 1, "max_tokens": 3, "temperature": 0});
    let drawn = ask(&client, &body)["choices"][0]["logprobs"].clone();
    for back in 1..=3 {
        assert_eq!(drawn["tokens"][3 - back], lists["tokens"][count - back]);
        let of = |lists: &Value, at: usize| lists["token_logprobs"][at].as_f64().unwrap();
        let (drawn, scored) = (of(&drawn, 3 - back), of(lists, count - back));
        assert!((drawn - scored).abs() < 1e-3, "{drawn} {scored}");
    }
}

#[test]
fn offsets_of_tokens_point_into_the_text() {
    let server = Server::demo();
    let client = server.client();
    let body = json!({"prompt": "é What is Pi? ", "echo": true, "logprobs": 0, "max_tokens": 8, "temperature": 0});
    let choice = &ask(&client, &body)["choices"][0];
    let text: Vec<char> = choice["text"].as_str().unwrap().chars().collect();
    let (tokens, offsets) =
        (choice["logprobs"]["tokens"].as_array().unwrap(), choice["logprobs"]["text_offset"].as_array().unwrap());
    for (token, offset) in tokens.iter().zip(offsets) {
        let token = token.as_str().unwrap().trim_start();
        let rest: String = text[offset.as_u64().unwrap() as usize..].iter().collect();
        assert!(
            token.contains('\u{FFFD}') || token == "<s>" || rest.trim_start().starts_with(token),
            "{token:?} at {offset}: {rest:?}"
        );
    }
}

#[test]
fn a_guided_answer_is_whole_and_ends_with_stop_and_a_stop_is_told() {
    let server = Server::demo();
    let client = server.client();
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    for constraint in [
        json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}),
        json!({"structured_outputs": {"json": schema}}),
        json!({"guided_json": schema}),
        json!({"guided_json": schema, "max_tokens": 12}),
    ] {
        let mut body = json!({"prompt": "Give me a JSON record: ", "seed": 1, "temperature": 1.5});
        body.as_object_mut().unwrap().extend(constraint.as_object().unwrap().clone());
        let answer = ask(&client, &body);
        let text: Value = serde_json::from_str(texts(&answer)[0]).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert!(text["name"].is_string());
        let choice = &answer["choices"][0];
        assert_eq!(choice["finish_reason"], "stop");
        assert!(choice["stop_reason"].is_null() || choice["stop_reason"] == "max_tokens", "{choice}");
    }
    let squeezed =
        ask(&client, &json!({"prompt": "x", "guided_regex": "[a-z ]{1,300}", "max_tokens": 5, "ignore_eos": true}));
    assert_eq!(
        (&squeezed["choices"][0]["finish_reason"], &squeezed["choices"][0]["stop_reason"]),
        (&json!("stop"), &json!("max_tokens"))
    );
    let choice = ask(&client, &json!({"prompt": "x", "guided_choice": ["yes", "no"]}));
    assert!(["yes", "no"].contains(&texts(&choice)[0]));
    let stopped = ask(&client, &json!({"prompt": "What is the capital of France?", "temperature": 0, "stop": ["ari"]}));
    assert_eq!((texts(&stopped), &stopped["choices"][0]["stop_reason"]), (vec![" P"], &json!("ari")));
}

#[test]
fn an_overlong_prompt_a_bad_schema_and_a_short_limit_are_refused_as_clients_expect() {
    let server = Server::demo();
    let client = server.client();
    let refused = |body: Value| {
        let answer = client.post(PATH, &body.to_string());
        assert_eq!(answer.status, 400, "{}", answer.body);
        answer
    };
    let answer = refused(json!({"prompt": "one two ".repeat(600)}));
    assert_eq!(
        (&answer.body["error"]["code"], &answer.body["error"]["param"]),
        (&json!("context_length_exceeded"), &json!("prompt"))
    );
    let begins = "This model's maximum context length is 512 tokens. However, your prompt contains";
    assert!(answer.message().starts_with(begins) && answer.message().contains("input tokens"), "{}", answer.message());
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "strin"}}});
    let answer = refused(json!({"prompt": "x", "response_format": format}));
    assert_eq!(answer.body["error"]["code"], "invalid_json_schema");
    assert_eq!(answer.body["error"]["param"], "response_format");
    assert!(answer.message().contains("`response_format.json_schema.schema`"), "{}", answer.message());
    let answer = refused(json!({"prompt": "x", "guided_regex": "[a-z]{40}", "max_tokens": 3}));
    assert_eq!(answer.body["error"]["param"], "max_tokens");
    assert!(answer.message().contains("at least"), "{}", answer.message());
}

#[test]
fn a_prompt_can_be_looked_at_without_an_answer() {
    let server = Server::demo();
    let client = server.client();
    let rendered = client.post("/v1/completions/render", r#"{"prompt":"What is Pi?"}"#).body;
    let tokens = client.post("/tokenize", r#"{"prompt":"What is Pi?"}"#).body;
    assert_eq!((&rendered["prompt"], &rendered["prompt_token_ids"]), (&json!("What is Pi?"), &tokens["tokens"]));
    let several = client.post("/v1/completions/render", r#"{"prompt":["a","b"]}"#).body;
    assert_eq!(several.as_array().map(Vec::len), Some(2));
}
