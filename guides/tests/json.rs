//! JSON Schemas: guides accept exactly the valid documents, and every walk ends in one.

mod support;

use std::sync::Arc;

use jig_guides::{Compiler, Documents, Guide, GuideState, Limits, Options, Source, Vocabulary, Whitespace};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Random, accepts, cases, compiler, guide, whole};

/// Follows random allowed tokens within the budget, and returns the text.
fn random_walk(guide: &Guide, budget: u32, random: &mut Random) -> String {
    try_walk(guide, budget, random).unwrap_or_else(|failure| panic!("{failure}"))
}

/// As [`random_walk`]; an error says where the walk came to a dead end.
fn try_walk(guide: &Guide, budget: u32, random: &mut Random) -> Result<String, String> {
    let vocabulary = guide.vocabulary().clone();
    let (mut state, mut out) = (guide.start(), Vec::new());
    for step in 0..budget {
        let left = budget - step;
        let allowed = state.mask(Some(left)).tokens(vocabulary.len());
        if allowed.is_empty() {
            return Err(format!("a dead end after {:?} with {left} tokens left", String::from_utf8_lossy(&out)));
        }
        let token = allowed[random.below(allowed.len())];
        state.advance(token).expect("an allowed token");
        match vocabulary.bytes(token) {
            Some(bytes) => out.extend(bytes),
            None => break,
        }
    }
    if !state.may_end() {
        return Err(format!("the budget ended before the text: {:?}", String::from_utf8_lossy(&out)));
    }
    Ok(String::from_utf8(out).expect("UTF-8"))
}

fn check_walks(schema: &Value, validator: &jsonschema::Validator, walks: usize, random: &mut Random) {
    let guide = guide(schema);
    for _ in 0..walks {
        let more = [0, 1, 3, 10, 40][random.below(5)];
        let answer = random_walk(&guide, guide.min_tokens() + more, random);
        let value: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{schema}: {error}: {answer}"));
        assert!(validator.is_valid(&value), "{schema}: {answer}");
        assert!(whole(&guide, &answer));
    }
}

#[test]
fn every_walk_at_every_budget_ends_in_a_valid_document() {
    let mut random = Random(7);
    for case in cases::plain() {
        let Some(validator) = case.validator() else { continue };
        let schema = case.schema();
        // The masks of unique entries are slow with short tokens.
        let walks = if schema.to_string().contains("uniqueItems") { 8 } else { 60 };
        check_walks(&schema, &validator, walks, &mut random);
    }
}

#[test]
fn arrays_of_entries_that_must_differ_are_whole_at_every_budget_near_the_least() {
    let mut random = Random(11);
    let mut failures = Vec::new();
    for case in cases::read("unique").iter().filter(|case| case.refused.is_none()) {
        let guide = guide(&case.schema());
        for more in (0..30).chain([60, 120]) {
            let ended = try_walk(&guide, guide.min_tokens() + more, &mut random);
            failures.extend(ended.err().map(|failure| format!("{} with {more} more: {failure}", case.name)));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_string_at_the_root_is_a_complete_answer() {
    let guide = guide(&json!({"type": "string", "maxLength": 5}));
    assert!(
        whole(&guide, "\"Paris\"") && whole(&guide, "\"\"") && !whole(&guide, "\"London\"") && !whole(&guide, " \"a\"")
    );
    // `""` is one token of the vocabulary.
    assert_eq!(guide.min_tokens(), 1);
    assert!(guide.start().mask(Some(1)).contains(256));
}

#[test]
fn each_object_follows_its_own_property_names() {
    let names = |i: u32| format!("^k{i}");
    let properties: serde_json::Map<String, Value> = (0..50)
        .map(|i| (format!("p{i}"), json!({"type": "object", "propertyNames": {"pattern": names(i + 10)}})))
        .collect();
    let guide = guide(&json!({"type": "object", "properties": properties, "additionalProperties": false}));
    for i in 0..50 {
        for j in 0..50 {
            let value = json!({format!("p{i}"): {format!("k{}", j + 10): 1}});
            assert_eq!(accepts(&guide.start(), &value), i == j, "{value}");
        }
    }
}

#[test]
fn a_reference_to_a_document_of_the_compiler_is_resolved() {
    let mut documents = Documents::default();
    let list = r##"{"$id": "https://example.com/list", "type": "array", "items": {"$ref": "item#/$defs/one"}, "minItems": 1}"##;
    let item = r##"{"$id": "https://example.com/item", "$defs": {"one": {"$ref": "#two"}, "two": {"$anchor": "two", "enum": [1, 2]}}}"##;
    assert_eq!(documents.add(None, list).expect("a document").uri, "https://example.com/list");
    assert!(documents.add(None, item).expect("a document").is_new);
    assert!(!documents.add(None, item).expect("a document").is_new && documents.add(None, "{}").is_err());
    assert!(documents.add(None, r#"{"$id": "relative"}"#).is_err() && documents.add(None, "{").is_err());
    let compiler = Compiler::new(compiler().vocabulary().clone(), Limits::default()).with_documents(documents);
    let compile = |schema: Value| compiler.compile(&Source::JsonSchema(schema.to_string()), &Options::default());
    let guide = compile(json!({"$ref": "https://example.com/list", "maxItems": 2})).expect("a guide");
    assert!(accepts(&guide.start(), &json!([1, 2])));
    assert!(!accepts(&guide.start(), &json!([3])) && !accepts(&guide.start(), &json!([1, 1, 1])));
    // An error in a document names the pointer in that document.
    let error = compile(json!({"$ref": "https://example.com/item#/$defs/three"})).expect_err("nothing is there");
    assert!(error.to_string().contains("/$defs/three"), "{error}");
}

#[test]
fn a_reference_to_a_meta_schema_of_any_draft_is_resolved() {
    for (uri, good, bad) in [
        ("http://json-schema.org/draft-04/schema#", json!({"type": "string"}), json!({"type": "strnig"})),
        ("https://json-schema.org/draft-06/schema", json!({"minLength": 1}), json!({"minLength": -1})),
        ("http://json-schema.org/draft-07/schema#", json!({"if": {"type": "null"}}), json!({"if": {"type": 1}})),
        (
            "https://json-schema.org/draft/2019-09/schema",
            json!({"$defs": {"a": {}}}),
            json!({"$defs": {"a": {"title": 1}}}),
        ),
        (
            "https://json-schema.org/draft/2020-12/schema",
            json!({"$defs": {"a": {}}}),
            json!({"$defs": {"a": {"title": 1}}}),
        ),
        ("https://json-schema.org/draft/2020-12/meta/validation", json!({"minItems": 1}), json!({"minItems": "1"})),
    ] {
        let guide = guide(&json!({"$ref": uri}));
        assert!(accepts(&guide.start(), &good) && !accepts(&guide.start(), &bad), "{uri}");
    }
}

#[test]
fn each_white_space_option_allows_exactly_its_forms() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}, "required": ["a"]});
    let allows = |whitespace, answer: &str| {
        let mut options = Options::default();
        options.whitespace = whitespace;
        let guide = compiler().compile(&Source::JsonSchema(schema.to_string()), &options).expect("small");
        whole(&guide, answer)
    };
    let uneven = "{\n  \"a\": [\n\t\t1,\r\n    20 \n  ]\n}";
    for (answer, compact, spaces, pretty, optional, any) in [
        (r#"{"a":[1,20]}"#, true, false, false, true, true),
        (r#"{"a": [1, 20]}"#, false, true, false, true, true),
        (r#"{"a": [1,20]}"#, false, false, false, true, true),
        (r#"{"a": [1, 20 ]}"#, false, false, false, true, true),
        (r#"{"a":  [1, 20]}"#, false, false, false, false, true),
        (r#"{ "a" : [ 1 , 20 ] }"#, false, false, false, true, true),
        (uneven, false, false, false, false, true),
        ("{\n  \"a\": [\n    1,\n    20\n  ]\n}", false, false, true, false, true),
        ("{\n  \"a\": []\n}", false, false, true, false, true),
        ("{\n  \"a\": [\n  ]\n}", false, false, false, false, true),
        ("{\n  \"a\": [\n    1, 20\n  ]\n}", false, false, false, false, true),
        ("{\n  \"a\": [\n    1\n  ]}", false, false, false, false, true),
        ("{\n  \"a\": [\n   1\n  ]\n}", false, false, false, false, true),
        (r#" {"a":[]}"#, false, false, false, false, false),
        ("{\"a\":[]}\n", false, false, false, false, false),
        (&format!("{{\"a\":{}[]}}", " ".repeat(33)), false, false, false, false, true),
        (&format!("{{\"a\":{}[]}}", " ".repeat(34)), false, false, false, false, false),
    ] {
        assert_eq!(allows(Whitespace::Pretty, answer), pretty, "{answer}");
        assert_eq!(allows(Whitespace::Spaces, answer), spaces, "{answer}");
        assert_eq!(allows(Whitespace::Compact, answer), compact, "{answer}");
        assert_eq!(allows(Whitespace::Optional, answer), optional, "{answer}");
        assert_eq!(allows(Whitespace::Any, answer), any, "{answer}");
    }
}

#[test]
fn pretty_white_space_is_that_of_serde_json_and_every_prefix_completes_within_its_budget() {
    let schema = json!({"type": "object", "additionalProperties": {"anyOf": [
        {"type": ["integer", "boolean", "string"]}, {"$ref": "#"},
        {"type": "array", "uniqueItems": true, "items": {"anyOf": [{"type": "boolean"}, {"type": "array", "items": {"$ref": "#"}}]}},
    ]}});
    let mut options = Options::default();
    options.whitespace = Whitespace::Pretty;
    let guide = compiler().compile(&Source::JsonSchema(schema.to_string()), &options).expect("small");
    let value = json!({"a": {}, "b": {"c": 1, "d": {"e": "x", "f": [true, [{}, {"g": [[], false]}], [{"g": [[]]}]]}}, "h": [[]]});
    let text = serde_json::to_string_pretty(&value).expect("a value");
    assert!(whole(&guide, &text), "{text}");

    // Every prefix has a completion within the cost of its state.
    let mut state = guide.start();
    for byte in text.bytes() {
        let mut rest = state.clone();
        let most = rest.min_tokens_left();
        let mut written = 0;
        while !rest.may_end() {
            let tokens = rest.mask(Some(most - written)).tokens(guide.vocabulary().len());
            let token = *tokens.first().expect("a token is allowed as long as the budget suffices");
            rest.advance(token).expect("allowed");
            written += 1;
        }
        state.advance(u32::from(byte)).expect("allowed");
    }
    let deep = (0..40).fold(json!(1), |inner, _| json!({"k": inner}));
    let lines = serde_json::to_string_pretty(&deep).expect("a value");
    // The indentation stops growing after 16 levels.
    let bounded: Vec<String> = lines
        .lines()
        .map(|line| {
            let text = line.trim_start();
            format!("{}{text}", " ".repeat((line.len() - text.len()).min(32)))
        })
        .collect();
    assert!(!whole(&guide, &lines) && whole(&guide, &bounded.join("\n")));
}

#[test]
fn required_spaces_count_towards_the_minimum() {
    // Tokens of one byte each.
    let tokens = (0..=255u8).map(|byte| Some(vec![byte])).chain([None]).collect();
    let bytes = Compiler::new(Arc::new(Vocabulary::new(tokens, vec![256]).expect("a vocabulary")), Limits::default());
    for (schema, shortest) in [
        (json!({"const": {"a": [1, 2], "b": {"c": null}}}), r#"{"a": [1, 2], "b": {"c": null}}"#),
        (json!({"type": "array", "minItems": 3, "items": {"type": "integer"}}), "[0, 0, 0]"),
        (json!({"type": "array", "prefixItems": [{"const": 1}, {"const": 22}], "minItems": 2}), "[1, 22]"),
        (json!({"type": "array", "contains": {"const": true}, "minContains": 2}), "[true, true]"),
        (
            json!({"type": "object", "minProperties": 2, "additionalProperties": {"const": 5}, "properties": {"k": true}}),
            r#"{"k": 0, "": 5}"#,
        ),
        (
            json!({"type": "object", "required": ["x", "y"], "properties": {"x": {"const": 1}, "y": {"const": 2}}}),
            r#"{"x": 1, "y": 2}"#,
        ),
    ] {
        let mut options = Options::default();
        options.whitespace = Whitespace::Spaces;
        let guide = bytes.compile(&Source::JsonSchema(schema.to_string()), &options).expect("small");
        // The cost is exact, except that it is an upper bound where keys have to differ.
        let slack = if schema.get("minProperties").is_some() { 2 } else { 0 };
        let mut state = guide.start();
        for (index, byte) in shortest.bytes().enumerate() {
            let (least, rest) = (state.min_tokens_left() as usize, shortest.len() - index);
            assert!(least >= rest && least <= rest + slack, "{schema} at {index}: {least}, not {rest}");
            state.advance(u32::from(byte)).expect("allowed");
        }
        assert!(state.must_end(), "{schema}");
    }
}

#[test]
fn a_host_name_in_punycode_is_accepted_as_a_literal_and_never_generated() {
    let guide = |schema: Value| guide(&schema);
    let names = guide(json!({"type": "string", "format": "hostname"}));
    let few = guide(json!({"enum": ["xn--9n2bp8q", "xn--X", "a"], "format": "hostname"}));
    let others = guide(json!({"type": "string", "not": {"format": "hostname"}}));
    let beyond = guide(json!({"type": "string", "not": {"format": "idn-hostname"}}));
    let listed = guide(json!({"enum": ["xn--9n2bp8q", "a b", "ա.xn--9n2bp8q"], "not": {"format": "idn-hostname"}}));
    for (guide, name, valid) in [
        (&names, "a.b", true),
        (&names, "xn--9n2bp8q.xn--9t4b11yi5a", false),
        (&few, "xn--9n2bp8q", true),
        (&few, "xn--X", false),
        (&others, "xn--9n2bp8q", false),
        (&beyond, "xn--9n2bp8q", false),
        (&listed, "a b", true),
        (&listed, "xn--9n2bp8q", false),
    ] {
        assert_eq!(whole(guide, &Value::String(name.to_owned()).to_string()), valid, "{name}");
    }
}

#[test]
fn annotations_of_the_wrong_type_constrain_nothing() {
    let guide = guide(&json!({"title": 1, "description": [], "deprecated": "no", "type": "null"}));
    assert!(whole(&guide, "null") && !whole(&guide, "1"));
}

#[test]
fn output_nested_100_000_levels_deep_is_followed() {
    let guide = guide(&json!({"type": "array", "items": {"$ref": "#"}}));
    let mut state: GuideState = guide.start();
    for _ in 0..100_000 {
        state.advance(u32::from(b'[')).expect("an array in an array");
    }
    assert_eq!(state.min_tokens_left(), 100_000);
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"type": "null"})),
        Just(json!({"type": "boolean"})),
        (0..5i32, 0..20i32).prop_map(|(a, b)| json!({"type": "integer", "minimum": a, "maximum": a + b})),
        (0..3u32, 0..4u32).prop_map(|(a, b)| json!({"type": "string", "minLength": a, "maxLength": a + b})),
        Just(json!({"enum": ["a", "ab", 1, null]})),
        Just(json!({"type": "string", "pattern": "^a+b?$"})),
        Just(json!({"type": "number", "minimum": -0.5})),
    ]
}

fn schema() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            (inner.clone(), 0..3u32, 0..2u32).prop_map(|(items, a, b)| json!({"type": "array", "items": items, "minItems": a, "maxItems": a + b})),
            (inner.clone(), inner.clone(), any::<bool>(), any::<bool>()).prop_map(|(a, b, required, open)| {
                let required: Vec<&str> = if required { vec!["b"] } else { Vec::new() };
                json!({"type": "object", "properties": {"a": a, "b": b}, "required": required, "additionalProperties": open})
            }),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|any| json!({"anyOf": any})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"allOf": [{"anyOf": [a.clone(), b]}, {"anyOf": [a, {"type": "null"}]}]})),
            inner.prop_map(|property| json!({"type": "object", "additionalProperties": property, "minProperties": 1, "maxProperties": 2})),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn walks_of_random_schemas_end_in_valid_documents(schema in schema(), seed in any::<u64>()) {
        let validator = cases::validator(&schema);
        check_walks(&schema, &validator, 4, &mut Random(seed));
    }
}
