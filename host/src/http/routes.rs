//! Which path does what.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::FutureExt;
use serde_json::json;

use super::error::ApiError;
use super::{AppState, generate, metrics};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What `GET /` and an unknown path tell.
const ROUTES: &str = "POST /generate, GET /health, GET /version, GET /metrics";

pub(super) fn router(state: AppState) -> Router {
    Router::new()
        .route("/", get(about))
        .route("/generate", post(generate::generate))
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
    format!("Jig {version} serves {}.\nThere are: {ROUTES}\n", state.0.model)
}

async fn health(State(state): State<AppState>) -> Response {
    if !state.0.engine.is_alive() {
        return ApiError::unavailable("the engine has stopped").into_response();
    }
    if state.is_draining() {
        return ApiError::shutting_down().into_response();
    }
    StatusCode::OK.into_response()
}

async fn version(State(state): State<AppState>) -> Json<serde_json::Value> {
    Json(json!({"version": env!("CARGO_PKG_VERSION"), "model": state.0.model}))
}

async fn unknown_path(request: Request) -> ApiError {
    let message = format!("there is no {}; there are: {ROUTES}", request.uri().path());
    ApiError::new(StatusCode::NOT_FOUND, "not_found", message)
}

async fn wrong_method(request: Request) -> ApiError {
    let message = format!("{} {} is not allowed; there are: {ROUTES}", request.method(), request.uri().path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}

/// The name of a request in the log: the client's own where it brings one.
#[derive(Clone, Debug)]
pub(super) struct RequestId(HeaderValue);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or("?"))
    }
}

impl RequestId {
    /// Differs from those of this process and, by its start in milliseconds, of others.
    fn own() -> Self {
        static START: LazyLock<u128> =
            LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis()));
        static REQUESTS: AtomicU64 = AtomicU64::new(1);
        let id = format!("{:x}-{}", *START, REQUESTS.fetch_add(1, Ordering::Relaxed));
        Self(HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("?")))
    }
}

/// Gives each request an id, logs its answer, and makes a panic an answer. What becomes of a generation is logged
/// where it ends.
async fn observe(mut request: Request, next: Next) -> Response {
    let id = request.headers().get(&REQUEST_ID).cloned().map_or_else(RequestId::own, RequestId);
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
    response.headers_mut().insert(REQUEST_ID, id.0);
    response
}
