//! An answer that is an error: its status and its body.

use std::borrow::Cow;

use jig_plugin_api::ErrorCode;
use serde_json::{Value, json};

use super::fields::Refusal;
use crate::request::Failure;

/// The longest message that is sent, in characters: names and values of a client may be in it, and they may be megabytes.
const LONGEST: usize = 4096;
/// The longest name of a field.
const LONGEST_NAME: usize = 256;

/// An answer that is an error: `{"error": {"message", "type", "param", "code"}}` with the status that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    status: u16,
    param: Option<String>,
    code: Option<&'static str>,
    message: String,
    is_lasting: bool,
    retry_after: Option<u64>,
}

impl ApiError {
    /// An error with this status and this code, for programs.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, param: None, code: Some(code), message: message.into(), is_lasting: false, retry_after: None }
    }

    /// The server's own fault; the message is for the client, too.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "internal_error", message)
    }

    /// For now there is no room.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "unavailable", message)
    }

    /// The same error with another code; `None` is `null`.
    #[must_use]
    pub fn with_code(mut self, code: Option<&'static str>) -> Self {
        self.code = code;
        self
    }

    /// The same error, told of a field.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The same error, of which a client is to know after how many seconds to try again.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// After how many seconds to try again.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        self.retry_after.or((self.status == 503 && !self.is_lasting).then_some(1))
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same error, of which a client is to know that trying again mends nothing.
    #[must_use]
    pub fn lasting(mut self) -> Self {
        self.is_lasting = true;
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The field that it is told of.
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        self.param.as_deref()
    }

    /// Whether the client is to be told not to try again, though the status says otherwise.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        self.is_lasting
    }

    /// The body of the answer, and the last chunk of a stream that fails.
    #[must_use]
    pub fn body(&self) -> Value {
        let kind = match self.status {
            429 => "rate_limit_error",
            400..500 => "invalid_request_error",
            _ => "server_error",
        };
        let (message, param) =
            (shortened(&self.message, LONGEST), self.param.as_deref().map(|param| shortened(param, LONGEST_NAME)));
        json!({"error": {"message": message, "type": kind, "param": param, "code": self.code}})
    }
}

/// At most so many characters of a text.
fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]).into(),
        None => text.into(),
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let error = Self::new(400, refusal.code, refusal.message);
        Self { param: refusal.param, ..error }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Run(error) => error.into(),
            Failure::Draining | Failure::TooMuchMemory(_) => Self::unavailable(failure.to_string()),
            Failure::NotRead(_) => Self::new(408, "timeout", failure.to_string()),
        }
    }
}

impl From<jig_plugin_api::Error> for ApiError {
    fn from(error: jig_plugin_api::Error) -> Self {
        match error.code {
            // What the request asked for turned out to be impossible on the way.
            ErrorCode::InvalidArgument => Self::new(400, "impossible", error.message),
            _ => Self::internal(error.message),
        }
    }
}
