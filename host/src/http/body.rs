//! The body of a request: all of it, within a size and a time.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::protocol::ApiError;

/// The longest that a client may take to send it.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Waits for all of a body of at most so many bytes.
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, ApiError> {
    let whole = tokio::time::timeout(BODY_TIME, Limited::new(body, most).collect()).await;
    let late = || {
        let message = format!("the body did not arrive within {} s", BODY_TIME.as_secs());
        ApiError::new(408, "timeout", message)
    };
    match whole.map_err(|_| late())? {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if is_too_long(&*error) => {
            let message = format!("the body has more than {most} bytes (--max-body-size)");
            Err(ApiError::new(413, "too_large", message))
        }
        Err(error) => Err(ApiError::new(400, "invalid_body", format!("the body broke off: {error}"))),
    }
}

fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    error.is::<LengthLimitError>() || error.source().is_some_and(is_too_long)
}
