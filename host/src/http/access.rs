//! Who may ask: a key in the request's head, where the server has keys.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{AppState, HttpOptions};
use crate::protocol::ApiError;

/// What everybody may ask: the questions of orchestrators, routers and collectors.
const OPEN: &[&str] = &["/health", "/health/live", "/health/ready", "/health/startup", "/ping", "/version", "/metrics"];

/// Whether a path is one that everybody may ask, and that is answered however many others ask.
pub(super) fn is_open(path: &str, root: &str) -> bool {
    let path = path.strip_prefix(root).unwrap_or(path);
    OPEN.contains(&path.trim_end_matches('/'))
}

/// The name of the key that a request was sent with.
#[derive(Clone, Debug)]
pub(super) struct KeyId(pub(super) String);

/// The refusal of a request that was meant for another host.
fn not_for_us(options: &HttpOptions, request: &Request) -> Option<ApiError> {
    let header = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    // The target of a request to a proxy has a host, too, and it counts.
    let is_proxied = request.method() == Method::CONNECT;
    let target = request.uri().authority().filter(|_| !is_proxied).map(axum::http::uri::Authority::as_str);
    let is_allowed = options.hosts.allows(header) && options.hosts.allows(target);
    let message =
        "this request is meant for a host that this server does not know itself by; name it with --allowed-hosts";
    (!is_allowed).then(|| ApiError::new(403, "wrong_host", message))
}

/// Answers a request without a right key with 401.
pub(super) async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let options = state.options();
    if let Some(refused) = not_for_us(options, &request) {
        return refused.into_response();
    }
    let is_open = is_open(request.uri().path(), &options.root_path) || request.method() == Method::OPTIONS;
    if options.keys.is_open() || is_open {
        return next.run(request).await;
    }
    let given = key(request.headers());
    if let Some(name) = given.and_then(|key| options.keys.find(key)) {
        let mut response = next.run(request).await;
        response.extensions_mut().insert(KeyId(name));
        return response;
    }
    let message = match given {
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
