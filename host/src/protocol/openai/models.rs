//! `GET /v1/models`: one card for each name of the model.

use serde_json::{Value, json};

use super::failure::no_such_model;
use super::settings::card;
use crate::protocol::{ApiError, Service};

/// All names.
#[must_use]
pub fn list(service: &Service) -> Value {
    let cards: Vec<Value> = service.settings().names.iter().map(|name| of(service, name)).collect();
    json!({"object": "list", "data": cards})
}

/// One name.
///
/// # Errors
/// A name that is none of the model's.
pub fn one(service: &Service, name: &str) -> Result<Value, ApiError> {
    let settings = service.settings();
    if name.is_empty() || !settings.has_name(name) {
        return Err(no_such_model(name, &settings.names));
    }
    Ok(of(service, name))
}

fn of(service: &Service, name: &str) -> Value {
    card(service.settings(), name, service.engine().info().max_model_len)
}
