//! Which path does what.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{FutureExt, StreamExt};
use serde_json::json;

use super::request_id::RequestId;
use super::{AppState, body, metrics};
use crate::protocol::ApiError;
use crate::protocol::outlines::{self, Reply};

/// What `GET /` and an unknown path tell.
const ROUTES: &str = "POST /generate, GET /health, GET /version, GET /metrics";

pub(super) fn router(state: AppState) -> Router {
    Router::new()
        .route("/", get(about))
        .route("/generate", post(generate))
        .route("/health", get(health))
        .route("/version", get(version))
        .route("/metrics", get(metrics::metrics))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(observe))
        .with_state(state)
}

async fn about(State(state): State<AppState>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("Jig {version} serves {}.\nThere are: {ROUTES}\n", state.service().model())
}

/// The body is read as JSON whatever its content type, since `curl -d` sends that of a form.
async fn generate(
    State(state): State<AppState>,
    Extension(id): Extension<RequestId>,
    body: Body,
) -> Result<Response, ApiError> {
    let body = body::read(body).await?;
    Ok(match outlines::generate(state.service(), id.to_string(), body).await? {
        Reply::Whole(answer) => Json(answer).into_response(),
        Reply::Stream(chunks) => {
            let body = Body::from_stream(chunks.map(Ok::<_, Infallible>));
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
    })
}

async fn health(State(state): State<AppState>) -> Response {
    if !state.service().engine().is_alive() {
        return ApiError::unavailable("the engine has stopped").into_response();
    }
    if state.service().stages().is_draining() {
        return ApiError::unavailable("the server is shutting down").into_response();
    }
    StatusCode::OK.into_response()
}

async fn version(State(state): State<AppState>) -> Json<serde_json::Value> {
    Json(json!({"version": env!("CARGO_PKG_VERSION"), "model": state.service().model()}))
}

async fn unknown_path(request: Request) -> ApiError {
    let message = format!("there is no {}; there are: {ROUTES}", request.uri().path());
    ApiError::new(404, "not_found", message)
}

async fn wrong_method(request: Request) -> ApiError {
    let message = format!("{} {} is not allowed; there are: {ROUTES}", request.method(), request.uri().path());
    ApiError::new(405, "method_not_allowed", message)
}

/// Gives each request an id, logs its answer, and makes a panic an answer. What becomes of a generation is logged
/// where it ends.
async fn observe(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let start = Instant::now();
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answer.unwrap_or_else(|_| {
        ApiError::internal("the server failed at this request; its log tells more").into_response()
    });
    let (status, time) = (response.status().as_u16(), start.elapsed().as_secs_f64() * 1e3);
    if response.status().is_success() {
        tracing::debug!("{id}: {method} {path} {status} after {time:.1} ms");
    } else {
        tracing::info!("{id}: {method} {path} {status} after {time:.1} ms");
    }
    id.insert(response.headers_mut());
    response
}
