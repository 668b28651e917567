//! Requests take turns, and none takes all of the memory for answers.

use super::*;
use crate::request::limits::MAX_LOGPROB_ENTRIES;

/// A request of many outputs that end at their limit.
fn many(n: u32, max_tokens: u32) -> Request {
    request("many", GenerationParams { n, ignore_eos: true, ..seeded(max_tokens) })
}

/// How many outputs of a stream have ended by now.
fn ended(stream: &mut RequestStream) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut ended = 0;
        while let Ok(Some(event)) = tokio::time::timeout(Duration::ZERO, stream.recv()).await {
            ended += usize::from(matches!(event, Event::Finished { .. }));
        }
        ended
    })
}

#[test]
fn a_request_of_one_output_does_not_wait_for_those_of_one_with_many() {
    let engine = engine(4096, EngineConfig { max_num_seqs: 8, max_n: 2000, ..EngineConfig::default() });
    // They take thousands of steps.
    let mut large = engine.submit(many(2000, 90)).unwrap();
    while engine.stats().outputs_running < 7 {
        std::thread::yield_now();
    }
    assert!(engine.stats().outputs_running <= 7, "a place is left for a request that comes");
    let answer = collect(engine.submit(request("one", seeded(2))).unwrap(), 1).unwrap();
    assert_eq!(answer.len(), 1);
    let ended = ended(&mut large);
    assert!(ended < 1900, "{ended}");
    drop(large);
    assert_empty(&drained(&engine));
}

#[test]
fn outputs_of_two_requests_run_side_by_side_and_each_gets_all_of_its_own() {
    let engine = engine(4096, EngineConfig { max_num_seqs: 4, ..EngineConfig::default() });
    let requests = [many(20, 9), many(5, 9), many(1, 9)];
    let streams: Vec<_> = requests.iter().map(|request| engine.submit(request.clone()).unwrap()).collect();
    for (request, stream) in requests.iter().zip(streams) {
        assert_eq!(collect(stream, request.params.n), alone(request));
    }
    assert_empty(&drained(&engine));
}

#[test]
fn outputs_of_a_guide_that_allows_nothing_more_all_end_at_once() {
    let source = Source::Choice(vec![String::new()]);
    let Ok(guide) = compiler().compile(&source, &Options::default()) else { return };
    let empty = Request { guide: Some(guide), ..many(9, 5) };
    let engine = engine(4096, EngineConfig { max_num_seqs: 2, ..EngineConfig::default() });
    let outputs = collect(engine.submit(empty).unwrap(), 9).unwrap();
    assert!(outputs.iter().all(|output| output.end == Some((FinishReason::Stop, 0))), "{outputs:?}");
}

#[test]
fn more_outputs_or_log_probabilities_than_a_request_may_have_are_refused_with_the_limit() {
    let engine = engine(4096, EngineConfig { max_n: 600, ..EngineConfig::default() });
    let mut params = GenerationParams { n: 601, ..seeded(80) };
    let SubmitError::Invalid(refused) = engine.submit(request("x", params.clone())).unwrap_err() else { panic!() };
    assert!(refused.to_string().contains("601") && refused.to_string().contains("600 outputs"), "{refused}");
    (params.n, params.sampling.logprobs) = (600, Some(20));
    assert!(u64::from(params.n) * 80 * 21 <= MAX_LOGPROB_ENTRIES);
    (params.n, params.max_tokens) = (600, Some(84));
    let SubmitError::Invalid(refused) = engine.submit(request("x", params)).unwrap_err() else { panic!() };
    assert!(refused.to_string().contains(&MAX_LOGPROB_ENTRIES.to_string()), "{refused}");
}

#[test]
fn where_answers_take_too_much_memory_the_largest_one_fails_and_the_others_do_not() {
    let engine = engine(4096, EngineConfig { max_answer_bytes: 20_000, ..EngineConfig::default() });
    let mut params = many(8, 80).params.as_ref().clone();
    params.sampling.logprobs = Some(10);
    let small = many(1, 20);
    let answer = engine.submit(small.clone()).unwrap();
    let large = engine.submit(request("large", params)).unwrap();
    assert_eq!(collect(answer, 1), alone(&small));
    let failure = collect(large, 8).unwrap_err();
    assert!(failure.contains("--max-answer-memory"), "{failure}");
    let stats = drained(&engine);
    assert_eq!(stats.requests_failed, 1, "{stats:?}");
}

#[test]
fn what_is_passed_on_does_not_count_and_what_is_kept_does_until_it_is_dropped() {
    let engine = engine(4096, EngineConfig::default());
    for passes_on in [true, false] {
        let mut stream = engine.submit(many(4, 80)).unwrap();
        if passes_on {
            stream.memory().pass_on();
        }
        while stream.blocking_recv().is_some() {}
        drop(engine.submit(many(1, 1)).unwrap());
        while engine.stats().requests_running > 0 || (engine.stats().answer_bytes > 0) == passes_on {
            std::thread::yield_now();
        }
    }
    // Dropped streams give back their memory, which the next request's steps tell.
    drained(&engine);
}
