//! JSON Schemas: what is allowed is valid, what is valid is allowed, and every walk ends.

mod support;

use std::sync::Arc;

use jig_guides::{
    CompileError, Compiler, Documents, Formats, Guide, GuideState, Limits, Options, Order, Source, Vocabulary,
    Whitespace,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Random, accepts, compiler, text};

fn guide(schema: &Value) -> Guide {
    compiler()
        .compile(&Source::JsonSchema(schema.to_string()), &Options::default())
        .unwrap_or_else(|error| panic!("{schema}: {error}"))
}

fn error(schema: &Value) -> CompileError {
    compiler()
        .compile(&Source::JsonSchema(schema.to_string()), &Options::default())
        .err()
        .unwrap_or_else(|| panic!("{schema} should be refused"))
}

/// Whether the text is a whole answer.
fn whole(guide: &Guide, answer: &str) -> bool {
    text(&guide.start(), answer).is_some_and(|state| state.may_end())
}

/// Follows allowed tokens at random within the budget, and returns the text.
fn random_walk(guide: &Guide, budget: u32, random: &mut Random) -> String {
    let vocabulary = guide.vocabulary().clone();
    let (mut state, mut out) = (guide.start(), Vec::new());
    for step in 0..budget {
        let left = budget - step;
        let allowed = state.mask(Some(left)).tokens(vocabulary.len());
        assert!(!allowed.is_empty(), "a dead end after {:?} with {left} tokens left", String::from_utf8_lossy(&out));
        let token = allowed[random.below(allowed.len())];
        state.advance(token).expect("an allowed token");
        match vocabulary.bytes(token) {
            Some(bytes) => out.extend(bytes),
            None => break,
        }
    }
    assert!(state.may_end(), "the budget ended before the text: {:?}", String::from_utf8_lossy(&out));
    String::from_utf8(out).expect("UTF-8")
}

fn check_walks(schema: &Value, walks: usize, random: &mut Random) {
    let guide = guide(schema);
    let validator = jsonschema::options().should_validate_formats(true).build(schema).expect("a schema");
    for _ in 0..walks {
        let more = [0, 1, 3, 10, 40][random.below(5)];
        let answer = random_walk(&guide, guide.min_tokens() + more, random);
        let value: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{schema}: {error}: {answer}"));
        assert!(validator.is_valid(&value), "{schema}: {answer}");
        assert!(whole(&guide, &answer));
    }
}

fn schemas() -> Vec<Value> {
    vec![
        json!({"type": "string", "maxLength": 5}),
        json!({"type": "string", "minLength": 3, "maxLength": 4}),
        json!({"type": "string", "pattern": "^[A-Z][a-z]+é?$", "maxLength": 6}),
        json!({"type": "string", "format": "date"}),
        json!({"type": ["string", "null", "integer"], "minimum": 10, "maximum": 105}),
        json!({"type": "number", "exclusiveMinimum": -1.5, "maximum": 2.25}),
        json!({"type": "integer", "multipleOf": 7, "minimum": 20, "maximum": 2000000}),
        json!({"enum": ["a", 1, null, {"k": [1, 2]}, "ab", true, [], ""]}),
        json!({"const": {"a": {"b": [1.5, "x\"y"]}}}),
        json!({"type": "object"}),
        json!({"type": "array", "minItems": 2, "maxItems": 3, "items": {"type": "boolean"}}),
        json!({"type": "array", "prefixItems": [{"const": 1}, {"type": "string", "maxLength": 1}], "items": {"type": "null"}, "minItems": 1}),
        json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {}}, "required": ["b", "d"]}),
        json!({"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": {"type": "boolean"}, "minProperties": 3, "maxProperties": 4}),
        json!({"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 3}}, "additionalProperties": false, "minProperties": 2}),
        json!({"type": "object", "patternProperties": {"^x": {"type": "integer"}, "y$": {"maximum": 5}}, "additionalProperties": false, "minProperties": 2}),
        json!({"type": "object", "propertyNames": {"enum": ["p", "q", "rr"]}, "minProperties": 2, "additionalProperties": {"type": "null"}}),
        json!({"type": "object", "propertyNames": {"pattern": "^[ab]$"}, "minProperties": 2}),
        json!({"anyOf": [
            {"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "integer"}}, "required": ["kind", "x"], "additionalProperties": false},
            {"type": "object", "properties": {"kind": {"const": "ab"}, "y": {"type": "array", "items": {"type": "null"}}}, "required": ["kind"], "additionalProperties": false},
            {"type": "array", "items": {"$ref": "#"}, "maxItems": 2}
        ]}),
        json!({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "required": ["v"], "additionalProperties": false}}}),
        json!({"allOf": [{"type": "object", "properties": {"a": {"minimum": 3}}, "required": ["a"]}, {"properties": {"a": {"type": "integer", "maximum": 4}, "b": {"type": "null"}}}], "additionalProperties": {"type": "integer"}}),
        json!({"oneOf": [{"type": "integer", "minimum": 5}, {"type": "integer", "maximum": 10}]}),
        json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}}, "additionalProperties": false}),
        json!({"not": {"type": ["string", "object"]}}),
        json!({"type": "string", "not": {"enum": ["a", "ab", ""]}, "maxLength": 3}),
        json!({"type": "object", "properties": {"kind": {"enum": ["x", "y"]}, "n": {}}, "required": ["kind", "n"], "if": {"properties": {"kind": {"const": "x"}}}, "then": {"properties": {"n": {"type": "null"}}}, "else": {"properties": {"n": {"type": "boolean"}}}, "additionalProperties": false}),
        json!({"type": "object", "dependentRequired": {"a": ["b"]}, "properties": {"a": {"type": "null"}, "b": {"type": "null"}}, "additionalProperties": false}),
        json!({"type": "object", "patternProperties": {"^S_": {"type": "object", "required": ["path"]}}}),
        json!({"type": "object", "properties": {"a": {"type": "null"}}, "not": {"additionalProperties": {"type": "integer"}}, "maxProperties": 3}),
        json!({"type": "object", "not": {"propertyNames": {"maxLength": 2}}, "additionalProperties": {"type": "boolean"}}),
        json!({"type": "object", "not": {"propertyNames": {"not": {"const": "0"}}}}),
        json!({"type": "object", "not": {"propertyNames": {"not": {"const": "0"}}}, "patternProperties": {"\\d": {"type": "boolean"}}}),
        json!({"type": "object", "not": {"anyOf": [{"propertyNames": {"not": {"enum": ["1", "3"]}}}, {"propertyNames": {"not": {"enum": ["2", "3"]}}}]}, "additionalProperties": {"type": "null"}, "minProperties": 2, "maxProperties": 3}),
        json!({"type": "array", "not": {"items": {"type": "integer"}}, "maxItems": 3}),
        json!({"type": "array", "contains": {"const": 1}, "minContains": 2, "maxContains": 3, "items": {"type": "integer"}, "maxItems": 5}),
        json!({"type": "array", "allOf": [{"contains": {"type": "null"}}, {"contains": {"type": "boolean"}}], "maxItems": 2}),
        json!({"type": "array", "prefixItems": [{"type": "null"}, {"type": "boolean"}], "items": false, "contains": {"const": true}}),
        json!({"type": "object", "properties": {"a": {"type": "null"}}, "anyOf": [{"properties": {"b": {"type": "null"}}, "required": ["b"]}, {"properties": {"c": {"type": "null"}}, "required": ["c"]}], "unevaluatedProperties": false}),
        json!({"type": "array", "prefixItems": [{"type": "null"}], "contains": {"type": "integer"}, "unevaluatedItems": {"type": "boolean"}}),
        json!({"type": "array", "uniqueItems": true, "items": {"enum": ["a", "ab", 1, null]}, "minItems": 3}),
        json!({"type": "array", "uniqueItems": true, "items": {"type": "boolean"}, "minItems": 2}),
        json!({"type": "array", "uniqueItems": true, "items": {"type": "string", "maxLength": 2}, "minItems": 2, "maxItems": 4}),
        json!({"type": "array", "uniqueItems": true, "items": {"type": "integer", "minimum": 1, "maximum": 12}, "minItems": 4, "maxItems": 6}),
        json!({"type": "array", "uniqueItems": true, "items": {"type": "object", "properties": {"a": {"enum": [1, 2]}, "b": {"const": "x"}}, "required": ["a", "b"], "additionalProperties": false}, "minItems": 2}),
        json!({"type": "array", "uniqueItems": true, "items": {"type": "array", "items": {"type": "boolean"}, "uniqueItems": true}, "maxItems": 4}),
        json!({"type": "array", "uniqueItems": true, "items": {"type": "string", "pattern": "^[ab]$"}}),
        json!({"type": "object", "properties": {"a": {"uniqueItems": true, "items": {"type": "number"}}}, "required": ["a"], "additionalProperties": {"type": "array", "uniqueItems": true}}),
        json!(true),
        json!({"minLength": 2, "minimum": 3, "minItems": 1}),
    ]
}

#[test]
fn caps_bound_the_strings_and_arrays_that_a_schema_leaves_free() {
    let capped = |schema: Value| {
        let mut limits = Limits::default();
        (limits.string_length, limits.array_length) = (Some(3), Some(2));
        let compiler = Compiler::new(compiler().vocabulary().clone(), limits);
        compiler.compile(&Source::JsonSchema(schema.to_string()), &Options::default())
    };
    let accepted = |schema: Value, answer: &str| whole(&capped(schema.clone()).expect("a guide"), answer);
    for (schema, yes, no) in [
        (json!(true), r#"["éab","b"]"#, r#"["abcd"]"#),
        (json!({"type": "string", "maxLength": 2}), r#""ab""#, r#""abc""#),
        (json!({"type": "string", "maxLength": 9}), r#""abc""#, r#""abcd""#),
        (json!({"items": {"type": "integer"}}), "[1,2]", "[1,2,3]"),
        (json!({"type": "object"}), r#"{"a long key":[]}"#, r#"{"a":[0,0,0]}"#),
        (json!({"enum": ["spelled out"]}), r#""spelled out""#, r#""abc""#),
        (json!({"type": "string", "format": "uri"}), r#""a:b""#, r#""a:bc""#),
        (json!({"type": "string", "pattern": "^a*$"}), r#""aaa""#, r#""aaaa""#),
        (json!({"type": "string", "pattern": "[0-9]"}), r#""é1é""#, r#""aa1a""#),
        (json!({"type": "string", "not": {"const": "ab"}}), r#""abc""#, r#""abcd""#),
    ] {
        assert!(accepted(schema.clone(), yes) && !accepted(schema.clone(), no), "{schema}");
    }
    for (schema, at, option) in [
        (json!({"properties": {"a": {"type": "string", "minLength": 4}}}), "/properties/a", "--max-string-length"),
        (json!({"anyOf": [{"type": "null"}, {"type": "string", "format": "date"}]}), "/anyOf", "--max-string-length"),
        (json!({"type": "string", "pattern": "^abcd+$"}), "", "--max-string-length"),
        (json!({"items": {"type": "array", "minItems": 3}}), "/items", "--max-array-length"),
    ] {
        let error = capped(schema.clone()).expect_err("too long").to_string();
        assert!(error.contains(at) && error.contains(option), "{schema}: {error}");
    }
}

#[test]
fn every_walk_at_every_budget_ends_in_a_valid_document() {
    let mut random = Random(7);
    for schema in schemas() {
        // Entries that must differ take many looks ahead where tokens are few.
        let walks = if schema.to_string().contains("uniqueItems") { 8 } else { 60 };
        check_walks(&schema, walks, &mut random);
    }
}

#[test]
fn a_demanded_key_may_come_after_keys_of_other_classes() {
    let guide = guide(&json!({"type": "object", "not": {"propertyNames": {"not": {"const": "0"}}}}));
    for valid in [r#"{"0":1}"#, r#"{"a":1,"0":1}"#, r#"{"a":1,"b":2,"0":1,"c":3}"#] {
        assert!(whole(&guide, valid), "{valid}");
    }
    assert!(!whole(&guide, "{}") && !whole(&guide, r#"{"a":1}"#));
}

#[test]
fn the_mask_is_the_set_of_tokens_that_advance_accepts() {
    let mut random = Random(11);
    for schema in schemas() {
        let guide = guide(&schema);
        for _ in 0..12 {
            let mut state = guide.start();
            for _ in 0..25 {
                let mask = state.mask(None);
                let len = guide.vocabulary().len() as u32;
                for token in 0..len {
                    assert_eq!(state.clone().advance(token).is_ok(), mask.contains(token), "{schema} token {token}");
                }
                let allowed: Vec<u32> =
                    mask.tokens(len as usize).into_iter().filter(|token| *token != len - 1).collect();
                let Some(&token) = allowed.get(random.below(allowed.len())) else { break };
                state.advance(token).expect("allowed");
            }
        }
    }
}

#[test]
fn masks_go_along_with_keys_that_are_used_and_with_alternatives_and_entries_that_must_differ() {
    let names = json!({"a/b": {}, "q\"": {"type": "null"}, "t\t": {}, "ab": {"const": 1}});
    let cases = [
        (
            json!({"type": "object", "properties": names, "additionalProperties": {"type": "integer"}}),
            vec![
                "{\"",
                "{\"a",
                "{\"a/b\":1,\"a",
                "{\"x\\/y\":1,\"x",
                "{\"q\\\"\":null,\"q",
                "{\"x\":1,\"abc\":12,\"",
                "{\"a\":1,\"",
                "{\"t\\",
                "{\"a\\",
            ],
        ),
        (
            json!({"type": "object", "properties": names, "patternProperties": {"^a+$": {"type": "integer"}}, "minProperties": 2}),
            vec!["{\"", "{\"a", "{\"aaaa\":1,\"a", "{\"ab\":1,\"aa"],
        ),
        (
            json!({"anyOf": [
                {"properties": {"a": {"const": 1}, "b": {}}, "required": ["a"]},
                {"properties": {"a": {"const": 12}, "b": {}}, "required": ["b"]},
                {"properties": {"a": {"type": "string"}, "c": {}}, "additionalProperties": {"type": "boolean"}},
            ], "type": "object"}),
            vec!["{\"", "{\"a", "{\"x\":true,\"", "{\"x\":1,\"", "{\"b\":", "{\"a\":1", "{\"a\":12,\"b\":0.5"],
        ),
        (
            json!({"type": "array", "uniqueItems": true, "items": {"type": "object", "additionalProperties": {"type": "boolean"}}}),
            vec![
                "[{\"a\":true},{",
                "[{\"a\":true},{\"a",
                "[{\"a\":true},{\"a\":true",
                "[{},{\"ab\":false},{\"ab\":false",
            ],
        ),
        (
            json!({"type": "array", "uniqueItems": true, "items": {"enum": ["a", "ab", "abc", "a\"", 1, 12, 1.0, 100, true, null]}}),
            vec!["[", "[\"a\",", "[\"a\",\"a", "[\"abc\",1,", "[12,1", "[1,100,1", "[\"a\\\"\",\"a", "[1.0,\"ab\",tr"],
        ),
        (
            json!({"anyOf": [{"type": "integer", "minimum": 5}, {"type": "number", "maximum": 1}, {"enum": [3, "a"]}]}),
            vec!["", "1", "0.", "-1", "12", "100"],
        ),
    ];
    for ((schema, beginnings), order) in cases.iter().flat_map(|case| [(case, Order::Schema), (case, Order::Any)]) {
        let mut options = Options::default();
        options.order = order;
        let guide = compiler().compile(&Source::JsonSchema(schema.to_string()), &options).expect("a guide");
        let len = guide.vocabulary().len() as u32;
        for beginning in beginnings {
            let Some(state) = text(&guide.start(), beginning) else {
                assert_eq!(order, Order::Schema, "{schema} {beginning}");
                continue;
            };
            let mask = state.mask(None);
            for token in 0..len {
                let accepts = state.clone().advance(token).is_ok();
                assert_eq!(accepts, mask.contains(token), "{schema} {order:?} {beginning} token {token}");
            }
            let least = state.min_tokens_left();
            for budget in [least, least + 1, least + 3, least + 9, least + 30] {
                for token in state.mask(Some(budget)).tokens(len as usize) {
                    let mut next = state.clone();
                    next.advance(token).expect("allowed");
                    assert!(token == len - 1 || next.min_tokens_left() < budget, "{schema} {beginning} {token}");
                }
            }
        }
    }
}

#[test]
fn with_a_budget_only_those_tokens_are_left_that_leave_room_for_the_rest() {
    let mut random = Random(13);
    for schema in schemas() {
        let guide = guide(&schema);
        let mut state = guide.start();
        for _ in 0..30 {
            let (least, len) = (state.min_tokens_left(), guide.vocabulary().len() as u32);
            if least > 0 {
                for budget in [least, least + 1, least + 4] {
                    let mask = state.mask(Some(budget));
                    assert!(mask.count() > 0);
                    for token in mask.tokens(len as usize) {
                        let mut next = state.clone();
                        next.advance(token).expect("allowed");
                        assert!(next.min_tokens_left() < budget, "{schema}");
                    }
                }
            }
            let allowed: Vec<u32> =
                state.mask(None).tokens(len as usize).into_iter().filter(|token| *token != len - 1).collect();
            let Some(&token) = allowed.get(random.below(allowed.len())) else { break };
            state.advance(token).expect("allowed");
        }
    }
}

#[test]
fn a_clone_goes_back() {
    let guide = guide(&json!({"type": "object", "properties": {"a": {"type": "string"}}}));
    let state = text(&guide.start(), "{\"a\":\"x").expect("allowed");
    let before = state.clone();
    let mut after = state.clone();
    assert!(after.advance(u32::from(b'"')).is_ok() && after.advance(u32::from(b'}')).is_ok());
    assert_eq!(before.mask(None), state.mask(None));
    assert!(after.must_end() && !before.may_end());
    // A refused token changes nothing.
    let mut refused = before.clone();
    assert!(refused.advance(u32::from(b'\n')).is_err());
    assert_eq!(refused.mask(None), before.mask(None));
}

#[test]
fn the_root_may_be_a_string() {
    let guide = guide(&json!({"type": "string", "maxLength": 5}));
    assert!(
        whole(&guide, "\"Paris\"") && whole(&guide, "\"\"") && !whole(&guide, "\"London\"") && !whole(&guide, " \"a\"")
    );
    // `""` is one token of the vocabulary.
    assert_eq!(guide.min_tokens(), 1);
    assert!(guide.start().mask(Some(1)).contains(256));
}

#[test]
fn white_space_is_at_most_one_space_inside() {
    let guide = guide(&json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}}));
    assert!(whole(&guide, "{ \"a\" : [ 1 , 2 ] }") && whole(&guide, "{\"a\":[1,2]}"));
    for wrong in ["{  \"a\":[]}", "{\"a\":  []}", "{\n}", "{} ", " {}"] {
        assert!(!whole(&guide, wrong), "{wrong:?}");
    }
}

#[test]
fn keys_are_unique() {
    let guide = guide(&json!({"type": "object", "properties": {"a": {"type": "null"}}}));
    assert!(whole(&guide, r#"{"a":null,"b":1,"bb":2}"#));
    assert!(
        !whole(&guide, r#"{"a":null,"a":null}"#)
            && !whole(&guide, r#"{"b":1,"b":2}"#)
            && !whole(&guide, r#"{"b":1,"a":null}"#)
    );
    assert!(!whole(&guide, r#"{"\n":1,"\n":2}"#) && whole(&guide, r#"{"\n":1,"\t":2}"#));
}

#[test]
fn references_are_followed_as_they_are_spelled() {
    let guide = guide(&json!({
        "$defs": {"a/b": {"type": "null"}, "c%d": {"type": "boolean"}, "e~f": {"$anchor": "g", "type": "integer"}},
        "prefixItems": [{"$ref": "#/$defs/a~1b"}, {"$ref": "#/$defs/c%25d"}, {"$ref": "#/$defs/e~0f"}, {"$ref": "#g", "minimum": 3}], "minItems": 4, "type": "array"
    }));
    assert!(
        accepts(&guide.start(), &json!([null, true, 1, 3])) && !accepts(&guide.start(), &json!([null, true, 1, 2]))
    );
}

#[test]
fn each_object_has_the_keys_of_its_own_property_names() {
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
fn schemas_refer_to_documents_that_the_compiler_was_given() {
    let mut documents = Documents::default();
    let list = r##"{"$id": "https://example.com/list", "type": "array", "items": {"$ref": "item#/$defs/one"}, "minItems": 1}"##;
    let item = r##"{"$id": "https://example.com/item", "$defs": {"one": {"$ref": "#two"}, "two": {"$anchor": "two", "enum": [1, 2]}}}"##;
    assert_eq!(documents.add(None, list).expect("a document"), "https://example.com/list");
    documents.add(None, item).expect("a document");
    assert!(documents.add(None, item).is_err() && documents.add(None, "{}").is_err());
    assert!(documents.add(None, r#"{"$id": "relative"}"#).is_err() && documents.add(None, "{").is_err());
    let compiler = Compiler::new(compiler().vocabulary().clone(), Limits::default()).with_documents(documents);
    let compile = |schema: Value| compiler.compile(&Source::JsonSchema(schema.to_string()), &Options::default());
    let guide = compile(json!({"$ref": "https://example.com/list", "maxItems": 2})).expect("a guide");
    assert!(accepts(&guide.start(), &json!([1, 2])));
    assert!(!accepts(&guide.start(), &json!([3])) && !accepts(&guide.start(), &json!([1, 1, 1])));
    // What is wrong in a document is said with its place there.
    let error = compile(json!({"$ref": "https://example.com/item#/$defs/three"})).expect_err("nothing is there");
    assert!(error.to_string().contains("/$defs/three"), "{error}");
}

#[test]
fn what_is_not_enforced_is_refused_with_its_place_and_name() {
    for (schema, pointer, keyword) in [
        (json!({"properties": {"a": {"not": {"uniqueItems": true}}}}), "/properties/a/not/uniqueItems", "not"),
        (json!({"$ref": "https://example.com/schema"}), "", "$ref"),
        (json!({"anyOf": [{"$ref": "#"}, {"type": "null"}]}), "", "$ref"),
    ] {
        match error(&schema) {
            CompileError::Unsupported { at, keyword: found, .. } => {
                assert_eq!((at, found.as_str()), (jig_guides::Place::Pointer(pointer.into()), keyword));
            }
            other => panic!("{schema}: {other}"),
        }
    }
    assert!(matches!(
        error(&json!({"pattern": "(?<=a)b"})),
        CompileError::Unsupported { at: jig_guides::Place::Pattern(..), .. }
    ));
}

#[test]
fn annotations_and_unknown_keywords_constrain_nothing() {
    let guide = guide(
        &json!({"title": "t", "description": 1, "default": 3, "x-hint": [], "madeUp": {}, "type": "null", "format": "made-up"}),
    );
    assert!(whole(&guide, "null"));
}

#[test]
fn contradictions_are_found_when_compiling() {
    for schema in [
        json!(false),
        json!({"type": "string", "enum": [1, 2]}),
        json!({"type": "integer", "minimum": 3, "maximum": 2}),
        json!({"type": "object", "required": ["a"], "properties": {"a": false}}),
        json!({"type": "array", "items": {"$ref": "#"}, "minItems": 1}),
        json!({"type": "object", "required": ["a"], "additionalProperties": false}),
        json!({"type": "string", "pattern": "^(ab)*$", "minLength": 3, "maxLength": 3}),
        json!({"type": "object", "minProperties": 3, "propertyNames": {"enum": ["a", "b"]}}),
        json!({"allOf": [{"type": "string"}, {"type": "null"}]}),
    ] {
        assert!(matches!(error(&schema), CompileError::Unsatisfiable { .. }), "{schema}: {}", error(&schema));
    }
}

#[test]
fn hostile_schemas_are_answered_or_refused() {
    let compiler = compiler();
    let compile = |schema: String| {
        let begun = std::time::Instant::now();
        let start: String = schema.chars().take(60).collect();
        let result = compiler.compile(&Source::JsonSchema(schema), &Options::default());
        println!("{:?} for {start}", begun.elapsed());
        result
    };
    assert!(compile("[".repeat(200_000)).is_err());
    assert!(compile(format!("{}{}", "{\"not\":".repeat(5000), "}".repeat(5000))).is_err());
    let values: Vec<String> = (0..10_000).map(|n| format!("value {n}")).collect();
    assert!(compile(json!({"enum": values}).to_string()).is_ok());
    assert!(compile(json!({"type": "string", "maxLength": 1_000_000}).to_string()).is_ok());
    assert!(compile(json!({"type": "array", "minItems": 1_000_000, "items": {"type": "null"}}).to_string()).is_ok());
    assert!(compile(json!({"pattern": "[ab]*a[ab]{40}"}).to_string()).is_err());
    assert!(compile(json!({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}).to_string()).is_err());
    let any: Vec<Value> = (0..30).map(|i| json!({"anyOf": [{"minimum": i}, {"maxLength": i}]})).collect();
    assert!(compile(json!({"allOf": any}).to_string()).is_err());
    let chain: serde_json::Map<String, Value> = (0..20_000)
        .map(|i| (format!("d{i}"), json!({"$ref": format!("#/$defs/d{}", i + 1)})))
        .chain([("d20000".into(), json!({"type": "null"}))])
        .collect();
    assert!(compile(json!({"$ref": "#/$defs/d0", "$defs": chain}).to_string()).is_ok());
    let wide: serde_json::Map<String, Value> =
        (0..20_000).map(|i| (format!("property{i}"), json!({"type": "integer"}))).collect();
    assert!(compile(json!({"type": "object", "properties": wide}).to_string()).is_ok());
}

#[test]
fn white_space_is_what_the_option_says() {
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
fn lines_are_written_as_serde_json_writes_them_and_end_in_time() {
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

    // Wherever the answer breaks off, the cheapest completion is a valid one.
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
    // Beyond sixteen levels lines are not indented further.
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
fn spaces_that_must_come_are_counted_in_the_fewest_bytes_of_an_answer() {
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
        // An upper bound where keys have to differ, else exact.
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
fn host_name_in_punycode_is_taken_as_a_literal_and_never_generated() {
    let guide = |schema: Value| guide(&schema);
    let names = guide(json!({"type": "string", "format": "hostname"}));
    let few = guide(json!({"enum": ["xn--9n2bp8q", "xn--X", "a"], "format": "hostname"}));
    let others = guide(json!({"type": "string", "not": {"format": "hostname"}}));
    let beyond = guide(json!({"type": "string", "not": {"format": "idn-hostname"}}));
    let listed = guide(json!({"enum": ["xn--9n2bp8q", "a b", "ա.xn--9n2bp8q"], "not": {"format": "idn-hostname"}}));
    for (guide, name, valid) in [
        (&names, "a.b", true),
        (&names, "xn--9n2bp8q.xn--9t4b11yi5a", false),
        (&names, "xn--X", false),
        (&few, "xn--9n2bp8q", true),
        (&few, "xn--X", false),
        (&others, "xn--9n2bp8q", false),
        (&others, "a.b", false),
        (&others, "a b", true),
        (&beyond, "xn--9n2bp8q", false),
        (&beyond, "ü", false),
        (&beyond, "ü ", true),
        (&listed, "a b", true),
        (&listed, "xn--9n2bp8q", false),
    ] {
        assert_eq!(whole(guide, &Value::String(name.to_owned()).to_string()), valid, "{name}");
    }
}

#[test]
fn a_format_is_a_demand_or_an_annotation() {
    let source = Source::JsonSchema(json!({"format": "ipv4"}).to_string());
    let mut options = Options::default();
    assert!(!whole(&compiler().compile(&source, &options).expect("small"), "\"1.2.3\""));
    options.formats = Formats::Annotate;
    assert!(whole(&compiler().compile(&source, &options).expect("small"), "\"1.2.3\""));
}

#[test]
fn output_nested_very_deeply_is_no_danger() {
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
    fn random_schemas_lead_to_valid_documents(schema in schema(), seed in any::<u64>()) {
        check_walks(&schema, 4, &mut Random(seed));
    }
}
