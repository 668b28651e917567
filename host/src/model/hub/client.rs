//! The hub's protocol over HTTP: listing, metadata, content.

use std::fmt;
use std::io::Read;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::{Response, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::cache::is_commit;
use super::settings::Settings;
use crate::model::error::ModelError;
use crate::model::source::RepositoryId;

/// The largest answer of the API that is read, in bytes.
const MAX_ANSWER_BYTES: u64 = 64 << 20;
/// The most redirects that are followed.
const MAX_REDIRECTS: u32 = 10;

/// Speaks to one hub.
pub(super) struct Client<'a> {
    settings: &'a Settings,
    agent: Agent,
}

/// A repository at one commit.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) commit: String,
    pub(super) files: Vec<String>,
}

/// What the hub says of a file before it is downloaded.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) url: String,
    /// The name of the blob. For large files the SHA-256 of the content, for small ones the hash that git has.
    pub(super) etag: String,
    pub(super) size: Option<u64>,
}

/// Content from a position on.
pub(super) struct Content {
    /// Where the hub begins; 0 if it doesn't know ranges.
    pub(super) start: u64,
    pub(super) body: Box<dyn Read + Send>,
}

/// Why the hub can't be had, or doesn't give what was asked for.
#[derive(Debug)]
pub(super) enum Failure {
    /// No answer: no name, no connection, no TLS, too late.
    Unreachable(String),
    /// 429 or 5xx, with the time after which to ask again.
    Busy {
        status: u16,
        retry_after: Option<Duration>,
    },
    NotFound,
    RevisionNotFound,
    Gated,
    BadToken,
    Forbidden(String),
    /// Another status that is no success.
    Status(u16),
    /// An answer that can't be understood.
    Protocol {
        url: String,
        problem: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => write!(f, "no answer: {reason}"),
            Self::Busy { status, .. } | Self::Status(status) => write!(f, "it answered with the status {status}"),
            Self::NotFound => f.write_str("not found"),
            Self::RevisionNotFound => f.write_str("it has no such revision"),
            Self::Gated => f.write_str("the model is gated"),
            Self::BadToken => f.write_str("it does not take the access token"),
            Self::Forbidden(reason) => write!(f, "forbidden: {reason}"),
            Self::Protocol { url, problem } => write!(f, "{url}: {problem}"),
        }
    }
}

impl Failure {
    /// Whether it may help to ask again.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Busy { .. })
    }

    /// How long the hub asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Head,
    Get,
}

impl<'a> Client<'a> {
    pub(super) fn new(settings: &'a Settings) -> Result<Self, ModelError> {
        let mut tls = TlsConfig::builder();
        if let Some(file) = &settings.certificates {
            let wrong = |problem: String| ModelError::Setting {
                variable: "SSL_CERT_FILE or REQUESTS_CA_BUNDLE".to_owned(),
                problem: format!("{}: {problem}; name a file with certificates in PEM form", file.display()),
            };
            let text = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
            let certificates: Vec<_> = parse_pem(&text)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            if certificates.is_empty() {
                return Err(wrong("no certificate is in it".to_owned()));
            }
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .user_agent(concat!("jig/", env!("CARGO_PKG_VERSION")))
            // Redirects are followed here, so that the token goes to the hub alone.
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_resolve(Some(settings.retry.connect_timeout))
            .timeout_connect(Some(settings.retry.connect_timeout))
            .timeout_recv_response(Some(settings.retry.read_timeout))
            .timeout_per_read(Some(settings.retry.read_timeout))
            .build();
        Ok(Self { settings, agent: agent.into() })
    }

    /// The files of a repository at a revision; asks once.
    pub(super) fn listing_once(&self, id: &RepositoryId, revision: &str) -> Result<Listing, Failure> {
        #[derive(Deserialize)]
        struct Model {
            sha: String,
            #[serde(default)]
            siblings: Vec<Sibling>,
        }
        #[derive(Deserialize)]
        struct Sibling {
            rfilename: String,
        }
        let url = format!("{}/api/models/{id}/revision/{}", self.settings.endpoint, escape(revision));
        let model: Model = self.json(&url)?;
        if !is_commit(&model.sha) {
            return Err(Failure::Protocol { url, problem: "the field `sha` is not a commit".to_owned() });
        }
        Ok(Listing { commit: model.sha, files: model.siblings.into_iter().map(|file| file.rfilename).collect() })
    }

    /// The same; asks again if that may help.
    pub(super) fn listing(&self, id: &RepositoryId, revision: &str) -> Result<Listing, Failure> {
        self.patiently(|| self.listing_once(id, revision))
    }

    /// The open pull request, if there is one, in which the hub's own bot proposes the weights as safetensors.
    pub(super) fn conversion(&self, id: &RepositoryId) -> Result<Option<String>, Failure> {
        #[derive(Deserialize)]
        struct Discussions {
            discussions: Vec<Discussion>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Discussion {
            num: u64,
            title: String,
            status: String,
            #[serde(default)]
            is_pull_request: bool,
            author: Option<Author>,
        }
        #[derive(Deserialize)]
        struct Author {
            name: Option<String>,
        }
        let url = format!("{}/api/models/{id}/discussions", self.settings.endpoint);
        let found: Discussions = match self.patiently(|| self.json(&url)) {
            // A repository whose discussions are switched off has no pull requests.
            Err(Failure::NotFound | Failure::Forbidden(_) | Failure::Status(_)) => return Ok(None),
            found => found?,
        };
        let by_the_bot =
            |author: &Option<Author>| author.as_ref().and_then(|author| author.name.as_deref()) == Some("SFconvertbot");
        let conversions = found.discussions.iter().filter(|discussion| {
            discussion.is_pull_request
                && discussion.status == "open"
                && discussion.title == "Adding `safetensors` variant of this model"
                && by_the_bot(&discussion.author)
        });
        Ok(conversions.map(|discussion| discussion.num).max().map(|number| format!("refs/pr/{number}")))
    }

    /// What there is to know of a file.
    pub(super) fn metadata(&self, id: &RepositoryId, commit: &str, file: &str) -> Result<Metadata, Failure> {
        let path = file.split('/').map(escape).collect::<Vec<_>>().join("/");
        let url = format!("{}/{id}/resolve/{commit}/{path}", self.settings.endpoint);
        let response = self.patiently(|| self.request(Method::Head, &url, 0))?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let etag = header("x-linked-etag")
            .or_else(|| header("etag"))
            .map(|etag| etag.trim_start_matches("W/").trim_matches('"'));
        let etag = etag.filter(|etag| is_etag(etag)).ok_or_else(|| Failure::Protocol {
            url: url.clone(),
            problem: "the answer has no ETag that can name a file".to_owned(),
        })?;
        let size =
            header("x-linked-size").or_else(|| header("content-length").filter(|_| response.status().is_success()));
        let (etag, size) = (etag.to_owned(), size.and_then(|size| size.parse().ok()));
        Ok(Metadata { url, etag, size })
    }

    /// The content of a file from a position on; asks once.
    pub(super) fn content(&self, url: &str, start: u64) -> Result<Content, Failure> {
        let response = self.request(Method::Get, url, start)?;
        let start = match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let range = response.headers().get("content-range").and_then(|value| value.to_str().ok());
                let begin = range.and_then(|range| range.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok());
                begin.filter(|begin| *begin <= start).ok_or_else(|| Failure::Protocol {
                    url: url.to_owned(),
                    problem: "the answer to a range has no Content-Range that fits".to_owned(),
                })?
            }
            _ => 0,
        };
        Ok(Content { start, body: Box::new(response.into_body().into_reader()) })
    }

    fn json<T: DeserializeOwned>(&self, url: &str) -> Result<T, Failure> {
        let mut response = self.request(Method::Get, url, 0)?;
        let text = response.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let text = text.map_err(|error| Failure::Unreachable(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| {
            let problem = format!("the answer is not the JSON that a hub sends: {error}");
            Failure::Protocol { url: url.to_owned(), problem }
        })
    }

    /// Asks again, with growing waits, as long as that may help.
    fn patiently<T>(&self, ask: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
        let retry = &self.settings.retry;
        let mut failures = 0;
        loop {
            match ask() {
                Err(failure) if failure.is_transient() && failures + 1 < retry.attempts => {
                    failures += 1;
                    let wait = retry.wait(failures, failure.retry_after());
                    let endpoint = &self.settings.endpoint;
                    tracing::warn!("{endpoint}: {failure}; asking again in {:.1} s", wait.as_secs_f64());
                    thread::sleep(wait);
                }
                answer => return answer,
            }
        }
    }

    /// Asks once, following redirects. A `HEAD` stops where the hub hands over to a store of large files: what there is
    /// to know is in the hub's own answer.
    fn request(&self, method: Method, url: &str, start: u64) -> Result<Response<Body>, Failure> {
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(method, &url, start)?;
            if !response.status().is_redirection() {
                return check(response);
            }
            if method == Method::Head && response.headers().contains_key("x-linked-etag") {
                return Ok(response);
            }
            let target = response.headers().get("location").and_then(|location| location.to_str().ok());
            let target = target.and_then(|target| resolve(&url, target)).ok_or_else(|| Failure::Protocol {
                url: url.clone(),
                problem: "a redirect has no Location that can be followed".to_owned(),
            })?;
            url = target;
        }
        Err(Failure::Protocol { url, problem: format!("more than {MAX_REDIRECTS} redirects") })
    }

    fn send(&self, method: Method, url: &str, start: u64) -> Result<Response<Body>, Failure> {
        let mut request = match method {
            Method::Head => self.agent.head(url),
            Method::Get => self.agent.get(url),
        };
        // Sizes and positions are those of the file itself, not of a compressed form.
        request = request.header("Accept-Encoding", "identity");
        if start > 0 {
            request = request.header("Range", format!("bytes={start}-"));
        }
        if let Some(token) = &self.settings.token
            && origin(url) == origin(&self.settings.endpoint)
        {
            request = request.header("Authorization", format!("Bearer {}", token.secret));
        }
        request.call().map_err(|error| match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::LargeResponseHeader(..) => {
                Failure::Protocol { url: url.to_owned(), problem: error.to_string() }
            }
            other => Failure::Unreachable(other.to_string()),
        })
    }
}

/// What a status means.
fn check(response: Response<Body>) -> Result<Response<Body>, Failure> {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let message = header("x-error-message").unwrap_or_default();
    let status = response.status().as_u16();
    Err(match (status, header("x-error-code").unwrap_or_default()) {
        (200..=299, _) => return Ok(response),
        (401 | 403, "GatedRepo") => Failure::Gated,
        (_, "RevisionNotFound") => Failure::RevisionNotFound,
        (401, _) if message.starts_with("Invalid") => Failure::BadToken,
        // The hub doesn't tell strangers whether a private model exists.
        (401 | 404, _) => Failure::NotFound,
        (403, _) if message.is_empty() => Failure::Forbidden("status 403".to_owned()),
        (403, _) => Failure::Forbidden(message.chars().filter(|c| !c.is_control()).take(200).collect()),
        (408 | 429 | 500 | 502..=504, _) => {
            let seconds = header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
            Failure::Busy { status, retry_after: seconds.map(Duration::from_secs) }
        }
        _ => Failure::Status(status),
    })
}

/// A hash or something like it, which can safely be the name of a file.
fn is_etag(etag: &str) -> bool {
    (1..=128).contains(&etag.len())
        && etag.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Scheme and authority of a URL.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    url.get(..scheme.len() + "://".len() + authority)
}

/// The target of a redirect: a URL, or a path on the same server.
fn resolve(url: &str, target: &str) -> Option<String> {
    if target.starts_with("https://") || target.starts_with("http://") {
        // What was asked for over TLS is not taken without it.
        return (url.starts_with("http://") || target.starts_with("https://")).then(|| target.to_owned());
    }
    (target.starts_with('/') && !target.starts_with("//")).then(|| Some(format!("{}{target}", origin(url)?)))?
}

/// Percent-encodes all but the unreserved characters of RFC 3986, `/` included.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_to_a_url_or_to_a_path_of_the_same_server() {
        assert_eq!(resolve("https://a/b/c", "/d").as_deref(), Some("https://a/d"));
        assert_eq!(resolve("http://a:1/b", "https://e/d").as_deref(), Some("https://e/d"));
        for (url, target) in
            [("https://a/b", "http://a/b"), ("https://a/b", "//e/d"), ("https://a/b", "d"), ("http://a", "file:///d")]
        {
            assert_eq!(resolve(url, target), None, "{target}");
        }
    }

    #[test]
    fn servers_differ_by_scheme_name_and_port() {
        assert_eq!(origin("https://a.b:1/c?d"), Some("https://a.b:1"));
        assert_eq!(origin("https://a.b"), Some("https://a.b"));
        assert_ne!(origin("https://a.b.evil/"), origin("https://a.b/"));
        assert_ne!(origin("https://a.b@evil/"), origin("https://a.b/"));
    }

    #[test]
    fn an_etag_that_is_no_file_name_is_refused() {
        assert!(is_etag(&"a".repeat(64)));
        for etag in ["", "..", "a/b", ".a", "a b", &"a".repeat(129)] {
            assert!(!is_etag(etag), "{etag}");
        }
    }

    #[test]
    fn a_revision_is_one_part_of_a_url() {
        assert_eq!(escape("refs/pr/1"), "refs%2Fpr%2F1");
        assert_eq!(escape("v1.0_a~-ä"), "v1.0_a~-%C3%A4");
    }
}
