//! Any text as a grammar, in GBNF or Lark, is refused, or compiles to a guide without dead ends.
#![no_main]

use jig_guides::Source;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((grammar, choices)) = jig_fuzz::split(input) else { return };
    jig_fuzz::compile_and_walk(&Source::Grammar(grammar.to_owned()), choices);
});
