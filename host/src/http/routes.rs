//! Which path does what.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use futures_util::{FutureExt, StreamExt};
use hyper::body::Body as _;
use serde_json::json;

use super::access_log::Line;
use super::guarded::Guarded;
use super::ready::Ready;
use super::request_id::RequestId;
use super::{AccessLog, AppState, access, access_log, body, health, metrics, openai};
use crate::protocol::fields::nearest;
use crate::protocol::outlines::{self, Reply};
use crate::protocol::report::{Report, reported};
use crate::protocol::{ApiError, Service};

/// What `GET /` and an unknown path tell.
const ROUTES: &str = "POST /v1/chat/completions, POST /v1/completions, POST /v1/responses, GET /v1/models, POST /tokenize, POST /detokenize, POST /generate, GET /health, GET /health/live, \
                      GET /health/ready, GET /health/startup, GET /version, GET /metrics";

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
    for (path, method) in [("/generate", post(generate)), ("/ping", get(health::ready).post(health::ready))] {
        router = both(router, path, method);
    }
    let router = router.merge(open());
    let router = router.fallback(unknown_path).method_not_allowed_fallback(wrong_method);
    let root = &state.options().root_path;
    let router = if root.is_empty() { router } else { router.clone().nest(root, router) };
    Ok(router
        .layer(middleware::from_fn_with_state(state.clone(), access::guard))
        .layer(state.options().cors.layer()?)
        .layer(middleware::from_fn_with_state(state.clone(), observe))
        .with_state(state))
}

/// The routes for orchestrators, routers and collectors, which may have a port of their own.
fn open() -> Router<AppState> {
    let mut router = Router::new();
    for (path, method) in [
        ("/health", get(health::ready)),
        ("/health/live", get(health::live)),
        ("/health/ready", get(health::ready)),
        ("/health/startup", get(health::startup)),
        ("/version", get(version)),
        ("/metrics", get(metrics::metrics)),
    ] {
        router = both(router, path, method);
    }
    router
}

/// The routes of the port for metrics.
pub(super) fn of_metrics_port(state: AppState) -> Router {
    let unknown = async || ApiError::new(404, "not_found", "this port has GET /metrics, /health and /version only");
    open().fallback(unknown).with_state(state)
}

/// A route with and without a slash at its end.
pub(super) fn both(router: Router<AppState>, path: &str, method: MethodRouter<AppState>) -> Router<AppState> {
    router.route(path, method.clone()).route(&format!("{path}/"), method)
}

async fn about(State(state): State<AppState>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let does = state.service().map_or("loads its model".to_owned(), |service| format!("serves {}", service.model()));
    format!("Jig {version} {does}.\nThere are: {ROUTES}\n")
}

/// The longest list of names in a header, in characters.
const LONGEST_NAMES: usize = 2048;

/// Names in the schema of a request that look like a misspelt keyword.
const UNKNOWN_KEYWORDS: HeaderName = HeaderName::from_static("x-unknown-keywords");

/// The body is read as JSON whatever its content type, since `curl -d` sends that of a form.
async fn generate(
    State(state): State<AppState>,
    Ready(service): Ready,
    Extension(id): Extension<RequestId>,
    body: Body,
) -> Result<Response, ApiError> {
    let (body, _share) = body::read(&state, body).await?;
    let generated = outlines::generate(&service, id.to_string(), body).await?;
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
            .take(LONGEST_NAMES)
            .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
            .collect();
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().insert(UNKNOWN_KEYWORDS, value);
        }
    }
    Ok(response)
}

async fn version(State(state): State<AppState>) -> Json<serde_json::Value> {
    let model = state.service().map(Service::model);
    Json(json!({"version": env!("CARGO_PKG_VERSION"), "model": model}))
}

async fn unknown_path(request: Request) -> ApiError {
    let path = request.uri().path();
    if request.method() == Method::CONNECT {
        return ApiError::new(405, "method_not_allowed", "CONNECT is for proxies, and this server is none");
    }
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

/// Answers of which the body is smaller are not counted: there are at most as many as there are connections.
const SMALL_ANSWER: u64 = 64 << 10;

/// Gives each request an id, logs and counts its answer, and makes a panic an answer.
async fn observe(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let is_open = access::is_open(request.uri().path(), &state.options().root_path);
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let report = Arc::new(Report::default());
    let mut line = {
        // An unknown path is logged as it came; a known one by its route, which has no names in it.
        let path = route.as_deref().unwrap_or(request.uri().path());
        let model = state.service().map(|service| service.settings().name().to_owned());
        Line::new(id.clone(), request.method(), path, request.headers(), report.clone(), model)
    };
    let answer = async {
        match encoded(request.headers()) {
            Some(error) => error.into_response(),
            None => next.run(request).await,
        }
    };
    let answer = AssertUnwindSafe(reported(report, answer)).catch_unwind().await;
    let response = answer.unwrap_or_else(|_| {
        ApiError::internal("the server failed at this request; its log tells more").lasting().into_response()
    });
    let mut response = held(&state, response);
    state.counts().add(route.unwrap_or_else(|| "other".to_owned()), response.status().as_u16());
    id.insert(response.headers_mut());
    let is_logged = match state.options().access_log {
        AccessLog::Off => false,
        AccessLog::Errors => !response.status().is_success(),
        AccessLog::All => true,
    };
    if !is_logged || is_open {
        line.forget();
        return response;
    }
    line.answered(&response);
    Guarded::answer(response, line)
}

/// The refusal of a body that is compressed.
fn encoded(headers: &HeaderMap) -> Option<ApiError> {
    let encoding = headers.get(header::CONTENT_ENCODING)?.to_str().unwrap_or("?");
    let message = format!(
        "the body is encoded as `{}`; send it as it is, without Content-Encoding",
        access_log::shortened(encoding)
    );
    (!encoding.trim().eq_ignore_ascii_case("identity")).then(|| ApiError::new(415, "unsupported_encoding", message))
}

/// An answer whose memory counts until it is sent.
fn held(state: &AppState, mut response: Response) -> Response {
    let Some(bytes) = response.body().size_hint().exact().filter(|bytes| *bytes > SMALL_ANSWER) else {
        return response;
    };
    let mut share = state.answers().share();
    if !share.take(bytes as usize) {
        let most = state.answers().most() >> 20;
        let message = format!(
            "the server is busy: the answers that are being sent take {most} MiB (--max-answer-memory); try again later"
        );
        return ApiError::unavailable(message).into_response();
    }
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    Guarded::answer(response, share)
}
