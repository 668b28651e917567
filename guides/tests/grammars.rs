//! Grammars: the examples in `grammars/` with their documents, random walks, masks token by token, and the verdicts of the Python package
//! `lark`, which tries each way to cut a text into terminals as Jig does.

mod support;

use jig_guides::{After, CompileError, GuideState, Marker, Options, Order, Part, Source, Tag, TriggeredTags};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};
use support::grammars::{
    EXAMPLES, Example, budget, compile, compiler, folder, guide, read, special, states, vocabulary, walk,
};
use support::{Random, whole};

/// A grammar whose language has JSON under a schema in it.
fn with_json() -> Source {
    Source::Grammar(
        r#"
        start: call (";" call)*
        call: NAME "(" arguments ")"
        NAME: /[a-z]+/
        arguments: %json {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"enum": ["a", ")"]}},
            "required": ["n"], "additionalProperties": false}
        "#
        .to_owned(),
    )
}

/// A grammar that names a special token.
fn with_special_token() -> Source {
    let id = special();
    Source::Grammar(format!("start: <[{id}]> block* <[{id}]>\nblock: \"(\" block* \")\" | <[{id}]> \"x\"\n"))
}

/// Free text with sums between markers.
fn with_markers() -> Source {
    let sum = Tag {
        begin: vec![Marker::text("<sum>")],
        content: Part::Grammar(read("arithmetic.gbnf")),
        ends: vec![Marker::text("</sum>")],
    };
    Source::Tags(Part::triggered(TriggeredTags {
        triggers: vec![Marker::text("<sum>")],
        tags: vec![sum],
        excludes: Vec::new(),
        min: 1,
        max: Some(3),
        after: After::Free,
    }))
}

/// Every source of this file, with its name.
fn sources() -> Vec<(String, Source)> {
    let examples = EXAMPLES.iter().map(|example| (example.file.to_owned(), Source::Grammar(example.grammar())));
    let others = [("json", with_json()), ("special token", with_special_token()), ("markers", with_markers())];
    examples.chain(others.map(|(name, source)| (name.to_owned(), source))).collect()
}
#[test]
fn each_example_accepts_its_document_token_by_token() {
    let mut lengths = Vec::new();
    for example in &EXAMPLES {
        let (guide, document) = (example.guide(), example.document());
        assert!(whole(&guide, &document), "{}: byte by byte", example.file);
        let states = states(&guide, document.as_bytes());
        assert!(states[states.len() - 1].may_end(), "{}: after {} tokens", example.file, states.len() - 1);
        lengths.push(states.len() - 1);
    }
    assert_eq!(lengths, [34, 100, 34, 69, 116]);
}

#[test]
fn documents_with_a_damaged_byte_have_the_verdicts_of_lark() {
    let damaged: Value = serde_json::from_str(&read("damaged.json")).expect("JSON");
    let mut accepted = Vec::new();
    for example in &EXAMPLES {
        let (guide, document) = (example.guide(), example.document());
        let mut count = 0;
        for case in damaged[example.file].as_array().expect("cases") {
            let at = case["byte"].as_u64().expect("a place") as usize;
            let text = format!("{}{}{}", &document[..at], case["is"].as_str().expect("a text"), &document[at + 1..]);
            assert_eq!(json!(whole(&guide, &text)), case["accepted"], "{}: {text}", example.file);
            count += usize::from(case["accepted"] == true);
        }
        accepted.push(count);
    }
    assert_eq!(accepted, [5, 22, 17, 17, 7]);
}

#[test]
fn random_walks_end_in_whole_outputs_within_their_budgets() {
    let mut walks = 0;
    for (name, source) in sources() {
        let (guide, mut random) = (guide(&source), Random(3));
        for _ in 0..60 {
            let budget = budget(&guide, &mut random);
            let (states, _) = walk(&guide, budget, &mut random).unwrap_or_else(|dead| panic!("{name}: {dead}"));
            assert!(states[states.len() - 1].may_end() && states.len() as u32 <= budget + 1, "{name}");
            walks += 1;
        }
        if let Some(less) = guide.min_tokens().checked_sub(1) {
            assert!(walk(&guide, less, &mut random).is_err(), "{name}: less than the least budget");
        }
    }
    assert_eq!(walks, 480);
}

/// Compares a mask with each token of the vocabulary, and masks within budgets with what they allow.
fn check_masks(state: &GuideState, random: &mut Random) -> Result<(), String> {
    let vocabulary = vocabulary();
    let mask = state.mask(None);
    let after = |token: u32| {
        let mut next = state.clone();
        next.advance(token).is_ok().then_some(next)
    };
    let tokens = || 0..vocabulary.len() as u32;
    if let Some(token) = tokens().find(|&token| mask.contains(token) != after(token).is_some()) {
        return Err(format!("the mask has token {token}: {}, the guide disagrees", mask.contains(token)));
    }
    let least = state.min_tokens_left();
    for budget in [least, least + 1, least + 2 + random.below(8) as u32, least + 10 + random.below(60) as u32] {
        let within = state.mask(Some(budget));
        if within.count() == 0 {
            return Err(format!("no token within {budget}, {least} suffice"));
        }
        let ends = |token| vocabulary.end_tokens().contains(&token);
        let fits = |token| {
            ends(token) && state.may_end()
                || budget > 0 && after(token).is_some_and(|next| next.completes_within(budget - 1))
        };
        if let Some(token) = tokens().find(|&token| within.contains(token) && !fits(token)) {
            return Err(format!("token {token} is allowed within {budget}"));
        }
    }
    let wide = state.mask(Some(1 << 20));
    if wide != mask { Err("a wide budget takes tokens away".to_owned()) } else { Ok(()) }
}

#[test]
fn each_mask_has_the_tokens_that_the_guide_accepts_and_that_fit_the_budget() {
    let mut masks = 0;
    for (name, source) in sources() {
        let (guide, mut random) = (guide(&source), Random(5));
        let mut states = match EXAMPLES.iter().find(|example| example.file == name) {
            Some(example) => states(&guide, example.document().as_bytes()),
            None => Vec::new(),
        };
        while states.len() < 300 {
            let budget = guide.min_tokens() + random.below(40) as u32;
            states.extend(walk(&guide, budget, &mut random).unwrap_or_else(|dead| panic!("{name}: {dead}")).0);
        }
        for _ in 0..40 {
            let state = &states[random.below(states.len())];
            check_masks(state, &mut random).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
            masks += 1;
        }
    }
    assert_eq!(masks, 320);
}

#[test]
fn json_in_a_grammar_is_valid_under_its_schema() {
    let guide = guide(&with_json());
    for (answer, expected) in [
        (r#"f({"n":1})"#, true),
        (r#"f({"n":-12,"s":")"});g({"n":0})"#, true),
        (r#"f({"s":"a","n":1})"#, false),
        (r#"f({"s":"a"})"#, false),
        (r#"f({"n":1.5})"#, false),
        (r#"f({"n":1,"s":"b"})"#, false),
        (r#"f({"n":1);g({"n":1})"#, false),
        (r#"({"n":1})"#, false),
        (r#"f({"n":1});"#, false),
    ] {
        assert_eq!(whole(&guide, answer), expected, "{answer}");
    }
    let mut any = Options::default();
    any.order = Order::Any;
    let any = compiler().compile(&with_json(), &any).expect("a guide");
    assert!(whole(&any, r#"f({"s":"a","n":1})"#));
    let wrong = Source::Grammar("start: %json {\"type\": \"strin\"}".to_owned());
    assert!(matches!(compile(&wrong), Err(CompileError::Syntax { .. })), "{:?}", compile(&wrong).err());
}

#[test]
fn a_special_token_in_a_grammar_is_that_token_and_no_text() {
    let guide = guide(&with_special_token());
    let id = special();
    let byte = |b: char| b as u32;
    let follow = |tokens: &[u32]| {
        let mut state = guide.start();
        tokens.iter().all(|&token| state.advance(token).is_ok()).then(|| state.may_end())
    };
    assert_eq!(guide.start().mask(None).tokens(vocabulary().len()), [id]);
    assert_eq!(follow(&[id, id]), Some(true));
    assert_eq!(follow(&[id, byte('('), byte(')')]), Some(false));
    assert_eq!(follow(&[id, byte('('), id, byte('x'), byte(')'), id]), Some(true));
    assert_eq!(follow(&[id, id, byte('x'), id]), Some(true));
    assert_eq!(follow(&[id, byte('('), id, id]), None);
    assert_eq!(follow(&[byte('('), byte(')')]), None);
    let Source::Grammar(grammar) = with_special_token() else { unreachable!("a grammar") };
    assert!(compile(&Source::Tags(Part::Grammar(grammar))).is_err());
}

#[test]
fn a_token_by_its_id_is_the_text_that_it_spells_and_one_that_cannot_stand_there_is_refused() {
    let (a, end) = (u32::from(b'a'), vocabulary().end_tokens()[0]);
    let grammar = |id: u32| Source::Grammar(format!("root ::= <[{id}]> \"b\""));
    let mut state = guide(&grammar(a)).start();
    assert_eq!(state.mask(None).tokens(vocabulary().len()).first(), Some(&a));
    for token in [a, u32::from(b'b')] {
        assert!(state.mask(None).contains(token) && state.advance(token).is_ok(), "{token}");
    }
    assert!(state.must_end());
    for (id, says) in [
        (vocabulary().len() as u32, "is not in the vocabulary"),
        (end, "ends the output wherever it may end"),
        (0xE9, "spells part of a character"),
    ] {
        let error = compile(&grammar(id)).expect_err("refused").to_string();
        assert!(error.starts_with("grammar at line 1, column 10: ") && error.contains(says), "{error}");
    }
}

#[test]
fn a_grammar_between_markers_is_followed_inside_free_text() {
    let sums = guide(&with_markers());
    for (answer, expected) in [
        ("<sum>1+2</sum>", true),
        ("So < <su <sum>(1+2)*3\n</sum> is 9, <sum>-1</sum><sum>0.5</sum>.", true),
        ("no sum", false),
        ("<sum>1+</sum>", false),
        ("<sum>1</sum", false),
        ("<sum>1<sum>", false),
        ("<sum>1</sum><sum>1</sum><sum>1</sum><sum>1</sum>", false),
    ] {
        assert_eq!(whole(&sums, answer), expected, "{answer}");
    }
    // The text of an end that the grammar derives too: either way to read it goes on.
    let either = Source::Tags(Part::Sequence(vec![
        Part::Grammar("root ::= \"a\" root | \"a\"".to_owned()),
        Part::Constant(Marker::text("ab")),
        Part::Free { excludes: vec![Marker::text("b")] },
    ]));
    let either = guide(&either);
    for (answer, expected) in [("aab", true), ("aaaab", true), ("ab", false), ("aabcd", true), ("aabcb", false)] {
        assert_eq!(whole(&either, answer), expected, "{answer}");
    }
}

/// A sample of the language, a damaged one, or random pieces.
fn texts(example: &Example, kind: usize, random: &mut Random) -> Vec<String> {
    let guide = example.guide();
    let sample = |random: &mut Random| {
        let budget = guide.min_tokens() + 2 + random.below(28) as u32;
        let output = walk(&guide, budget, random).unwrap_or_else(|dead| panic!("{}: {dead}", example.file)).1;
        String::from_utf8(output).expect("an output is UTF-8")
    };
    let piece = |random: &mut Random| example.pieces[random.below(example.pieces.len())];
    let damaged = |random: &mut Random| {
        let mut parts: Vec<String> = sample(random).chars().map(String::from).collect();
        let at = random.below(parts.len());
        match random.below(3) {
            0 => drop(parts.remove(at)),
            1 => parts.insert(at, piece(random).to_owned()),
            _ => parts[at] = piece(random).to_owned(),
        }
        parts.concat()
    };
    match kind {
        0 => (0..200).map(|_| sample(random)).collect(),
        1 => (0..300).map(|_| damaged(random)).collect(),
        _ => (0..800).map(|_| (0..=random.below(9)).map(|_| piece(random)).collect()).collect(),
    }
}

/// The verdicts of `lark`, in one process for all grammars; `None` where Python lacks the package.
fn lark(cases: &Value) -> Option<Vec<Vec<bool>>> {
    let has = Command::new("python3").args(["-c", "import lark"]).stderr(Stdio::null()).status();
    if !has.is_ok_and(|status| status.success()) {
        return None;
    }
    let script = folder().join("lark_verdicts.py");
    let mut child = Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    child.stdin.take()?.write_all(cases.to_string().as_bytes()).expect("the script reads the cases");
    let output = child.wait_with_output().expect("the script ends");
    Some(serde_json::from_slice(&output.stdout).expect("verdicts"))
}

#[test]
fn lark_and_plain_grammars_agree_on_samples_and_damaged_samples_and_random_texts() {
    let mut cases = Vec::new();
    for example in &EXAMPLES {
        let grammar = if example.file.ends_with(".lark") { example.grammar() } else { example.plain() };
        let mut random = Random(17);
        for kind in 0..3 {
            cases.push(json!({"grammar": grammar, "texts": texts(example, kind, &mut random)}));
        }
    }
    let verdicts = lark(&json!(cases));
    if verdicts.is_none() {
        println!("skipped: needs python3 with lark, as in tests/clients/requirements.txt");
    }
    let mut problems = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let (example, kind) = (&EXAMPLES[at / 3], at % 3);
        let (guide, plain) = (example.guide(), guide(&Source::Grammar(example.plain())));
        let mut count = 0;
        for (i, text) in case["texts"].as_array().expect("texts").iter().enumerate() {
            let text = text.as_str().expect("a text");
            let accepted = whole(&guide, text);
            count += usize::from(accepted);
            let others = [Some(whole(&plain, text)), verdicts.as_ref().map(|verdicts| verdicts[at][i])];
            if others.into_iter().flatten().any(|other| other != accepted) {
                problems.push(format!("{}: {text:?}: Jig {accepted}, plain and lark {others:?}", example.file));
            }
        }
        if count != example.in_language[kind] {
            problems.push(format!("{}: {count} texts of kind {kind} are in the language", example.file));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
