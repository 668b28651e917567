//! The name of a request: in the log, and in the header `x-request-id` of its answer.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries it, both ways.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The name of a request in the log: the client's own if it sends one.
#[derive(Clone, Debug)]
pub(super) struct RequestId(HeaderValue);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or("?"))
    }
}

impl RequestId {
    /// The client's own name for its request, or a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        headers.get(&REQUEST_ID).cloned().map_or_else(Self::own, Self)
    }

    /// Puts it into the head of an answer.
    pub(super) fn insert(self, headers: &mut HeaderMap) {
        headers.insert(REQUEST_ID, self.0);
    }

    /// Differs from those of this process and, by its start in milliseconds, of others.
    fn own() -> Self {
        static START: LazyLock<u128> =
            LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis()));
        static REQUESTS: AtomicU64 = AtomicU64::new(1);
        let id = format!("{:x}-{}", *START, REQUESTS.fetch_add(1, Ordering::Relaxed));
        Self(HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("?")))
    }
}
