//! `POST /generate`: from the body to a running request.

use std::error::Error;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jig_guides::{CompileError, Guide, Interrupt};
use tokio::sync::OwnedSemaphorePermit;

use super::answer::Answer;
use super::error::ApiError;
use super::permits::FIRST_TRY;
use super::routes::RequestId;
use super::{AppState, Shared};
use crate::params::{self, Constraint, GenerateRequest, Invalid};
use crate::prepare::{Prepared, Tokenized};

/// The largest body.
const MAX_BODY_BYTES: usize = 4 << 20;
/// The longest that a client may take to send it.
const BODY_TIME: Duration = Duration::from_secs(30);

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

/// Parses, tokenizes and compiles, off the threads that serve connections, each with a permit for work of its kind. Ends without a
/// result when the server begins to drain: the engine would not take the request any more. Dropped, as when the client leaves, it ends a
/// compilation that runs.
async fn prepare(state: &AppState, body: Bytes) -> Result<Prepared, ApiError> {
    tokio::select! {
        prepared = stages(state, body) => prepared,
        () = state.until_draining() => Err(ApiError::shutting_down()),
    }
}

async fn stages(state: &AppState, body: Bytes) -> Result<Prepared, ApiError> {
    let permits = &state.0.permits;
    let tokenized =
        match blocking(state, permits.reading.take().await?, move |shared| read_request(shared, &body)).await?? {
            Read::Tokenized(tokenized) => *tokenized,
            Read::Long(request) => {
                let permit = permits.tokenizing.take().await?;
                blocking(state, permit, |shared| shared.preparation.tokenize(*request)).await??
            }
        };
    let guide = match tokenized.constraint() {
        Some(constraint) => Some(guide(state, constraint).await?),
        None => None,
    };
    Ok(tokenized.with_guide(guide))
}

/// A request as far as it comes without long work.
enum Read {
    Tokenized(Box<Tokenized>),
    /// Its texts take long to tokenize.
    Long(Box<GenerateRequest>),
}

fn read_request(shared: &Shared, body: &[u8]) -> Result<Read, Invalid> {
    let request = params::parse(body, shared.engine.info().vocab_size)?;
    shared.preparation.check_lengths(&request)?;
    if shared.preparation.is_long(&request) {
        return Ok(Read::Long(Box::new(request)));
    }
    Ok(Read::Tokenized(Box::new(shared.preparation.tokenize(request)?)))
}

/// The guide of a constraint: one that is there, or compiled with a permit for that. Nearly all compile within the first try; the others wait
/// for a permit for long ones, and begin anew.
async fn guide(state: &AppState, constraint: &Constraint) -> Result<Guide, ApiError> {
    let (preparation, permits) = (&state.0.preparation, &state.0.permits);
    let limit = preparation.compile_timeout();
    let mut result = preparation.compiled(constraint);
    if result.is_none() {
        let permit = permits.compiling.take().await?;
        result = Some(compile(state, permit, constraint, limit.min(FIRST_TRY)).await?);
    }
    if matches!(result, Some(Err(CompileError::TooSlow { .. }))) && limit > FIRST_TRY {
        let permit = permits.compiling_long.take().await?;
        result = Some(compile(state, permit, constraint, limit).await?);
    }
    match result {
        Some(Ok(guide)) => Ok(guide),
        Some(Err(CompileError::Interrupted)) | None => Err(ApiError::shutting_down()),
        Some(Err(error)) => Err(preparation.refusal(constraint, &error).into()),
    }
}

/// Compiles for so long. Dropped, it ends the compilation.
async fn compile(
    state: &AppState,
    permit: OwnedSemaphorePermit,
    constraint: &Constraint,
    limit: Duration,
) -> Result<Result<Guide, CompileError>, ApiError> {
    let interrupt = Interrupt::at(Instant::now() + limit);
    let _raised = RaisedOnDrop(interrupt.clone());
    let constraint = constraint.clone();
    blocking(state, permit, move |shared| shared.preparation.compile(&constraint, &interrupt)).await
}

/// Raises an interrupt when it is dropped: whoever waited for the guide does so no longer.
struct RaisedOnDrop(Interrupt);

impl Drop for RaisedOnDrop {
    fn drop(&mut self) {
        self.0.raise();
    }
}

/// Does work on a thread that may be busy. The permit is held until it is done, whether or not somebody still waits for it.
async fn blocking<T: Send + 'static>(
    state: &AppState,
    permit: OwnedSemaphorePermit,
    work: impl FnOnce(&Shared) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let state = state.clone();
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&state.0)
    });
    done.await.map_err(|_| ApiError::internal("the server failed to prepare this request; its log tells more"))
}
