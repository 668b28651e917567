//! A panic in a backend or a guide fails a request, never the engine.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jig_plugin_api::{Error, ErrorCode};

/// Runs code that is not the engine's own; a panic in it becomes an error that says where.
pub(super) fn guarded<T>(place: &str, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        Err(Error::new(ErrorCode::Panic, format!("{place} panicked: {}", said.unwrap_or("it said nothing"))))
    })
}
