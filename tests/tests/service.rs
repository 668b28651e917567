//! Refusals, streams, start and shutdown of a server.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use jig_tests::{Server, artifacts, jig, stream_until};
use serde_json::{Value, json};

#[test]
fn an_invalid_request_is_refused_by_its_field_and_the_next_one_is_answered() {
    let server = Server::demo();
    let client = server.client();
    for (body, status, param, says) in [
        (r#"{"prompt":"x","temprature":0.5}"#, 400, "temprature", "temperature"),
        (r#"{"prompt":"x","top_p":0}"#, 400, "top_p", "top_p"),
        (r#"{"prompt":"x","n":0}"#, 400, "n", "n"),
        (r#"{"prompt":"x","schema":{"properties":{"a/b":{"type":"strin"}}}}"#, 400, "schema", "/properties/a~1b/type"),
        (r#"{"prompt":"x","schema":{"type":"string","minLength":5,"maxLength":4}}"#, 400, "schema", "match"),
        (r#"{"prompt":"x","regex":"a(b"}"#, 400, "regex", ""),
        (r#"{"regex":"a"}"#, 400, "prompt", "prompt"),
        (r#"{"prompt":"x","structured_outputs":7}"#, 400, "structured_outputs", ""),
        (r#"{"prompt":"x""#, 400, "", "line 1"),
        ("", 400, "", ""),
        ("[]", 400, "", "object"),
    ] {
        let answer = client.post("/generate", body);
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        let error = &answer.body["error"];
        assert_eq!(error["param"].as_str().unwrap_or_default(), param, "{body}: {error}");
        assert!(answer.message().contains(says) && !answer.message().is_empty(), "{body}: {error}");
        assert!(error["type"].is_string() && error.get("code").is_some(), "{body}: {error}");
    }
    assert_eq!(client.get("/nowhere").status, 404);
    assert_eq!(client.get("/generate").status, 405);
    assert_eq!(client.generate(&json!({"prompt": "Iron", "max_tokens": 3})).status, 200);
}

#[test]
fn each_chunk_of_a_stream_extends_the_one_before_and_the_last_is_the_whole_answer() {
    let server = Server::demo();
    let mut body = json!({"prompt": "What is the capital of Japan?", "n": 2, "seed": 5, "max_tokens": 30,
        "schema": {"type": "array", "items": {"type": "string", "maxLength": 8}, "minItems": 2, "maxItems": 4}});
    let whole = server.client().generate(&body);
    body["stream"] = true.into();
    let chunks = server.client().stream(&body);
    assert_eq!(chunks.last(), Some(&whole.body));
    for index in 0..2 {
        let texts: Vec<_> = chunks.iter().map(|chunk| chunk["text"][index].as_str().unwrap()).collect();
        assert!(texts.is_sorted_by(|earlier, later| later.starts_with(earlier)), "{texts:?}");
    }
}

#[test]
fn a_stop_string_ends_a_guided_text_only_where_it_is_complete_and_is_never_streamed() {
    let server = Server::demo();
    let last = |body: &Value| {
        let chunks = server.client().stream(body);
        chunks.last().unwrap()["text"][0].as_str().unwrap().to_owned()
    };
    // After six digits the text is complete; `ignore_eos` makes it continue up to the stop string.
    let mut body = json!({"prompt": "x", "regex": "[0-9]{6}c?", "stop": ["c"], "ignore_eos": true, "stream": true});
    let chunks = server.client().stream(&body);
    assert!(chunks.iter().all(|chunk| !chunk["text"][0].as_str().unwrap().contains('c')), "{chunks:?}");
    assert_eq!(last(&body).len(), 7);
    body["include_stop_str_in_output"] = true.into();
    assert!(last(&body).len() == 8 && last(&body).ends_with('c'));
    // A text that ended at the stop string would not match the regex, so the guide ignores it.
    assert_eq!(last(&json!({"prompt": "x", "regex": "(abc){3}", "stop": ["bca"], "stream": true})), "xabcabcabc");
    // Without a guide, a stop string always ends the text.
    let free = json!({"prompt": "What is the capital of France?", "temperature": 0, "stop": ["ari"], "stream": true});
    assert!(last(&free).ends_with("? P"), "{}", last(&free));
}

#[test]
fn after_sigterm_running_requests_finish_and_the_exit_code_is_zero() {
    let mut server = Server::demo();
    let client = server.client();
    let body = json!({"prompt": "x", "regex": "[a-z]{400}", "stream": true});
    let chunks = std::thread::scope(|scope| {
        let running = scope.spawn(|| client.stream(&body));
        while client.metric("vllm:num_requests_running") < 1.0 && !running.is_finished() {
            std::thread::sleep(Duration::from_millis(5));
        }
        server.terminate();
        running.join().unwrap()
    });
    assert_eq!(chunks.last().unwrap()["text"][0].as_str().unwrap().len(), 401);
    assert!(server.wait(Duration::from_secs(30)).success(), "{}", server.log());
}

#[test]
fn a_request_whose_client_disconnects_frees_its_slot() {
    let server = Server::demo_with(&["--max-num-seqs", "1"]);
    let endless = json!({"prompt": "x", "regex": "[a-z]{450}", "stream": true});
    assert_eq!(stream_until(server.address(), &endless, 2), 2);
    let answer = server.client().generate(&json!({"prompt": "Iron", "max_tokens": 2}));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn an_invalid_argument_at_startup_is_an_error_that_names_it() {
    let empty = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    let other = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    std::fs::write(other.path().join("config.json"), r#"{"architectures":["MambaForCausalLM"],"model_type":"mamba"}"#)
        .unwrap();
    let path = |directory: &tempfile::TempDir| directory.path().to_str().unwrap().to_owned();
    for (arguments, says) in [
        (vec!["--model".to_owned(), path(&empty)], vec!["config.json".to_owned(), path(&empty)]),
        (vec!["--model".to_owned(), "./missing-directory".to_owned()], vec!["missing-directory".to_owned()]),
        (
            vec!["--model".to_owned(), "demo".to_owned(), "--backend".to_owned(), "cdua".to_owned()],
            vec!["cdua".to_owned()],
        ),
        (
            vec!["--model".to_owned(), "demo".to_owned(), "--backend-option".to_owned(), "sped=1".to_owned()],
            vec!["sped".to_owned()],
        ),
        (vec!["--model".to_owned(), "demo".to_owned(), "--dtype".to_owned(), "f7".to_owned()], vec!["f7".to_owned()]),
    ] {
        let output = jig().args(&arguments).args(["--port", "0"]).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {message}");
        assert!(says.iter().all(|word| message.contains(word)), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{arguments:?}: {message}");
    }
}

#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    let server = Server::demo();
    let port = server.address().rsplit(':').next().unwrap();
    let output = Command::new(&artifacts().jig).args(["--model", "demo", "--port", port]).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains(port), "{message}");
}

/// The body of a request whose schema has 4,000 similar alternatives (571 KB). It compiles for a long time.
fn heavy(title: &str) -> String {
    let object = |i: usize| {
        let properties = json!({"kind": {"const": format!("k{i}")}, "v": {"type": "string"}, format!("n{}", i % 7): {"type": "integer"}});
        json!({"type": "object", "properties": properties, "required": ["kind", "v"]})
    };
    let objects: Vec<Value> = (0..4000).map(object).collect();
    json!({"prompt": "x", "schema": {"title": title, "oneOf": objects}}).to_string()
}

/// Sends a request and does not wait for the answer. Dropping the socket disconnects the client.
fn post_and_hold(server: &Server, body: &str) -> TcpStream {
    let host = server.address().strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    let head = format!("POST /generate HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(body.as_bytes())).unwrap();
    socket
}

#[test]
fn while_large_schemas_compile_other_requests_are_answered_and_disconnected_ones_stop_compiling() {
    let mut server = Server::demo();
    let client = server.client();
    let known = json!({"prompt": "x", "regex": "[a-z]{3}"});
    assert_eq!(client.generate(&known).status, 200);
    // One more than there are cores. Titles differ, so that no compilation is shared.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let begin = |round: usize| -> Vec<TcpStream> {
        (0..=cores).map(|number| post_and_hold(&server, &heavy(&format!("{round}, {number}")))).collect()
    };
    let mut leaving = begin(0);
    for number in 0..6 {
        let new = json!({"prompt": "x", "schema": {"type": "string", "maxLength": number}});
        for body in [&json!({"prompt": "Iron", "max_tokens": 3}), &known, &new] {
            let answer = client.generate(body);
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        if number == 2 {
            // The first clients disconnect, and new ones connect.
            leaving = begin(1);
        }
    }
    drop(leaving);
    let end = Instant::now() + Duration::from_secs(120);
    while client.metric("jig:compilations_running") > 0.0 {
        assert!(Instant::now() < end, "compilations run on without a client:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    let staying = begin(2);
    server.terminate();
    assert!(server.wait(Duration::from_secs(60)).success(), "{}", server.log());
    drop(staying);
}
