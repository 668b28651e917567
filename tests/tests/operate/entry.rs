//! Who may enter, how many wait, and what the log says of them.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use jig_tests::{Server, artifacts, jig};
use serde_json::{Value, json};

use super::raw;

#[test]
fn keys_of_a_file_are_read_again_when_it_changes() {
    let directory = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    let file = directory.path().join("keys");
    // The digest of "secret".
    let team = "team:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    fs::write(&file, format!("# keys\nfirst\n{team}\n")).unwrap();
    let server = Server::demo_with(&["--api-key", "fixed", "--api-key-file", file.to_str().unwrap()]);
    let client = server.client();
    let status =
        |key: &str| client.request("GET", "/v1/models", &[("authorization", &format!("Bearer {key}"))], "").status;
    assert_eq!(["first", "secret", "fixed", "second", ""].map(status), [200, 200, 200, 401, 401]);
    assert_eq!(status(team.split_once(':').unwrap().1), 401, "a digest is no key");
    assert!(server.line_with("key=team", Duration::from_secs(10)).contains("status=200"));
    fs::write(&file, "second\n").unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while status("second") != 200 {
        assert!(Instant::now() < end, "{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(["first", "secret", "fixed"].map(status), [401, 401, 200]);
    let log = server.log();
    assert!(!log.contains("Bearer first") && !log.contains("secret"), "{log}");
}

#[test]
fn a_certificate_that_is_replaced_is_in_use_without_a_restart() {
    let directory = tempfile::tempdir_in(&artifacts().scratch).unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    let make = || {
        let arguments =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        let names =
            ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", &key, "-out", &certificate];
        Command::new("openssl").args(arguments).args(names).output().is_ok_and(|output| output.status.success())
    };
    let has_curl = Command::new("curl").arg("--version").output().is_ok();
    if !has_curl || !make() {
        println!("skipped: openssl or curl is not there");
        return;
    }
    let server = Server::demo_with(&["--ssl-keyfile", &key, "--ssl-certfile", &certificate]);
    let trusts = |certificate: &str| {
        let url = format!("{}/health", server.address());
        Command::new("curl").args(["-sf", "--cacert", certificate, &url]).output().unwrap().status.success()
    };
    assert!(server.address().starts_with("https://") && trusts(&certificate), "{}", server.log());
    let before = path("before.pem");
    fs::copy(&certificate, &before).unwrap();
    fs::write(&certificate, "no certificate").unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    assert!(trusts(&before), "a file that can't be used changes nothing");
    assert!(make());
    let end = Instant::now() + Duration::from_secs(30);
    while !trusts(&certificate) {
        assert!(Instant::now() < end, "{}", server.log());
    }
    assert!(!trusts(&before));
}

#[test]
fn a_local_server_without_keys_answers_only_what_is_meant_for_this_machine() {
    let ask = |server: &Server, host: &str| {
        let mut socket = raw::connect(server);
        raw::send(&mut socket, &format!("GET /v1/models HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        raw::read(&mut socket, "\"code\"").split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let server = Server::demo_with(&["--allowed-hosts", "jig.example"]);
    for (host, status) in [
        ("127.0.0.1:1", "200"),
        ("localhost", "200"),
        ("jig.example:80", "200"),
        ("evil.example", "403"),
        ("127.0.0.1.evil.example", "403"),
    ] {
        assert_eq!(ask(&server, host), status, "{host}");
    }
    let open = Server::demo_with(&["--host", "0.0.0.0"]);
    assert!(open.log().contains("no keys are wanted"), "{}", open.log());
}

#[test]
fn a_full_queue_is_told_with_429_and_when_to_come_again() {
    let server = Server::demo_with(&["--max-queue", "1", "--max-num-seqs", "1"]);
    let client = server.client();
    let long = json!({"prompt": "x", "regex": "[a-z]{450}"}).to_string();
    let mut held = Vec::new();
    let end = Instant::now() + Duration::from_secs(60);
    let refused = loop {
        let mut socket = raw::connect(&server);
        raw::send(&mut socket, &(raw::head("/generate", long.len()) + &long));
        held.push(socket);
        let answer =
            client.request("POST", "/v1/completions", &[], &json!({"prompt": "x", "max_tokens": 400}).to_string());
        if answer.status != 200 {
            break answer;
        }
        assert!(Instant::now() < end, "the queue never fills");
    };
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!(refused.status == 429 && (1..=120).contains(&seconds), "{} {}", refused.status, refused.body);
    let error = &refused.json()["error"];
    assert_eq!((&error["code"], &error["type"]), (&json!("overloaded"), &json!("rate_limit_error")));
    assert!(error["message"].as_str().unwrap().contains("--max-queue"), "{error}");
}

/// The lines of a JSON log that tell of requests.
fn lines(server: &Server) -> Vec<Value> {
    let all = server.log();
    all.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["message"] == "request")
        .collect()
}

#[test]
fn the_log_has_a_line_for_each_request_with_its_tokens_times_and_end() {
    let server = Server::spawn(jig().args(["--model", "demo", "--port", "0", "--log-format", "json"]));
    let client = server.client();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let whole = json!({"prompt": "Iron", "max_tokens": 3, "ignore_eos": true}).to_string();
    client.request("POST", "/generate", &[("x-request-id", "one"), ("traceparent", parent)], &whole);
    let chat = json!({"messages": [{"role": "user", "content": "x"}], "guided_regex": "[ab]{3}", "stream": true});
    client.request("POST", "/v1/chat/completions", &[("x-request-id", "two")], &chat.to_string());
    client.request("POST", "/generate", &[("x-request-id", "three")], r#"{"prompt":"x","\nforged":1}"#);
    client.request("GET", "/v1/models/nope", &[("x-request-id", "four")], "");
    for path in ["/health", "/health/live", "/metrics"] {
        assert_eq!(client.get(path).status, 200);
    }
    // A client that leaves.
    let endless = json!({"prompt": "x", "regex": "[a-z]{480}", "stream": true}).to_string();
    let mut socket = raw::connect(&server);
    raw::send(&mut socket, &(raw::head("/generate", endless.len()) + &endless));
    raw::read(&mut socket, "\0");
    drop(socket);
    let end = Instant::now() + Duration::from_secs(20);
    let all = loop {
        let all = lines(&server);
        if all.len() == 5 {
            break all;
        }
        assert!(Instant::now() < end && all.len() < 5, "{all:?}");
        std::thread::sleep(Duration::from_millis(10));
    };
    let of = |id: &str| all.iter().find(|line| line["request_id"] == id).unwrap_or_else(|| panic!("{id}: {all:?}"));
    let one = of("one");
    let expected = json!({"level": "info", "method": "POST", "route": "/generate", "status": 200, "model": "demo", "output_tokens": 3,
        "outputs": 1, "finish": "length", "guided": false, "stream": false, "client_gone": false,
        "trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&one[name], value, "{name}: {one}");
    }
    let (queued, first, total) = (one["queue_ms"].as_f64(), one["ttft_ms"].as_f64(), one["total_ms"].as_f64());
    assert!(queued <= first && first <= total && queued.is_some() && one["prompt_tokens"].as_u64() > Some(0), "{one}");
    let two = of("two");
    assert_eq!((&two["finish"], &two["guided"], &two["stream"]), (&json!("stop"), &json!(true), &json!(true)), "{two}");
    let three = of("three");
    assert_eq!((&three["status"], &three["output_tokens"]), (&json!(400), &Value::Null), "{three}");
    assert!(three["error"].as_str().unwrap().contains("unknown field"), "{three}");
    assert_eq!((&of("four")["route"], &of("four")["status"]), (&json!("/v1/models/{*name}"), &json!(404)));
    let left = all.iter().find(|line| line["client_gone"] == true).unwrap();
    assert_eq!((&left["finish"], &left["status"]), (&json!("abort"), &json!(200)), "{left}");
    // Each is one line, whatever a client says.
    assert!(server.log().lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", server.log());
}

#[test]
fn an_operator_may_want_errors_only_or_nothing() {
    for (which, count) in [("off", 0), ("errors", 1), ("all", 2)] {
        let server = Server::spawn(jig().args([
            "--model",
            "demo",
            "--port",
            "0",
            "--log-format",
            "json",
            "--access-log",
            which,
        ]));
        let client = server.client();
        client.generate(&json!({"prompt": "Iron", "max_tokens": 2}));
        client.generate(&json!({"prompt": 5}));
        // Their lines are written when their answers end, and the server's last line after that.
        server.terminate();
        server.line_with("done", Duration::from_secs(20));
        assert_eq!(lines(&server).len(), count, "{which}: {}", server.log());
    }
}
