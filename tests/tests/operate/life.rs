//! From the start of the process to its end, as probes and clients see it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jig_tests::{Answer, Server, artifacts, jig};
use serde_json::{Value, json};

use super::raw;

/// A server whose start waits at its last stage until something is written into the returned pipe: its generation config.
fn held(directory: &Path) -> (Server, std::path::PathBuf) {
    let pipe = directory.join("generation_config.json");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let server = Server::begin(jig().args(["--model", "demo", "--port", "0", "--generation-config"]).arg(directory));
    (server, pipe)
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(&artifacts().scratch).unwrap()
}

#[test]
fn probes_are_answered_while_the_model_is_loaded_and_requests_are_told_to_come_again() {
    let directory = directory();
    let (server, pipe) = held(directory.path());
    let client = server.client();
    let end = Instant::now() + Duration::from_secs(30);
    let loading = loop {
        let answer = client.get("/health/startup");
        if answer.body["stage"] == "vocabulary" || Instant::now() > end {
            break answer;
        }
    };
    assert_eq!((loading.status, &loading.body["status"]), (503, &json!("loading")), "{}", loading.body);
    assert!(loading.body["done_bytes"].is_u64() && loading.body["total_bytes"].is_u64(), "{}", loading.body);
    assert_eq!(client.get("/health/live").status, 200);
    for path in ["/health", "/health/ready", "/ping"] {
        assert_eq!(client.get(path).status, 503, "{path}");
    }
    assert!(client.get("/").body.as_str().unwrap().contains("loads its model"));
    assert_eq!(client.get("/version").body["model"], Value::Null);
    assert_eq!(client.metric("jig:load_stage_info"), 1.0);
    let requests = [("/generate", json!({"prompt": "x"})), ("/v1/chat/completions", json!({"messages": []}))];
    for (path, body) in requests {
        let answer = client.request("POST", path, &[], &body.to_string());
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{path}: {}", answer.body);
        assert_eq!(answer.json()["error"]["code"], "loading");
    }
    assert_eq!(client.get("/v1/models").status, 503);
    std::fs::write(pipe, "{}").unwrap();
    while client.get("/health/ready").status != 200 {
        assert!(Instant::now() < end + Duration::from_secs(60), "{}", server.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!((client.get("/health/startup").status, client.get("/health").status), (200, 200));
    assert_eq!(client.generate(&json!({"prompt": "Iron", "max_tokens": 2})).status, 200);
    let metrics = client.get("/metrics");
    assert!(metrics.body.as_str().unwrap().contains("jig:load_stage_info{stage=\"ready\"} 1\n"));
}

#[test]
fn sigterm_ends_a_server_that_loads() {
    let directory = directory();
    let (mut server, _pipe) = held(directory.path());
    server.terminate();
    assert!(server.wait(Duration::from_secs(10)).success(), "{}", server.log());
}

#[test]
fn a_model_that_can_not_be_loaded_ends_the_process_and_the_last_line_says_why() {
    let directory = directory();
    std::fs::write(directory.path().join("config.json"), "{").unwrap();
    let output = jig().args(["--port", "0", "--model"]).arg(directory.path()).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    let last = log.lines().last().unwrap();
    assert!(last.starts_with("error: ") && last.contains("config.json"), "{log}");
}

#[test]
fn after_sigterm_requests_are_taken_for_a_while_in_which_the_server_is_not_ready() {
    let mut server = Server::demo_with(&["--shutdown-delay", "2"]);
    let client = server.client();
    server.terminate();
    let end = Instant::now() + Duration::from_secs(30);
    while client.get("/health/ready").status == 200 {
        assert!(Instant::now() < end, "{}", server.log());
    }
    // It is alive, and takes requests until the delay is over.
    assert_eq!(client.get("/health/live").status, 200);
    let answers: Vec<Answer> = (0..3).map(|_| client.generate(&json!({"prompt": "Iron", "max_tokens": 2}))).collect();
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert!(server.wait(Duration::from_secs(30)).success(), "{}", server.log());
}

#[test]
fn what_the_end_cuts_off_is_told_so_with_503_or_in_the_last_event_of_its_stream() {
    let mut server = Server::demo_with(&["--drain-timeout", "0"]);
    let client = server.client();
    let endless = json!({"prompt": "x", "n": 60, "regex": "[a-z]{480}"});
    let stream = json!({"prompt": "x", "n": 60, "max_tokens": 480, "ignore_eos": true, "stream": true}).to_string();
    let mut socket = raw::connect(&server);
    raw::send(&mut socket, &(raw::head("/v1/completions", stream.len()) + &stream));
    assert!(raw::read(&mut socket, "data: {").contains("200 OK"));
    let (whole, events) = std::thread::scope(|scope| {
        let whole = scope.spawn(|| client.generate(&endless));
        while client.metric("vllm:num_requests_running") + client.metric("vllm:num_requests_waiting") < 2.0 {
            std::thread::sleep(Duration::from_millis(2));
        }
        server.terminate();
        (whole.join().unwrap(), raw::read(&mut socket, "never"))
    });
    assert_eq!((whole.status, whole.message()), (503, "the server is shutting down"), "{}", whole.body);
    let last: Vec<&str> = events.lines().filter(|line| line.starts_with("data: ")).rev().take(2).collect();
    assert!(last[0] == "data: [DONE]" && last[1].contains("shutting down") && last[1].contains("draining"), "{last:?}");
    assert!(server.wait(Duration::from_secs(30)).success(), "{}", server.log());
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut server = Server::demo_with(&["--shutdown-delay", "600"]);
    server.terminate();
    server.line_with("a second signal ends at once", Duration::from_secs(20));
    server.terminate();
    assert_eq!(server.wait(Duration::from_secs(20)).code(), Some(1));
}

#[test]
fn an_engine_without_progress_is_told_by_the_probe_and_the_log_says_where_its_threads_stand() {
    // No step is as short as that.
    let server = Server::demo_with(&["--stall-timeout", "0.0001"]);
    let client = server.client();
    assert_eq!(client.get("/health/live").status, 200);
    let body = json!({"prompt": "x", "n": 60, "regex": "[a-z]{480}"});
    let seen = std::thread::scope(|scope| {
        let running = scope.spawn(|| client.generate(&body));
        let mut seen = Value::Null;
        while !running.is_finished() {
            let answer = client.get("/health/live");
            if answer.status == 503 {
                seen = answer.body;
            }
        }
        assert_eq!(running.join().unwrap().status, 200);
        seen
    });
    let message = seen["error"]["message"].as_str().unwrap();
    assert!(message.contains("no step has ended"), "{message}");
    let log = server.log();
    assert!(log.contains("no step of the engine has ended") && log.contains("thread engine "), "{log}");
    // It is idle, and so it is well.
    assert_eq!(client.get("/health/live").status, 200);
}

#[test]
fn a_stall_ends_the_process_where_the_operator_wants_that() {
    let mut server = Server::demo_with(&["--stall-timeout", "0.0001", "--stall-action", "abort"]);
    let mut socket = raw::connect(&server);
    let body = json!({"prompt": "x", "n": 60, "regex": "[a-z]{480}"}).to_string();
    raw::send(&mut socket, &(raw::head("/generate", body.len()) + &body));
    assert!(!server.wait(Duration::from_secs(60)).success());
    assert!(server.log().contains("--stall-action"), "{}", server.log());
}
