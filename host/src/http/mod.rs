//! How bytes travel: connections, HTTPS, bodies, and which path leads to which endpoint of [`protocol`](crate::protocol).
//!
//! | module | what it holds |
//! |---|---|
//! | `server` | listening, from before the model is loaded to the end of the last answer |
//! | `connections` | how many there are, and which gives way |
//! | `timed` | a socket whose other side has to read |
//! | `tls` | HTTPS from PEM files |
//! | `routes` | which path does what |
//! | `openai` | the routes of the OpenAI-compatible API |
//! | `ready` | endpoints that need the model |
//! | `health` | what orchestrators and routers ask |
//! | `watchdog` | tells when the engine makes no progress |
//! | `access` | who may ask |
//! | `keys` | the keys of which a request must have one |
//! | `hosts` | for whom a request was meant |
//! | `access_log` | one line of the log for each request |
//! | `options` | what an operator says of the way in: keys, sizes, prefixes, origins |
//! | `body` | the body of a request, within a size and a time |
//! | `budget` | memory that all requests share |
//! | `guarded` | the body of an answer that holds something until it is sent |
//! | `request_id` | the name of a request, in the log and in its answer |
//! | `metrics` | `GET /metrics` |
//! | `error` | an error of a protocol as an HTTP answer |

mod access;
mod access_log;
mod body;
mod budget;
mod connections;
mod error;
mod guarded;
mod health;
mod hosts;
mod keys;
mod metrics;
mod openai;
mod options;
mod ready;
mod request_id;
mod routes;
mod server;
#[cfg(test)]
mod tests;
mod timed;
mod tls;
mod watchdog;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use self::budget::Budget;
use self::connections::Connections;
use self::metrics::RequestCounts;
use crate::measure::Startup;
use crate::protocol::Service;

pub use access_log::AccessLog;
pub use hosts::Hosts;
pub use keys::Keys;
pub use options::{CorsOptions, HttpOptions};
pub use server::{Server, ServerError, ServerOptions};
pub use watchdog::StallAction;

/// What all connections share.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

struct Shared {
    service: OnceLock<Service>,
    /// The name of the backend that the model is on.
    backend: OnceLock<String>,
    startup: Startup,
    is_leaving: AtomicBool,
    options: HttpOptions,
    bodies: Arc<Budget>,
    answers: Arc<Budget>,
    connections: Arc<Connections>,
    counts: RequestCounts,
}

impl AppState {
    /// Of a server whose model is being loaded.
    #[must_use]
    pub fn loading(startup: Startup, options: HttpOptions) -> Self {
        Self(Arc::new(Shared {
            service: OnceLock::new(),
            backend: OnceLock::new(),
            startup,
            is_leaving: AtomicBool::new(false),
            bodies: Arc::new(Budget::new(options.max_bodies_bytes)),
            answers: Arc::new(Budget::new(options.max_answers_bytes)),
            connections: Arc::new(Connections::new(options.max_connections)),
            counts: RequestCounts::default(),
            options,
        }))
    }

    /// Serves a model, on the backend of this name, from now on. The first one is the only one.
    pub fn serve(&self, service: Service, backend: &str) {
        let _ = self.0.backend.set(backend.to_owned());
        let _ = self.0.service.set(service);
        self.0.startup.end();
    }

    /// Whether the model is not loaded yet.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.service().is_none()
    }

    /// The model, where it is loaded.
    fn service(&self) -> Option<&Service> {
        self.0.service.get()
    }

    fn backend(&self) -> Option<&str> {
        self.0.backend.get().map(String::as_str)
    }

    fn startup(&self) -> &Startup {
        &self.0.startup
    }

    /// Is not ready from now on, and goes on to take requests.
    fn leave(&self) {
        self.0.is_leaving.store(true, Relaxed);
    }

    fn is_leaving(&self) -> bool {
        self.0.is_leaving.load(Relaxed)
    }

    fn options(&self) -> &HttpOptions {
        &self.0.options
    }

    fn bodies(&self) -> &Arc<Budget> {
        &self.0.bodies
    }

    fn answers(&self) -> &Arc<Budget> {
        &self.0.answers
    }

    fn connections(&self) -> &Arc<Connections> {
        &self.0.connections
    }

    fn counts(&self) -> &RequestCounts {
        &self.0.counts
    }
}
