//! Regexes and choices on small vocabularies, compared with brute force.

use jig_guides::{Compiler, Guide, GuideState, Limits, Options, Source, Vocabulary};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

fn compiler(tokens: &[&[u8]]) -> Compiler {
    let mut all: Vec<Option<Vec<u8>>> = tokens.iter().map(|token| Some(token.to_vec())).collect();
    all.push(None);
    let end = all.len() as u32 - 1;
    Compiler::new(Arc::new(Vocabulary::new(all, vec![end]).expect("a vocabulary")), Limits::default())
}

const AB: &[&[u8]] = &[b"a", b"b", b"ab", b"ba", b"aab", b"bb", b"a", b"bbbb"];

/// Whether some completion takes at most `budget` tokens, by exhaustive search. `seen` holds the results by text.
fn completes(state: &GuideState, text: &[u8], budget: u32, seen: &mut HashMap<(Vec<u8>, u32), bool>) -> bool {
    if state.may_end() {
        return true;
    }
    if budget == 0 {
        return false;
    }
    let key = (text.to_vec(), budget);
    if let Some(&known) = seen.get(&key) {
        return known;
    }
    let vocabulary = state.guide().vocabulary().clone();
    let found = (0..vocabulary.len() as u32).any(|token| {
        let mut next = state.clone();
        let text = [text, vocabulary.bytes(token).unwrap_or_default()].concat();
        next.advance(token).is_ok() && completes(&next, &text, budget - 1, seen)
    });
    seen.insert(key, found);
    found
}

fn regex() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["a", "b", "ab", "[ab]", "a?", "b*", "(?:ba)+"]).prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(|parts| parts.concat()),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(?:{a}|{b})")),
            (inner, 0..3u32, 0..3u32).prop_map(|(a, min, more)| format!("(?:{a}){{{min},{}}}", min + more)),
        ]
    })
}

/// Follows allowed tokens, chosen by `choices`, within the budget, and returns the text.
fn random_walk(guide: &Guide, budget: u32, choices: &[usize]) -> Vec<u8> {
    let vocabulary = guide.vocabulary().clone();
    let (mut state, mut text) = (guide.start(), Vec::new());
    for step in 0..budget {
        let allowed = state.mask(Some(budget - step)).tokens(vocabulary.len());
        assert!(!allowed.is_empty(), "a dead end after {text:?}");
        let token = allowed[choices[step as usize % choices.len()] % allowed.len()];
        state.advance(token).expect("an allowed token");
        match vocabulary.bytes(token) {
            Some(bytes) => text.extend(bytes),
            None => return text,
        }
    }
    assert!(state.may_end(), "the budget ended first: {text:?}");
    text
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_mask_is_the_set_of_tokens_after_which_a_completion_exists(pattern in regex(), walk in prop::collection::vec(0..8usize, 0..6)) {
        let guide = compiler(AB).compile(&Source::Regex(pattern.clone()), &Options::default()).expect("a guide");
        let reference = regex_automata::meta::Regex::new(&format!("^(?:{pattern})$")).expect("a regex");
        let (mut state, mut text) = (guide.start(), String::new());
        for pick in walk {
            prop_assert_eq!(state.may_end(), reference.is_match(&text));
            let mask = state.mask(None);
            for token in 0..AB.len() as u32 {
                let mut next = state.clone();
                prop_assert_eq!(next.advance(token).is_ok(), mask.contains(token));
                if mask.contains(token) {
                    // Every allowed token must have a completion.
                    prop_assert!(completes(&next, &[], next.min_tokens_left(), &mut HashMap::new()));
                }
            }
            let allowed: Vec<u32> = (0..AB.len() as u32).filter(|&token| mask.contains(token)).collect();
            let Some(&token) = allowed.get(pick % allowed.len().max(1)) else { break };
            state.advance(token).expect("allowed");
            text.push_str(std::str::from_utf8(AB[token as usize]).expect("ascii"));
        }
    }

    #[test]
    fn an_answer_is_complete_at_every_budget_from_the_minimum(pattern in regex(), more in 0..6u32, choices in prop::collection::vec(0..99usize, 1..20)) {
        let guide = compiler(AB).compile(&Source::Regex(pattern.clone()), &Options::default()).expect("a guide");
        let text = random_walk(&guide, guide.min_tokens() + more, &choices);
        let reference = regex_automata::meta::Regex::new(&format!("^(?:{pattern})$")).expect("a regex");
        prop_assert!(reference.is_match(&text), "{pattern} {text:?}");
    }

    #[test]
    fn with_tokens_of_one_byte_the_budget_is_exact(pattern in regex(), budget in 1..8u32) {
        let guide = compiler(&[b"a", b"b"]).compile(&Source::Regex(pattern), &Options::default()).expect("a guide");
        let state = guide.start();
        let mask = state.mask(Some(budget));
        for token in 0..2 {
            let mut next = state.clone();
            let completable = next.advance(token).is_ok() && completes(&next, &[], budget - 1, &mut HashMap::new());
            prop_assert_eq!(mask.contains(token), completable);
        }
    }
}

#[test]
fn a_choice_allows_exactly_its_strings() {
    let compiler = compiler(&[b"a", b"b", b"ab", b"bb"]);
    let guide = compiler
        .compile(&Source::Choice(vec!["ab".into(), "abb".into(), "b".into()]), &Options::default())
        .expect("a guide");
    let mut state = guide.start();
    assert_eq!(state.mask(None).tokens(5), [0, 1, 2]);
    state.advance(2).expect("ab");
    assert!(state.may_end() && !state.must_end());
    assert_eq!(state.mask(None).tokens(5), [1, 4]);
    state.advance(1).expect("b");
    assert!(state.must_end());
    assert_eq!(state.mask(None).tokens(5), [4]);
    assert_eq!(state.advance(3).map_err(|refused| refused.token), Err(3));
}

#[test]
fn the_minimum_counts_tokens_and_not_bytes() {
    let guide = compiler(AB).compile(&Source::Regex("aabbb".into()), &Options::default()).expect("a guide");
    assert_eq!(guide.min_tokens(), 2);
    let state = guide.start();
    assert_eq!(state.mask(Some(2)).tokens(8), [4]);
}

#[test]
fn an_empty_choice_is_refused() {
    let error = compiler(AB).compile(&Source::Choice(Vec::new()), &Options::default()).expect_err("nothing to choose");
    assert_eq!(error.to_string(), "guide: choice is empty; give at least one string");
}

#[test]
fn an_output_may_end_inside_a_token_where_its_bytes_up_to_there_match() {
    let compiler = compiler(AB);
    let ends = |regex: &str, before: &[u32], token: u32| {
        let guide = compiler.compile(&Source::Regex(regex.to_owned()), &Options::default()).expect("a guide");
        let mut state = guide.start();
        before.iter().for_each(|&token| state.advance(token).expect("an allowed token"));
        state.ends_within(token)
    };
    let (a, bbbb, end) = (0, 7, 8);
    assert_eq!(ends("b+", &[], bbbb), [1, 2, 3, 4]);
    assert_eq!(ends("(bb)*", &[], bbbb), [2, 4]);
    assert_eq!(ends("ab{2,3}", &[a], bbbb), [2, 3]);
    assert_eq!(ends("b{6}", &[], bbbb), [0usize; 0]);
    assert_eq!(ends("b*", &[], end), [0usize; 0]);
}

#[test]
fn a_budget_narrows_a_mask_only_where_it_takes_a_token_away() {
    let guide = compiler(AB).compile(&Source::Regex("[ab]+ab".to_owned()), &Options::default()).expect("a guide");
    let mut state = guide.start();
    let narrowed = |state: &GuideState| (1..9).map(|left| state.is_narrowed_by(left)).collect::<Vec<_>>();
    let by_masks =
        |state: &GuideState| (1..9).map(|left| state.mask(Some(left)) != state.mask(None)).collect::<Vec<_>>();
    for token in [1, 1, 7] {
        assert_eq!(narrowed(&state)[2..], by_masks(&state)[2..]);
        assert!(narrowed(&state).contains(&true) && narrowed(&state).contains(&false), "{:?}", narrowed(&state));
        state.advance(token).expect("an allowed token");
    }
}
