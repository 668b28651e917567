//! Any text as a JSON Schema is refused, or compiles to a guide without dead ends.
#![no_main]

use jig_guides::Source;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((schema, choices)) = jig_fuzz::split(input) else { return };
    jig_fuzz::compile_and_walk(&Source::JsonSchema(schema.to_owned()), choices);
});
