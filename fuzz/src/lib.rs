//! Shared by the targets `schema`, `regex`, `grammar` and `tags`: a small vocabulary, and a walk whose tokens the input chooses.

use std::sync::{Arc, OnceLock};

use jig_guides::{
    After, Compiler, Delimiters, Guide, Limits, Marker, Options, Part, SeparatedTags, Source, Style, Tag,
    TriggeredTags, Vocabulary,
};

/// The token that ends the output.
const END: u32 = 256;

/// A special token that trees of parts name.
const SPECIAL: u32 = 257;

/// A compiler for a vocabulary of all single bytes, the end token, a special token, and longer tokens that cross the boundaries of JSON's
/// grammar.
pub fn compiler() -> &'static Compiler {
    static COMPILER: OnceLock<Compiler> = OnceLock::new();
    COMPILER.get_or_init(|| {
        let mut tokens: Vec<Option<Vec<u8>>> = (0..=255).map(|byte| Some(vec![byte])).collect();
        tokens.extend([None, None]);
        let longer =
            ["\": \"", "{\"", "\"}", "\",\"", "null", "true", " a", "00", "\\u00", "é", "\u{1F600}", "}}", "]]"];
        tokens.extend(longer.iter().map(|text| Some(text.as_bytes().to_vec())));
        let vocabulary = Vocabulary::new(tokens, vec![END]).expect("the vocabulary is valid");
        Compiler::new(Arc::new(vocabulary), Limits::default())
    })
}

/// Splits an input at its first zero byte into the source and the bytes that choose the walk's tokens. A file that holds only a source is
/// also an input, so that schemas and regexes can be seeds unchanged.
pub fn split(input: &[u8]) -> Option<(&str, &[u8])> {
    let end = input.iter().position(|&byte| byte == 0).unwrap_or(input.len());
    Some((std::str::from_utf8(&input[..end]).ok()?, input.get(end + 1..).unwrap_or_default()))
}

/// Compiles a source. If it is accepted, walks through the guide: each byte of `choices` chooses one of the allowed tokens. The walk must
/// end in a complete output within its budget, and no mask may be empty.
pub fn compile_and_walk(source: &Source, choices: &[u8]) {
    let Ok(guide) = compiler().compile(source, &Options::default()) else { return };
    let budget = guide.min_tokens().saturating_add(choices.len() as u32 / 2).min(200);
    if guide.min_tokens() <= budget {
        walk(&guide, choices, budget);
    }
}

fn walk(guide: &Guide, choices: &[u8], budget: u32) {
    let mut state = guide.start();
    let mut choices = choices.iter().cycle();
    for left in (1..=budget).rev() {
        if state.must_end() {
            return;
        }
        let mask = state.mask(Some(left));
        let allowed: Vec<u32> = (0..guide.vocabulary().len() as u32).filter(|&token| mask.contains(token)).collect();
        assert!(!allowed.is_empty(), "a dead end with {left} tokens left");
        let choice = choices.next().map_or(0, |&byte| byte as usize * 31 % allowed.len());
        let token = allowed[choice];
        state.advance(token).expect("an allowed token is accepted");
        if token == END {
            return;
        }
    }
    assert!(state.may_end(), "the output is complete when the budget is used up");
}

/// Texts that begin alike, so that parts are ambiguous.
const TEXTS: [&str; 8] = ["<", "<a", "<ab", "a", "ab", "}", "\n", "\""];

const SCHEMAS: [&str; 4] = [
    r#"{"type":"integer"}"#,
    r#"{"type":"object","properties":{"a":{"type":"string","maxLength":3},"b":{"enum":[1,"<",null]}},"required":["b"]}"#,
    r#"{"enum":["a","ab",[]]}"#,
    r#"{"type":["string","null"]}"#,
];

const GRAMMARS: [&str; 4] = [
    r#"root ::= "a" root "b" | """#,
    r#"root ::= root root | "<" | "ab""#,
    "start: \"<\" start \">\" | /[a}]*/\n%ignore \"\\n\"",
    r#"root ::= "a" | root "}""#,
];

/// A tree of parts, from bytes that choose each of its parts. Without further bytes each part is a constant.
pub fn tree(bytes: &mut impl Iterator<Item = u8>) -> Part {
    part(bytes, 6)
}

fn part(bytes: &mut dyn Iterator<Item = u8>, levels: u32) -> Part {
    let kind = bytes.next().unwrap_or(0);
    let schema = |choice: u8| SCHEMAS[usize::from(choice) % SCHEMAS.len()].to_owned();
    match kind % if levels == 0 { 7 } else { 13 } {
        0 => Part::Constant(marker(bytes)),
        1 => Part::Free { excludes: markers(bytes) },
        2 => Part::Until { ends: markers(bytes), excludes: markers(bytes) },
        3 => Part::Json { schema: schema(bytes.next().unwrap_or(0)), options: None },
        4 => Part::Regex(["a?", "[ab<]*", "(<|\n)+", "a{2,4}"][usize::from(bytes.next().unwrap_or(0)) % 4].to_owned()),
        5 => {
            let styles = [Delimiters::QWEN_XML, Delimiters::GLM_XML, Delimiters::DEEPSEEK_XML, Delimiters::PYTHON];
            let style = styles[usize::from(bytes.next().unwrap_or(0)) % 4].clone();
            Part::Arguments { schema: schema(1), style: Style::Delimited(style), options: None }
        }
        6 => Part::Grammar(GRAMMARS[usize::from(bytes.next().unwrap_or(0)) % GRAMMARS.len()].to_owned()),
        7 => Part::Sequence(parts(bytes, levels)),
        8 => Part::Choice(parts(bytes, levels)),
        9 => {
            let (min, max) = times(bytes);
            Part::Repeat { content: Box::new(part(bytes, levels - 1)), min, max }
        }
        10 => Part::tag(tag(bytes, levels)),
        11 => {
            let ((min, max), triggers) = (times(bytes), markers(bytes));
            let separator = bytes.next().is_some_and(|byte| byte % 2 == 1);
            let after = if separator { After::Separator(part(bytes, levels - 1)) } else { After::Free };
            let tags = TriggeredTags { triggers, tags: tags(bytes, levels), excludes: markers(bytes), min, max, after };
            Part::triggered(tags)
        }
        _ => {
            let (min, max) = times(bytes);
            let separator = part(bytes, levels - 1);
            Part::separated(SeparatedTags { tags: tags(bytes, levels), separator, min, max })
        }
    }
}

fn parts(bytes: &mut dyn Iterator<Item = u8>, levels: u32) -> Vec<Part> {
    let count = bytes.next().unwrap_or(0) % 4;
    (0..count).map(|_| part(bytes, levels - 1)).collect()
}

fn tags(bytes: &mut dyn Iterator<Item = u8>, levels: u32) -> Vec<Tag> {
    let count = bytes.next().unwrap_or(0) % 4;
    (0..count).map(|_| tag(bytes, levels)).collect()
}

fn tag(bytes: &mut dyn Iterator<Item = u8>, levels: u32) -> Tag {
    Tag { begin: markers(bytes), content: part(bytes, levels - 1), ends: markers(bytes) }
}

fn times(bytes: &mut dyn Iterator<Item = u8>) -> (u32, Option<u32>) {
    let byte = u32::from(bytes.next().unwrap_or(0));
    (byte % 4, (byte >= 64).then_some(byte / 64 + byte % 4))
}

fn markers(bytes: &mut dyn Iterator<Item = u8>) -> Vec<Marker> {
    let count = bytes.next().unwrap_or(0) % 3;
    (0..count).map(|_| marker(bytes)).collect()
}

fn marker(bytes: &mut dyn Iterator<Item = u8>) -> Marker {
    let byte = bytes.next().unwrap_or(0);
    if byte % 16 == 15 { Marker::Token(SPECIAL) } else { Marker::text(TEXTS[usize::from(byte) % TEXTS.len()]) }
}
