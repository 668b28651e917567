//! What an operator says of the way in: keys, sizes, prefixes, origins.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use super::access_log::AccessLog;
use super::hosts::Hosts;
use super::keys::Keys;
use super::watchdog::StallAction;

/// What an operator says of the way in.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// The largest body, in bytes.
    pub max_body_bytes: usize,
    /// The memory of all bodies that are being read or answered, in bytes.
    pub max_bodies_bytes: usize,
    /// The memory of all answers that are being sent, in bytes.
    pub max_answers_bytes: usize,
    /// The most connections.
    pub max_connections: usize,
    /// How long no step of the engine may end before the process counts as stuck; `None`: for ever.
    pub stall_timeout: Option<Duration>,
    /// What is done then.
    pub stall_action: StallAction,
    /// The keys of which a request must have one; without any, none is asked for.
    pub keys: Keys,
    /// For whom requests may be meant.
    pub hosts: Hosts,
    /// Which requests are logged.
    pub access_log: AccessLog,
    /// A path under which all routes are, too: `/x`, or empty.
    pub root_path: String,
    /// What pages of other origins may do.
    pub cors: CorsOptions,
}

/// What pages of other origins may do, by vLLM's flags. A list with `*` allows all.
#[derive(Clone, Debug)]
pub struct CorsOptions {
    /// `https://example.com`.
    pub origins: Vec<String>,
    /// `POST`.
    pub methods: Vec<String>,
    /// `content-type`.
    pub headers: Vec<String>,
    /// Whether cookies and keys of the browser may be sent.
    pub credentials: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        let all = || vec!["*".to_owned()];
        let cors = CorsOptions { origins: all(), methods: all(), headers: all(), credentials: false };
        Self {
            max_body_bytes: 32 << 20,
            max_bodies_bytes: 512 << 20,
            max_answers_bytes: 1 << 30,
            max_connections: 4096,
            stall_timeout: Some(Duration::from_secs(120)),
            stall_action: StallAction::default(),
            keys: Keys::default(),
            hosts: Hosts::Any,
            access_log: AccessLog::default(),
            root_path: String::new(),
            cors,
        }
    }
}

impl HttpOptions {
    /// # Errors
    /// A list with an entry that can't be what it should be, and a root path that is none.
    pub fn check(&self) -> Result<(), String> {
        drop(self.cors.layer()?);
        let path = &self.root_path;
        let is_plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.~".contains(c)) && !path.contains("//");
        if path.is_empty() || (path.starts_with('/') && !path.ends_with('/') && is_plain) {
            return Ok(());
        }
        Err(format!("--root-path must be a path such as /jig, without a slash at its end, not `{path}`"))
    }
}

impl CorsOptions {
    pub(super) fn layer(&self) -> Result<CorsLayer, String> {
        let is_all = |list: &[String]| list.iter().any(|entry| entry == "*");
        // With credentials a browser takes no `*`, so each request is answered with what it asked for.
        let origins = match (is_all(&self.origins), self.credentials) {
            (true, false) => AllowOrigin::any(),
            (true, true) => AllowOrigin::mirror_request(),
            _ => AllowOrigin::list(parsed::<HeaderValue>(&self.origins, "--allowed-origins")?),
        };
        let methods = match (is_all(&self.methods), self.credentials) {
            (true, false) => AllowMethods::any(),
            (true, true) => AllowMethods::mirror_request(),
            _ => AllowMethods::list(parsed::<Method>(&self.methods, "--allowed-methods")?),
        };
        let headers = match (is_all(&self.headers), self.credentials) {
            // `*` does not stand for `authorization`.
            (true, _) => AllowHeaders::mirror_request(),
            _ => AllowHeaders::list(parsed::<HeaderName>(&self.headers, "--allowed-headers")?),
        };
        let layer = CorsLayer::new().allow_origin(origins).allow_methods(methods).allow_headers(headers);
        let exposed = ["x-request-id", "x-jig-ignored", "x-jig-relaxed", "x-should-retry"].map(HeaderName::from_static);
        let exposed = exposed.into_iter().chain([header::RETRY_AFTER]).collect::<Vec<_>>();
        Ok(layer.allow_credentials(self.credentials).expose_headers(exposed))
    }
}

fn parsed<T: std::str::FromStr>(list: &[String], flag: &str) -> Result<Vec<T>, String> {
    let parse = |entry: &String| entry.parse().map_err(|_| format!("{flag}: `{entry}` can't be one"));
    list.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_or_a_path_that_can_not_be_is_an_error_that_names_the_flag() {
        let with = |origins: &[&str], methods: &[&str], root: &str| {
            let mut options = HttpOptions { root_path: root.to_owned(), ..HttpOptions::default() };
            options.cors.origins = origins.iter().map(ToString::to_string).collect();
            options.cors.methods = methods.iter().map(ToString::to_string).collect();
            options.check()
        };
        assert_eq!(with(&["https://a.example"], &["GET", "POST"], "/a/b-c"), Ok(()));
        assert!(with(&["a\nb"], &["*"], "").unwrap_err().contains("--allowed-origins"));
        assert!(with(&["*"], &["G T"], "").unwrap_err().contains("--allowed-methods"));
        for path in ["x", "/x/", "/", "/a//b", "/{x}"] {
            assert!(with(&["*"], &["*"], path).unwrap_err().contains("--root-path"), "{path}");
        }
    }
}
