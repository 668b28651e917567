//! `POST /generate` and its neighbours.
//!
//! | module | what it holds |
//! |---|---|
//! | `server` | listening, connections, time limits, draining |
//! | `tls` | HTTPS from PEM files |
//! | `routes` | which path does what |
//! | `generate` | `POST /generate`: from the body to a running request |
//! | `answer` | a request's events to the text so far, whole or as a stream |
//! | `permits` | turns for the work that a request needs before it comes to the engine |
//! | `metrics` | `GET /metrics` |
//! | `error` | every error as JSON, with the status that fits |

mod answer;
mod error;
mod generate;
mod metrics;
mod permits;
mod routes;
mod server;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::Arc;

use tokio::sync::watch;

use self::permits::{Permits, TURN_TIME};
use crate::engine::EngineHandle;
use crate::prepare::Preparation;

pub use server::{Server, ServerError, ServerOptions};

/// What all requests share.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

struct Shared {
    model: String,
    engine: EngineHandle,
    preparation: Preparation,
    permits: Permits,
    draining: watch::Sender<bool>,
}

impl AppState {
    /// Serves a model by its engine.
    #[must_use]
    pub fn new(model: String, engine: EngineHandle, preparation: Preparation) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_permits(model, engine, preparation, Permits::new(cores, TURN_TIME))
    }

    fn with_permits(model: String, engine: EngineHandle, preparation: Preparation, permits: Permits) -> Self {
        Self(Arc::new(Shared { model, engine, preparation, permits, draining: watch::Sender::new(false) }))
    }

    /// Takes no further requests; those that are being prepared end.
    fn drain(&self) {
        self.0.draining.send_replace(true);
    }

    fn is_draining(&self) -> bool {
        *self.0.draining.borrow()
    }

    async fn until_draining(&self) {
        // The sender is a part of this state, so it is there.
        let _ = self.0.draining.subscribe().wait_for(|draining| *draining).await;
    }
}
