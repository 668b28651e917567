//! Connections beyond the limit, and names of requests.

use std::time::Duration;

use jig_tests::Server;
use serde_json::json;

use super::raw;

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn idle_connections_give_way_to_new_ones() {
    let server = Server::demo_with(&["--max-connections", "8"]);
    // Silent ones, one in the midst of a head, and some that were answered and wait for the next request.
    let mut idle: Vec<_> = (0..20).map(|_| raw::connect(&server)).collect();
    raw::send(&mut idle[19], "GET /hea");
    let mut answered = raw::connect(&server);
    raw::send(&mut answered, HEALTH);
    assert!(raw::read(&mut answered, "ready").starts_with("HTTP/1.1 200 "));
    for _ in 0..30 {
        let mut socket = raw::connect(&server);
        raw::send(&mut socket, HEALTH);
        assert!(raw::read(&mut socket, "ready").starts_with("HTTP/1.1 200 "));
        idle.push(socket);
    }
    assert!(server.log().contains("--max-connections"), "{}", server.log());
    // The first ones were closed, not left open.
    assert_eq!(raw::read(&mut idle[0], "never"), "");
    drop(idle);
    let client = server.client();
    assert!(client.metric("jig:http_connections_closed_idle_total") >= 30.0);
    assert!(client.metric("jig:http_connections") <= 16.0);
}

#[test]
fn where_all_connections_are_busy_probes_are_answered_and_others_are_told_to_come_again() {
    let server = Server::demo_with(&["--max-connections", "3"]);
    let body = json!({"prompt": "x", "n": 50, "regex": "[a-z]{480}", "stream": true}).to_string();
    let _busy: Vec<_> = (0..3)
        .map(|_| {
            let mut socket = raw::connect(&server);
            raw::send(&mut socket, &(raw::head("/generate", body.len()) + &body));
            assert!(raw::read(&mut socket, "\0").contains("200 OK"));
            socket
        })
        .collect();
    let ask = |request: &str| {
        let mut socket = raw::connect(&server);
        raw::send(&mut socket, request);
        raw::read(&mut socket, "\r\n\r\n")
    };
    let refused = ask(&(raw::head("/generate", 2) + "{}"));
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("connection: close"), "{refused}");
    for path in ["/health", "/health/live", "/metrics"] {
        let answer = ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
}

#[test]
fn a_name_of_a_request_that_could_be_taken_for_something_else_is_replaced() {
    let server = Server::demo();
    let client = server.client();
    let named =
        |id: &str| client.request("GET", "/version", &[("x-request-id", id)], "").header("x-request-id").to_owned();
    assert_eq!(named("req-1.a:B_9"), "req-1.a:B_9");
    for id in [&"x".repeat(129), "done, 3 tokens", "a\tb", "é"] {
        let own = named(id);
        assert!(own != *id && own.len() == 36, "{id}: {own}");
    }
    // What was refused stands nowhere in the log.
    let answer = client.request("POST", "/generate", &[("x-request-id", "forged ERROR line")], "{");
    assert_eq!(answer.status, 400);
    assert!(!server.log().contains("forged"), "{}", server.log());
}

#[test]
fn a_long_name_of_a_method_or_a_path_is_shortened_in_the_log() {
    let server = Server::demo();
    let mut socket = raw::connect(&server);
    raw::send(&mut socket, &format!("{} /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "M".repeat(5000), "p".repeat(5000)));
    assert!(raw::read(&mut socket, "\r\n\r\n").starts_with("HTTP/1.1 404 "));
    let line = server.line_with("MMM", Duration::from_secs(10));
    assert!(line.len() < 1000, "{line}");
}
