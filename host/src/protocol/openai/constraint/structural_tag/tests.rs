use jig_guides::Source;
use serde_json::{Value, json, value::RawValue};

use super::*;

fn tag(value: &Value) -> Result<StructuralTag, Refusal> {
    let raw = RawValue::from_string(value.to_string()).unwrap();
    read(&Field { name: "response_format".to_owned(), value: &raw })
}

fn part(format: Value) -> Part {
    tag(&json!({"type": "structural_tag", "format": format})).unwrap().part
}

/// Whether whole texts match a format, in a vocabulary of all bytes.
fn matches(format: &Value, texts: &[(&str, bool)]) {
    use jig_guides::{Compiler, Limits, Options, Vocabulary};
    let tokens = (0..=255u8).map(|byte| Some(vec![byte])).chain([None]).collect();
    let compiler = Compiler::new(std::sync::Arc::new(Vocabulary::new(tokens, vec![256]).unwrap()), Limits::default());
    let source = Source::Tags(tag(format).unwrap_or_else(|refusal| panic!("{format}: {refusal}")).part);
    let guide = compiler.compile(&source, &Options::default()).unwrap_or_else(|error| panic!("{format}: {error}"));
    for (text, expected) in texts {
        let mut state = guide.start();
        let is_read = text.bytes().all(|byte| state.advance(u32::from(byte)).is_ok());
        assert_eq!(is_read && state.may_end(), *expected, "{format}: {text:?}");
    }
}

fn format(format: Value, texts: &[(&str, bool)]) {
    matches(&json!({"type": "structural_tag", "format": format}), texts);
}

fn number() -> Value {
    json!({"type": "json_schema", "json_schema": {"type": "integer", "minimum": 0, "maximum": 99}})
}

#[test]
fn the_older_form_is_text_with_triggers() {
    let older = json!({"type": "structural_tag", "triggers": ["<f="], "structures": [
        {"begin": "<f=a>", "schema": {"type": "integer"}, "end": "</f>"},
        {"begin": "<f=b>", "schema": "{\"enum\": [true]}", "end": "</f>"},
    ]});
    let texts = [
        ("", true),
        ("hi <f=a>5</f> and <f=b>true</f> bye", true),
        ("<f=b>5</f>", false),
        ("<f=c>", false),
        ("<f=a>5", false),
    ];
    matches(&older, &texts);
    matches(&Value::from(older.to_string()), &texts);
}

#[test]
fn each_kind_of_format_has_its_meaning() {
    format(json!({"type": "const_string", "value": "ab"}), &[("ab", true), ("a", false)]);
    format(json!({"type": "const_string", "value": ""}), &[("", true), ("a", false)]);
    format(number(), &[("42", true), ("100", false)]);
    format(json!({"type": "regex", "pattern": "a+"}), &[("aa", true), ("", false)]);
    format(json!({"type": "any_text", "excludes": ["no"]}), &[("yes", true), ("not", false)]);
    format(json!({"type": "any_text", "max_chars": 2}), &[("é!", true), ("abc", false)]);
    format(json!({"type": "any_tokens"}), &[("yes", true)]);
    format(json!({"type": "token", "token": 97}), &[("a", true), ("b", false)]);
    let sequence = json!({"type": "sequence", "elements": [{"type": "const_string", "value": "n="}, number()]});
    format(sequence, &[("n=7", true), ("7", false)]);
    let or = json!({"type": "or", "elements": [{"type": "const_string", "value": "none"}, number()]});
    format(or, &[("none", true), ("7", true), ("x", false)]);
    let repeat = |kind: &str| json!({"type": kind, "content": {"type": "const_string", "value": "a"}});
    format(repeat("optional"), &[("", true), ("a", true), ("aa", false)]);
    format(repeat("plus"), &[("", false), ("aaa", true)]);
    format(repeat("star"), &[("", true), ("aaa", true), ("b", false)]);
    let mut counted = repeat("repeat");
    (counted["min"], counted["max"]) = (json!(2), json!(3));
    format(counted.clone(), &[("a", false), ("aa", true), ("aaa", true), ("aaaa", false)]);
    counted["max"] = json!(-1);
    format(counted, &[("a", false), ("aaaaaaa", true)]);
    let dispatch =
        |again: bool| json!({"type": "dispatch", "rules": [["<n>", number()]], "loop": again, "excludes": ["!"]});
    format(dispatch(true), &[("a<n>5b<n>6", true), ("a", true), ("<n>x", false), ("a!", false)]);
    format(dispatch(false), &[("a<n>5", true), ("<n>5b", false)]);
}

#[test]
fn tags_end_with_the_first_of_their_ends() {
    let tag = |content: Value, end: Value| json!({"type": "tag", "begin": "<a>", "content": content, "end": end});
    let text = json!({"type": "any_text"});
    format(tag(number(), json!("</a>")), &[("<a>5</a>", true), ("<a>5", false)]);
    format(tag(number(), json!(["</a>", "</b>"])), &[("<a>5</a>", true), ("<a>5</b>", true), ("<a>5</c>", false)]);
    format(tag(number(), json!("")), &[("<a>5", true)]);
    format(tag(text.clone(), json!("</a>")), &[("<a>x</a>", true), ("<a>x</a>y</a>", false), ("<a>x", false)]);
    format(tag(text.clone(), json!(["</a>", "."])), &[("<a>x.", true), ("<a>x</a>", true), ("<a>x.</a>", false)]);
    let nested = json!({"type": "sequence", "elements": [{"type": "const_string", "value": "t:"}, text]});
    format(tag(nested, json!("</a>")), &[("<a>t:x</a>", true), ("<a>t:x</a></a>", false)]);
    let inner = json!({"type": "triggered_tags", "triggers": ["<n"], "tags": [{"begin": "<n>", "content": number(), "end": "</n>"}]});
    format(tag(inner, json!("</a>")), &[("<a>x<n>5</n>y</a>", true), ("<a></a>", true), ("<a>x</a>y</a>", false)]);
}

#[test]
fn triggered_and_separated_tags_come_as_often_as_they_may() {
    let tags = json!([{"type": "tag", "begin": "<f=a>", "content": number(), "end": "</f>"}]);
    let triggered = |at_least_one: bool, stop_after_first: bool| {
        json!({"type": "triggered_tags", "triggers": ["<f="], "tags": tags, "at_least_one": at_least_one,
            "stop_after_first": stop_after_first, "excludes": ["!"]})
    };
    let (one, two) = ("a<f=a>5</f>", "a<f=a>5</f>b<f=a>6</f>c");
    format(triggered(false, false), &[("", true), (one, true), (two, true), ("!", false)]);
    format(triggered(true, false), &[("a", false), (one, true), (two, true)]);
    format(triggered(false, true), &[("a", true), (one, true), (two, false), ("<f=a>5</f>b", false)]);
    let separated = |at_least_one: bool, stop_after_first: bool| json!({"type": "tags_with_separator", "tags": tags, "separator": ", ", "at_least_one": at_least_one, "stop_after_first": stop_after_first});
    let (one, two) = ("<f=a>5</f>", "<f=a>5</f>, <f=a>6</f>");
    format(separated(false, false), &[("", true), (one, true), (two, true), ("<f=a>5</f><f=a>6</f>", false)]);
    format(separated(true, false), &[("", false), (one, true), (two, true)]);
    format(separated(false, true), &[("", true), (one, true), (two, false)]);
}

#[test]
fn members_are_written_in_the_style_that_is_asked_for() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "n": {"type": "integer"}}, "required": ["a", "n"]});
    for (style, text) in [
        ("json", r#"{"a": "x", "n": 1}"#),
        ("qwen_xml", "<parameter=a>\nx\n</parameter>\n<parameter=n>\n1\n</parameter>"),
        ("minimax_xml", "<parameter name=\"a\">x</parameter>\n<parameter name=\"n\">1</parameter>"),
        ("glm_xml", "<arg_key>a</arg_key><arg_value>x</arg_value><arg_key>n</arg_key><arg_value>1</arg_value>"),
        (
            "deepseek_xml",
            "<｜DSML｜parameter name=\"a\" string=\"true\">x</｜DSML｜parameter>\n<｜DSML｜parameter name=\"n\" string=\"false\">1</｜DSML｜parameter>",
        ),
        (
            "deepseek_v4_1_xml",
            "<｜DSML｜ parameter name=\"a\" string=\"true\">x</｜DSML｜ parameter>\n<｜DSML｜ parameter name=\"n\" string=\"false\">1</｜DSML｜ parameter>",
        ),
    ] {
        let asked = json!({"type": "json_schema", "json_schema": schema, "style": style});
        format(asked, &[(text, true), (&text.replace('1', "x"), false), (&format!("{text} "), false)]);
    }
    let older = json!({"type": "qwen_xml_parameter", "json_schema": schema});
    format(older, &[("<parameter=a>\nx\n</parameter>\n<parameter=n>\n1\n</parameter>", true)]);
    let swapped = r#"{"n": 1, "a": "x"}"#;
    format(json!({"type": "json_schema", "json_schema": schema}), &[(swapped, false)]);
    format(
        json!({"type": "json_schema", "json_schema": schema, "any_order": true}),
        &[(swapped, true), (r#"{"n": 1}"#, false)],
    );
    let compact = json!({"type": "json_schema", "json_schema": schema, "max_whitespace_cnt": 0});
    format(compact, &[(r#"{"a":"x","n":1}"#, true), (r#"{"a": "x","n":1}"#, false)]);
}

#[test]
fn tokens_are_asked_for_by_id_and_by_name() {
    let tag = |begin: Value| json!({"type": "tag", "begin": begin, "content": number(), "end": {"type": "token", "token": "</f>"}});
    let read = tag(json!({"type": "token", "token": 7}));
    let triggered = json!({"type": "structural_tag", "format":
        {"type": "token_triggered_tags", "trigger_tokens": [7], "tags": [read], "exclude_tokens": ["<|end|>"]}});
    let read =
        super::read(&Field { name: "r".to_owned(), value: &RawValue::from_string(triggered.to_string()).unwrap() })
            .unwrap();
    assert_eq!(
        read.tokens,
        [
            ("r.format.tags[0].end.token".to_owned(), "</f>".to_owned()),
            ("r.format.exclude_tokens[0]".to_owned(), "<|end|>".to_owned()),
        ]
    );
    let Part::Triggered(tags) = read.part else { panic!("{:?}", read.part) };
    assert_eq!((&tags.triggers[..], &tags.excludes[..]), (&[Marker::Token(7)][..], &[Marker::text("<|end|>")][..]));
    assert_eq!(part(json!({"type": "token", "token": "x"})), Part::text("x"));
}

#[test]
fn what_no_guide_enforces_is_refused_by_its_path() {
    let of = |format: Value| json!({"type": "structural_tag", "format": format});
    let mut deep = number();
    for _ in 0..60 {
        deep = json!({"type": "optional", "content": deep});
    }
    for (value, param, says) in [
        (json!({"type": "structural_tag"}), "response_format.format", "missing"),
        (
            json!({"type": "structural_tag", "structures": [], "triggers": []}),
            "response_format.structures",
            "at least one",
        ),
        (
            json!({"type": "structural_tag", "structures": [{"begin": "a", "schema": {}, "end": "b"}]}),
            "response_format.triggers",
            "missing",
        ),
        (json!({"type": "structural_tag", "frmat": {}}), "response_format.frmat", "`format`"),
        (of(json!({"type": "grammar", "grammar": ""})), "response_format.format.grammar", "empty"),
        (of(json!({"type": "exclude_token", "exclude_tokens": [1]})), "response_format.format", "not supported"),
        (of(json!({"type": "any_text", "max_tokens": 4})), "response_format.format.max_tokens", "`max_chars`"),
        (
            of(json!({"type": "json_schema", "json_schema": {}, "style": "cohere_xml"})),
            "response_format.format.style",
            "cohere_xml",
        ),
        (
            of(json!({"type": "json_schema", "json_schema": {}, "style": "qwen"})),
            "response_format.format.style",
            "qwen_xml",
        ),
        (
            of(json!({"type": "json_schema", "json_schema": {}, "excludes": ["x"]})),
            "response_format.format.excludes",
            "not supported",
        ),
        (of(json!({"type": "sequnce"})), "response_format.format.type", "\"sequence\""),
        (
            of(json!({"type": "sequence", "elements": [{"type": "or", "elements": []}]})),
            "response_format.format.elements[0].elements",
            "at least one",
        ),
        (
            of(json!({"type": "tag", "begin": "a", "content": number(), "end": ["b", ""]})),
            "response_format.format.end",
            "empty",
        ),
        (of(json!({"type": "repeat", "content": number(), "min": 3, "max": 2})), "response_format.format.max", "less"),
        (json!("nothing"), "response_format", "JSON"),
    ] {
        let refusal = tag(&value).expect_err(&value.to_string());
        assert_eq!(refusal.param.as_deref(), Some(param), "{refusal}");
        assert!(refusal.message.contains(says), "{value}: {refusal}");
    }
    assert!(tag(&of(deep)).unwrap_err().message.contains("levels"));
}
