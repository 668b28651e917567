//! Any input as the body of `POST /generate` is refused with a message, or is a request within its limits.
#![no_main]

use jig::protocol::outlines;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| match outlines::parse(body, 1000) {
    Ok(asked) => {
        let params = asked.request.params;
        assert!(params.n >= 1 && params.sampling.temperature >= 0.0);
        assert!(params.max_tokens.is_none_or(|most| most >= params.min_tokens.max(1)));
    }
    Err(refusal) => assert!(!refusal.message.is_empty()),
});
