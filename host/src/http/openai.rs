//! The routes of the OpenAI-compatible API.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use serde_json::json;

use super::ready::Ready;
use super::request_id::RequestId;
use super::routes::both;
use super::{AppState, body};
use crate::protocol::openai::{self, Reply, Whole};
use crate::protocol::{ApiError, Service};

/// The header that names the fields of a request that were ignored.
const IGNORED: HeaderName = HeaderName::from_static("x-jig-ignored");
/// The header that names the keywords of schemas of tools that were left out.
const RELAXED: HeaderName = HeaderName::from_static("x-jig-relaxed");

/// The longest list of names in a header, in characters.
const LONGEST_NAMES: usize = 2048;

/// The paths of this API, for people who took a wrong one.
pub(super) const PATHS: &[&str] = &[
    "/v1/chat/completions",
    "/v1/chat/completions/render",
    "/v1/responses",
    "/v1/completions",
    "/v1/completions/render",
    "/v1/models",
    "/v1/tokenize",
    "/v1/detokenize",
    "/tokenize",
    "/detokenize",
    "/invocations",
    "/load",
];

/// A description of all routes, for people and for programs that make clients.
const DESCRIPTION: &str = include_str!("openapi.json");

pub(super) fn router() -> Router<AppState> {
    let mut router = Router::new().route("/v1/models/{*name}", get(model));
    for (path, method) in [
        ("/v1/chat/completions", post(chat)),
        ("/v1/chat/completions/render", post(render_chat)),
        ("/v1/responses", post(responses)),
        ("/v1/completions", post(completions)),
        ("/v1/completions/render", post(render_completions)),
        ("/openapi.json", get(description)),
        ("/v1/models", get(models)),
        ("/v1/tokenize", post(tokenize)),
        ("/v1/detokenize", post(detokenize)),
        ("/invocations", post(invocations)),
        ("/load", get(load)),
        ("/tokenize", post(tokenize)),
        ("/detokenize", post(detokenize)),
    ] {
        router = both(router, path, method);
    }
    router
}

async fn chat(
    State(state): State<AppState>,
    Ready(service): Ready,
    Extension(id): Extension<RequestId>,
    body: Body,
) -> Result<Response, ApiError> {
    let (body, _share) = body::read(&state, body).await?;
    Ok(reply(&service, openai::chat::completions(&service, id.to_string(), body).await?))
}

async fn render_chat(State(state): State<AppState>, Ready(service): Ready, body: Body) -> Result<Response, ApiError> {
    let (body, _share) = body::read(&state, body).await?;
    Ok(whole(openai::chat::render(&service, body).await?))
}

async fn responses(
    State(state): State<AppState>,
    Ready(service): Ready,
    Extension(id): Extension<RequestId>,
    body: Body,
) -> Result<Response, ApiError> {
    let (body, _share) = body::read(&state, body).await?;
    Ok(reply(&service, openai::responses::responses(&service, id.to_string(), body).await?))
}

async fn completions(
    State(state): State<AppState>,
    Ready(service): Ready,
    Extension(id): Extension<RequestId>,
    body: Body,
) -> Result<Response, ApiError> {
    let (body, _share) = body::read(&state, body).await?;
    Ok(reply(&service, openai::completions::completions(&service, id.to_string(), body).await?))
}

async fn render_completions(
    State(state): State<AppState>,
    Ready(service): Ready,
    body: Body,
) -> Result<Response, ApiError> {
    let (body, _share) = body::read(&state, body).await?;
    Ok(whole(openai::completions::render(&service, body).await?))
}

async fn invocations(
    State(state): State<AppState>,
    Ready(service): Ready,
    Extension(id): Extension<RequestId>,
    body: Body,
) -> Result<Response, ApiError> {
    let (body, _share) = body::read(&state, body).await?;
    Ok(reply(&service, openai::invocations(&service, id.to_string(), body).await?))
}

/// The requests that run or wait, as balancers of vLLM ask for them.
async fn load(Ready(service): Ready) -> Json<serde_json::Value> {
    let stats = service.engine().stats();
    Json(json!({"server_load": stats.requests_running + stats.requests_waiting}))
}

async fn description() -> impl IntoResponse {
    let text = DESCRIPTION.replacen("VERSION", env!("CARGO_PKG_VERSION"), 1);
    ([(header::CONTENT_TYPE, "application/json")], text)
}

async fn models(Ready(service): Ready) -> Json<serde_json::Value> {
    Json(openai::models::list(&service))
}

async fn model(Ready(service): Ready, Path(name): Path<String>) -> Result<Json<serde_json::Value>, ApiError> {
    // A name may end in a slash as little as a path may.
    openai::models::one(&service, name.trim_end_matches('/')).map(Json)
}

async fn tokenize(
    State(state): State<AppState>,
    Ready(service): Ready,
    body: Body,
) -> Result<Json<serde_json::Value>, ApiError> {
    let (body, _share) = body::read(&state, body).await?;
    openai::tokens::tokenize(&service, body).await.map(Json)
}

async fn detokenize(
    State(state): State<AppState>,
    Ready(service): Ready,
    body: Body,
) -> Result<Json<serde_json::Value>, ApiError> {
    let (body, _share) = body::read(&state, body).await?;
    openai::tokens::detokenize(&service, body).await.map(Json)
}

fn reply(service: &Service, reply: Reply) -> Response {
    match reply {
        Reply::Whole(answer) => whole(answer),
        Reply::Stream { frames, ignored, relaxed } => {
            let frames = kept_alive(frames, service.settings().keep_alive);
            let headers = [
                (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
                (header::CACHE_CONTROL, "no-cache"),
                (HeaderName::from_static("x-accel-buffering"), "no"),
            ];
            named((headers, Body::from_stream(frames.map(Ok::<_, Infallible>))).into_response(), ignored, relaxed)
        }
    }
}

fn whole(Whole { body, ignored, relaxed }: Whole) -> Response {
    named(Json(body).into_response(), ignored, relaxed)
}

/// Names the fields that were ignored, and the keywords that were left out.
fn named(mut response: Response, ignored: Option<String>, relaxed: Option<String>) -> Response {
    for (header, names) in [(IGNORED, ignored), (RELAXED, relaxed)] {
        let names = names.map(|names| names.chars().take(LONGEST_NAMES).collect::<String>());
        if let Some(value) = names.and_then(|names| HeaderValue::try_from(names).ok()) {
            response.headers_mut().insert(header, value);
        }
    }
    response
}

/// A stream that is never silent for longer than `interval`: a comment, which clients skip, keeps proxies from closing it.
fn kept_alive(frames: BoxStream<'static, String>, interval: Option<Duration>) -> impl Stream<Item = String> {
    stream::unfold(frames, move |mut frames| async move {
        let next = match interval {
            Some(interval) => match tokio::time::timeout(interval, frames.next()).await {
                Ok(next) => next,
                Err(_) => Some(": keep-alive\n\n".to_owned()),
            },
            None => frames.next().await,
        };
        Some((next?, frames))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_of_the_routes_that_there_are() {
        let description: serde_json::Value = serde_json::from_str(DESCRIPTION).unwrap();
        let described = description["paths"].as_object().unwrap();
        let further = [
            "/v1/models/{name}",
            "/generate",
            "/health",
            "/health/live",
            "/health/ready",
            "/health/startup",
            "/version",
            "/metrics",
        ];
        for path in described.keys() {
            assert!(PATHS.contains(&path.as_str()) || further.contains(&path.as_str()), "{path}");
        }
        let aliases = ["/v1/tokenize", "/v1/detokenize"];
        for path in PATHS.iter().filter(|path| !aliases.contains(path)) {
            assert!(described.contains_key(*path), "{path}");
        }
    }

    #[tokio::test]
    async fn a_silent_stream_has_comments_and_loses_nothing() {
        let frames = stream::iter(["a", "b"]).then(async |frame| {
            tokio::time::sleep(Duration::from_millis(80)).await;
            frame.to_owned()
        });
        let all: Vec<String> = kept_alive(frames.boxed(), Some(Duration::from_millis(20))).collect().await;
        let comments = all.iter().filter(|frame| *frame == ": keep-alive\n\n").count();
        let others: Vec<&String> = all.iter().filter(|frame| !frame.starts_with(':')).collect();
        assert!(comments >= 2 && others == ["a", "b"], "{all:?}");
    }
}
