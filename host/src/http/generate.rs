//! `POST /generate`: from the body to a running request.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::AppState;
use super::answer::Answer;
use super::error::ApiError;
use super::routes::RequestId;
use crate::params;
use crate::prepare::Prepared;

/// The largest body.
const MAX_BODY_BYTES: usize = 4 << 20;
/// The longest that a client may take to send it.
const BODY_TIME: Duration = Duration::from_secs(30);
/// The longest that a request waits for its turn to be tokenized and compiled. How long that takes is bounded by
/// the limits of the compiler.
const TURN_TIME: Duration = Duration::from_secs(30);

/// The body is read as JSON whatever its content type, since `curl -d` sends that of a form.
pub(super) async fn generate(
    State(state): State<AppState>,
    Extension(id): Extension<RequestId>,
    body: Body,
) -> Result<Response, ApiError> {
    let body = read(body).await?;
    let prepared = prepare(&state, body).await?;
    let outputs = prepared.request.params.n as usize;
    let with_logprobs = prepared.request.params.sampling.logprobs.is_some();
    let events = state.0.engine.submit(prepared.request)?;
    let answer = Answer::new(id, events, prepared.prompt, outputs, with_logprobs);
    if prepared.stream {
        let body = Body::from_stream(answer.into_stream());
        return Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response());
    }
    Ok(axum::Json(answer.whole().await?).into_response())
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    let whole = tokio::time::timeout(BODY_TIME, Limited::new(body, MAX_BODY_BYTES).collect()).await;
    let late = || {
        let message = format!("the body did not arrive within {} s", BODY_TIME.as_secs());
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
    };
    match whole.map_err(|_| late())? {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if is_too_long(&*error) => {
            let message = format!("the body has more than {MAX_BODY_BYTES} bytes");
            Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message))
        }
        Err(error) => {
            Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", format!("the body broke off: {error}")))
        }
    }
}

fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    error.is::<LengthLimitError>() || error.source().is_some_and(is_too_long)
}

/// Parses, tokenizes and compiles, off the threads that serve connections and on no more than there are cores.
async fn prepare(state: &AppState, body: Bytes) -> Result<Prepared, ApiError> {
    let busy = |_| ApiError::unavailable("the server is busy with compiling schemas; try again later");
    let permit = tokio::time::timeout(TURN_TIME, state.0.preparing.clone().acquire_owned()).await.map_err(busy)?;
    let permit = permit.map_err(|_| ApiError::unavailable("the server is shutting down"))?;
    let shared = state.clone();
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let request = params::parse(&body, shared.0.engine.info().vocab_size)?;
        shared.0.preparation.prepare(request)
    });
    let failed = |_| ApiError::internal("the server failed to prepare this request; its log tells more");
    Ok(work.await.map_err(failed)??)
}
