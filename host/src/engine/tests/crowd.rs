//! Random crowds of requests in little memory: each gets what it would get alone.

use proptest::prelude::*;

use super::*;
use crate::engine::testing::BLOCK;

/// A request, and after how many events its client goes away.
#[derive(Clone, Debug)]
struct Client {
    prompt: String,
    pattern: Option<&'static str>,
    params: GenerationParams,
    leaves_after: Option<usize>,
}

impl Client {
    fn request(&self) -> Request {
        match self.pattern {
            Some(pattern) => guided(&self.prompt, regex(pattern), self.params.clone()),
            None => request(&self.prompt, self.params.clone()),
        }
    }
}

fn clients() -> impl Strategy<Value = Client> {
    let pattern = prop_oneof![
        3 => Just(None),
        1 => Just(Some(r#""[^"]{0,8}""#)),
        1 => Just(Some(r"(-)?(0|[1-9][0-9]*)(\.[0-9]+)?")),
        1 => Just(Some("[a-c]{2,9}|yes|no")),
        1 => Just(Some("é{1,4}!?")),
    ];
    let stop = prop_oneof![3 => Just(vec![]), 1 => Just(vec!["a".to_owned(), "bc".to_owned()])];
    let leaves = prop_oneof![2 => Just(None), 1 => (0usize..12).prop_map(Some)];
    (("[a-h ]{1,14}", pattern, leaves), (1u32..4, any::<u64>(), stop, 9u32..18), (0u32..4, any::<bool>(), 0.0f32..1.5))
        .prop_map(|((prompt, pattern, leaves_after), (n, seed, stop, limit), (min_tokens, ignore_eos, temperature))| {
            let mut params = GenerationParams { n, stop, min_tokens, ignore_eos, ..seeded(limit) };
            params.seed = Some(seed);
            params.sampling.temperature = temperature;
            params.sampling.frequency_penalty = 0.5;
            Client { prompt, pattern, params, leaves_after }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_gets_in_a_crowd_what_it_gets_alone(
        clients in prop::collection::vec(clients(), 1..12),
        // The longest sequence has 14 + 18 tokens: alone it always fits.
        blocks in 32usize.div_ceil(BLOCK)..24,
        max_num_seqs in 1usize..9,
        max_num_batched_tokens in 1usize..24,
    ) {
        let config = EngineConfig { max_num_seqs, max_num_batched_tokens, ..EngineConfig::default() };
        let engine = engine(blocks, config);
        let streams: Vec<_> = clients.iter().map(|client| engine.submit(client.request()).unwrap()).collect();
        for (client, mut stream) in clients.iter().zip(streams) {
            if let Some(events) = client.leaves_after {
                (0..events).for_each(|_| _ = stream.blocking_recv());
                continue;
            }
            prop_assert_eq!(collect(stream, client.params.n), alone(&client.request()), "{:?}", client);
        }
        let stats = drained(&engine);
        assert_empty(&stats);
        prop_assert_eq!(stats.requests_failed, 0);
        let ended = stats.requests_finished + stats.requests_cancelled;
        prop_assert_eq!(ended, clients.len() as u64);
    }
}

#[test]
fn outputs_that_lose_their_memory_go_on_as_if_they_had_not() {
    let engine = engine(8, EngineConfig::default());
    let params = |seed| GenerationParams { ignore_eos: true, seed: Some(seed), stop: vec!["é".into()], ..seeded(16) };
    let requests: Vec<Request> = (0..6)
        .map(|seed| match seed % 2 {
            0 => guided("four", regex("[a-z]{14,16}"), params(seed)),
            _ => request("four", params(seed)),
        })
        .collect();
    let expected: Vec<_> = requests.iter().map(alone).collect();
    // Where the machine is busy, a request may be over before the next one comes: then they are sent again.
    for _ in 0..200 {
        let streams: Vec<_> = requests.iter().map(|request| engine.submit(request.clone()).unwrap()).collect();
        for (expected, stream) in expected.iter().zip(streams) {
            assert_eq!(&collect(stream, 1), expected);
        }
        if engine.stats().preemptions > 0 {
            break;
        }
    }
    let stats = drained(&engine);
    assert!(stats.preemptions > 0, "{stats:?}");
    assert_empty(&stats);
}
