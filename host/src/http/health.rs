//! What orchestrators and routers ask: is it alive, is it ready, has it started.
//!
//! | path | 200 means |
//! |---|---|
//! | `/health/live` | the process can make progress: it loads, it is idle, or steps of the engine end |
//! | `/health/ready` (`/health`, `/ping`) | it takes requests: the model is loaded, and it is not asked to end |
//! | `/health/startup` | the model is loaded |
//!
//! Neither asks the model anything, and all are answered from numbers that the engine's thread writes in passing, so that they answer while
//! it is stuck. How many requests wait is no matter of readiness: what to do about that is the router's decision.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::AppState;
use crate::protocol::ApiError;

pub(super) async fn live(State(state): State<AppState>) -> Response {
    match unwell(&state) {
        Some(problem) => ApiError::unavailable(problem).into_response(),
        None => Json(json!({"status": "live"})).into_response(),
    }
}

pub(super) async fn ready(State(state): State<AppState>) -> Response {
    let Some(service) = state.service() else { return startup(State(state)).await };
    let is_ending = state.is_leaving() || service.stages().is_draining();
    let problem = unwell(&state).or_else(|| is_ending.then(|| "the server is shutting down".to_owned()));
    match problem {
        Some(problem) => ApiError::unavailable(problem).into_response(),
        None => Json(json!({"status": "ready"})).into_response(),
    }
}

pub(super) async fn startup(State(state): State<AppState>) -> Response {
    let Some(stage) = state.startup().stage().filter(|_| state.service().is_none()) else {
        return Json(json!({"status": "started"})).into_response();
    };
    let body = json!({
        "status": "loading",
        "stage": stage.name,
        "done_bytes": stage.done,
        "total_bytes": stage.total,
        "seconds": state.startup().age().as_secs(),
    });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// Why no progress can be made; `None` where it can.
fn unwell(state: &AppState) -> Option<String> {
    let engine = state.service()?.engine();
    if !engine.is_alive() {
        return Some("the engine has stopped".to_owned());
    }
    let limit = state.options().stall_timeout.unwrap_or(Duration::MAX);
    let age = engine.step_age();
    (age > limit).then(|| format!("no step has ended for {} s; the engine: {}", age.as_secs(), engine.place()))
}
