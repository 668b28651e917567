use super::*;
use crate::output::arguments::Kinds;
use crate::output::{FAMILIES, Family, Start, Thinking};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// All that a message says, put together.
#[derive(Debug, Default, PartialEq)]
struct Message {
    reasoning: String,
    content: String,
    calls: Vec<(String, String)>,
    ended: usize,
}

fn kinds() -> Arc<HashMap<String, Kinds>> {
    let schema = json!({"properties": {
        "harbour": {"type": "string"},
        "days": {"type": "integer"},
        "spots": {"type": "array"},
        "note": {"type": ["string", "null"]},
    }});
    Arc::new(HashMap::from([("tides".to_owned(), Kinds::of_schema(&schema))]))
}

/// What a text says that comes in these pieces. Also checks what holds of any sequence of pieces.
fn parse(thinking: Option<Start>, family: Option<&str>, pieces: &[&str]) -> Message {
    let thinking = thinking.map(|start| (Thinking::named("qwen3").unwrap(), start));
    let mut parser = Parser::new(thinking, family.map(|name| Family::named(name).unwrap()), kinds());
    let whole = pieces.concat();
    let mut message = Message::default();
    let mut said = Vec::new();
    for piece in pieces {
        said.extend(parser.push(piece));
    }
    said.extend(parser.finish());
    for piece in said {
        match piece {
            Piece::Reasoning(text) => message.reasoning += &text,
            Piece::Content { text, at } => {
                assert!(!text.is_empty());
                assert_eq!(text, whole[at..at + text.len()], "the place of a piece is where it stands");
                message.content += &text;
            }
            Piece::Call { index, name, .. } => {
                assert_eq!(index, message.calls.len());
                assert_eq!(message.ended, index, "the call before has ended");
                message.calls.push((name, String::new()));
            }
            Piece::Arguments { index, json } => {
                assert_eq!(index + 1, message.calls.len());
                assert!(!json.is_empty());
                message.calls[index].1 += &json;
            }
            Piece::CallEnd { index } => {
                assert_eq!(index, message.ended);
                message.ended += 1;
            }
        }
    }
    message
}

fn whole(family: &str, text: &str) -> Message {
    parse(None, Some(family), &[text])
}

/// Calls as their families' templates render them: family, text, and the calls of `tides` that it has.
fn rendered() -> Vec<(&'static str, String, Vec<Value>)> {
    let husum = json!({"harbour": "Husum", "days": 3});
    let wyk = json!({"harbour": "Wyk"});
    let both = || vec![husum.clone(), wyk.clone()];
    let (a, b) = (r#"{"harbour": "Husum", "days": 3}"#, r#"{"harbour": "Wyk"}"#);
    let item = |arguments: &str| format!(r#"{{"name": "tides", "arguments": {arguments}}}"#);
    let list = format!("[{}, {}]", item(a), item(b));
    let dsml = |tag: &str| {
        format!(
            "<｜DSML｜{tag}>\n<｜DSML｜invoke name=\"tides\">\n<｜DSML｜parameter name=\"harbour\" \
             string=\"true\">Husum</｜DSML｜parameter>\n<｜DSML｜parameter name=\"days\" string=\"false\">3</｜DSML｜parameter>\n\
             </｜DSML｜invoke>\n<｜DSML｜invoke name=\"tides\">\n<｜DSML｜parameter name=\"harbour\" \
             string=\"true\">Wyk</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜{tag}>"
        )
    };
    vec![
        ("hermes", format!("<tool_call>\n{}\n</tool_call>\n<tool_call>\n{}\n</tool_call>", item(a), item(b)), both()),
        ("hermes", format!("<tool_call>{}</tool_call><tool_call>{}</tool_call>\n", item(a), item(b)), both()),
        (
            "qwen3_coder",
            "<tool_call>\n<function=tides>\n<parameter=harbour>\nHusum\n</parameter>\n<parameter=days>\n3\n</parameter>\n\
             </function>\n</tool_call>\n<tool_call>\n<function=tides>\n<parameter=harbour>\nWyk\n</parameter>\n</function>\n</tool_call>"
                .to_owned(),
            both(),
        ),
        (
            "seed_oss",
            "<seed:tool_call>\n<function=tides>\n<parameter=harbour>Husum</parameter>\n<parameter=days>3</parameter>\n\
             </function>\n</seed:tool_call>"
                .to_owned(),
            vec![husum.clone()],
        ),
        ("llama3_json", format!(r#"{{"name": "tides", "parameters": {a}}}"#), vec![husum.clone()]),
        (
            "llama3_json",
            format!(r#"{{"name": "tides", "parameters": {a}}}; {{"name": "tides", "parameters": {b}}}"#),
            both(),
        ),
        ("pythonic", r#"[tides(harbour="Husum", days=3), tides(harbour='Wyk')]"#.to_owned(), both()),
        (
            "lfm2",
            "<|tool_call_start|>[tides(harbour='Husum', days=3), tides(harbour='Wyk')]<|tool_call_end|>".to_owned(),
            both(),
        ),
        ("mistral", format!("[TOOL_CALLS]{list}"), both()),
        ("mistral", format!(r#"[TOOL_CALLS][{{"name": "tides", "arguments": {a}, "id": "a1B2c3D4e"}}]"#), vec![husum.clone()]),
        ("mistral_args", format!("[TOOL_CALLS]tides[ARGS]{a}[TOOL_CALLS]tides[ARGS]{b}"), both()),
        ("mistral_args", format!("[TOOL_CALLS]tides[CALL_ID]a1B2c3D4e[ARGS]{a}"), vec![husum.clone()]),
        ("mistral_args", format!("[TOOL_CALLS]tides{a}"), vec![husum.clone()]),
        (
            "deepseek_v3",
            format!(
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>tides\n```json\n{a}\n```<｜tool▁call▁end｜>\n\
                 <｜tool▁call▁begin｜>function<｜tool▁sep｜>tides\n```json\n{b}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            ),
            both(),
        ),
        (
            "deepseek_v31",
            format!(
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>tides<｜tool▁sep｜>{a}<｜tool▁call▁end｜>\
                 <｜tool▁call▁begin｜>tides<｜tool▁sep｜>{b}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            ),
            both(),
        ),
        ("deepseek_v32", dsml("function_calls"), both()),
        ("deepseek_v4", dsml("tool_calls"), both()),
        (
            "kimi_k2",
            format!(
                "<|tool_calls_section_begin|><|tool_call_begin|>functions.tides:0<|tool_call_argument_begin|>{a}<|tool_call_end|>\
                 <|tool_call_begin|>functions.tides:1<|tool_call_argument_begin|>{b}<|tool_call_end|><|tool_calls_section_end|>"
            ),
            both(),
        ),
        (
            "glm45",
            "<tool_call>tides\n<arg_key>harbour</arg_key>\n<arg_value>Husum</arg_value>\n<arg_key>days</arg_key>\n\
             <arg_value>3</arg_value>\n</tool_call>\n<tool_call>tides\n<arg_key>harbour</arg_key>\n<arg_value>Wyk</arg_value>\n</tool_call>"
                .to_owned(),
            both(),
        ),
        (
            "glm47",
            "<tool_call>tides<arg_key>harbour</arg_key><arg_value>Husum</arg_value><arg_key>days</arg_key>\
             <arg_value>3</arg_value></tool_call><tool_call>tides<arg_key>harbour</arg_key><arg_value>Wyk</arg_value></tool_call>"
                .to_owned(),
            both(),
        ),
        (
            "minimax_m2",
            "<minimax:tool_call>\n<invoke name=\"tides\">\n<parameter name=\"harbour\">Husum</parameter>\n\
             <parameter name=\"days\">3</parameter>\n</invoke>\n<invoke name=\"tides\">\n<parameter name=\"harbour\">Wyk</parameter>\n\
             </invoke>\n</minimax:tool_call>"
                .to_owned(),
            both(),
        ),
        (
            "gemma4",
            "<|tool_call>call:tides{harbour:<|\"|>Husum<|\"|>,days:3}<tool_call|><|tool_call>call:tides{harbour:<|\"|>Wyk<|\"|>}<tool_call|>"
                .to_owned(),
            both(),
        ),
        (
            "functiongemma",
            "<start_function_call>call:tides{harbour:<escape>Husum<escape>,days:3}<end_function_call>".to_owned(),
            vec![husum.clone()],
        ),
        (
            "harmony",
            format!(
                "<|channel|>analysis<|message|><|end|><|start|>assistant<|channel|>commentary to=functions.tides <|constrain|>json<|message|>{a}\
                 <|call|><|start|>assistant to=functions.tides<|channel|>commentary json<|message|>{b}<|call|>"
            ),
            both(),
        ),
        ("granite", format!("<|tool_call|>{list}"), both()),
        ("granite_20b_fc", format!("<function_call> {}\n<function_call> {}", item(a), item(b)), both()),
        ("phi4_mini", format!("functools{list}"), both()),
        ("jamba", format!("<tool_calls>[\n    {},\n    {}\n]</tool_calls>", item(a), item(b)), both()),
        ("minimax", format!("<tool_calls>\n{}\n{}\n</tool_calls>", item(a), item(b)), both()),
        (
            "cohere",
            format!(
                "<|START_ACTION|>[\n    {{\"tool_call_id\": \"0\", \"tool_name\": \"tides\", \"parameters\": {a}}},\n    \
                 {{\"tool_call_id\": \"1\", \"tool_name\": \"tides\", \"parameters\": {b}}}\n]<|END_ACTION|>"
            ),
            both(),
        ),
    ]
}

#[test]
fn calls_of_every_family_are_read_as_its_template_writes_them() {
    let cases = rendered();
    let mut families: Vec<&str> = cases.iter().map(|(family, ..)| *family).collect();
    families.dedup();
    assert_eq!(families.len(), FAMILIES.len(), "each family has a case");
    for (family, text, calls) in cases {
        let message = whole(family, &text);
        assert_eq!((message.content.trim(), message.ended), ("", calls.len()), "{family}: {message:?}");
        for ((name, arguments), expected) in message.calls.iter().zip(&calls) {
            assert_eq!(name, "tides", "{family}");
            assert_eq!(&serde_json::from_str::<Value>(arguments).unwrap(), expected, "{family}: {arguments}");
        }
    }
}

#[test]
fn text_before_a_call_is_whole_and_without_the_white_space_before_the_call() {
    // In channels no text stands before a message.
    for (family, text, calls) in rendered().into_iter().filter(|(family, ..)| *family != "harmony") {
        let is_at_start = ["llama3_json", "pythonic"].contains(&family);
        let message = whole(family, &format!("Let me <look> that up. \n\n{text}"));
        if is_at_start {
            assert_eq!(message.calls, [], "{family}: prose that goes on like a call is prose");
        } else {
            assert_eq!((&*message.content, message.calls.len()), ("Let me <look> that up.", calls.len()), "{family}");
        }
    }
}

#[test]
fn a_literal_trigger_in_prose_stays_text_where_no_tools_were_given() {
    let text = "Write <tool_call>{\"name\": \"x\", \"arguments\": {}}</tool_call> and <think> so.\n";
    assert_eq!(parse(None, None, &[text]).content, text);
}

#[test]
fn a_trigger_that_no_call_follows_is_content() {
    for text in
        ["<tool_call>hello</tool_call> there", "a <tool_call>", "a <tool_call>\n{\"name\": 5}", "a <tool_", "x < y\n"]
    {
        let message = whole("hermes", text);
        assert_eq!((&*message.content, message.calls.len()), (text, 0));
    }
    let message = whole("hermes", "<tool_call>no</tool_call><tool_call>{\"name\": \"a\"}</tool_call>");
    assert_eq!(message.content, "<tool_call>no</tool_call>");
    assert_eq!(message.calls, [("a".to_owned(), "{}".to_owned())]);
}

#[test]
fn a_call_without_arguments_has_an_empty_object_in_every_family() {
    let cases = [
        ("hermes", "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>"),
        ("hermes", "<tool_call>\n{\"name\": \"clock\"}\n</tool_call>"),
        ("qwen3_coder", "<tool_call>\n<function=clock>\n</function>\n</tool_call>"),
        ("glm45", "<tool_call>clock\n</tool_call>"),
        ("glm47", "<tool_call>clock</tool_call>"),
        ("pythonic", "[clock()]"),
        ("gemma4", "<|tool_call>call:clock{}<tool_call|>"),
        ("minimax_m2", "<minimax:tool_call>\n<invoke name=\"clock\">\n</invoke>\n</minimax:tool_call>"),
        ("mistral_args", "[TOOL_CALLS]clock[ARGS]{}"),
    ];
    for (family, text) in cases {
        let message = whole(family, text);
        assert_eq!(message.calls, [("clock".to_owned(), "{}".to_owned())], "{family}");
        assert_eq!((message.ended, &*message.content), (1, ""), "{family}");
    }
}

#[test]
fn a_call_that_comes_in_one_piece_or_byte_by_byte_is_the_same_call() {
    for (family, text, _) in rendered() {
        let text = format!("Hm…\n{text}\n");
        let single: Vec<String> = text.chars().map(String::from).collect();
        let single: Vec<&str> = single.iter().map(String::as_str).collect();
        assert_eq!(parse(None, Some(family), &single), whole(family, &text), "{family}");
    }
}

#[test]
fn arguments_are_said_while_they_come() {
    let mut parser = Parser::new(None, Family::named("qwen3_coder"), kinds());
    let mut pieces = parser.push("Yes.\n<tool_call>\n<function=tides>\n<parameter=harbour>\nHu \"su");
    pieces.extend(parser.push("m\"\nWyk\n</para"));
    let content = Piece::Content { text: "Yes.".to_owned(), at: 0 };
    let call = Piece::Call { index: 0, name: "tides".to_owned(), number: None };
    let arguments = |json: &str| Piece::Arguments { index: 0, json: json.to_owned() };
    assert_eq!(pieces, [content, call, arguments("{\"harbour\": \"Hu \\\"su"), arguments("m\\\"\\nWyk")]);
}

#[test]
fn nothing_that_may_be_a_trigger_is_said() {
    let mut parser = Parser::new(None, Family::named("hermes"), kinds());
    let said = |parser: &mut Parser, text| match parser.push(text).pop() {
        Some(Piece::Content { text, .. }) => text,
        None => String::new(),
        other => panic!("{other:?}"),
    };
    assert_eq!(said(&mut parser, "a b <tool"), "a b");
    assert_eq!(said(&mut parser, "s> \n"), " <tools>");
    assert_eq!(said(&mut parser, "<"), "");
    assert_eq!(parser.finish(), [Piece::Content { text: " \n<".to_owned(), at: 11 }]);
}

#[test]
fn values_have_the_types_of_the_schema() {
    let text = |harbour: &str, note: &str| {
        format!(
            "<tool_call>\n<function=tides>\n<parameter=harbour>\n{harbour}\n</parameter>\n<parameter=note>\n{note}\n</parameter>\n\
             <parameter=spots>\n[1, \"a\"]\n</parameter>\n</function>\n</tool_call>"
        )
    };
    let arguments = |harbour, note| -> Value {
        serde_json::from_str(&whole("qwen3_coder", &text(harbour, note)).calls[0].1).unwrap()
    };
    assert_eq!(arguments("5", "null"), json!({"harbour": "5", "note": null, "spots": [1, "a"]}));
    assert_eq!(arguments("", "\"q\""), json!({"harbour": "", "note": "\"q\"", "spots": [1, "a"]}));
    assert_eq!(
        arguments("fn <parameter=x>\n\t\"a\"\n", "é\nb"),
        json!({"harbour": "fn <parameter=x>\n\t\"a\"\n", "note": "é\nb", "spots": [1, "a"]})
    );
}

#[test]
fn a_turn_in_channels_is_thoughts_remarks_a_call_and_an_answer() {
    let turn = "<|channel|>analysis<|message|>Hm <x>\n<|end|><|start|>assistant<|channel|>commentary<|message|>I look. <|end|><|start|>assistant\
                <|channel|>commentary to=functions.a.b <|constrain|>json<|message|> {\"x\": 1}<|call|>";
    let message = whole("harmony", turn);
    assert_eq!((&*message.reasoning, &*message.content, message.ended), ("Hm <x>\n", "I look. ", 1));
    assert_eq!(message.calls, [("a.b".to_owned(), "{\"x\": 1}".to_owned())]);
    let thinking = Some((Thinking::named("harmony").unwrap(), Start::Open));
    let mut parser = Parser::new(thinking, None, kinds());
    let pieces =
        [parser.push("<|channel|>final<|message|>Yes <|tool"), parser.push(" <|channel|>"), parser.finish()].concat();
    let text: String =
        pieces.iter().map(|piece| if let Piece::Content { text, .. } = piece { &**text } else { "!" }).collect();
    assert_eq!(text, "Yes <|tool <|channel|>");
    // Without functions a call is what the model says.
    let mut parser = Parser::new(thinking, None, kinds());
    let pieces = parser.push("<|channel|>commentary to=functions.a json<|message|>{}");
    assert_eq!(pieces, [Piece::Content { text: "{}".to_owned(), at: 52 }]);
    for text in ["Hello", " to the", "<|channel|>final", "<|start|>user"] {
        assert_eq!(whole("harmony", text).content, text, "what has no header is content");
    }
}

#[test]
fn literals_of_python_become_json() {
    let text = r#"[tides(a='it\'s', b="\x41\u00e9\n\U0001F600", c=[1, -2.5e3, None, True], d={'k': (1, 2), "l": {}}, e=False, f='')]"#;
    let arguments: Value = serde_json::from_str(&whole("pythonic", text).calls[0].1).unwrap();
    let expected = json!({"a": "it's", "b": "Aé\n😀", "c": [1, -2.5e3, null, true], "d": {"k": [1, 2], "l": {}}, "e": false, "f": ""});
    assert_eq!(arguments, expected);
    let text = "<|tool_call>call:tides{a:{x:[<|\"|>1<|\"|>,2],y:null},b:true}<tool_call|>";
    let arguments: Value = serde_json::from_str(&whole("gemma4", text).calls[0].1).unwrap();
    assert_eq!(arguments, json!({"a": {"x": ["1", 2], "y": null}, "b": true}));
}

#[test]
fn the_numbers_that_a_model_gives_its_calls_are_kept() {
    let mut parser = Parser::new(None, Family::named("kimi_k2"), kinds());
    let text = "<|tool_calls_section_begin|><|tool_call_begin|>functions.tides:7<|tool_call_argument_begin|>{}<|tool_call_end|>";
    assert_eq!(parser.push(text)[0], Piece::Call { index: 0, name: "tides".to_owned(), number: Some(7) });
}

#[test]
fn thoughts_end_where_the_prompt_or_the_model_says() {
    use Start::{Answer, Inside, Open};
    let parts = |start, text: &str| {
        let message = parse(Some(start), Some("hermes"), &[text]);
        (message.reasoning, message.content, message.calls.len())
    };
    let said = |reasoning: &str, content: &str, calls| (reasoning.to_owned(), content.to_owned(), calls);
    assert_eq!(parts(Inside, "hm\n</think>\n\nYes"), said("hm", "Yes", 0));
    assert_eq!(parts(Inside, "<think>\nhm\n</think>\n\nYes"), said("hm", "Yes", 0));
    assert_eq!(parts(Open, "<think>\nhm\n\n</think>\n\nYes"), said("hm\n", "Yes", 0));
    assert_eq!(parts(Open, "\n<think>hm</think>Yes <think>"), said("hm", "Yes <think>", 0));
    assert_eq!(parts(Open, "Yes </think>"), said("", "Yes </think>", 0));
    assert_eq!(parts(Answer, "<think>Yes"), said("", "<think>Yes", 0));
    assert_eq!(parts(Inside, "hm"), said("hm", "", 0));
    assert_eq!(parts(Inside, "hm\n"), said("hm\n", "", 0));
    let call = "<tool_call>\n{\"name\": \"a\", \"arguments\": {}}\n</tool_call>";
    assert_eq!(parts(Open, &format!("<think>\n{call}\n</think>\n\n{call}")), said(call, "", 1));
    assert_eq!(parts(Open, &format!("<think>\n\n</think>\n\nHi\n{call}")), said("", "Hi", 1));
}

/// A text cut at these places, which are taken to the next border of characters.
fn cut<'t>(text: &'t str, places: &[usize]) -> Vec<&'t str> {
    let mut borders: Vec<usize> = places.iter().map(|place| place % (text.len() + 1)).collect();
    borders.retain(|place| text.is_char_boundary(*place));
    borders.extend([0, text.len()]);
    borders.sort_unstable();
    borders.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

/// Texts made of whole calls, of their parts, and of what looks like them.
fn texts() -> impl Strategy<Value = (&'static str, String)> {
    let cases = rendered();
    (
        0..cases.len(),
        prop::collection::vec((0usize..8, any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6),
    )
        .prop_map(move |(case, parts)| {
            let (family, rendered, _) = &cases[case];
            let mut text = String::new();
            for (kind, from, to) in parts {
                let from = rendered.floor_char_boundary(from.index(rendered.len()));
                let to = rendered.floor_char_boundary(to.index(rendered.len()));
                match kind {
                    0 | 1 => text.push_str(rendered),
                    2 => text.push_str(&rendered[..from.max(to)]),
                    3 => text.push_str(&rendered[from.min(to)..from.max(to)]),
                    4 => text.push_str("\n\n"),
                    5 => text.push_str("</think>"),
                    6 => text.push_str("<think>\n"),
                    _ => text.push_str("Grüße 🙂 [x] { <"),
                }
            }
            (*family, text)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn fragments_add_up_to_the_whole_however_the_text_is_cut(
        (family, text) in texts(),
        start in prop::sample::select(vec![None, Some(Start::Inside), Some(Start::Open), Some(Start::Answer)]),
        places in prop::collection::vec(any::<usize>(), 0..40),
    ) {
        let pieces = cut(&text, &places);
        prop_assert_eq!(parse(start, Some(family), &pieces), parse(start, Some(family), &[&text]));
    }

    #[test]
    fn what_is_no_call_is_said_whole(text in "[a-z<>/_ \n{}\":]{0,60}", places in prop::collection::vec(any::<usize>(), 0..20)) {
        let message = parse(None, Some("hermes"), &cut(&text, &places));
        prop_assert_eq!(message.content, text);
    }
}
