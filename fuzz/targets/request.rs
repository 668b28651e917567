//! Any text as the body of `POST /generate`: refused with a message, or a request within its limits.
#![no_main]

use jig::params;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| match params::parse(body, 1000) {
    Ok(request) => {
        assert!(request.params.n >= 1 && request.params.sampling.temperature >= 0.0);
        assert!(request.params.max_tokens.is_none_or(|most| most >= request.params.min_tokens.max(1)));
    }
    Err(invalid) => assert!(!invalid.message.is_empty()),
});
