//! The `jig` program; see [`jig::cli`].

use std::process::ExitCode;

/// Masks and automata are big and short-lived: an allocator that keeps their memory saves the page faults of each.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    jig::cli::main()
}
