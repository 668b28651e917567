//! Complaints about streams, their log-probabilities and their usage.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use jig_tests::Server;
use serde_json::{Value, json};

use super::{CHAT, ask, body, clock, content, streamed, tides};
use crate::tools::joined;

/// The token of the demo that ends a text.
const END: &str = "1";

/// The contents of the chunks of one choice that have some.
fn pieces(chunks: &[Value]) -> Vec<&str> {
    let contents = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    contents.filter(|text| !text.is_empty()).collect()
}

#[test]
fn stop_strings_neither_leak_nor_delay() {
    let server = Server::demo();
    let client = server.client();
    let ask = |stop: Value| {
        let fields = json!({"guided_regex": "abcdefgh[0-9]{12}", "stop": stop, "seed": 1, "forced_text": false});
        streamed(&client, fields)
    };
    // A guided text ends at a stop string only where it is whole.
    let free =
        |stop: Value| streamed(&client, json!({"temperature": 0, "max_tokens": 24, "ignore_eos": true, "stop": stop}));
    let plain = free(Value::Null);
    let text = pieces(&plain).concat();
    let many: Vec<String> = (0..500).map(|number| format!("\u{1}{number}\u{1}{}", "z".repeat(100))).collect();
    assert_eq!(pieces(&free(json!(many))), pieces(&plain), "what can't be a stop string is not held back");
    assert_eq!(pieces(&ask(json!(many))), pieces(&ask(Value::Null)));
    // Each part of the text in turn: nothing of it leaks, and all before it comes.
    for (at, _) in text.char_indices().skip(1) {
        let Some(stop) = text.get(at..at + 3) else { continue };
        let chunks = free(json!([stop]));
        assert_eq!(pieces(&chunks).concat(), text[..text.find(stop).unwrap()], "{stop:?}");
        let last = chunks.last().unwrap();
        assert_eq!(
            (&last["choices"][0]["finish_reason"], &last["choices"][0]["stop_reason"]),
            (&json!("stop"), &json!(stop))
        );
    }
}

#[test]
fn usage_is_the_same_streamed_and_whole() {
    let server = Server::demo();
    let client = server.client();
    for fields in [
        json!({"seed": 2, "max_tokens": 9}),
        json!({"seed": 2, "n": 3, "max_tokens": 9}),
        json!({"seed": 2, "tools": [clock()], "tool_choice": "required"}),
        json!({"seed": 2, "guided_regex": "a{30}"}),
    ] {
        let whole = ask(&client, fields.clone())["usage"].clone();
        let mut fields = fields;
        fields["stream_options"] = json!({"include_usage": true});
        let chunks = streamed(&client, fields);
        let (last, others) = chunks.split_last().unwrap();
        assert_eq!((&last["usage"], &last["choices"]), (&whole, &json!([])));
        assert!(others.iter().all(|chunk| chunk["usage"].is_null() && chunk["choices"] != json!([])));
        assert!(
            whole["prompt_tokens_details"]["cached_tokens"].is_u64() && whole["completion_tokens"].as_u64() > Some(0)
        );
    }
}

#[test]
fn log_probabilities_fit_the_content_with_tools_and_in_a_stream() {
    let server = Server::demo();
    let client = server.client();
    let bytes = |entries: &[Value]| -> Vec<u8> {
        let bytes = entries.iter().flat_map(|entry| entry["bytes"].as_array().unwrap());
        bytes.map(|byte| byte.as_u64().unwrap() as u8).collect()
    };
    let logprobs = json!({"logprobs": true, "top_logprobs": 4, "seed": 4, "temperature": 1.5, "max_tokens": 60});
    for fields in [
        json!({}),
        json!({"guided_regex": "[é€😀x ]{8}"}),
        json!({"tools": [tides()], "max_tokens": 20}),
        json!({"tools": [tides()], "tool_choice": "required", "max_tokens": 120}),
    ] {
        let mut all = logprobs.clone();
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let answer = ask(&client, all.clone());
        let choice = &answer["choices"][0];
        let entries = choice["logprobs"]["content"].as_array().unwrap();
        assert_eq!(bytes(entries), choice["message"]["content"].as_str().unwrap_or_default().as_bytes(), "{fields}");
        for entry in entries {
            let top = entry["top_logprobs"].as_array().unwrap();
            let values: Vec<f64> = top.iter().map(|entry| entry["logprob"].as_f64().unwrap()).collect();
            assert!(values.len() == 4 && values.is_sorted_by(|a, b| a >= b), "{entry}");
        }
        let chunks = streamed(&client, all);
        let mut both = (String::new(), Vec::new());
        for choice in chunks.iter().flat_map(|chunk| chunk["choices"].as_array().unwrap()) {
            both.0.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
            both.1.extend(choice["logprobs"]["content"].as_array().cloned().unwrap_or_default());
            assert!(bytes(&both.1).starts_with(both.0.as_bytes()), "no text comes before its tokens");
        }
        assert_eq!(&both.1, entries, "{fields}");
    }
}

#[test]
fn characters_come_whole() {
    let server = Server::demo();
    let client = server.client();
    for seed in 0..4 {
        let fields = json!({"guided_regex": "[é€😀潮汐]{20}", "seed": seed, "temperature": 2, "forced_text": false});
        let chunks = streamed(&client, fields.clone());
        assert!(
            pieces(&chunks).len() > 5 && pieces(&chunks).iter().all(|piece| !piece.contains('\u{FFFD}')),
            "{chunks:?}"
        );
        assert_eq!(pieces(&chunks).concat(), content(&ask(&client, fields)));
    }
    // A text that ends within a character has one replacement character in place of the rest.
    let first = client.post("/tokenize", &json!({"prompt": "😀", "add_special_tokens": false}).to_string());
    let first = first.body["tokens"].as_array().unwrap().iter().find(|token| {
        let text = client.post("/detokenize", &json!({"tokens": [token]}).to_string());
        text.body["prompt"].as_str().unwrap().contains('\u{FFFD}')
    });
    let fields = json!({"allowed_token_ids": [first.expect("the demo spells it in bytes")], "max_tokens": 1});
    assert_eq!(content(&ask(&client, fields.clone())), "\u{FFFD}");
    assert_eq!(pieces(&streamed(&client, fields)).concat(), "\u{FFFD}");
}

#[test]
fn a_stream_ends_each_choice_once_without_content_and_then_itself() {
    let server = Server::demo();
    let client = server.client();
    for (fields, n) in [
        (json!({"seed": 6, "max_tokens": 7}), 1),
        (json!({"seed": 6, "max_tokens": 7, "n": 3}), 3),
        (json!({"seed": 6, "guided_regex": "x?", "n": 2, "logit_bias": {END: 100}}), 2),
        (json!({"seed": 6, "tools": [clock()], "tool_choice": "required", "n": 2}), 2),
        (json!({"seed": 6, "stop": [" ", "e", "a", "."], "max_tokens": 9}), 1),
    ] {
        // `events` demands the `[DONE]`, and `joined` that nothing follows the end of a choice.
        let chunks = streamed(&client, fields);
        let ended = chunks.iter().filter(|chunk| !chunk["choices"][0]["finish_reason"].is_null());
        assert!(ended.clone().all(|chunk| chunk["choices"][0]["delta"] == json!({})));
        assert_eq!((ended.count(), joined(&chunks, n).iter().filter(|(_, end)| end.is_string()).count()), (n, n));
    }
}

#[test]
fn a_client_that_leaves_ends_the_work() {
    let server = Server::demo_with(&["--max-num-seqs", "1"]);
    let client = server.client();
    let host = server.address().strip_prefix("http://").unwrap();
    let until = |what: &dyn Fn() -> bool| {
        let end = Instant::now() + Duration::from_secs(60);
        while !what() {
            assert!(Instant::now() < end, "in a minute");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    for (number, stream) in [(1.0, true), (2.0, false)] {
        let mut socket = TcpStream::connect(host).unwrap();
        let body = body(json!({"guided_regex": "[a-z]{400}", "n": 8, "stream": stream})).to_string();
        write!(socket, "POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        if stream {
            socket.read_exact(&mut [0; 64]).unwrap();
        }
        until(&|| client.metric("vllm:num_requests_running") >= 1.0);
        drop(socket);
        until(&|| client.metric("vllm:num_requests_running") + client.metric("vllm:num_requests_waiting") == 0.0);
        assert_eq!(client.metric("jig:requests_cancelled_total"), number);
    }
}
