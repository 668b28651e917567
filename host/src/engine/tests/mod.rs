//! The engine over a small model made here: what it promises, whatever else runs and however little memory there is.

mod crowd;
mod ends;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use jig_guides::{Compiler, Limits, Options, Source};

use super::testing::{POISON, SmallModel};
use super::*;
use crate::request::{Event, FinishReason, GenerationParams, Request, TokenLogprob, Usage};
use crate::tokenizer::testing::{self, END};

/// All that an output said, and why it ended.
#[derive(Clone, Debug, Default, PartialEq)]
struct Output {
    text: String,
    logprobs: Vec<TokenLogprob>,
    end: Option<(FinishReason, u32)>,
}

fn engine(blocks: usize, config: EngineConfig) -> EngineHandle {
    Engine::start(Box::new(SmallModel::new(blocks)), testing::byte_level(), config)
}

fn compiler() -> Compiler {
    Compiler::new(Arc::new(testing::byte_level().vocabulary(testing::TOKENS).unwrap()), Limits::default())
}

fn request(prompt: &str, params: GenerationParams) -> Request {
    Request { prompt: prompt.bytes().map(u32::from).collect(), params: Arc::new(params), guide: None }
}

fn guided(prompt: &str, source: Source, params: GenerationParams) -> Request {
    let guide = compiler().compile(&source, &Options::default()).unwrap();
    Request { guide: Some(guide), ..request(prompt, params) }
}

fn regex(pattern: &str) -> Source {
    Source::Regex(pattern.to_owned())
}

fn seeded(max_tokens: u32) -> GenerationParams {
    GenerationParams { seed: Some(5), max_tokens: Some(max_tokens), ..GenerationParams::default() }
}

/// Reads a request to its end.
fn collect(mut stream: RequestStream, n: u32) -> Result<Vec<Output>, String> {
    let mut outputs = vec![Output::default(); n as usize];
    while let Some(event) = stream.blocking_recv() {
        match event {
            Event::Delta(delta) => {
                let output = &mut outputs[delta.index as usize];
                output.text.push_str(&delta.text);
                output.logprobs.extend(delta.logprobs);
            }
            Event::Prompt(_) => {}
            Event::Finished { index, reason, usage, .. } => {
                outputs[index as usize].end = Some((reason, usage.output_tokens));
            }
            Event::Failed(failure) => return Err(failure.to_string()),
        }
    }
    Ok(outputs)
}

/// What a request gives in an engine of its own with plenty of memory.
fn alone(request: &Request) -> Result<Vec<Output>, String> {
    let engine = engine(4096, EngineConfig::default());
    collect(engine.submit(request.clone()).map_err(|error| error.to_string())?, request.params.n)
}

fn first(request: &Request) -> Output {
    alone(request).unwrap().swap_remove(0)
}

/// Waits until the engine is idle, and returns its last word.
fn drained(engine: &EngineHandle) -> EngineStats {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert!(runtime.block_on(engine.drain(Duration::from_secs(120))), "nothing is left to do");
    engine.stats()
}

fn assert_empty(stats: &EngineStats) {
    assert_eq!((stats.memory.used_blocks, stats.memory.open_sequences), (0, 0), "{stats:?}");
    assert_eq!((stats.outputs_running, stats.outputs_suspended), (0, 0), "{stats:?}");
    assert_eq!((stats.requests_running, stats.requests_waiting), (0, 0), "{stats:?}");
}

#[test]
fn a_free_text_has_max_tokens_tokens_or_ends_by_itself() {
    let output = first(&request("hello", seeded(7)));
    assert!(matches!(output.end, Some((FinishReason::Length, 7)) | Some((FinishReason::Stop, 1..=7))), "{output:?}");
    let endless = GenerationParams { ignore_eos: true, max_tokens: None, ..seeded(0) };
    let (reason, tokens) = first(&request("hello", endless)).end.unwrap();
    assert_eq!((reason, tokens), (FinishReason::Length, 91), "up to the model's 96 tokens, 5 of them prompt");
}

#[test]
fn each_output_that_ends_tells_its_tokens_and_those_of_the_prompt() {
    let engine = engine(4096, EngineConfig::default());
    let params = GenerationParams { n: 2, ignore_eos: true, ..seeded(7) };
    let mut stream = engine.submit(request("hello", params)).unwrap();
    let mut ends = Vec::new();
    while let Some(event) = stream.blocking_recv() {
        if let Event::Finished { index, usage, .. } = event {
            ends.push((index, usage));
        }
    }
    ends.sort_unstable_by_key(|(index, _)| *index);
    let usage = Usage { prompt_tokens: 5, output_tokens: 7 };
    assert_eq!(ends, [(0, usage), (1, usage)]);
}

#[test]
fn a_guided_text_is_whole_or_the_limit_is_refused_with_what_works() {
    let schema =
        r#"{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a","b"]}"#;
    let matches = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).expect(text);
        value["a"].is_number() && value["b"].is_string()
    };
    let engine = engine(4096, EngineConfig::default());
    let mut least = None;
    for limit in 1..=40 {
        let request = guided("x", Source::JsonSchema(schema.to_owned()), seeded(limit));
        match engine.submit(request) {
            Ok(stream) => {
                let output = collect(stream, 1).unwrap().swap_remove(0);
                assert!(matches(&output.text), "{limit}: {output:?}");
                least.get_or_insert(limit);
            }
            Err(SubmitError::Invalid(invalid)) => {
                let message = invalid.to_string();
                assert_eq!(least, None, "what works with less works with more");
                assert!(message.starts_with("max_tokens: it is ") && message.contains("at least"), "{message}");
                let needed: u32 =
                    message.split("at least ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
                assert!(engine.submit(guided("x", Source::JsonSchema(schema.to_owned()), seeded(needed))).is_ok());
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(least.is_some_and(|least| least > 1));
    assert_empty(&drained(&engine));
}

#[test]
fn a_guide_after_which_nothing_can_follow_ends_the_text() {
    let output = first(&guided("x", regex("yes"), GenerationParams { max_tokens: None, ..seeded(0) }));
    assert_eq!((output.text.as_str(), output.end), ("yes", Some((FinishReason::Stop, 3))));
    let empty = alone(&guided("x", regex(""), GenerationParams { n: 2, ..seeded(4) })).unwrap();
    assert!(empty.iter().all(|output| output.text.is_empty() && output.end == Some((FinishReason::Stop, 0))));
}

#[test]
fn a_guide_has_the_last_word_on_the_end() {
    let params = GenerationParams { min_tokens: 9, ignore_eos: true, ..seeded(12) };
    assert_eq!(first(&guided("x", regex("ab?"), params)).text, "ab", "as long as the guide allows, and no longer");
    let params = GenerationParams { stop_token_ids: vec![b'b'.into()], stop: vec!["c".into()], ..seeded(12) };
    assert_eq!(first(&guided("x", regex("abcd"), params)).text, "abcd", "a stop leaves no half match");
}

#[test]
fn end_tokens_and_stop_tokens_wait_for_min_tokens() {
    let all: Vec<u32> = (0..256).collect();
    let params = GenerationParams { min_tokens: 4, stop_token_ids: vec![END], ..seeded(9) };
    for seed in 0..20 {
        let params = GenerationParams { seed: Some(seed), ..params.clone() };
        assert!(first(&request("x", params)).end.unwrap().1 >= 4);
    }
    let params = GenerationParams { stop_token_ids: all.clone(), ..seeded(9) };
    let output = first(&request("x", params.clone()));
    assert_eq!((output.text.as_str(), output.end.unwrap().1), ("", 1), "a stop token is not part of the text");
    let params = GenerationParams { include_stop_str_in_output: true, allowed_token_ids: Some(all), ..params };
    assert_eq!(first(&request("x", params)).text.chars().count(), 1);
}

#[test]
fn only_allowed_tokens_are_drawn_and_no_bad_words() {
    let letters: Vec<u32> = b"abc".iter().copied().map(u32::from).collect();
    let params = GenerationParams { allowed_token_ids: Some(letters), ..seeded(40) };
    let text = first(&request("x", params.clone())).text;
    assert!(text.len() == 40 && text.bytes().all(|byte| b"abc".contains(&byte)), "{text}");
    let pair: String = text.chars().take(2).collect();
    let bad_words = vec![pair.bytes().map(u32::from).collect()];
    let text = first(&request("x", GenerationParams { bad_words, ..params.clone() })).text;
    assert!(text.len() == 40 && !text.contains(&pair), "{text} without {pair}");

    let bad_words = vec![vec![b'y'.into()]];
    let error = alone(&guided("x", regex("y+"), GenerationParams { bad_words, ..seeded(9) })).unwrap_err();
    assert!(error.contains("bad_words") && error.contains("regex"), "{error}");
}

#[test]
fn log_probabilities_come_with_each_token() {
    let mut params = seeded(6);
    params.sampling.logprobs = Some(2);
    let output = first(&request("x", params.clone()));
    assert_eq!(output.logprobs.len() as u32, output.end.unwrap().1);
    assert!(output.logprobs.iter().all(|entry| entry.logprob < 0.0 && entry.top.len() == 2));
    let output = first(&guided("x", regex("yes"), params));
    assert_eq!(output.logprobs.iter().map(|entry| entry.token).collect::<Vec<_>>(), b"yes".map(u32::from));
    assert!(output.logprobs.iter().all(|entry| entry.logprob < 0.0), "a token without a choice has one too");
}

#[test]
fn outputs_of_one_request_differ_and_more_than_fit_at_once_all_come() {
    let params = GenerationParams { n: 9, ..seeded(12) };
    let expected = alone(&request("hello", params.clone())).unwrap();
    assert!(expected.iter().any(|output| output.text != expected[0].text));
    let engine = engine(10, EngineConfig { max_num_seqs: 3, max_num_batched_tokens: 4, ..EngineConfig::default() });
    assert_eq!(collect(engine.submit(request("hello", params)).unwrap(), 9).unwrap(), expected);
    assert_empty(&drained(&engine));
}

#[test]
fn what_can_never_be_served_is_refused_at_once() {
    let engine = engine(4096, EngineConfig { max_model_len: Some(20), ..EngineConfig::default() });
    let refused = |request| match engine.submit(request) {
        Err(SubmitError::Invalid(invalid)) => invalid.to_string(),
        other => panic!("{:?}", other.err()),
    };
    assert!(refused(request("", seeded(1))).starts_with("prompt"));
    assert!(refused(request(&"x".repeat(20), seeded(1))).contains("max_model_len"));
    let mut unknown = request("x", seeded(1));
    unknown.prompt = [4000].into();
    assert!(refused(unknown).contains("4000"));
    let long = guided(&"x".repeat(15), regex("[ab]{9}"), GenerationParams { max_tokens: None, ..seeded(0) });
    let message = refused(long);
    assert!(
        message.starts_with("prompt") && message.contains("leaves 5") && message.contains("at least 9"),
        "{message}"
    );
    assert!(refused(request("x", GenerationParams { allowed_token_ids: Some(vec![]), ..seeded(1) })).contains("empty"));
}

#[test]
fn a_sequence_too_long_for_the_whole_cache_fails_and_its_neighbours_do_not() {
    let engine = engine(6, EngineConfig::default());
    let endless = |limit| GenerationParams { ignore_eos: true, ..seeded(limit) };
    let neighbour = request("neighbour", endless(8));
    let expected = alone(&neighbour);
    let too_long_by_output = engine.submit(request("first", endless(60))).unwrap();
    let too_long_by_prompt = engine.submit(request(&"x".repeat(40), endless(1))).unwrap();
    let fits = engine.submit(neighbour).unwrap();
    for stream in [too_long_by_output, too_long_by_prompt] {
        let error = collect(stream, 1).unwrap_err();
        assert!(error.contains("KV cache cannot hold"), "{error}");
    }
    assert_eq!(collect(fits, 1), expected);
    assert_empty(&drained(&engine));
}

#[test]
fn a_request_that_makes_the_backend_panic_fails_alone() {
    let engine = engine(4096, EngineConfig::default());
    let neighbours: Vec<Request> = (0..4).map(|i| request(&format!("neighbour {i}"), seeded(9))).collect();
    let mut streams: Vec<_> = neighbours.iter().map(|neighbour| engine.submit(neighbour.clone()).unwrap()).collect();
    let mut poisoned = request("x", seeded(3));
    poisoned.prompt = [1, POISON].into();
    streams.insert(2, engine.submit(poisoned).unwrap());
    let mut results: Vec<_> = streams.into_iter().map(|stream| collect(stream, 1)).collect();
    let error = results.remove(2).unwrap_err();
    assert!(error.contains("poisoned"), "{error}");
    assert_eq!(results, neighbours.iter().map(alone).collect::<Vec<_>>());
    let stats = drained(&engine);
    assert_eq!((stats.requests_failed, stats.requests_finished), (1, 4));
    assert_empty(&stats);
}

#[test]
fn the_queue_is_bounded_and_a_draining_engine_takes_nothing() {
    let engine = engine(4096, EngineConfig { max_queue: 0, ..EngineConfig::default() });
    assert!(matches!(engine.submit(request("x", seeded(1))), Err(SubmitError::Full { waiting: 0, seconds: 1 })));
    assert_empty(&drained(&engine));
    assert!(matches!(engine.submit(request("x", seeded(1))), Err(SubmitError::Draining)));
    assert!(engine.is_alive());
}

#[test]
fn a_drain_that_is_out_of_time_fails_what_is_left() {
    let engine = engine(4096, EngineConfig { max_num_seqs: 1, max_n: 2000, ..EngineConfig::default() });
    let slow = GenerationParams { n: 2000, ignore_eos: true, ..seeded(90) };
    let stream = engine.submit(request("x", slow)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert!(!runtime.block_on(engine.drain(Duration::ZERO)));
    assert!(collect(stream, 2000).unwrap_err().contains("shutting down"));
    assert_empty(&engine.stats());
}

#[test]
fn the_end_of_the_engines_thread_is_seen_by_all() {
    let model = SmallModel::new(64);
    let broken = model.broken.clone();
    let engine = Engine::start(Box::new(model), testing::byte_level(), EngineConfig::default());
    broken.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = collect(engine.submit(request("x", seeded(9))).unwrap(), 1).unwrap_err();
    assert!(error.contains("stopped"), "{error}");
    while engine.is_alive() {
        std::thread::yield_now();
    }
    assert!(matches!(engine.submit(request("x", seeded(9))), Err(SubmitError::Stopped)));
}

#[test]
fn finishing_waits_for_what_runs_and_for_the_model_to_be_freed() {
    let model = SmallModel::new(4096);
    let held = model.broken.clone();
    let engine = Engine::start(Box::new(model), testing::byte_level(), EngineConfig::default());
    let stream = engine.submit(request("x", GenerationParams { ignore_eos: true, ..seeded(90) })).unwrap();
    assert!(engine.finish(Duration::from_secs(60)));
    assert_eq!((collect(stream, 1).unwrap().len(), std::sync::Arc::strong_count(&held)), (1, 1));
    assert!(matches!(engine.submit(request("x", seeded(9))), Err(SubmitError::Stopped)));
    // Once more, there is nothing to wait for.
    assert!(engine.finish(Duration::ZERO));
}

#[test]
fn text_without_a_choice_is_the_same_whether_it_is_forced_or_drawn_and_takes_fewer_steps() {
    let source = || regex("(yes|no), this is certain, and this (too|not), as far as anybody can say[!?]");
    let run = |forced_text, limit, n| {
        let engine = engine(4096, EngineConfig::default());
        let params = GenerationParams { forced_text, n, ..seeded(limit) };
        let outputs = collect(engine.submit(guided("a", source(), params)).unwrap(), n).unwrap();
        let texts: Vec<String> = outputs.iter().map(|output| output.text.clone()).collect();
        for Output { end, .. } in &outputs {
            assert!(matches!(end, Some((FinishReason::Stop | FinishReason::Length, tokens)) if *tokens <= limit));
        }
        (texts, drained(&engine))
    };
    for limit in [80, 100, 400] {
        let ((forced, with), (drawn, without)) = (run(true, limit, 3), run(false, limit, 3));
        for text in forced.iter().chain(&drawn) {
            assert!(text.contains(", this is certain, and this ") && text.ends_with(['!', '?']), "{text}");
        }
        assert!(with.steps * 3 < without.steps, "{} and {} steps", with.steps, without.steps);
        assert_eq!(with.memory.open_sequences, 0);
    }
    // What the model is asked for is computed from the same tokens.
    let ((forced, _), (drawn, _)) = (run(true, 400, 1), run(false, 400, 1));
    assert_eq!(forced, drawn);
}
