//! What an output's end tells of itself, and what is told of the prompt.

use super::*;
use crate::request::{Delta, StoppedBy};

/// The events of a request in an engine of its own.
fn events_with(request: &Request, blocks: usize, config: EngineConfig) -> Vec<Event> {
    let engine = engine(blocks, config);
    let mut stream = engine.submit(request.clone()).unwrap();
    std::iter::from_fn(|| stream.blocking_recv()).collect()
}

fn events(request: &Request) -> Vec<Event> {
    events_with(request, 4096, EngineConfig::default())
}

/// What ended the only output, and whether the limit narrowed it.
fn end(request: &Request) -> (FinishReason, Option<StoppedBy>, bool) {
    match events(request).pop() {
        Some(Event::Finished { reason, stopped_by, squeezed, .. }) => (reason, stopped_by, squeezed),
        other => panic!("{other:?}"),
    }
}

fn scores(events: &[Event]) -> Vec<TokenLogprob> {
    let scores = events.iter().filter_map(|event| if let Event::Prompt(scores) = event { Some(scores) } else { None });
    scores.flatten().cloned().collect()
}

#[test]
fn an_end_tells_the_stop_string_or_the_stop_token_that_caused_it() {
    let all: Vec<u32> = (0..256).collect();
    let letters: Vec<u32> = b"ab".iter().copied().map(u32::from).collect();
    let base = GenerationParams { allowed_token_ids: Some(letters), ..seeded(60) };
    let with_string = GenerationParams { stop: vec!["ba".into(), "zz".into()], ..base.clone() };
    let stopped = Some(StoppedBy::String("ba".into()));
    assert_eq!(end(&request("x", with_string)), (FinishReason::Stop, stopped, false));
    let with_token = GenerationParams { stop_token_ids: vec![b'b'.into()], ..base.clone() };
    let stopped = Some(StoppedBy::Token(b'b'.into()));
    assert_eq!(end(&request("x", with_token)), (FinishReason::Stop, stopped, false));
    assert_eq!(end(&request("x", base)), (FinishReason::Length, None, false));
    let ended = GenerationParams { stop_token_ids: all, ..seeded(9) };
    assert_eq!(end(&guided("x", regex("yes"), ended)), (FinishReason::Stop, None, false), "the guide ends it");
}

#[test]
fn a_guided_text_is_squeezed_where_the_limit_kept_it_from_going_on() {
    assert_eq!(end(&guided("x", regex("[a-z]{12}"), seeded(90))), (FinishReason::Stop, None, false));
    assert_eq!(end(&guided("x", regex("[a-z]{2,80}"), seeded(12))), (FinishReason::Length, None, true));
    let quoted = guided("x", regex("'[a-z]{0,80}'"), GenerationParams { ignore_eos: true, ..seeded(12) });
    assert_eq!(end(&quoted), (FinishReason::Stop, None, true), "the quotation mark is due");
}

#[test]
fn a_stop_string_inside_a_token_ends_a_guided_text_where_what_remains_is_whole() {
    let mut stopped = 0;
    for seed in 0..40 {
        for include in [false, true] {
            let params = GenerationParams {
                seed: Some(seed),
                stop: vec!["P".into()],
                include_stop_str_in_output: include,
                ..seeded(40)
            };
            let output = first(&guided("x", regex("[ Pa2]{3,30}"), params));
            let least = if include { 2 } else { 3 };
            let place = output.text.char_indices().position(|(at, letter)| letter == 'P' && at >= least);
            assert!(place.is_none_or(|place| include && place + 1 == output.text.len()), "{output:?}");
            stopped += usize::from(place.is_some());
        }
    }
    assert!(stopped > 10, "{stopped}");
}

#[test]
fn the_tokens_of_all_deltas_are_those_that_were_drawn() {
    let params = GenerationParams { stop: vec!["never there".into()], n: 3, ..seeded(20) };
    let mut tokens = [0; 3];
    for event in events(&request("hello", params)) {
        match event {
            Event::Delta(Delta { index, tokens: more, .. }) => tokens[index as usize] += more.len() as u32,
            Event::Finished { index, usage, .. } => assert_eq!(tokens[index as usize], usage.output_tokens),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_prompts_tokens_are_scored_by_what_precedes_each_however_the_prompt_is_divided() {
    let prompt: String = "Iron and gold, silver and lead. ".repeat(2) + "Tin, zinc, copper, 12";
    let params = GenerationParams { prompt_logprobs: Some(3), max_tokens: Some(0), ..seeded(0) };
    let scored = request(&prompt, params.clone());
    let whole = events(&scored);
    let expected = scores(&whole);
    let tokens: Vec<u32> = expected.iter().map(|entry| entry.token).collect();
    assert_eq!(tokens, scored.prompt[1..], "all but the first");
    assert!(expected.iter().all(|entry| entry.logprob < 0.0 && entry.top.len() == 3));
    assert!(matches!(
        whole.last(),
        Some(Event::Finished { reason: FinishReason::Length, usage: Usage { output_tokens: 0, .. }, .. })
    ));

    // The same as a token's own log-probability when it is drawn after the same text.
    for at in [1, 40, 70, 84] {
        let mut drawn = GenerationParams { allowed_token_ids: Some(vec![scored.prompt[at]]), ..seeded(1) };
        drawn.sampling.logprobs = Some(3);
        let mut before = request("", drawn);
        before.prompt = scored.prompt[..at].into();
        assert_eq!(first(&before).logprobs, expected[at - 1..at], "{at}");
    }
    for most in [1, 7, 64, 65] {
        let config = EngineConfig { max_num_batched_tokens: most, ..EngineConfig::default() };
        assert_eq!(scores(&events_with(&scored, 4096, config)), expected, "{most}");
    }
    let further = GenerationParams { n: 2, max_tokens: Some(4), ..params };
    let with_outputs = events(&request(&prompt, further.clone()));
    assert_eq!(scores(&with_outputs), expected, "once for both outputs");
    let plain = alone(&request(&prompt, GenerationParams { prompt_logprobs: None, ..further.clone() }));
    assert_eq!(alone(&request(&prompt, further)), plain, "the outputs are those of a prompt that is not scored");
}

#[test]
fn scores_are_told_once_where_memory_is_short() {
    let config = EngineConfig { max_num_batched_tokens: 8, ..EngineConfig::default() };
    let engine = engine(14, config);
    let older = engine.submit(request("hello", GenerationParams { ignore_eos: true, ..seeded(40) })).unwrap();
    let scored =
        request("a prompt of forty bytes, and then a text", GenerationParams { prompt_logprobs: Some(1), ..seeded(4) });
    let mut stream = engine.submit(scored.clone()).unwrap();
    let told: Vec<Event> = std::iter::from_fn(|| stream.blocking_recv()).collect();
    assert_eq!((scores(&told), scores(&told).len()), (scores(&events(&scored)), 39));
    assert!(collect(older, 1).is_ok());
    assert_empty(&drained(&engine));
}
