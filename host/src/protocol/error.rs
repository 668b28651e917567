//! An answer that is an error: its status and its body.

use jig_plugin_api::ErrorCode;
use serde_json::{Value, json};

use super::fields::Refusal;

/// An answer that is an error: `{"error": {"message", "type", "param", "code"}}` with the status that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    status: u16,
    param: Option<String>,
    code: &'static str,
    message: String,
}

impl ApiError {
    /// An error with this status and this code, for programs.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, param: None, code, message: message.into() }
    }

    /// The server's own fault; the message is for the client, too.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "internal_error", message)
    }

    /// For now there is no room.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "unavailable", message)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body of the answer, and the last chunk of a stream that fails.
    #[must_use]
    pub fn body(&self) -> Value {
        let kind = if (400..500).contains(&self.status) { "invalid_request_error" } else { "server_error" };
        json!({"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}})
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self { status: 400, param: refusal.param, code: refusal.code, message: refusal.message }
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
