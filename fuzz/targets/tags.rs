//! Any bytes as a tree of free and guided parts are refused, or compile to a guide without dead ends.
#![no_main]

use jig_guides::Source;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|&byte| byte == 0).unwrap_or(input.len());
    let part = jig_fuzz::tree(&mut input[..end].iter().copied());
    jig_fuzz::compile_and_walk(&Source::Tags(part), input.get(end + 1..).unwrap_or_default());
});
