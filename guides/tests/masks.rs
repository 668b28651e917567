//! Masks and costs of JSON Schemas, compared with every token of the vocabulary.

mod support;

use jig_guides::{Compiler, GuideState, Limits, Options, Order};
use serde_json::json;
use support::cases::{self, Case};
use support::{Random, guide, of_bytes_and, text, vocabulary};

/// Checks that the mask has exactly the tokens that the state accepts.
fn check_mask(state: &GuideState, context: &str) {
    let (mask, vocabulary) = (state.mask(None), state.guide().vocabulary().clone());
    for token in 0..vocabulary.len() as u32 {
        let accepted = state.clone().advance(token).is_ok();
        let spelled = String::from_utf8_lossy(vocabulary.bytes(token).unwrap_or_default()).into_owned();
        assert_eq!(accepted, mask.contains(token), "{context}: token {token} {spelled:?}");
    }
}

/// Checks that the rest fits after each token of the mask with this budget, and that a sufficient budget has a token.
fn check_budget(state: &GuideState, budget: u32, context: &str) {
    let vocabulary = state.guide().vocabulary().clone();
    let mask = state.mask(Some(budget));
    let enough = budget >= state.min_tokens_left().max(1);
    assert!(!enough || mask.count() > 0, "{context}: nothing within {budget}");
    for token in mask.tokens(vocabulary.len()) {
        let mut next = state.clone();
        next.advance(token).expect("allowed");
        let ends = vocabulary.end_tokens().contains(&token);
        assert!(ends || next.completes_within(budget - 1), "{context}: token {token} within {budget}");
    }
}

/// Appends a random allowed token; `None` if only the end is allowed.
fn step(state: &mut GuideState, random: &mut Random) -> Option<u32> {
    let vocabulary = state.guide().vocabulary().clone();
    let ends = vocabulary.end_tokens();
    let allowed: Vec<u32> =
        state.mask(None).tokens(vocabulary.len()).into_iter().filter(|token| !ends.contains(token)).collect();
    let token = *allowed.get(random.below(allowed.len()))?;
    state.advance(token).expect("allowed");
    Some(token)
}

fn start(case: &Case) -> GuideState {
    case.compile(&vocabulary()).unwrap_or_else(|error| panic!("{}: {error}", case.name)).start()
}

#[test]
fn a_mask_is_the_set_of_tokens_that_advance_accepts() {
    let mut random = Random(11);
    for case in cases::plain() {
        let start = start(&case);
        for _ in 0..12 {
            let mut state = start.clone();
            for _ in 0..25 {
                check_mask(&state, &case.name);
                if step(&mut state, &mut random).is_none() {
                    break;
                }
            }
        }
    }
}

#[test]
fn after_each_beginning_in_the_tables_masks_and_budgets_are_exact_in_both_orders() {
    for mut case in cases::all().into_iter().filter(|case| !case.beginnings.is_empty()) {
        for order in [Order::Schema, Order::Any] {
            case.options.order = order;
            let start = start(&case);
            for beginning in &case.beginnings {
                let context = format!("{} {order:?} {beginning}", case.name);
                let Some(state) = text(&start, beginning) else {
                    assert_eq!(order, Order::Schema, "{context}");
                    continue;
                };
                check_mask(&state, &context);
                let least = state.min_tokens_left();
                for budget in [least, least + 1, least + 3, least + 9, least + 30] {
                    check_budget(&state, budget, &context);
                }
            }
        }
    }
}

#[test]
fn the_rest_fits_after_every_token_of_a_mask_with_a_budget() {
    let mut random = Random(13);
    for case in cases::plain() {
        let mut state = start(&case);
        for _ in 0..30 {
            let least = state.min_tokens_left();
            if least > 0 {
                for budget in [least, least + 1, least + 4] {
                    check_budget(&state, budget, &case.name);
                }
            }
            if step(&mut state, &mut random).is_none() {
                break;
            }
        }
    }
}

#[test]
fn advancing_a_clone_or_refusing_a_token_does_not_change_the_state() {
    let guide = guide(&json!({"type": "object", "properties": {"a": {"type": "string"}}}));
    let state = text(&guide.start(), "{\"a\":\"x").expect("allowed");
    let before = state.clone();
    let mut after = state.clone();
    assert!(after.advance(u32::from(b'"')).is_ok() && after.advance(u32::from(b'}')).is_ok());
    assert_eq!(before.mask(None), state.mask(None));
    assert!(after.must_end() && !before.may_end());
    let mut refused = before.clone();
    assert!(refused.advance(u32::from(b'\n')).is_err());
    assert_eq!(refused.mask(None), before.mask(None));
}

/// Tokens of one byte each, so that costs are counted in bytes.
fn of_bytes() -> std::sync::Arc<jig_guides::Vocabulary> {
    of_bytes_and(&[] as &[&[u8]])
}

#[test]
fn along_the_shortest_answer_the_cost_is_the_length_of_the_rest() {
    let bytes = of_bytes();
    for case in cases::read("shortest") {
        let mut state = case.compile(&bytes).unwrap_or_else(|error| panic!("{}: {error}", case.name)).start();
        let shortest = case.shortest.as_ref().expect("an answer");
        for (index, byte) in shortest.bytes().enumerate() {
            assert_eq!(state.min_tokens_left() as usize, shortest.len() - index, "{} at {index}", case.name);
            state.advance(u32::from(byte)).unwrap_or_else(|error| panic!("{} at {index}: {error}", case.name));
        }
        assert!(state.may_end() && state.min_tokens_left() == 0, "{}", case.name);
    }
}

#[test]
fn in_every_state_the_cheapest_byte_lowers_the_cost_by_exactly_one() {
    let (bytes, mut random) = (of_bytes(), Random(5));
    for case in cases::plain() {
        let mut state = case.compile(&bytes).unwrap_or_else(|error| panic!("{}: {error}", case.name)).start();
        for _ in 0..12 {
            let cost = state.min_tokens_left();
            let nexts: Vec<(u32, GuideState)> = (0..256)
                .filter_map(|byte| {
                    let mut next = state.clone();
                    next.advance(byte).ok().map(|()| (byte, next))
                })
                .collect();
            let falls = nexts.iter().any(|(_, next)| next.completes_within(cost.saturating_sub(1)));
            assert!(cost == 0 || falls, "{}: no byte leads nearer than {cost}", case.name);
            // Computing the cost after every byte takes too long. These bytes form JSON's structure.
            for (byte, next) in nexts.iter().filter(|(byte, _)| b"\"{}[],: 01a".contains(&(*byte as u8))) {
                assert!(next.min_tokens_left() + 1 >= cost, "{}: from {cost} with {byte}", case.name);
            }
            if step(&mut state, &mut random).is_none() {
                break;
            }
        }
    }
}

#[test]
fn no_valid_answer_is_shorter_than_the_minimum() {
    let bytes = of_bytes();
    for case in cases::plain() {
        let guide = case.compile(&bytes).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let texts = case.valid.iter().map(ToString::to_string).chain(case.valid_text.iter().cloned());
        for answer in texts {
            assert!(guide.min_tokens() as usize <= answer.len(), "{}: {} for {answer}", case.name, guide.min_tokens());
        }
    }
}

/// More tokens than guides keep lists for: pieces that stay in a string, that close it, and that end inside a character.
fn many_tokens() -> std::sync::Arc<jig_guides::Vocabulary> {
    let pieces: [&[u8]; 20] = [
        b"a",
        b"b",
        b"Z",
        b"0",
        b"7",
        b"-",
        b".",
        b" ",
        b":",
        b"\\n",
        b"\\u00e9",
        b"\\",
        b"\"",
        b"\",\"",
        b"\":",
        b"}",
        b"]",
        "é".as_bytes(),
        "😀".as_bytes(),
        b"\xE2\x80",
    ];
    let mut words: Vec<Vec<u8>> = Vec::new();
    for a in pieces {
        for b in pieces {
            words.push([a, b].concat());
            words.extend(pieces.iter().map(|c| [a, b, c].concat()));
        }
    }
    words.sort_unstable();
    words.dedup();
    of_bytes_and(&words)
}

#[test]
fn masks_in_strings_are_exact_with_a_large_vocabulary() {
    let (vocabulary, mut random) = (many_tokens(), Random(17));
    assert!(vocabulary.len() > 2 * 4096);
    let compiler = Compiler::new(vocabulary, Limits::default());
    for schema in [
        json!({"type": "string"}),
        json!({"type": "string", "minLength": 3, "maxLength": 4}),
        json!({"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"}),
        json!({"type": "string", "pattern": "^\\d{1,3}\\.", "maxLength": 7}),
        json!({"type": "string", "not": {"enum": ["a", "ab", "é"]}}),
        json!({"type": "array", "uniqueItems": true, "items": {"type": "string", "maxLength": 2}}),
        json!({"type": "object", "patternProperties": {"^a": {"type": "string"}}, "additionalProperties": {"enum": ["a", "ab"]}}),
    ] {
        let source = jig_guides::Source::JsonSchema(schema.to_string());
        let guide = compiler.compile(&source, &Options::default()).unwrap_or_else(|error| panic!("{schema}: {error}"));
        for _ in 0..2 {
            let (mut state, mut written) = (guide.start(), Vec::new());
            for _ in 0..6 {
                let context = format!("{schema} after {:?}", String::from_utf8_lossy(&written));
                check_mask(&state, &context);
                check_budget(&state, state.min_tokens_left() + 2, &context);
                let Some(token) = step(&mut state, &mut random) else { break };
                written.extend(guide.vocabulary().bytes(token).unwrap_or_default());
            }
        }
    }
}

#[test]
fn a_mask_has_no_token_that_repeats_the_entry_before_it() {
    let entries = ["\",\"a\"", "\",\"b\"", "\",\"c\"", ",1", ",[]", ",true"];
    let vocabulary = of_bytes_and(&entries.map(|entry| entry.as_bytes().to_vec()));
    let compiler = Compiler::new(vocabulary, Limits::default());
    let source = jig_guides::Source::JsonSchema(r#"{"type": "array", "uniqueItems": true}"#.into());
    let guide = compiler.compile(&source, &Options::default()).expect("a guide");
    // One guide for all beginnings, so that a cached mask of one would show in another.
    for beginning in ["[\"a", "[\"b", "[1", "[2", "[1.0", "[[", "[[]", "[[ ]", "[true", "[{}", "[\"a\",\"b"] {
        let mut state = guide.start();
        for byte in beginning.bytes() {
            state.advance(u32::from(byte)).unwrap_or_else(|_| panic!("{beginning}"));
        }
        check_mask(&state, beginning);
    }
}
