//! Shared by the tests of guides: a small vocabulary, feeding a value to a guide, tables of cases, and the expected counts of suites.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod cases;
pub mod expected;
pub mod grammars;

use jig_guides::{Compiler, Guide, GuideState, Limits, Options, Source, Vocabulary};
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// All bytes (token `b` is byte `b`), then pieces that cross the boundaries of JSON's grammar, then the end token.
pub fn vocabulary() -> Arc<Vocabulary> {
    static VOCABULARY: OnceLock<Arc<Vocabulary>> = OnceLock::new();
    VOCABULARY.get_or_init(|| of_bytes_and(PIECES)).clone()
}

/// All bytes, these pieces, and the end token.
pub fn of_bytes_and(pieces: &[impl AsRef<[u8]>]) -> Arc<Vocabulary> {
    let bytes = (0..=255u8).map(|byte| Some(vec![byte]));
    let pieces = pieces.iter().map(|piece| Some(piece.as_ref().to_vec()));
    let tokens: Vec<Option<Vec<u8>>> = bytes.chain(pieces).chain([None]).collect();
    let end = tokens.len() as u32 - 1;
    Arc::new(Vocabulary::new(tokens, vec![end]).expect("a vocabulary"))
}

const PIECES: &[&[u8]] = &[
    b"\"\"",
    b"{\"",
    b"\":",
    b"\": ",
    b"\",\"",
    b"\", \"",
    b"\"}",
    b"\"]",
    b"}}",
    b"},{\"",
    b"],[",
    b"[]",
    b"{}",
    b"[[",
    b"true",
    b"fal",
    b"null",
    b"tr",
    b"12",
    b"100",
    b"0.5",
    b"-1",
    b", ",
    b"a",
    b"ab",
    b"abc",
    b"\"a",
    b"\"a\"",
    b"\"a\":",
    b"name",
    b"\"b\":1",
    b"\\u",
    b"\\u00",
    b"e9",
    b"\\n",
    "é".as_bytes(),
    b"\xc3",
    b"\xa9\"",
    "😀".as_bytes(),
    b"\xf0\x9f",
    b" \"",
    b":[",
    b"1}",
    b"1]",
    b"1,2",
    b"aaaa",
    b"2024-",
    b"-01",
    b"\"]}",
    b"]}",
    b"  ",
    b",\"",
    b"\\\"",
    b"xyz\",",
    b"0,",
];

pub fn compiler() -> Compiler {
    Compiler::new(vocabulary(), Limits::default())
}

/// The guide of a schema with the default options.
pub fn guide(schema: &Value) -> Guide {
    compiler()
        .compile(&Source::JsonSchema(schema.to_string()), &Options::default())
        .unwrap_or_else(|error| panic!("{schema}: {error}"))
}

/// Whether the text is a complete answer.
pub fn whole(guide: &Guide, answer: &str) -> bool {
    text(&guide.start(), answer).is_some_and(|state| state.may_end())
}

/// The states after some spelling of the value: numbers unchanged or without exponent and fraction, keys in any order. At most four
/// states are kept, and `work` bounds the orders that are tried, because their number is exponential.
pub fn feed(state: &GuideState, value: &Value, work: &mut usize) -> Vec<GuideState> {
    let mut states = match value {
        Value::Object(members) => {
            let Some(open) = text(state, "{") else { return Vec::new() };
            let keys: Vec<(&String, &Value)> = members.iter().collect();
            let mut found = Vec::new();
            entries(&open, &keys, &mut vec![false; keys.len()], true, work, &mut found);
            found
        }
        Value::Array(items) => {
            let mut states: Vec<GuideState> = text(state, "[").into_iter().collect();
            for (i, item) in items.iter().enumerate() {
                let before =
                    states.iter().filter_map(|state| if i > 0 { text(state, ",") } else { Some(state.clone()) });
                states = before.flat_map(|state| feed(&state, item, work)).take(4).collect();
            }
            states.iter().filter_map(|state| text(state, "]")).collect()
        }
        Value::Number(number) => {
            let mut spellings = vec![number.to_string()];
            if let Some(float) = number.as_f64().filter(|_| number.is_f64()) {
                spellings.push(float.to_string());
            }
            spellings.dedup();
            spellings.iter().filter_map(|spelling| text(state, spelling)).collect()
        }
        other => text(state, &other.to_string()).into_iter().collect(),
    };
    states.truncate(4);
    states
}

fn entries(
    state: &GuideState,
    keys: &[(&String, &Value)],
    used: &mut Vec<bool>,
    first: bool,
    work: &mut usize,
    found: &mut Vec<GuideState>,
) {
    if !found.is_empty() || *work == 0 {
        return;
    }
    *work -= 1;
    if used.iter().all(|used| *used) {
        found.extend(text(state, "}"));
        return;
    }
    for i in 0..keys.len() {
        if used[i] {
            continue;
        }
        let (key, value) = keys[i];
        let begin = format!("{}{}:", if first { "" } else { "," }, Value::String(key.clone()));
        let Some(after) = text(state, &begin) else { continue };
        used[i] = true;
        for state in feed(&after, value, work) {
            entries(&state, keys, used, false, work, found);
        }
        used[i] = false;
    }
}

/// The state after a text, as tokens of one byte.
pub fn text(state: &GuideState, text: &str) -> Option<GuideState> {
    let mut state = state.clone();
    for byte in text.bytes() {
        state.advance(u32::from(byte)).ok()?;
    }
    Some(state)
}

/// Whether some spelling of the value is a complete answer.
pub fn accepts(state: &GuideState, value: &Value) -> bool {
    feed(state, value, &mut 300).iter().any(GuideState::may_end)
}

/// A small generator of random numbers. A seed always gives the same numbers.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }
}
