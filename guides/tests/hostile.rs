//! Expensive schemas: each is answered, or refused by a limit that the test names.

mod support;

use jig_guides::{CompileError, Limits, Options, Place, Source};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{cases, compiler};

fn compile(schema: &str) -> Result<(), CompileError> {
    compiler().compile(&Source::JsonSchema(schema.to_owned()), &Options::default()).map(|_| ())
}

fn is_answered(schema: &Value) {
    let result = compile(&schema.to_string());
    let start: String = schema.to_string().chars().take(60).collect();
    assert_eq!(result, Ok(()), "{start}");
}

/// Checks that a schema is refused with these fields, as in the tables.
fn is_refused(schema: &str, expected: &Value) {
    let start: String = schema.chars().take(60).collect();
    let found = cases::refusal(&compile(schema).expect_err(&start));
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(found.get(field), Some(value), "{start}: {field}: {found}");
    }
}

#[test]
fn nesting_beyond_the_limit_is_refused_at_the_byte_that_exceeds_it() {
    let depth = Limits::default().depth;
    let too_deep = |byte: usize| {
        let at = format!("schema text at byte {byte}");
        json!({"as": "too big", "at": at, "limit": "levels of nesting", "allowed": depth})
    };
    is_refused(&"[".repeat(200_000), &too_deep(depth));
    let nested = |levels: usize| format!("{}true{}", "{\"not\":".repeat(levels), "}".repeat(levels));
    is_refused(&nested(5000), &too_deep(depth * "{\"not\":".len()));
    is_refused(&nested(depth + 1), &too_deep(depth * "{\"not\":".len()));
    assert_eq!(compile(&nested(depth)), Ok(()));
}

#[test]
fn a_source_of_too_many_bytes_is_refused_without_being_parsed() {
    let limit = Limits::default().source_bytes;
    is_refused(
        &" ".repeat(limit + 1),
        &json!({"as": "too big", "at": "guide", "limit": "bytes of source", "allowed": limit}),
    );
}

#[test]
fn large_counts_and_long_lists_are_answered() {
    let values: Vec<String> = (0..10_000).map(|n| format!("value {n}")).collect();
    is_answered(&json!({"enum": values}));
    is_answered(&json!({"type": "string", "maxLength": 1_000_000}));
    is_answered(&json!({"type": "array", "minItems": 1_000_000, "items": {"type": "null"}}));
    let wide: serde_json::Map<String, Value> =
        (0..20_000).map(|i| (format!("property{i}"), json!({"type": "integer"}))).collect();
    is_answered(&json!({"type": "object", "properties": wide}));
}

#[test]
fn a_chain_of_twenty_thousand_references_is_followed() {
    let chain: serde_json::Map<String, Value> = (0..20_000)
        .map(|i| (format!("d{i}"), json!({"$ref": format!("#/$defs/d{}", i + 1)})))
        .chain([("d20000".into(), json!({"type": "null"}))])
        .collect();
    is_answered(&json!({"$ref": "#/$defs/d0", "$defs": chain}));
}

#[test]
fn a_pattern_with_an_exponential_automaton_is_refused_by_the_limit_of_states() {
    let expected = json!({"as": "too big", "at": "schema at /pattern", "limit": "states of the pattern's automaton", "allowed": 50_000});
    is_refused(&json!({"pattern": "[ab]*a[ab]{40}"}).to_string(), &expected);
}

#[test]
fn a_product_of_many_alternatives_is_refused_by_the_limit_of_work() {
    // Whether all items have one letter says nothing of another: no two alternatives exclude each other.
    let items = |letter: char, i: u32| json!({"items": {"pattern": format!("{letter}{i}")}});
    let any: Vec<Value> = (0..30).map(|i| json!({"anyOf": [items('a', i), items('b', i)]})).collect();
    let limit = Limits::default().work;
    let expected = json!({"as": "too big", "at": "schema at /allOf/28/anyOf", "limit": "steps of the schema's analysis", "allowed": limit});
    is_refused(&json!({"allOf": any}).to_string(), &expected);
}

/// Text that is often JSON, and often almost JSON.
fn nearly_json() -> impl Strategy<Value = String> {
    let pieces = r#"{ } [ ] : , " \ null true nul 0 - 1 01 .5 e2 "a" "a":1 "type":"null" "items":{} [] {} "\ud800" "\ud83d\ude00" "\x" é"#;
    let pieces: Vec<&str> = pieces.split(' ').chain([" ", "\n", "\"\t\"", "\u{feff}"]).collect();
    let text = prop::collection::vec(prop::sample::select(pieces), 0..9).prop_map(|pieces| pieces.concat());
    prop_oneof![
        text.clone(),
        text.clone().prop_map(|text| format!("{{{text}}}")),
        text.prop_map(|text| format!("[{text}]"))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// There are three exceptions: guides refuse duplicate keys, accept numbers of any size, and skip a byte order mark.
    #[test]
    fn a_schema_text_is_json_exactly_if_serde_json_reads_it(text in nearly_json()) {
        let other = serde_json::from_str::<Value>(text.strip_prefix('\u{feff}').unwrap_or(&text));
        match compile(&text) {
            Err(CompileError::Syntax { at: Place::Text(at), reason }) => {
                let twice = reason.starts_with("a key that the object already has");
                prop_assert!(other.is_err() || twice, "{text:?} refused at {at}: {reason}");
            }
            read => {
                let too_great = other.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
                prop_assert!(other.is_ok() || too_great, "{text:?}: {read:?}");
            }
        }
    }
}
