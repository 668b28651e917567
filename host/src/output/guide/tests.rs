use super::*;
use crate::output::parse::{Parser, Piece};
use crate::output::{FAMILIES, parameters};
use jig_guides::{Compiler, Guide, Limits, Source, Vocabulary};
use std::sync::{Arc, LazyLock};

/// The token that ends a text, and one that is special: `[TOOL_CALLS]`.
const END: u32 = 256;
const TOOL_CALLS: u32 = 257;

/// A vocabulary of all bytes and two tokens that spell nothing.
static COMPILER: LazyLock<Compiler> = LazyLock::new(|| {
    let tokens = (0..=255u8).map(|byte| Some(vec![byte])).chain([None, None]).collect();
    Compiler::new(Arc::new(Vocabulary::new(tokens, vec![END]).unwrap()), Limits::default())
});

fn special() -> SpecialTokens {
    SpecialTokens::new(vec![("[TOOL_CALLS]".to_owned(), TOOL_CALLS)])
}

fn tools() -> Vec<Tool> {
    let tides = r#"{"type": "object", "properties": {"harbour": {"type": "string"}, "days": {"type": "integer"}}, "required": ["harbour"], "additionalProperties": false}"#;
    let tool = |name: &str, parameters: &str| Tool { name: name.to_owned(), parameters: parameters.to_owned() };
    vec![tool("tides", tides), tool("clock", &parameters::none().to_string())]
}

/// What is asked for; fields are changed as a test needs them.
struct Asked {
    family: &'static str,
    calling: Calling,
    is_parallel: bool,
    response: Option<Part>,
    thinking: Option<Start>,
}

const AUTO: Asked =
    Asked { family: "hermes", calling: Calling::MayCall, is_parallel: true, response: None, thinking: None };

impl Asked {
    fn guide(&self) -> Guide {
        let tools = tools();
        let wanted = Wanted {
            family: Family::named(self.family).unwrap(),
            tools: &tools,
            calling: self.calling,
            is_parallel: self.is_parallel,
            response: self.response.clone(),
            options: Options::default(),
        };
        let thinking = self.thinking.map(|start| (Thinking::named("qwen3").unwrap(), start));
        let part = guide(&special(), thinking, Some(&wanted), None).unwrap();
        COMPILER.compile(&Source::Tags(part), &Options::default()).unwrap()
    }

    /// Whether a whole text matches; the name of the special token in it is that token.
    fn allows(&self, text: &str) -> bool {
        allows(&self.guide(), text)
    }
}

fn allows(guide: &Guide, text: &str) -> bool {
    let mut state = guide.start();
    for (number, part) in text.split("[TOOL_CALLS]").enumerate() {
        let special = (number > 0).then_some(TOOL_CALLS);
        for token in special.into_iter().chain(part.bytes().map(u32::from)) {
            if state.advance(token).is_err() {
                return false;
            }
        }
    }
    state.may_end()
}

const CALL: &str = "<tool_call>\n{\"name\": \"tides\", \"arguments\": {\"harbour\": \"Wyk\"}}\n</tool_call>";
const CLOCK: &str = "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>";

#[test]
fn auto_allows_text_and_calls_and_nothing_in_between() {
    for (text, expected) in [
        ("Hello", true),
        ("", true),
        (CALL, true),
        (&format!("Let me see.\n{CALL}\n{CLOCK}"), true),
        (&format!("{CALL} and so on"), false),
        ("<tool_call>\n{\"name\": \"nothing\", \"arguments\": {}}\n</tool_call>", false),
        ("<tool_call>\n{\"name\": \"tides\", \"arguments\": {}}\n</tool_call>", false),
        ("<tool_call>\n{\"name\": \"clock\", \"arguments\": {\"x\": 1}}\n</tool_call>", false),
        ("Write <tool_call> so", false),
        ("Write <tool call> and <tool_cal so", true),
    ] {
        assert_eq!(AUTO.allows(text), expected, "{text}");
    }
}

#[test]
fn required_wants_a_call_and_no_text() {
    let required = Asked { calling: Calling::Must, ..AUTO };
    for (text, expected) in [
        ("", false),
        ("Hello", false),
        (CALL, true),
        (&format!("{CALL}\n{CLOCK}"), true),
        (&format!("Hi {CALL}"), false),
    ] {
        assert_eq!(required.allows(text), expected, "{text}");
    }
}

#[test]
fn one_call_at_most_where_calls_are_not_parallel() {
    for calling in [Calling::MayCall, Calling::Must] {
        let single = Asked { calling, is_parallel: false, ..AUTO };
        assert!(single.allows(CALL));
        assert!(!single.allows(&format!("{CALL}\n{CLOCK}")));
    }
}

#[test]
fn none_allows_text_without_a_trigger() {
    let none = Asked { calling: Calling::Never, ..AUTO };
    assert!(none.allows("Hello <tool> there"));
    assert!(!none.allows(CALL));
    assert!(!none.allows("<tool_call>"));
}

#[test]
fn with_a_response_format_both_the_calls_and_the_json_can_be_reached() {
    let response =
        Some(Part::json(r#"{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}"#));
    let auto = Asked { response: response.clone(), ..AUTO };
    for (text, expected) in [
        (CALL, true),
        (r#"{"a": 1}"#, true),
        ("Hello", false),
        (r#"{"a": "x"}"#, false),
        (&format!("Hi {CALL}"), false),
    ] {
        assert_eq!(auto.allows(text), expected, "{text}");
    }
    let required = Asked { response: response.clone(), calling: Calling::Must, ..AUTO };
    assert!(required.allows(CALL) && !required.allows(r#"{"a": 1}"#));
    let none = Asked { response, calling: Calling::Never, ..AUTO };
    assert!(!none.allows(CALL) && none.allows(r#"{"a": 1}"#));
}

#[test]
fn thoughts_come_first_and_hold_no_call() {
    let inside = Asked { thinking: Some(Start::Inside), calling: Calling::Must, ..AUTO };
    for (text, expected) in [
        (format!("hm\n</think>\n\n{CALL}"), true),
        (format!("</think>{CALL}"), true),
        (format!("hm {CALL}</think>{CALL}"), false),
        (CALL.to_owned(), false),
        ("hm".to_owned(), false),
    ] {
        assert_eq!(inside.allows(&text), expected, "{text}");
    }
    let open = Asked { thinking: Some(Start::Open), ..AUTO };
    for (text, expected) in [
        (format!("<think>\nhm\n</think>\n\nYes.\n{CALL}"), true),
        (format!("Yes.\n{CALL}"), true),
        ("Yes <think> no".to_owned(), false),
        ("<think>hm".to_owned(), false),
        (format!("<think>{CALL}</think>"), false),
    ] {
        assert_eq!(open.allows(&text), expected, "{text}");
    }
    let answer = Asked { thinking: Some(Start::Answer), ..AUTO };
    assert!(answer.allows("Hello") && answer.allows(CALL));
}

#[test]
fn without_tools_only_the_answer_after_the_thoughts_is_held_to_a_form() {
    let thinking = (Thinking::named("qwen3").unwrap(), Start::Open);
    let part = guide(&special(), Some(thinking), None, Some(Part::json(r#"{"type": "integer"}"#))).unwrap();
    let guide = COMPILER.compile(&Source::Tags(part), &Options::default()).unwrap();
    assert!(allows(&guide, "<think>{\"a\n</think>\n\n5") && allows(&guide, "5"));
    assert!(!allows(&guide, "<think>5") && !allows(&guide, "x"));
    assert_eq!(super::guide(&special(), Some(thinking), None, None), None);
}

#[test]
fn calls_that_stand_at_the_start_of_a_message_alone_leave_prose_alone() {
    let llama = Asked { family: "llama3_json", ..AUTO };
    let call = r#"{"name": "tides", "parameters": {"harbour": "Wyk"}}"#;
    for (text, expected) in [
        (call.to_owned(), true),
        ("Hello { there".to_owned(), true),
        (format!("Hi {call}"), true),
        (r#"{"name": "tides", "parameters": {}}"#.to_owned(), false),
        (r#" {"a"}"#.to_owned(), false),
    ] {
        assert_eq!(llama.allows(&text), expected, "{text}");
    }
    let none = Asked { calling: Calling::Never, ..llama };
    assert!(!none.allows(call) && none.allows("Hello"));
}

#[test]
fn a_special_token_is_that_token_and_not_its_text() {
    let mistral = Asked { family: "mistral", ..AUTO };
    let list = r#"[{"name": "tides", "arguments": {"harbour": "Wyk"}}, {"name": "clock", "arguments": {}}]"#;
    assert!(mistral.allows(&format!("[TOOL_CALLS]{list}")));
    assert!(mistral.allows(list), "without the token it is text");
    let single = Asked { is_parallel: false, ..mistral };
    assert!(!single.allows(&format!("[TOOL_CALLS]{list}")));
    assert_eq!(special().markers("a[TOOL_CALLS]["), [Marker::text("a"), Marker::Token(TOOL_CALLS), Marker::text("[")]);
    assert_eq!(special().spoken(Family::named("mistral"), None), [TOOL_CALLS]);
}

/// A text that the guide allows: at each place the first token of those that `prefer` says, or the last that is allowed.
fn written(guide: &Guide, seed: u32, most: u32) -> String {
    let (mut state, mut bytes, mut random) = (guide.start(), Vec::new(), seed);
    for left in (1..=most).rev() {
        if state.must_end() {
            break;
        }
        let tokens = state.mask(Some(left)).tokens(258);
        assert!(!tokens.is_empty(), "something can follow");
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let token = tokens[(random >> 8) as usize % tokens.len()];
        if token == END {
            return String::from_utf8(bytes).unwrap();
        }
        state.advance(token).unwrap();
        match token {
            TOOL_CALLS => bytes.extend_from_slice(b"[TOOL_CALLS]"),
            token => bytes.push(token as u8),
        }
    }
    assert!(state.may_end(), "the text is whole within the budget");
    String::from_utf8(bytes).unwrap()
}

#[test]
fn whatever_a_guide_lets_a_model_write_is_read_as_valid_calls_in_every_family() {
    for family in FAMILIES.iter().filter(|family| family.is_guidable()) {
        let asked = Asked { family: family.name, calling: Calling::Must, ..AUTO };
        let guide = asked.guide();
        for seed in 0..40 {
            let text = written(&guide, seed, 400);
            let kinds = tools().into_iter().map(|tool| {
                (
                    tool.name,
                    crate::output::arguments::Kinds::of_schema(&serde_json::from_str(&tool.parameters).unwrap()),
                )
            });
            let mut parser = Parser::new(None, Some(family), Arc::new(kinds.collect()));
            let mut pieces = parser.push(&text);
            pieces.extend(parser.finish());
            let mut arguments: Vec<(String, String)> = Vec::new();
            for piece in pieces {
                match piece {
                    Piece::Call { name, .. } => arguments.push((name, String::new())),
                    Piece::Arguments { json, .. } => arguments.last_mut().unwrap().1 += &json,
                    Piece::CallEnd { .. } => {}
                    Piece::Reasoning(_) | Piece::Content { .. } if family.name == "harmony" => {}
                    other => panic!("{}: {other:?} in {text:?}", family.name),
                }
            }
            assert!(!arguments.is_empty(), "{}: {text:?}", family.name);
            for (name, json) in arguments {
                let value: serde_json::Value = serde_json::from_str(&json)
                    .unwrap_or_else(|error| panic!("{}: {error}: {json} of {text:?}", family.name));
                let object = value.as_object().unwrap();
                match name.as_str() {
                    "clock" => assert!(object.is_empty(), "{}: {json}", family.name),
                    "tides" => {
                        assert!(object["harbour"].is_string(), "{}: {json} of {text:?}", family.name);
                        assert!(object.get("days").is_none_or(|days| days.is_number()), "{}: {json}", family.name);
                        assert!(object.len() <= 2);
                    }
                    other => panic!("{}: {other}", family.name),
                }
            }
        }
    }
}

/// The tokenizers that lie in a folder of test data, if this machine has it.
fn real_tokenizers() -> Vec<(&'static str, crate::tokenizer::Tokenizer)> {
    let Some(data) = std::env::var_os("JIG_TEST_DATA") else { return Vec::new() };
    let load = |name: &'static str| {
        let directory = std::path::Path::new(&data).join("tokenizers").join(name);
        Some((name, crate::tokenizer::Tokenizer::load(&directory).ok()?))
    };
    ["qwen3", "qwen2.5", "smollm2", "mistral-7b-instruct-v0.2"].into_iter().filter_map(load).collect()
}

#[test]
fn calls_and_thoughts_in_the_tokens_of_real_models_match() {
    let tokenizers = real_tokenizers();
    if tokenizers.is_empty() {
        eprintln!("skipped: JIG_TEST_DATA names no folder with tokenizers");
        return;
    }
    assert_eq!(tokenizers.len(), 4);
    for (name, tokenizer) in tokenizers {
        let mut vocabulary = tokenizer.spellings(tokenizer.len()).unwrap();
        // An end of the text, where the model's other files are not there to name it.
        vocabulary.push(None);
        let end = vocabulary.len() as u32 - 1;
        let compiler = Compiler::new(Arc::new(Vocabulary::new(vocabulary, vec![end]).unwrap()), Limits::default());
        let special =
            tokenizer.special_tokens().filter_map(|token| Some((token.to_owned(), tokenizer.token_id(token)?)));
        let special = SpecialTokens::new(special.collect());
        let tools = tools();
        let wanted = Wanted {
            family: Family::named("hermes").unwrap(),
            tools: &tools,
            calling: Calling::MayCall,
            is_parallel: true,
            response: None,
            options: Options::default(),
        };
        let thinking = Some((Thinking::named("qwen3").unwrap(), Start::Open));
        let part = guide(&special, thinking, Some(&wanted), None).unwrap();
        let guide = compiler.compile(&Source::Tags(part), &Options::default()).unwrap();
        let allows = |text: &str| {
            let mut state = guide.start();
            let tokens = tokenizer.encode_inside(text).unwrap();
            tokens.iter().all(|&token| state.advance(token).is_ok()) && state.may_end()
        };
        for (text, expected) in [
            (format!("<think>\nGrüße, hm.\n</think>\n\nI look.\n{CALL}\n{CLOCK}"), true),
            (format!("I look.\n\n{CALL}"), true),
            ("Hello 🙂, <tool> me.".to_owned(), true),
            (format!("<think>{CALL}</think>"), false),
            (CALL.replace("Wyk", "\"").clone(), false),
        ] {
            assert_eq!(allows(&text), expected, "{name}: {text}");
        }
    }
}
