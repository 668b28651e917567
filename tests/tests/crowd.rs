//! Concurrent requests: each answer is valid, and equal to the answer of the same request alone.

use std::time::{Duration, Instant};

use jig_tests::{Answer, Server, stream_until};
use serde_json::{Value, json};

const REQUESTS: usize = 64;

/// Requests differ in prompt, schema and length. Each has a seed, so that its text is reproducible.
fn request(index: usize) -> Value {
    let prompts = ["What is the capital of France?", "Give me a JSON record of Peru: ", "Iron", "Once upon a time "];
    let schema = match index % 6 {
        0 => json!({"type": "string", "maxLength": 30}),
        1 => json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 12},
            "capital": {"type": "string", "minLength": 2}}, "required": ["name", "capital"]}),
        2 => json!({"type": "array", "items": {"type": "integer", "minimum": -50, "maximum": 1000}, "minItems": 1}),
        3 => json!({"anyOf": [{"type": "boolean"}, {"type": "object", "additionalProperties": {"type": "number"}}]}),
        4 => json!({"type": "string", "pattern": "^[A-Z][a-z]+( [A-Z][a-z]+)*$", "maxLength": 40}),
        _ => json!({"$defs": {"list": {"anyOf": [{"type": "null"}, {"type": "object", "properties":
            {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/list"}}, "required": ["value", "next"],
            "additionalProperties": false}]}}, "$ref": "#/$defs/list"}),
    };
    json!({"prompt": prompts[index % prompts.len()].repeat(1 + index % 3), "seed": index, "schema": schema,
        "temperature": 0.5 + (index % 5) as f64 * 0.2, "max_tokens": 24 + index * 7 % 100})
}

fn is_cancelled(index: usize) -> bool {
    index.is_multiple_of(3)
}

#[test]
fn answers_to_64_concurrent_requests_are_valid_and_reproducible_and_cancelled_ones_free_their_memory() {
    let server = Server::demo();
    let client = server.client();
    let ask = |index: usize| client.generate(&request(index));
    let alone: Vec<Option<Answer>> = (0..REQUESTS).map(|index| (!is_cancelled(index)).then(|| ask(index))).collect();
    let in_crowd = |index: usize| {
        if !is_cancelled(index) {
            return Some(ask(index));
        }
        let mut body = request(index);
        body["stream"] = true.into();
        assert!(
            stream_until(server.address(), &body, 1 + index % 4) > 0,
            "the request was cancelled during its answer: {body}"
        );
        None
    };
    let crowd: Vec<Option<Answer>> = std::thread::scope(|scope| {
        let in_crowd = &in_crowd;
        let threads: Vec<_> = (0..REQUESTS).map(|index| scope.spawn(move || in_crowd(index))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (index, (alone, crowd)) in alone.iter().zip(&crowd).enumerate() {
        assert_eq!(alone, crowd, "the text is the same alone and in the crowd: {}", request(index));
        let Some(answer) = crowd else { continue };
        let body = request(index);
        let output = answer.output(body["prompt"].as_str().unwrap());
        let value: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error} in {output:?}"));
        assert!(jsonschema::is_valid(&body["schema"], &value), "{output} for {}", body["schema"]);
    }
    // A cancelled sequence is freed after the current step, which may still run.
    let end = Instant::now() + Duration::from_secs(20);
    let gauges =
        ["jig:kv_cache_used_bytes", "jig:sequences_open", "vllm:num_requests_running", "vllm:num_requests_waiting"];
    while gauges.iter().map(|gauge| client.metric(gauge)).sum::<f64>() > 0.0 {
        assert!(Instant::now() < end, "memory in use does not return to zero:\n{}", client.get("/metrics").body);
        std::thread::sleep(Duration::from_millis(20));
    }
}
