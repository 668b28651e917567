use jig_guides::Part;
use serde_json::{Value, json};

use super::*;
use crate::protocol::fields;

fn read(body: &Value) -> Result<Option<Asked>, Refusal> {
    let text = body.to_string();
    let mut constraints = Constraints::default();
    for field in fields::read(text.as_bytes())? {
        if !field.is_null() {
            assert!(constraints.take(&field)?, "{}", field.name);
        }
    }
    constraints.finish()
}

fn schema(text: &str) -> Source {
    Source::JsonSchema(text.to_owned())
}

#[test]
fn each_spelling_asks_for_its_form() {
    let regex = || Source::Regex("a+".to_owned());
    let grammar = || Source::Grammar("root ::= \"a\"".to_owned());
    let choice = || Source::Choice(vec!["a".to_owned(), "b".to_owned()]);
    let object = r#"{"type":"object"}"#;
    let constant = json!({"type": "const_string", "value": "a"});
    let cases = [
        (json!({"response_format": {"type": "json_object"}}), Source::JsonObject),
        (json!({"response_format": {"type": "json_object", "schema": {"type": "object"}}}), schema(object)),
        (json!({"response_format": {"type": "json_object", "schema": null}}), Source::JsonObject),
        (json!({"response_format": {"type": "json_object", "value": {"type": "object"}}}), schema(object)),
        (json!({"response_format": {"type": "json", "value": {"type": "object"}}}), schema(object)),
        (json!({"response_format": {"type": "json_schema", "schema": {"type": "object"}}}), schema(object)),
        (json!({"response_format": {"type": "json_schema", "json_schema": {"type": "object"}}}), schema(object)),
        (
            json!({"response_format": {"type": "json_schema", "json_schema":
            {"name": "Response[int]", "strict": null, "description": "d", "schema": {"type": "object"}}}}),
            schema(object),
        ),
        (
            json!({"response_format": {"type": "json_schema", "value": {"name": "x", "schema": {"type": "object"}}}}),
            schema(object),
        ),
        (json!({"response_format": {"type": "regex", "pattern": "a+"}}), regex()),
        (json!({"response_format": {"type": "regex", "value": "a+"}}), regex()),
        (json!({"structured_outputs": {"json": {"type": "object"}}}), schema(object)),
        (json!({"structured_outputs": {"json": object}}), schema(object)),
        (json!({"structured_outputs": {"regex": "a+", "json": null}}), regex()),
        (json!({"structured_outputs": {"choice": ["a", "b"]}}), choice()),
        (json!({"structured_outputs": {"json_object": true}}), Source::JsonObject),
        (json!({"guided_json": {"type": "object"}, "guided_decoding_backend": "xgrammar"}), schema(object)),
        (json!({"guided_json": object}), schema(object)),
        (json!({"guided_regex": "a+"}), regex()),
        (json!({"guided_choice": ["a", "b"]}), choice()),
        (json!({"guided_json_object": true}), Source::JsonObject),
        (json!({"json_schema": object}), schema(object)),
        (json!({"schema": true}), schema("true")),
        (json!({"regex": "a+"}), regex()),
        (json!({"grammar": {"type": "regex", "value": "a+"}}), regex()),
        (json!({"grammar": "root ::= \"a\""}), grammar()),
        (json!({"guided_grammar": "root ::= \"a\""}), grammar()),
        (json!({"ebnf": "root ::= \"a\""}), grammar()),
        (json!({"structured_outputs": {"grammar": "root ::= \"a\""}}), grammar()),
        (json!({"response_format": {"type": "grammar", "grammar": "root ::= \"a\""}}), grammar()),
        (json!({"response_format": {"type": "lark", "lark": "root ::= \"a\""}}), grammar()),
        (json!({"grammar": {"type": "json", "value": {"type": "object"}}}), schema(object)),
        (json!({"response_format": {"type": "structural_tag", "format": constant}}), Source::Tags(Part::text("a"))),
        (json!({"structured_outputs": {"structural_tag": {"format": constant}}}), Source::Tags(Part::text("a"))),
        // The same form twice is one.
        (json!({"guided_regex": "a+", "structured_outputs": {"regex": "a+"}}), regex()),
    ];
    for (body, source) in cases {
        let asked = read(&body).unwrap_or_else(|refusal| panic!("{body}: {refusal}"));
        assert_eq!(asked.map(|asked| asked.constraint.source), Some(source), "{body}");
    }
    for free in [
        json!({}),
        json!({"response_format": null}),
        json!({"response_format": {"type": "text"}}),
        json!({"guided_json_object": false}),
    ] {
        assert_eq!(read(&free).unwrap(), None, "{free}");
    }
}

#[test]
fn what_can_not_be_honoured_is_refused_with_its_path() {
    for (body, param, says) in [
        (json!({"response_format": "json"}), "response_format", "an object"),
        (json!({"response_format": {}}), "response_format.type", "missing"),
        (json!({"response_format": {"type": "json_shema"}}), "response_format.type", "did you mean \"json_schema\""),
        (json!({"response_format": {"type": "json_schema"}}), "response_format.json_schema", "missing"),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": null}}),
            "response_format.json_schema",
            "missing",
        ),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}),
            "response_format.json_schema.schema",
            "missing",
        ),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": 3}}}),
            "response_format.json_schema.schema",
            "JSON Schema",
        ),
        (
            json!({"response_format": {"type": "json_schema", "json_shema": {}}}),
            "response_format.json_shema",
            "did you mean",
        ),
        (json!({"response_format": {"type": "grammar"}}), "response_format.grammar", "missing"),
        (json!({"response_format": {"type": "structural_tag"}}), "response_format.format", "missing"),
        (
            json!({"structured_outputs": {"structural_tag": {"format": {"type": "grammar"}}}}),
            "structured_outputs.structural_tag.format.grammar",
            "missing",
        ),
        (json!({"structured_outputs": {}}), "structured_outputs", "has none"),
        (json!({"structured_outputs": {"json_object": false}}), "structured_outputs", "has none"),
        (json!({"structured_outputs": {"json": true, "regex": "a"}}), "structured_outputs", "has several"),
        (json!({"structured_outputs": {"grammar": ""}}), "structured_outputs.grammar", "empty"),
        (json!({"structured_outputs": {"jason": true}}), "structured_outputs.jason", "did you mean `json`?"),
        (json!({"structured_outputs": {"choice": []}}), "structured_outputs.choice", "at least one"),
        (json!({"structured_outputs": {"choice": [1]}}), "structured_outputs.choice[0]", "a string"),
        (json!({"guided_grammar": "\n"}), "guided_grammar", "empty"),
        (json!({"grammar": {"type": "cfg", "value": "root ::= x"}}), "grammar.type", "\"grammar\""),
        (json!({"guided_regex": ""}), "guided_regex", "empty"),
        (json!({"guided_regex": "a", "response_format": {"type": "json_object"}}), "response_format", "`guided_regex`"),
        (
            json!({"guided_regex": "a", "structured_outputs": {"regex": "b"}}),
            "structured_outputs.regex",
            "`guided_regex`",
        ),
    ] {
        let refusal = read(&body).expect_err(&body.to_string());
        assert_eq!(refusal.param.as_deref(), Some(param), "{body}: {refusal}");
        assert!(refusal.message.contains(says), "{body}: {refusal}");
    }
}

#[test]
fn how_json_is_written_is_asked_for_in_several_ways() {
    let whitespace = |body: Value| read(&body).map(|asked| asked.unwrap().constraint.options.whitespace);
    for (pattern, expected) in [
        ("", Whitespace::Compact),
        ("[ ]?", Whitespace::Optional),
        (r"[\n\t ]*", Whitespace::Any),
        ("[\n\t ]*", Whitespace::Any),
    ] {
        let body = json!({"guided_json": true, "guided_whitespace_pattern": pattern});
        assert_eq!(whitespace(body), Ok(expected), "{pattern:?}");
        let body = json!({"structured_outputs": {"json": true, "whitespace_pattern": pattern}});
        assert_eq!(whitespace(body), Ok(expected), "{pattern:?}");
    }
    let compact = json!({"structured_outputs": {"json": true, "disable_any_whitespace": true}});
    assert_eq!(whitespace(compact), Ok(Whitespace::Compact));
    let pretty = json!({"response_format": {"type": "json_object"}, "whitespace": "pretty"});
    assert_eq!(whitespace(pretty), Ok(Whitespace::Pretty));
    let inside = json!({"structured_outputs": {"json": true, "whitespace": "any", "property_order": "any"}});
    assert_eq!(whitespace(inside), Ok(Whitespace::Any));
    for (body, param) in [
        (json!({"guided_json": true, "guided_whitespace_pattern": "x*"}), "guided_whitespace_pattern"),
        (
            json!({"guided_json": true, "whitespace": "any", "guided_whitespace_pattern": ""}),
            "guided_whitespace_pattern",
        ),
        (json!({"guided_regex": "a", "whitespace": "any"}), "whitespace"),
        (
            json!({"whitespace": "any", "structured_outputs": {"structural_tag": {"format": {"type": "json_schema", "json_schema": {}, "any_order": true}}}}),
            "whitespace",
        ),
        (json!({"formats": "annotate"}), "formats"),
    ] {
        let refusal = read(&body).expect_err(&body.to_string());
        assert_eq!(refusal.param.as_deref(), Some(param), "{body}: {refusal}");
    }
}

#[test]
fn objects_are_closed_where_asked() {
    let body = json!({"structured_outputs": {"json": {"type": "object"}, "disable_additional_properties": true}});
    let expected = schema(r#"{"type":"object","additionalProperties":false}"#);
    assert_eq!(read(&body).unwrap().unwrap().constraint.source, expected);
    let body = json!({"structured_outputs": {"regex": "a", "disable_additional_properties": true}});
    assert!(read(&body).unwrap_err().message.contains("about a schema"));
}
