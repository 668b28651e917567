//! How bytes travel: connections, HTTPS, bodies, and which path leads to which endpoint of [`protocol`](crate::protocol).
//!
//! | module | what it holds |
//! |---|---|
//! | `server` | listening, connections, time limits, draining |
//! | `tls` | HTTPS from PEM files |
//! | `routes` | which path does what |
//! | `body` | the body of a request, within a size and a time |
//! | `request_id` | the name of a request, in the log and in its answer |
//! | `metrics` | `GET /metrics` |
//! | `error` | an error of a protocol as an HTTP answer |

mod body;
mod error;
mod metrics;
mod request_id;
mod routes;
mod server;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::Arc;

use crate::engine::EngineHandle;
use crate::prepare::Preparation;
use crate::protocol::Service;

pub use server::{Server, ServerError, ServerOptions};

/// What all connections share.
#[derive(Clone)]
pub struct AppState(Arc<Service>);

impl AppState {
    /// Serves a model by its engine.
    #[must_use]
    pub fn new(model: String, engine: EngineHandle, preparation: Preparation) -> Self {
        Self(Arc::new(Service::new(model, engine, preparation)))
    }

    fn service(&self) -> &Service {
        &self.0
    }
}
