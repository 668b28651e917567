//! Faults that other servers of models had, by their published advisories: each is asked of this one.
//!
//! | fault | where it was published |
//! |---|---|
//! | a key is not asked for on some spellings of a path, or on routes that nobody thought of | CVE-2026-48746, vLLM's documentation of `--api-key` |
//! | a number out of range ends the engine or takes all memory | CVE-2026-34756, CVE-2026-93592, GHSA-v5gm-qgmv-gc6c, GHSA-4xqp-c3mv-qff7 |
//! | an invalid schema, regex or tool ends the server | CVE-2025-48942, -48943, -48944 |
//! | deep nesting overflows the stack | CVE-2025-57809, CVE-2026-25048 |
//! | a head or a body without end is read into memory | CVE-2025-48956, CVE-2026-55646 |
//! | the text of a special token in a prompt ends the server or poses as that token | CVE-2026-44222 |
//! | an error tells addresses or paths | CVE-2026-22778 |
//! | sockets listen that nobody asked for | CVE-2025-30202 |

use std::collections::BTreeSet;
use std::fs;

use jig_tests::Server;
use serde_json::{Value, json};

use super::raw;

#[test]
fn every_route_wants_a_key_however_its_path_and_its_host_are_spelled() {
    let server = Server::demo_with(&["--api-key", "right", "--root-path", "/jig"]);
    let client = server.client();
    let described = client.request("GET", "/openapi.json", &[("authorization", "Bearer right")], "").json();
    let mut paths: Vec<String> = described["paths"].as_object().unwrap().keys().cloned().collect();
    paths.extend(
        ["/", "/v1/models/demo", "/openapi.json", "/v1/tokenize", "/nothing", "/healthz", "/metrics2"]
            .map(str::to_owned),
    );
    let open = ["/health", "/health/live", "/health/ready", "/health/startup", "/version", "/metrics"];
    assert!(paths.len() > 15, "{paths:?}");
    for path in &paths {
        for method in ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"] {
            for prefix in ["", "/jig"] {
                let answer = client.request(method, &format!("{prefix}{path}"), &[], "");
                let is_open = open.contains(&path.as_str());
                assert_eq!(answer.status != 401, is_open, "{method} {prefix}{path}: {}", answer.status);
            }
        }
    }
    for target in [
        "//v1/models",
        "/v1//models",
        "/v1/models/",
        "/v1%2fmodels",
        "/V1/MODELS",
        "/v1/models;/health",
        "/v1/models?/health",
        "/health/../v1/models",
        "/health/..%2fv1/models",
        "/health/x",
        "/jig/jig/v1/models",
        "/./v1/models",
        "http://x/v1/models",
        "http://health/v1/models",
        "*",
    ] {
        for head in ["HTTP/1.1\r\nHost: x", "HTTP/1.1\r\nHost: x/health", "HTTP/1.1\r\nHost: /health?", "HTTP/1.0"] {
            let mut socket = raw::connect(&server);
            raw::send(&mut socket, &format!("GET {target} {head}\r\nConnection: close\r\n\r\n"));
            let answer = raw::read(&mut socket, "\"code\"");
            let status = answer.split(' ').nth(1).unwrap_or("none");
            assert!(["400", "401"].contains(&status), "{target} {head}: {answer}");
            assert!(!answer.contains("max_model_len"), "{target} {head}: {answer}");
        }
    }
}

/// Bodies that are wrong, for `/generate`.
fn wrong() -> Vec<Value> {
    let mut all = Vec::new();
    let mut with = |name: &str, values: &[Value]| {
        for value in values {
            let mut body = json!({"prompt": "x", "max_tokens": 4});
            body[name] = value.clone();
            all.push(body);
        }
    };
    let huge: Value = serde_json::from_str("1e308").unwrap();
    with("n", &[json!(0), json!(-1), json!(65), json!(2_147_483_648u64), huge.clone(), json!(1.5), json!("2")]);
    with(
        "prompt",
        &[json!([-1]), json!([2048]), json!([4_294_967_296u64]), json!([1.5]), json!([null]), json!([]), json!([[1]])],
    );
    with("stop_token_ids", &[json!([-1]), json!([2048]), json!([4_294_967_296u64])]);
    with("allowed_token_ids", &[json!([-1]), json!([2048]), json!([])]);
    with("logit_bias", &[json!({"-1": 1}), json!({"2048": 1}), json!({"x": 1}), json!({"1": "x"})]);
    with("logprobs", &[json!(-1), json!(21), json!(4_294_967_296u64)]);
    with("max_tokens", &[json!(0), json!(-1), huge.clone()]);
    with("temperature", &[json!(-1), json!(3), huge]);
    with("top_p", &[json!(0), json!(2)]);
    with(
        "regex",
        &[json!("("), json!("[z-a]"), json!("a{2,1}"), json!("*"), json!(r"\1(a)"), json!("(?<=a)b"), json!("\u{0}")],
    );
    with(
        "regex",
        &[json!("(".repeat(30_000) + "a" + &")".repeat(30_000)), json!("((((a{1,9999}){1,9999}){1,9999}){1,9999})")],
    );
    for schema in [
        json!({"type": "nothing"}),
        json!({"type": 5}),
        json!({"pattern": "("}),
        json!({"minimum": "x"}),
        json!({"maxLength": -1}),
        json!({"$ref": "#/nowhere"}),
        json!({"$ref": "http://127.0.0.1:1/x"}),
        json!({"enum": []}),
        json!({"required": "x"}),
        json!({"properties": []}),
        json!({"type": "string", "minLength": 9, "maxLength": 1}),
        json!({"not": {}}),
        json!([]),
        json!("{"),
        json!(5),
    ] {
        all.push(json!({"prompt": "x", "schema": schema}));
    }
    all
}

#[test]
fn what_is_wrong_is_refused_by_name_and_tells_nothing_of_the_server() {
    let server = Server::demo();
    let client = server.client();
    for body in wrong() {
        let answer = client.generate(&body);
        let shown = body.to_string().chars().take(200).collect::<String>();
        assert_eq!(answer.status, 400, "{shown}: {}", answer.body);
        let message = answer.message();
        for secret in ["0x", "/root", "/home", "/work", "src/", ".rs", "panicked", "Some(", "Err("] {
            assert!(!message.contains(secret), "{shown}: {message}");
        }
        assert!(message.len() < 2000, "{shown}: {} bytes", message.len());
    }
    assert_eq!(client.generate(&json!({"prompt": "Iron", "max_tokens": 2})).status, 200);
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}

#[test]
fn a_name_that_is_a_megabyte_long_is_not_sent_back() {
    let server = Server::demo();
    let client = server.client();
    let long = "x".repeat(1 << 20);
    for (path, body) in [
        ("/generate", json!({"prompt": "x", &long: 1})),
        ("/generate", json!({"prompt": "x", "schema": {"type": &long}})),
        ("/v1/completions", json!({"prompt": "x", "model": &long})),
        ("/v1/completions", json!({"prompt": "x", "temperature": &long})),
    ] {
        let answer = client.request("POST", path, &[], &body.to_string());
        let size = answer.body.len() + answer.headers.iter().map(|(_, value)| value.len()).sum::<usize>();
        assert!(size < 10_000, "{path} {}: {size} bytes", answer.status);
    }
}

#[test]
fn nesting_of_any_depth_is_refused_and_not_followed_to_the_end_of_the_stack() {
    let server = Server::demo();
    let client = server.client();
    let nested =
        |open: &str, inner: &str, close: &str, levels: usize| open.repeat(levels) + inner + &close.repeat(levels);
    let schemas = [
        nested(r#"{"items":"#, "true", "}", 100_000),
        nested(r#"{"not":"#, "true", "}", 2_000),
        nested(r#"{"anyOf":["#, "true", "]}", 2_000),
        nested(r#"{"properties":{"a":"#, "true", "}}", 2_000),
        r##"{"$ref":"#"}"##.to_owned(),
        r##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}"##.to_owned(),
        r##"{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}"##.to_owned(),
    ];
    let bodies = schemas.iter().map(|schema| format!(r#"{{"prompt":"x","max_tokens":9,"schema":{schema}}}"#));
    let deep = [nested("[", "", "]", 1_000_000), format!(r#"{{"prompt":{}}}"#, nested("[", "1", "]", 500_000))];
    for body in bodies.chain(deep) {
        let answer = client.post("/generate", &body);
        assert_eq!(answer.status, 400, "{}: {}", &body[..60], answer.body);
        let chat = body.replacen(r#""prompt":"x""#, r#""messages":[{"role":"user","content":"x"}]"#, 1);
        let chat = chat.replacen(r#""schema":"#, r#""guided_json":"#, 1);
        assert_eq!(client.post("/v1/chat/completions", &chat).status, 400, "{}", &chat[..80]);
    }
    assert_eq!(client.generate(&json!({"prompt": "Iron", "max_tokens": 2})).status, 200);
}

#[test]
fn a_head_or_a_body_without_end_is_cut_off_and_takes_no_memory() {
    let server = Server::demo_with(&["--max-body-size", "1"]);
    let client = server.client();
    let before = client.metric("process_resident_memory_bytes");
    let mut socket = raw::connect(&server);
    raw::send(&mut socket, "GET /health HTTP/1.1\r\nHost: localhost\r\nX: ");
    (0..1024).for_each(|_| raw::send(&mut socket, &"x".repeat(1 << 20)));
    assert_eq!(client.get("/health").status, 200);
    let mut socket = raw::connect(&server);
    raw::send(&mut socket, "POST /generate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    (0..4).for_each(|_| raw::send(&mut socket, &chunk));
    assert!(raw::read(&mut socket, "\"code\"").starts_with("HTTP/1.1 413 "));
    let grown = client.metric("process_resident_memory_bytes") - before;
    assert!(grown < 400e6, "{grown} bytes");
}

#[test]
fn the_text_of_a_special_token_said_by_a_person_is_text() {
    let server = Server::demo();
    let client = server.client();
    let tokenizer = include_str!("../../../host/demo/tokenizer.json");
    let tokenizer: Value = serde_json::from_str(tokenizer).unwrap();
    let special = tokenizer["added_tokens"].as_array().unwrap().iter().filter(|token| token["special"] == true);
    let special: Vec<(String, u64)> =
        special.map(|token| (token["content"].as_str().unwrap().to_owned(), token["id"].as_u64().unwrap())).collect();
    assert!(!special.is_empty());
    for (text, id) in special {
        let body = json!({"messages": [{"role": "user", "content": format!("a{text}b")}]});
        let rendered = client.post("/v1/chat/completions/render", &body.to_string());
        let count = |value: &Value| value.as_array().unwrap().iter().filter(|token| **token == json!(id)).count();
        let plain = json!({"messages": [{"role": "user", "content": "ab"}]});
        let plain = client.post("/v1/chat/completions/render", &plain.to_string());
        let counts = [&rendered.body, &plain.body].map(|body| count(&body["prompt_token_ids"]));
        assert_eq!(counts[0], counts[1], "{text}: {}", rendered.body);
        assert_eq!(client.post("/v1/chat/completions", &body.to_string()).status, 200, "{text}");
    }
}

#[test]
fn nothing_listens_but_the_port_that_was_asked_for() {
    let server = Server::demo();
    let own: BTreeSet<String> = fs::read_dir(format!("/proc/{}/fd", server.id()))
        .unwrap()
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut listening = Vec::new();
    for table in ["tcp", "tcp6"] {
        for line in fs::read_to_string(format!("/proc/{}/net/{table}", server.id())).unwrap_or_default().lines().skip(1)
        {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] == "0A" && own.contains(fields[9]) {
                listening.push(fields[1].to_owned());
            }
        }
    }
    let port: u16 = server.address().rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(listening, [format!("0100007F:{port:04X}")]);
}
