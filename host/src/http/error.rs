//! Every error as JSON, with the status that fits.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jig_plugin_api::ErrorCode;
use serde_json::{Value, json};

use crate::engine::SubmitError;
use crate::params::Invalid;

/// An answer that is an error: `{"error": {"message", "type", "param", "code"}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    status: StatusCode,
    param: Option<String>,
    code: &'static str,
    message: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, param: None, code, message: message.into() }
    }

    /// The server's own fault; the message is for the client, too.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }

    /// For now there is no room.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// The server takes no further requests.
    pub(super) fn shutting_down() -> Self {
        Self::unavailable("the server is shutting down")
    }

    /// The body of the answer, and the last chunk of a stream that fails.
    pub(super) fn body(&self) -> Value {
        let kind = if self.status.is_client_error() { "invalid_request_error" } else { "server_error" };
        json!({"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}})
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        Self { status: StatusCode::BAD_REQUEST, param: invalid.param, code: invalid.code, message: invalid.message }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Invalid(message) => Invalid::named(message).into(),
            SubmitError::Full(_) | SubmitError::Draining | SubmitError::Stopped => Self::unavailable(error.to_string()),
        }
    }
}

impl From<jig_plugin_api::Error> for ApiError {
    fn from(error: jig_plugin_api::Error) -> Self {
        match error.code {
            // What the request asked for turned out to be impossible on the way.
            ErrorCode::InvalidArgument => Self::new(StatusCode::BAD_REQUEST, "impossible", error.message),
            _ => Self::internal(error.message),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body())).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
