//! How bytes travel: connections, HTTPS, bodies, and which path leads to which endpoint of [`protocol`](crate::protocol).
//!
//! | module | what it holds |
//! |---|---|
//! | `server` | listening, connections, time limits, draining |
//! | `tls` | HTTPS from PEM files |
//! | `routes` | which path does what |
//! | `openai` | the routes of the OpenAI-compatible API |
//! | `access` | who may ask |
//! | `options` | what an operator says of the way in: keys, sizes, prefixes, origins |
//! | `body` | the body of a request, within a size and a time |
//! | `request_id` | the name of a request, in the log and in its answer |
//! | `metrics` | `GET /metrics` |
//! | `error` | an error of a protocol as an HTTP answer |

mod access;
mod body;
mod error;
mod metrics;
mod openai;
mod options;
mod request_id;
mod routes;
mod server;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::Arc;

use crate::engine::EngineHandle;
use crate::prepare::Preparation;
use crate::prompt::ChatTemplate;
use crate::protocol::Service;
use crate::protocol::openai::Settings;

pub use options::{CorsOptions, HttpOptions};
pub use server::{Server, ServerError, ServerOptions};

/// What all connections share.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

struct Shared {
    service: Service,
    options: HttpOptions,
}

impl AppState {
    /// Serves a model by its engine.
    #[must_use]
    pub fn new(
        model: String,
        engine: EngineHandle,
        preparation: Preparation,
        chat_template: Option<Arc<ChatTemplate>>,
        settings: Settings,
        options: HttpOptions,
    ) -> Self {
        Self::of(Service::new(model, engine, preparation, settings).with_chat_template(chat_template), options)
    }

    fn of(service: Service, options: HttpOptions) -> Self {
        Self(Arc::new(Shared { service, options }))
    }

    fn service(&self) -> &Service {
        &self.0.service
    }

    fn options(&self) -> &HttpOptions {
        &self.0.options
    }
}
