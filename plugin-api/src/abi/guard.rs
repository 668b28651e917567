//! Catching panics at the boundary.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::types::FfiResult;
use crate::{Error, ErrorCode, Result};

/// Runs the plugin's side of a call. A panic becomes an error that names the call and has the panic's text.
///
/// `AssertUnwindSafe`: the caller learns of the panic and decides whether it goes on with the model.
pub(super) fn guard<T>(call: &str, body: impl FnOnce() -> Result<T>) -> FfiResult<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result.map_err(Into::into).into(),
        Err(payload) => {
            let message = format!("the plugin panicked in `{call}`: {}", text(payload));
            Err(Error::new(ErrorCode::Panic, message).into()).into()
        }
    }
}

/// Runs a call that has no way to report a failure (a log line, a drop): a panic goes no further.
pub(super) fn silent(body: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
        text(payload);
    }
}

/// The text of a panic. A payload of another type is leaked: its destructor could panic again.
fn text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => match payload.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(payload) => {
                std::mem::forget(payload);
                "(no message)".to_owned()
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caught(body: impl FnOnce()) -> Error {
        let result: Result<()> = guard("forward", || {
            body();
            Ok(())
        })
        .into_result()
        .map_err(Into::into);
        result.unwrap_err()
    }

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let error = caught(|| panic!("out of cheese: {}", 3));
        assert_eq!(error, Error::new(ErrorCode::Panic, "the plugin panicked in `forward`: out of cheese: 3"));
        assert!(caught(|| panic!("plain")).message.ends_with("plain"));
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_survived() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        assert!(caught(|| std::panic::panic_any(Bomb)).message.ends_with("(no message)"));
        silent(|| std::panic::panic_any(Bomb));
    }
}
