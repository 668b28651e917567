//! What all routes share: keys, names, errors, headers, paths.

use jig_tests::Server;
use serde_json::{Value, json};

fn body(fields: Value) -> String {
    let mut body = json!({"prompt": "Iron", "max_tokens": 2});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body.to_string()
}

#[test]
fn a_server_with_keys_answers_those_who_have_one_and_anybody_who_asks_for_its_health() {
    let server = Server::demo_with(&["--api-key", "first", "--api-key", "second"]);
    let client = server.client();
    let ask = |path: &str, headers: &[(&str, &str)]| client.request("POST", path, headers, &body(json!({})));
    for path in ["/v1/completions", "/generate", "/tokenize", "/nowhere"] {
        for headers in [&[][..], &[("authorization", "Bearer third")], &[("authorization", "Bearer ")]] {
            let answer = ask(path, headers);
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"), "{path} {headers:?}");
            assert_eq!(answer.json()["error"]["code"], "invalid_api_key");
        }
    }
    for headers in [("authorization", "Bearer first"), ("x-api-key", "second"), ("api-key", "first")] {
        assert_eq!(ask("/v1/completions", &[headers]).status, 200, "{headers:?}");
    }
    for path in ["/health", "/ping", "/version", "/metrics"] {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    assert_eq!(client.get("/v1/models").status, 401);
}

#[test]
fn every_name_of_the_model_is_taken_and_no_other() {
    let server = Server::demo_with(&["--served-model-name", "org/one", "two"]);
    let client = server.client();
    let ask = |model: Value| client.post("/v1/completions", &body(json!({"model": model})));
    for name in [json!("org/one"), json!("two"), json!(""), Value::Null] {
        let answer = ask(name.clone());
        assert_eq!((answer.status, &answer.body["model"]), (200, &json!("org/one")), "{name}");
    }
    let answer = ask(json!("demo"));
    assert_eq!((answer.status, &answer.body["error"]["code"]), (404, &json!("model_not_found")));
    assert!(answer.message().contains("`org/one`, `two`"), "{}", answer.message());
    let models = client.get("/v1/models").body;
    let ids: Vec<&Value> = models["data"].as_array().unwrap().iter().map(|card| &card["id"]).collect();
    assert_eq!((ids, &models["data"][0]["root"]), (vec![&json!("org/one"), &json!("two")], &json!("demo")));
    for path in ["/v1/models/org/one", "/v1/models/org%2Fone", "/v1/models/two/"] {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    assert_eq!(client.get("/v1/models/nope").body["error"]["code"], "model_not_found");
    let metrics = client.get("/metrics");
    assert!(metrics.body.as_str().unwrap().contains("model_name=\"org/one\""));
}

#[test]
fn unknown_fields_are_named_in_a_header_or_refused() {
    let server = Server::demo();
    let client = server.client();
    let ask = |fields: Value| client.request("POST", "/v1/completions", &[], &body(fields));
    let answer = ask(json!({"frobnicate": 1, "foo": null, "bar": [2], "user": "me"}));
    assert_eq!((answer.status, answer.header("x-jig-ignored")), (200, "frobnicate, bar"));
    assert_eq!(ask(json!({})).header("x-jig-ignored"), "");
    let answer = ask(json!({"respose_format": {"type": "json_object"}}));
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (400, &json!("unknown_parameter")));
    let answer = ask(json!({"guided_grammar": "root ::= x"}));
    assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!("guided_grammar")));

    let strict = Server::demo_with(&["--strict-fields"]);
    let answer = strict.client().post("/v1/completions", &body(json!({"frobnicate": 1})));
    assert_eq!((answer.status, &answer.body["error"]["param"]), (400, &json!("frobnicate")));
}

#[test]
fn pages_of_other_origins_may_ask_as_far_as_the_flags_allow() {
    let preflight = |server: &Server, origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        server.client().request("OPTIONS", "/v1/completions", &headers, "")
    };
    let open = Server::demo_with(&["--api-key", "k"]);
    let answer = preflight(&open, "https://a.example");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "*"));
    assert_eq!(answer.header("access-control-allow-headers"), "authorization,content-type");
    // An error can be read by the page, too.
    let refused = open.client().request("POST", "/v1/completions", &[("origin", "https://a.example")], "{}");
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, "*"));

    let flags = ["--allowed-origins", r#"["https://a.example"]"#, "--allow-credentials"];
    let closed = Server::demo_with(&flags);
    let answer = preflight(&closed, "https://a.example");
    assert_eq!(answer.header("access-control-allow-origin"), "https://a.example");
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(preflight(&closed, "https://b.example").header("access-control-allow-origin"), "");
}

#[test]
fn a_wrong_path_is_told_the_right_one_and_slashes_and_prefixes_do_not_matter() {
    let server = Server::demo_with(&["--root-path", "/llm"]);
    let client = server.client();
    for path in ["/v1/completions/", "/llm/v1/completions", "/llm/v1/completions/"] {
        assert_eq!(client.post(path, &body(json!({}))).status, 200, "{path}");
    }
    for (path, meant) in [
        ("/v1/v1/completions", "/v1/completions"),
        ("/completions", "/v1/completions"),
        ("/v1/completion", "/v1/completions"),
        ("/models", "/v1/models"),
        ("/v1/embeddings", "generates text"),
        ("/nowhere", "there are"),
    ] {
        let answer = client.post(path, "{}");
        assert_eq!((answer.status, &answer.body["error"]["code"]), (404, &json!("not_found")), "{path}");
        assert!(answer.message().contains(meant), "{path}: {}", answer.message());
    }
    let answer = client.request("GET", "/v1/completions", &[], "");
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
}

#[test]
fn every_answer_has_the_requests_name_and_a_body_may_be_so_large_and_no_larger() {
    let server = Server::demo_with(&["--max-body-size", "1"]);
    let client = server.client();
    let named = [("x-request-id", "my-name")];
    let answer = client.request("POST", "/v1/completions", &named, &body(json!({})));
    assert_eq!((answer.header("x-request-id"), &answer.json()["id"]), ("my-name", &json!("cmpl-my-name")));
    assert_eq!(client.request("POST", "/nowhere", &named, "{}").header("x-request-id"), "my-name");
    assert!(!client.request("GET", "/health", &[], "").header("x-request-id").is_empty());
    let large = format!(r#"{{"prompt":"{}"}}"#, " ".repeat(1 << 20));
    let answer = client.post("/v1/completions", &large);
    assert_eq!((answer.status, &answer.body["error"]["code"]), (413, &json!("too_large")));
}

#[test]
fn tokens_and_text_are_turned_into_each_other() {
    let server = Server::demo();
    let client = server.client();
    for path in ["/tokenize", "/v1/tokenize"] {
        let answer = client.post(path, r#"{"prompt":"What is Pi? 3.14159 é","return_token_strs":true}"#).body;
        let tokens = answer["tokens"].as_array().unwrap();
        assert_eq!(answer["count"], tokens.len());
        assert_eq!(
            (answer["max_model_len"].clone(), answer["token_strs"].as_array().unwrap().len()),
            (json!(512), tokens.len())
        );
        let text = client.post(&path.replace("token", "detoken"), &json!({"tokens": tokens}).to_string()).body;
        assert!(text["prompt"].as_str().unwrap().ends_with("What is Pi? 3.14159 é"), "{text}");
        let plain = client.post(path, r#"{"prompt":"What is Pi?","add_special_tokens":false,"model":"demo"}"#).body;
        let special = client.post(path, r#"{"prompt":"What is Pi?"}"#).body;
        assert!(plain["count"].as_u64() <= special["count"].as_u64(), "{plain} {special}");
    }
    assert_eq!(client.post("/tokenize", r#"{"prompt":"x","model":"y"}"#).status, 404);
    assert_eq!(client.post("/detokenize", r#"{"tokens":[100000000]}"#).body["error"]["param"], "tokens");
}
