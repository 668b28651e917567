//! Random answers that follow a guide.

use jig_guides::{Guide, Mask};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Tokens beyond the fewest that an answer may take.
const ROOM: u32 = 60;

/// Answers with more tokens are not drawn.
const LONGEST: u32 = 5000;

/// Tokens that are drawn for each place; the shortest is taken, which is more often a part of JSON than of a word.
const DRAWS: usize = 3;

/// An answer, the same for the same seed; `None` where every answer is very long.
pub(super) fn draw(guide: &Guide, seed: u64) -> Option<Vec<u8>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut left = guide.min_tokens().checked_add(ROOM).filter(|budget| *budget <= LONGEST)?;
    let (mut state, mut text) = (guide.start(), Vec::new());
    let vocabulary = guide.vocabulary();
    while !state.must_end() {
        let token = match state.mask(Some(left)) {
            Mask::One(token) => token,
            mask => {
                let tokens = mask.tokens(vocabulary.len());
                let mut choose = || tokens.get((random.next_u64() % tokens.len().max(1) as u64) as usize).copied();
                let drawn: Vec<u32> = (0..DRAWS).filter_map(|_| choose()).collect();
                drawn.into_iter().min_by_key(|&token| vocabulary.bytes(token).map_or(0, <[u8]>::len))?
            }
        };
        // An end token spells nothing, and ends the answer.
        let Some(bytes) = vocabulary.bytes(token) else { break };
        state.advance(token).ok()?;
        text.extend_from_slice(bytes);
        left = left.saturating_sub(1);
    }
    state.may_end().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::{super::longest, draw};
    use jig_guides::{Compiler, Limits, Options, Source, Vocabulary};
    use serde_json::{Value, json};
    use std::sync::Arc;

    #[test]
    fn answers_are_whole_and_no_longer_than_the_limit_that_is_found() {
        let bytes = (0..=255).map(|byte| Some(vec![byte])).chain([None]).collect();
        let compiler = Compiler::new(Arc::new(Vocabulary::new(bytes, vec![256]).unwrap()), Limits::default());
        for schema in [
            json!({"type": "object", "properties": {"é": {"type": "string", "maxLength": 2}, "b": {"enum": [1.5, "\u{1}"]}},
                "additionalProperties": false}),
            json!({"type": "array", "items": {"type": "integer", "minimum": -100, "maximum": 99}, "maxItems": 3}),
            json!({"const": {"a": [1, null, {"b": "x"}]}}),
        ] {
            let guide = compiler.compile(&Source::JsonSchema(schema.to_string()), &Options::default()).unwrap();
            let most = longest::bytes(&schema).unwrap();
            for seed in 0..50 {
                let text = draw(&guide, seed).unwrap();
                serde_json::from_slice::<Value>(&text).unwrap();
                assert!(text.len() as u64 <= most, "{} > {most} bytes", String::from_utf8_lossy(&text));
            }
        }
    }

    #[test]
    fn an_answer_without_end_is_not_drawn() {
        let bytes = (0..=255).map(|byte| Some(vec![byte])).chain([None]).collect();
        let compiler = Compiler::new(Arc::new(Vocabulary::new(bytes, vec![256]).unwrap()), Limits::default());
        let source = Source::JsonSchema(json!({"type": "string", "minLength": 1_000_000}).to_string());
        assert_eq!(draw(&compiler.compile(&source, &Options::default()).unwrap(), 0), None);
    }
}
