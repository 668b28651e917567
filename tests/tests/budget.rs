//! With any `max_tokens`, a guided answer is complete, or the request is refused with the minimum that works.

use jig_tests::{Answer, Server};
use serde_json::{Value, json};

fn schemas() -> [Value; 5] {
    [
        json!({"type": "string", "minLength": 3, "maxLength": 12}),
        json!({"type": "object", "properties": {"capital": {"type": "string"}, "currency": {"type": "string"},
            "area": {"type": "integer"}}, "required": ["capital", "area"]}),
        json!({"type": "array", "items": {"type": "number"}, "minItems": 2}),
        json!({"enum": ["a rather long choice", {"or": ["a", "value"]}, 12345678901u64]}),
        json!({"$defs": {"tree": {"type": "object", "properties": {"value": {"type": "boolean"},
            "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "required": ["value", "children"],
            "additionalProperties": false}}, "$ref": "#/$defs/tree"}),
    ]
}

/// The minimum for `max_tokens` in a refusal: the largest number in its message.
fn named_minimum(refusal: &Answer) -> u64 {
    assert_eq!(refusal.status, 400, "{}", refusal.body);
    assert_eq!(refusal.body["error"]["param"], "max_tokens", "{}", refusal.body);
    let words = refusal.message().split(|character: char| !character.is_ascii_digit());
    words.filter_map(|word| word.parse().ok()).max().expect("the message names a number")
}

#[test]
fn every_max_tokens_gives_a_complete_valid_answer_or_a_refusal_with_the_minimum() {
    let server = Server::demo();
    let prompt = "Give me a JSON record of France: ";
    for schema in schemas() {
        let validator = jsonschema::validator_for(&schema).unwrap();
        let ask = |max_tokens: u64| {
            server
                .client()
                .generate(&json!({"prompt": prompt, "schema": schema, "max_tokens": max_tokens, "seed": max_tokens}))
        };
        let first = ask(1);
        let minimum = if first.status == 200 { 1 } else { named_minimum(&first) };
        assert!(minimum <= 40, "40 tokens are enough for {schema}");
        for max_tokens in 1..=40 {
            let answer = ask(max_tokens);
            if max_tokens < minimum {
                assert_eq!(named_minimum(&answer), minimum, "{schema} at {max_tokens}");
                continue;
            }
            let output = answer.output(prompt);
            let value: Value = serde_json::from_str(&output)
                .unwrap_or_else(|error| panic!("{error} in {output:?} for {schema} at {max_tokens}"));
            assert!(validator.is_valid(&value), "{output} for {schema} at {max_tokens}");
        }
    }
}
