//! Any input as a `config.json` is refused, or is the description of a decoder.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = jig_transformer::config::Config::parse(Path::new("config.json"), input);
});
