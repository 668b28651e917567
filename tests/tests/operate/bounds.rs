//! What one request, and all together, may take.

use std::time::{Duration, Instant};

use jig_tests::Server;
use serde_json::json;

use super::raw;

fn until(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "what is waited for does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_request_of_many_outputs_does_not_keep_others_waiting() {
    let server = Server::demo_with(&["--max-n", "2000", "--max-num-seqs", "8"]);
    let client = server.client();
    let many = json!({"prompt": "x", "n": 2000, "max_tokens": 400, "ignore_eos": true}).to_string();
    let mut large = raw::connect(&server);
    raw::send(&mut large, &(raw::head("/generate", many.len()) + &many));
    until(|| client.metric("jig:outputs_running") >= 7.0);
    for _ in 0..3 {
        assert_eq!(client.generate(&json!({"prompt": "Iron", "max_tokens": 2})).status, 200);
    }
    // The large one is far from its end.
    assert!(client.metric("vllm:num_requests_running") >= 1.0);
    assert_eq!(client.metric("jig:requests_finished_total"), 3.0);
}

#[test]
fn what_a_request_may_not_ask_for_is_refused_with_the_limit_and_the_flag() {
    let server = Server::demo();
    let client = server.client();
    for (body, says) in [
        (json!({"prompt": "x", "n": 65}), "--max-n"),
        (json!({"prompt": "x", "n": 64, "max_tokens": 400, "logprobs": 20, "ignore_eos": true}), ""),
        (json!({"prompt": "x", "n": 64, "max_tokens": 10_000, "logprobs": 20}), ""),
        (json!({"prompt": "x", "stop": vec!["y".repeat(1000); 66]}), "65536"),
    ] {
        let answer = client.generate(&body);
        let is_fine = answer.status == 200 && says.is_empty();
        assert!(is_fine || answer.status == 400 && answer.message().contains(says), "{body}: {}", answer.body);
    }
}

#[test]
fn an_answer_that_takes_too_much_memory_fails_with_503_and_others_do_not() {
    let server = Server::demo_with(&["--max-answer-memory", "1"]);
    let client = server.client();
    let large = json!({"prompt": "x", "n": 32, "max_tokens": 100, "logprobs": 5, "ignore_eos": true});
    let answer = client.generate(&large);
    assert_eq!((answer.status, answer.body["error"]["code"].as_str()), (503, Some("unavailable")), "{}", answer.body);
    assert!(answer.message().contains("--max-answer-memory"), "{}", answer.message());
    let chat = json!({"messages": [{"role": "user", "content": "x"}], "n": 32, "max_tokens": 100, "logprobs": true,
        "top_logprobs": 5, "ignore_eos": true});
    let answer = client.post("/v1/chat/completions", &chat.to_string());
    assert_eq!((answer.status, answer.body["error"]["code"].as_str()), (503, Some("overloaded")), "{}", answer.body);
    assert_eq!(client.generate(&json!({"prompt": "Iron", "max_tokens": 2})).status, 200);
}

#[test]
fn bodies_have_a_memory_of_their_own_and_small_ones_are_always_taken() {
    let server = Server::demo_with(&["--max-body-memory", "4"]);
    let client = server.client();
    let body = "x".repeat(3 << 20);
    // All but the last byte.
    let hold = || {
        let mut socket = raw::connect(&server);
        raw::send(&mut socket, &raw::head("/generate", body.len()));
        raw::send(&mut socket, &body[1..]);
        socket
    };
    let held = hold();
    until(|| client.metric("jig:http_body_bytes") >= 3e6);
    let refused = raw::read(&mut hold(), "--max-body-memory");
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after"), "{refused}");
    assert_eq!(client.generate(&json!({"prompt": "Iron", "max_tokens": 2})).status, 200);
    drop(held);
    until(|| client.metric("jig:http_body_bytes") == 0.0);
}

#[test]
fn a_body_that_can_not_be_is_refused_before_it_is_sent() {
    let server = Server::demo();
    for (head, status) in [
        (raw::head("/generate", 1_000_000_000_000), "413"),
        (
            "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n"
                .to_owned(),
            "415",
        ),
        ("CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), "405"),
    ] {
        let mut socket = raw::connect(&server);
        raw::send(&mut socket, &head);
        let answer = raw::read(&mut socket, "\"code\"");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
    }
}

#[test]
fn many_long_stop_strings_cost_the_steps_nothing_and_still_stop() {
    let server = Server::demo();
    let client = server.client();
    let mut strings: Vec<String> = (0..900).map(|n| format!("{}{n}", "is".repeat(30))).collect();
    strings.push("ari".to_owned());
    let answer = client.generate(
        &json!({"prompt": "What is the capital of France?", "temperature": 0, "stop": strings, "max_tokens": 9}),
    );
    assert!(answer.texts()[0].ends_with("? P"), "{}", answer.body);
}
