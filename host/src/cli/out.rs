//! What commands print. Standard output may be closed by who reads it, or be a disk that is full: neither is a panic.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};

/// Prints a text.
///
/// # Errors
/// What the system says, with the name of what was written to.
pub(super) fn print(text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_fmt(text).and_then(|()| out.flush());
    written.map_err(|error| io::Error::new(error.kind(), format!("standard output: {error}")))
}

/// Prints a line, as `println!` does, and returns from the function where that fails.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::out::print(format_args!("{}\n", format_args!($($text)*)))?
    };
}

pub(super) use say;

/// Whether a command failed since nobody reads what it prints.
pub(super) fn is_closed(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
