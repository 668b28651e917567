//! The machine against the languages of small random grammars, text by text.

use crate::automaton::Automaton;
use crate::automaton::expression::Expression;
use crate::collections::byte_set::ByteSet;
use crate::grammar::GrammarTokens;
use crate::grammar::machine::GrammarMachine;
use crate::grammar::rules::{Body, Grammar, Location, Rule, RuleId};
use crate::json::language::spellable::Spellable;
use crate::json::tokens::cache::ClassesCache;
use crate::options::Limits;
use crate::vocabulary::Vocabulary;
use crate::vocabulary::mask::TokenSet;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The longest texts of a language that are known.
const LONGEST: usize = 7;

/// The longest texts from which masks are checked, and the longest tokens.
const LONGEST_PREFIX: usize = 3;

fn text(word: &str) -> Body {
    let set = |c: char| Expression::Set(Arc::new(vec![(u32::from(c), u32::from(c))]));
    Body::Text(Expression::Concat(word.chars().map(set).collect()))
}

fn rule(index: usize) -> Body {
    Body::Rule(RuleId::new(index))
}

fn grammar(bodies: Vec<Body>) -> Grammar {
    let named = |(index, body)| Rule { name: format!("r{index}"), at: Location { line: index + 1, column: 1 }, body };
    Grammar { rules: bodies.into_iter().enumerate().map(named).collect(), start: RuleId::new(0) }
}

/// All texts over `alphabet` up to `longest` bytes.
fn texts(alphabet: &str, longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        last = last.iter().flat_map(|text| alphabet.chars().map(move |c| format!("{text}{c}"))).collect();
        all.extend(last.clone());
    }
    all
}

type SmallLanguage = BTreeSet<String>;

fn followed(one: &SmallLanguage, other: &SmallLanguage) -> SmallLanguage {
    let pairs = one.iter().flat_map(|x| other.iter().map(move |y| (x, y)));
    pairs.filter(|(x, y)| x.len() + y.len() <= LONGEST).map(|(x, y)| format!("{x}{y}")).collect()
}

fn of_expression(expression: &Expression) -> SmallLanguage {
    match expression {
        Expression::Set(symbols) => {
            let symbols = symbols.iter().flat_map(|&(first, last)| first..=last);
            symbols.map(|code| char::from_u32(code).expect("a character").to_string()).collect()
        }
        Expression::Concat(parts) => {
            parts.iter().fold(SmallLanguage::from([String::new()]), |all, part| followed(&all, &of_expression(part)))
        }
        _ => unreachable!("the grammars here have only literals"),
    }
}

fn of_body(body: &Body, rules: &[SmallLanguage]) -> SmallLanguage {
    let empty = || SmallLanguage::from([String::new()]);
    match body {
        Body::Text(expression) => of_expression(expression),
        Body::Rule(rule) => rules[rule.index()].clone(),
        Body::Sequence(parts) => parts.iter().fold(empty(), |all, part| followed(&all, &of_body(part, rules))),
        Body::Choice(parts) => parts.iter().flat_map(|part| of_body(part, rules)).collect(),
        Body::Repeat { min, max, body } => {
            let once = of_body(body, rules);
            let (mut all, mut last) = (SmallLanguage::new(), empty());
            for count in 0..=max.unwrap_or(*min + LONGEST as u32) {
                if count >= *min {
                    all.extend(last.clone());
                }
                last = followed(&last, &once);
            }
            all
        }
        Body::Regex { .. } | Body::Json { .. } | Body::Token { .. } => unreachable!("not in the grammars here"),
    }
}

/// The texts of up to [`LONGEST`] bytes that the start derives: the least fixpoint.
fn language(grammar: &Grammar) -> SmallLanguage {
    let mut rules = vec![SmallLanguage::new(); grammar.rules.len()];
    loop {
        let next: Vec<SmallLanguage> = grammar.rules.iter().map(|rule| of_body(&rule.body, &rules)).collect();
        if next == rules {
            return rules.swap_remove(grammar.start.index());
        }
        rules = next;
    }
}

fn vocabulary() -> Vocabulary {
    let tokens = texts("ab", LONGEST_PREFIX).into_iter().filter(|text| !text.is_empty());
    let tokens = tokens.map(|text| Some(text.into_bytes())).chain([None]);
    let tokens: Vec<_> = tokens.collect();
    let end = tokens.len() as u32 - 1;
    Vocabulary::new(tokens, vec![end]).expect("a vocabulary")
}

fn machine(grammar: &Grammar, vocabulary: &Vocabulary) -> Option<GrammarMachine> {
    let tokens = GrammarTokens::new(Arc::new(ClassesCache::new(vocabulary, Spellable::new(vocabulary))));
    super::machine(grammar, &Limits::default(), vocabulary, tokens, &|_| unreachable!("no schema")).ok()
}

/// Compares steps, costs and masks of the machine with the language.
fn check(grammar: &Grammar) {
    let (language, vocabulary) = (language(grammar), vocabulary());
    let Some(machine) = machine(grammar, &vocabulary) else {
        assert!(language.is_empty(), "refused: {grammar:?}");
        return;
    };
    // The least bytes that complete a text, of those texts that are known.
    let least = |text: &str| {
        language.iter().filter(|whole| whole.starts_with(text)).map(|whole| whole.len() - text.len()).min()
    };
    let step = |text: &str| text.bytes().try_fold(machine.start(), |state, byte| machine.step(&state, byte));
    for text in texts("ab", LONGEST) {
        let state = step(&text);
        let cost = state.as_ref().map(|state| machine.cost(state).get() as usize);
        match least(&text) {
            Some(least) => assert_eq!(cost, Some(least), "after {text:?} of {grammar:?}"),
            None => {
                assert!(cost.is_none_or(|cost| text.len() + cost > LONGEST), "after {text:?} of {grammar:?}: {cost:?}")
            }
        }
        let Some(state) = state.filter(|_| text.len() <= LONGEST_PREFIX) else { continue };
        let follows = (b'a'..=b'b').filter(|&byte| machine.step(&state, byte).is_some());
        let bytes = follows.fold(ByteSet::default(), |bytes, byte| bytes.or(ByteSet::of(&[byte])));
        assert_eq!(machine.next_bytes(&state), bytes, "after {text:?} of {grammar:?}");
        for most in (0..=4).chain([u32::MAX]) {
            let mut set = TokenSet::new(vocabulary.mask_words());
            let reach = match most {
                u32::MAX => machine.allowed(&vocabulary, &state, &mut set),
                most => {
                    machine.allowed_within(&vocabulary, &state, most, &mut set);
                    machine.cost(&state)
                }
            };
            for (id, token) in (0..).zip(vocabulary.tokens()) {
                let Some(token) = token else { continue };
                let after = token.iter().try_fold(state.clone(), |state, &byte| machine.step(&state, byte));
                let allowed = after.as_ref().is_some_and(|after| machine.cost(after) <= most);
                let token = String::from_utf8_lossy(token);
                assert_eq!(set.contains(id), allowed, "{token} after {text:?} of {grammar:?}");
                assert!(most < u32::MAX || after.is_none_or(|after| machine.cost(&after) <= reach));
            }
        }
    }
}

#[test]
fn each_kind_of_recursion_derives_its_texts() {
    let seq = Body::Sequence;
    let any = Body::Choice;
    let maybe = |body| Body::Repeat { min: 0, max: Some(1), body: Box::new(body) };
    let grammars = [
        // Left, right, both, and in the middle.
        vec![any(vec![seq(vec![rule(0), text("a")]), text("b")])],
        vec![any(vec![seq(vec![text("a"), rule(0)]), text("b")])],
        vec![any(vec![seq(vec![rule(0), rule(0)]), text("a")])],
        vec![any(vec![seq(vec![text("a"), rule(0), text("b")]), Body::EMPTY])],
        vec![any(vec![
            seq(vec![text("a"), rule(0), text("a")]),
            seq(vec![text("b"), rule(0), text("b")]),
            Body::EMPTY,
        ])],
        // Over two rules, hidden behind an empty text, and a circle that reads nothing.
        vec![any(vec![seq(vec![rule(1), text("a")]), text("b")]), any(vec![seq(vec![rule(0), text("b")]), text("a")])],
        vec![any(vec![seq(vec![maybe(text("a")), rule(0), text("b")]), text("a")])],
        vec![any(vec![rule(1), text("a")]), any(vec![rule(0), text("b"), Body::EMPTY])],
        // Nothing but itself, and a rule that never ends beside one that does.
        vec![seq(vec![text("a"), rule(0)])],
        vec![any(vec![rule(1), text("ab")]), seq(vec![text("a"), rule(1)])],
        // Calls behind calls that may end.
        vec![
            seq(vec![rule(1), rule(1), maybe(rule(2))]),
            any(vec![text("a"), seq(vec![text("b"), rule(1), maybe(text("b"))])]),
            any(vec![text("ab"), seq(vec![rule(2), rule(1)])]),
        ],
    ];
    for bodies in grammars {
        check(&grammar(bodies));
    }
}

#[test]
fn long_circles_of_rules_are_followed_or_refused_for_their_size() {
    let vocabulary = vocabulary();
    let circle = |count: usize, body: &dyn Fn(usize) -> Vec<Body>| {
        let either = |index: usize| Body::Choice(vec![Body::Sequence(body((index + 1) % count)), text("b")]);
        machine(&grammar((0..count).map(either).collect()), &vocabulary)
    };
    let cost = |machine: &GrammarMachine, text: &[u8]| {
        let state = text.iter().try_fold(machine.start(), |state, &byte| machine.step(&state, byte));
        state.map(|state| machine.cost(&state).get())
    };
    let middle = circle(5_000, &|next| vec![text("a"), rule(next), text("a")]).expect("a machine");
    assert_eq!((cost(&middle, b"aaab"), cost(&middle, b"aaabaa"), cost(&middle, b"aba")), (Some(3), Some(1), Some(0)));
    let left = circle(100, &|next| vec![rule(next), text("a")]).expect("a machine");
    assert_eq!((cost(&left, b"ba"), cost(&left, b"a")), (Some(0), None));
    assert!(circle(5_000, &|next| vec![rule(next), text("a")]).is_none());
    let nothing = circle(100, &|next| vec![Body::Repeat { min: 0, max: Some(1), body: Box::new(rule(next)) }]);
    assert_eq!(nothing.map(|machine| cost(&machine, b"b")), Some(Some(0)));
}

fn body() -> impl Strategy<Value = Body> {
    let leaf = prop_oneof![
        3 => prop::sample::select(&["a", "b", "ab", "ba"][..]).prop_map(text),
        3 => (0usize..3).prop_map(rule),
        1 => Just(Body::EMPTY),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Body::Sequence),
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Body::Choice),
            1 => (inner, prop::sample::select(&[(0, Some(1)), (0, None), (1, None), (1, Some(2)), (2, Some(2))][..]))
                .prop_map(|(body, (min, max))| Body::Repeat { min, max, body: Box::new(body) }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_grammars_derive_their_texts_and_masks_are_exact(bodies in prop::collection::vec(body(), 3)) {
        check(&grammar(bodies));
    }
}
