//! Who may ask: a key in the request's head, where the server has keys.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::AppState;
use crate::protocol::ApiError;

/// What everybody may ask: the questions of orchestrators, routers and collectors.
const OPEN: &[&str] = &["/health", "/health/live", "/health/ready", "/health/startup", "/ping", "/version", "/metrics"];

/// Whether a path is one that everybody may ask, and that is answered however many others ask.
pub(super) fn is_open(path: &str, root: &str) -> bool {
    let path = path.strip_prefix(root).unwrap_or(path);
    OPEN.contains(&path.trim_end_matches('/'))
}

/// Answers a request without a right key with 401.
pub(super) async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let options = state.options();
    let is_open = is_open(request.uri().path(), &options.root_path) || request.method() == Method::OPTIONS;
    if options.api_keys.is_empty() || is_open {
        return next.run(request).await;
    }
    let message = match key(request.headers()) {
        Some(key) if options.has_key(key) => return next.run(request).await,
        Some(_) => "the API key of this request is none of this server's",
        None => "this server wants an API key; send the header `Authorization: Bearer KEY`",
    };
    ApiError::new(401, "invalid_api_key", message).into_response()
}

/// The key of a request: as OpenAI's clients send it, as Anthropic's do, as Azure's do.
fn key(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(header::AUTHORIZATION).map(axum::http::HeaderValue::as_bytes).and_then(|value| {
        let (scheme, key) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
    });
    bearer.or_else(|| ["x-api-key", "api-key"].iter().find_map(|name| headers.get(*name)).map(|value| value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_each_header_that_clients_use() {
        for (name, value, expected) in [
            ("authorization", "Bearer k", Some("k")),
            ("authorization", "bearer  k ", Some("k")),
            ("authorization", "Basic k", None),
            ("authorization", "é", None),
            ("x-api-key", "k", Some("k")),
            ("api-key", "k", Some("k")),
            ("x-other", "k", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, axum::http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
            assert_eq!(key(&headers), expected.map(str::as_bytes), "{name}: {value}");
        }
    }
}
