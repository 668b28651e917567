//! The body of a request: all of it, within a size and a time, and within the memory that all bodies may take.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::AppState;
use super::budget::Share;
use crate::protocol::ApiError;

/// The longest that a client may take to send it.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How much of a body that is refused is read on, and for how long.
const DRAINED: usize = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// What each body may have beside the memory that all share, so that small requests are taken while large ones fill it.
const SMALL: usize = 64 << 10;

/// Waits for all of a body. The share is to be kept as long as what was read from the body is.
pub(super) async fn read(state: &AppState, body: Body) -> Result<(Vec<u8>, Share), ApiError> {
    let read = tokio::time::timeout(BODY_TIME, collect(state, body)).await;
    read.unwrap_or_else(|_| {
        let message = format!("the body did not arrive within {} s", BODY_TIME.as_secs());
        Err(ApiError::new(408, "timeout", message))
    })
}

/// Reads on for a moment, and forgets it: a client that is still sending when its connection is closed does not see the answer.
async fn drain(mut body: Body) {
    let rest = async {
        let mut left = DRAINED;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len()));
            if left == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME, rest).await;
}

async fn collect(state: &AppState, mut body: Body) -> Result<(Vec<u8>, Share), ApiError> {
    let most = state.options().max_body_bytes;
    let too_long = || {
        let message = format!("the body has more than {most} bytes (--max-body-size)");
        Err(ApiError::new(413, "too_large", message))
    };
    // What it says of itself is enough.
    if body.size_hint().lower() > most as u64 {
        drain(body).await;
        return too_long();
    }
    let mut share = state.bodies().share();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| ApiError::new(400, "invalid_body", format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        let (before, after) = (whole.len(), whole.len() + data.len());
        if after > most {
            drain(body).await;
            return too_long();
        }
        if !share.take(after.saturating_sub(SMALL) - before.saturating_sub(SMALL)) {
            let most = state.bodies().most() >> 20;
            let message = format!(
                "the server is busy: the bodies of its requests take {most} MiB (--max-body-memory); try again later"
            );
            // Others may have what this one gives back.
            drop((whole, share));
            drain(body).await;
            return Err(ApiError::unavailable(message));
        }
        whole.extend_from_slice(&data);
    }
    Ok((whole, share))
}
