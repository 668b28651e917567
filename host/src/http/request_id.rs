//! The name of a request: in the log, and in the header `x-request-id` of its answer.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ring::rand::{SecureRandom, SystemRandom};

/// The header that carries it, both ways.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The most bytes of a client's own name.
const LONGEST: usize = 128;

/// The name of a request in the log: the client's own if it sends a fit one.
#[derive(Clone, Debug)]
pub(super) struct RequestId(HeaderValue);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or("?"))
    }
}

impl RequestId {
    /// The client's own name for its request, the first that is fit, or a new one.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        headers.get_all(&REQUEST_ID).iter().find(|id| is_fit(id.as_bytes())).cloned().map_or_else(Self::own, Self)
    }

    /// Puts it into the head of an answer.
    pub(super) fn insert(self, headers: &mut HeaderMap) {
        headers.insert(REQUEST_ID, self.0);
    }

    /// A UUID of version 7 (RFC 9562): by its time, and random.
    fn own() -> Self {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
        let mut bytes = [0; 16];
        // Without random numbers, names of one millisecond are the same, which nothing but the log would notice.
        let _ = SystemRandom::new().fill(&mut bytes[6..]);
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        Self(HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("?")))
    }
}

/// Whether a name can stand in a line of the log without being taken for something else.
fn is_fit(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:-".contains(byte);
    (1..=LONGEST).contains(&id.len()) && id.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ids: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        ids.iter().for_each(|id| _ = headers.append(REQUEST_ID, HeaderValue::from_bytes(id.as_bytes()).unwrap()));
        RequestId::of(&headers).to_string()
    }

    #[test]
    fn a_fit_name_is_kept_and_any_other_is_replaced() {
        let longest = "x".repeat(LONGEST);
        for id in ["a", &longest, "0190-a.b:c"] {
            assert_eq!(of(&[id]), id);
        }
        let longer = "x".repeat(LONGEST + 1);
        for id in ["", "a b", "done, 3 tokens", "é", "a\tb", "a\"b", &longer] {
            let own = of(&[id]);
            assert!(own != id && own.len() == 36 && own.as_bytes()[14] == b'7', "{id}: {own}");
        }
        assert_eq!(of(&["a b", "second", "third"]), "second");
    }

    #[test]
    fn new_names_differ() {
        assert_ne!(of(&[]), of(&[]));
    }
}
