//! Shared by the targets `schema` and `regex`: a small vocabulary, and a walk whose tokens the input chooses.

use std::sync::{Arc, OnceLock};

use jig_guides::{Compiler, Guide, Limits, Options, Source, Vocabulary};

/// The token that ends the output.
const END: u32 = 256;

/// A compiler for a vocabulary of all single bytes, the end token, and longer tokens that cross the boundaries of JSON's grammar.
pub fn compiler() -> &'static Compiler {
    static COMPILER: OnceLock<Compiler> = OnceLock::new();
    COMPILER.get_or_init(|| {
        let mut tokens: Vec<Option<Vec<u8>>> = (0..=255).map(|byte| Some(vec![byte])).collect();
        tokens.push(None);
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
        let allowed: Vec<u32> = (0..END + 14).filter(|&token| mask.contains(token)).collect();
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
