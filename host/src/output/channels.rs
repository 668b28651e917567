//! Turns that are messages in channels, as the models of gpt-oss write them (the format "harmony" of OpenAI): thoughts, remarks, calls and the
//! answer, each with a header.
//!
//! ```text
//!  turn:     (thought | remark)*  (answer | call)
//!  thought:  <|channel|>analysis<|message|> text <|end|><|start|>assistant
//!  remark:   <|channel|>commentary<|message|> text <|end|><|start|>assistant
//!  answer:   <|channel|>final<|message|> text                                    and the end of the turn
//!  call:     <|channel|>commentary to=functions.N <|constrain|>json<|message|> arguments    and the end of the turn
//! ```
//!
//! A call may say whom it is for before its channel. A turn has one call at most: it ends with it.

use jig_guides::{Part, Tag};

use super::guide::{Calling, Tool, Wanted};
use super::special::SpecialTokens;
use super::thinking::Start;

/// What begins a channel's name.
pub(super) const CHANNEL: &str = "<|channel|>";
/// What ends a header.
pub(super) const MESSAGE: &str = "<|message|>";
/// What ends a message that others follow.
pub(super) const END: &str = "<|end|>";
/// What stands between two messages of a turn.
pub(super) const NEXT: &str = "<|start|>assistant";
/// What stands before the type of a content.
const CONSTRAIN: &str = "<|constrain|>";
/// What stands before the name of a function.
const TO: &str = "to=functions.";
/// The channel of thoughts, and its header.
pub(super) const THOUGHTS: &str = "<|channel|>analysis<|message|>";
const REMARK: &str = "<|channel|>commentary<|message|>";
const ANSWER: &str = "<|channel|>final<|message|>";

/// Where an output begins that follows this prompt.
pub(super) fn start(prompt: &str) -> Start {
    let turn = prompt.rfind(NEXT).map_or("", |at| &prompt[at + NEXT.len()..]);
    let message = turn.rfind(END).map_or(turn, |at| &turn[at + END.len()..]);
    match message {
        message if message.contains(THOUGHTS) => Start::Inside,
        message if message.contains(MESSAGE) => Start::Answer,
        _ => Start::Open,
    }
}

/// What a turn must match; `None` where it is free.
pub(super) fn guide(
    special: &SpecialTokens,
    start: Start,
    wanted: Option<&Wanted<'_>>,
    response: Option<Part>,
) -> Option<Part> {
    let (calling, response) = match wanted {
        Some(wanted) => (wanted.calling, wanted.response.clone()),
        None => (Calling::Never, Some(response?)),
    };
    if start == Start::Answer {
        return Some(response.unwrap_or_else(Part::free));
    }
    let answer = response.unwrap_or_else(Part::free);
    let begins = |text: &str, content: Part| Tag { begin: special.markers(text), content, ends: Vec::new() };
    let mut ends = Vec::new();
    if calling != Calling::Must {
        ends.push(Part::tag(begins(ANSWER, answer)));
    }
    if let Some(wanted) = wanted.filter(|_| calling != Calling::Never) {
        ends.extend(wanted.tools.iter().flat_map(|tool| calls(special, wanted, tool)).map(Part::tag));
    }
    let until_next = || {
        let text = Part::Until { ends: special.first(END).into_iter().collect(), excludes: Vec::new() };
        Part::Sequence([vec![text], special.constant(NEXT)].concat())
    };
    let mut others = vec![Part::tag(begins(THOUGHTS, until_next()))];
    if calling != Calling::Never {
        others.push(Part::tag(begins(REMARK, until_next())));
    }
    let before = Part::Repeat { content: Box::new(Part::Choice(others)), min: 0, max: None };
    let mut turn = vec![before, Part::Choice(ends)];
    if start == Start::Inside {
        turn.insert(0, until_next());
    }
    Some(Part::Sequence(turn))
}

/// The header of a call.
pub(super) fn header(name: &str) -> String {
    format!("{CHANNEL}commentary {TO}{name} {CONSTRAIN}json{MESSAGE}")
}

/// A call, in the ways in which its header is written.
fn calls(special: &SpecialTokens, wanted: &Wanted<'_>, tool: &Tool) -> Vec<Tag> {
    let name = &tool.name;
    let headers = [
        header(name),
        format!(" {TO}{name}{CHANNEL}commentary {CONSTRAIN}json{MESSAGE}"),
        format!(" {TO}{name}{CHANNEL}commentary json{MESSAGE}"),
    ];
    let content = Part::Json { schema: tool.parameters.clone(), options: Some(wanted.options.clone()) };
    let tag = |header: &String| Tag { begin: special.markers(header), content: content.clone(), ends: Vec::new() };
    headers.iter().map(tag).collect()
}

/// The markers of all texts that a turn has.
pub(super) fn texts() -> [&'static str; 5] {
    [CHANNEL, MESSAGE, END, "<|start|>", CONSTRAIN]
}

#[cfg(test)]
mod tests {
    use super::*;
    use jig_guides::{Compiler, Guide, Limits, Marker, Options, Source, Vocabulary};
    use std::sync::Arc;

    use crate::output::Family;

    const TOKENS: [&str; 5] = ["<|channel|>", "<|message|>", "<|end|>", "<|start|>", "<|constrain|>"];

    fn special() -> SpecialTokens {
        SpecialTokens::new(TOKENS.iter().zip(257..).map(|(name, id)| ((*name).to_owned(), id)).collect())
    }

    fn compiled(part: Part) -> Guide {
        let tokens = (0..=255u8).map(|byte| Some(vec![byte])).chain(std::iter::repeat_n(None, 6)).collect();
        let compiler = Compiler::new(Arc::new(Vocabulary::new(tokens, vec![256]).unwrap()), Limits::default());
        compiler.compile(&Source::Tags(part), &Options::default()).unwrap()
    }

    fn allows(guide: &Guide, text: &str) -> bool {
        let mut state = guide.start();
        let is_read = special().markers(text).into_iter().all(|marker| match marker {
            Marker::Token(id) => state.advance(id).is_ok(),
            Marker::Text(text) => text.bytes().all(|byte| state.advance(u32::from(byte)).is_ok()),
        });
        is_read && state.may_end()
    }

    fn guided(calling: Calling, response: Option<Part>, start: Start) -> Guide {
        let parameters =
            r#"{"type":"object","properties":{"at":{"type":"string"}},"required":["at"],"additionalProperties":false}"#;
        let tools = [Tool { name: "tides".to_owned(), parameters: parameters.to_owned() }];
        let family = Family::named("harmony").unwrap();
        let wanted =
            Wanted { family, tools: &tools, calling, is_parallel: true, response, options: Options::default() };
        compiled(guide(&special(), start, Some(&wanted), None).unwrap())
    }

    const CALL: &str = "<|channel|>commentary to=functions.tides <|constrain|>json<|message|>{\"at\": \"Wyk\"}";
    const THOUGHT: &str = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant";

    #[test]
    fn a_turn_is_thoughts_and_remarks_and_then_an_answer_or_a_call() {
        let answer = "<|channel|>final<|message|>Hello";
        let remark = "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant";
        let other = " to=functions.tides<|channel|>commentary json<|message|>{\"at\": \"Wyk\"}";
        let cases = [
            (answer.to_owned(), [true, true, false]),
            (CALL.to_owned(), [false, true, true]),
            (other.to_owned(), [false, true, true]),
            (format!("{THOUGHT}{answer}"), [true, true, false]),
            (format!("{THOUGHT}{THOUGHT}{remark}{CALL}"), [false, true, true]),
            (THOUGHT.to_owned(), [false; 3]),
            ("Hello".to_owned(), [false; 3]),
            (CALL.replace("Wyk\"", "Wyk"), [false; 3]),
            (CALL.replace("tides", "tide"), [false; 3]),
            (format!("{CALL}<|end|>"), [false; 3]),
        ];
        for (number, calling) in [Calling::Never, Calling::MayCall, Calling::Must].into_iter().enumerate() {
            let guide = guided(calling, None, Start::Open);
            for (text, expected) in &cases {
                assert_eq!(allows(&guide, text), expected[number], "{calling:?}: {text}");
            }
        }
    }

    #[test]
    fn a_format_holds_the_answer_alone() {
        let guide = guided(Calling::MayCall, Some(Part::json(r#"{"type":"integer"}"#)), Start::Inside);
        for (text, expected) in [
            ("hm<|end|><|start|>assistant<|channel|>final<|message|>5".to_owned(), true),
            ("hm<|end|><|start|>assistant<|channel|>final<|message|>x".to_owned(), false),
            (format!("hm<|end|><|start|>assistant{CALL}"), true),
            ("5".to_owned(), false),
        ] {
            assert_eq!(allows(&guide, &text), expected, "{text}");
        }
        assert_eq!(super::guide(&special(), Start::Open, None, None), None);
        let continued = super::guide(&special(), Start::Answer, None, Some(Part::Regex("a+".to_owned())));
        assert_eq!(continued, Some(Part::Regex("a+".to_owned())));
    }

    #[test]
    fn the_prompt_says_where_a_turn_begins() {
        let earlier = "<|start|>assistant<|channel|>analysis<|message|>x<|end|><|start|>user<|message|>Hi<|end|>";
        for (prompt, expected) in [
            ("<|start|>assistant", Start::Open),
            ("<|start|>assistant<|channel|>analysis<|message|>", Start::Inside),
            ("<|start|>assistant<|channel|>analysis<|message|>hm<|end|><|start|>assistant", Start::Open),
            ("<|start|>assistant<|channel|>final<|message|>It is", Start::Answer),
        ] {
            assert_eq!(start(&format!("{earlier}{prompt}")), expected, "{prompt}");
        }
    }
}
