//! Endpoints that need the model: before it is loaded, they tell how far it is.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::AppState;
use crate::protocol::{ApiError, Service};

/// The model, where it is loaded.
pub(super) struct Ready(pub(super) Service);

impl FromRequestParts<AppState> for Ready {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        state.service().cloned().map(Self).ok_or_else(|| {
            let stage = state.startup().stage().unwrap_or_default();
            let done = match stage.total {
                0 => String::new(),
                total => format!(", {} of {total} bytes", stage.done),
            };
            let message = format!("the model is being loaded ({}{done}); try again later", stage.name);
            ApiError::unavailable(message).with_code(Some("loading"))
        })
    }
}
