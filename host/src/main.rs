//! The `jig` program; see [`jig::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    jig::cli::main()
}
