//! Which path does what.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use futures_util::{FutureExt, StreamExt};
use serde_json::json;

use super::request_id::RequestId;
use super::{AppState, access, body, metrics, openai};
use crate::protocol::ApiError;
use crate::protocol::fields::nearest;
use crate::protocol::outlines::{self, Reply};

/// What `GET /` and an unknown path tell.
const ROUTES: &str = "POST /v1/chat/completions, POST /v1/completions, POST /v1/responses, GET /v1/models, POST /tokenize, POST /detokenize, POST /generate, GET /health, GET /version, \
                      GET /metrics";

/// Paths of other APIs, of which this server has none whatever its model.
const ELSEWHERE: &[&str] = &[
    "embeddings",
    "embed",
    "pooling",
    "score",
    "rerank",
    "classify",
    "audio",
    "images",
    "moderations",
    "files",
    "batches",
];

/// All routes, both at `/` and under the root path.
///
/// # Errors
/// See [`super::HttpOptions::check`].
pub(super) fn router(state: AppState) -> Result<Router, String> {
    state.options().check()?;
    let mut router = openai::router().route("/", get(about));
    for (path, method) in [
        ("/generate", post(generate)),
        ("/health", get(health)),
        ("/ping", get(health).post(health)),
        ("/version", get(version)),
        ("/metrics", get(metrics::metrics)),
    ] {
        router = both(router, path, method);
    }
    let router = router.fallback(unknown_path).method_not_allowed_fallback(wrong_method);
    let root = &state.options().root_path;
    let router = if root.is_empty() { router } else { router.clone().nest(root, router) };
    Ok(router
        .layer(middleware::from_fn_with_state(state.clone(), access::guard))
        .layer(state.options().cors.layer()?)
        .layer(middleware::from_fn(observe))
        .with_state(state))
}

/// A route with and without a slash at its end.
pub(super) fn both(router: Router<AppState>, path: &str, method: MethodRouter<AppState>) -> Router<AppState> {
    router.route(path, method.clone()).route(&format!("{path}/"), method)
}

async fn about(State(state): State<AppState>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("Jig {version} serves {}.\nThere are: {ROUTES}\n", state.service().model())
}

/// Names in the schema of a request that look like a misspelt keyword.
const UNKNOWN_KEYWORDS: HeaderName = HeaderName::from_static("x-unknown-keywords");

/// The body is read as JSON whatever its content type, since `curl -d` sends that of a form.
async fn generate(
    State(state): State<AppState>,
    Extension(id): Extension<RequestId>,
    body: Body,
) -> Result<Response, ApiError> {
    let body = body::read(body, state.options().max_body_bytes).await?;
    let generated = outlines::generate(state.service(), id.to_string(), body).await?;
    let mut response = match generated.reply {
        Reply::Whole(answer) => Json(answer).into_response(),
        Reply::Stream(chunks) => {
            let body = Body::from_stream(chunks.map(Ok::<_, Infallible>));
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
    };
    if !generated.unknown_keywords.is_empty() {
        // A header is ASCII.
        let text: String = generated
            .unknown_keywords
            .join("; ")
            .chars()
            .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
            .collect();
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().insert(UNKNOWN_KEYWORDS, value);
        }
    }
    Ok(response)
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
    let path = request.uri().path();
    let message = match (meant(path), ELSEWHERE.iter().find(|other| path.split('/').any(|part| part == **other))) {
        (Some(meant), _) => format!("there is no {path}; did you mean {meant}?"),
        (None, Some(_)) => {
            format!("there is no {path}: this server generates text, and nothing else; there are: {ROUTES}")
        }
        (None, None) => format!("there is no {path}; there are: {ROUTES}"),
    };
    ApiError::new(404, "not_found", message)
}

/// The path that was meant by one that does not exist: with `/v1` once, where it is missing or there twice, or nearly the same.
fn meant(path: &str) -> Option<&'static str> {
    let mut rest = path.trim_end_matches('/');
    while let Some(shorter) = rest.strip_prefix("/v1").filter(|shorter| shorter.starts_with('/')) {
        rest = shorter;
    }
    let versioned = format!("/v1{rest}");
    let known = |path: &str| openai::PATHS.iter().copied().find(|known| *known == path);
    known(&versioned).or_else(|| known(rest)).or_else(|| nearest(&versioned, openai::PATHS.iter().copied()))
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
        ApiError::internal("the server failed at this request; its log tells more").lasting().into_response()
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
