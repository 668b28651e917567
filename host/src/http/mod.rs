//! `POST /generate` and its neighbours.
//!
//! | module | what it holds |
//! |---|---|
//! | `server` | listening, connections, time limits, draining |
//! | `tls` | HTTPS from PEM files |
//! | `routes` | which path does what |
//! | `generate` | `POST /generate`: from the body to a running request |
//! | `answer` | a request's events to the text so far, whole or as a stream |
//! | `metrics` | `GET /metrics` |
//! | `error` | every error as JSON, with the status that fits |

mod answer;
mod error;
mod generate;
mod metrics;
mod routes;
mod server;
mod tls;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jig_guides::Compiler;
use tokio::sync::Semaphore;

use crate::engine::EngineHandle;
use crate::prepare::Preparation;
use crate::tokenizer::Tokenizer;

pub use server::{Server, ServerError, ServerOptions};

/// What all requests share.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

struct Shared {
    model: String,
    engine: EngineHandle,
    preparation: Preparation,
    /// One permit for each request that may tokenize and compile at a time.
    preparing: Arc<Semaphore>,
    draining: AtomicBool,
}

impl AppState {
    /// Serves a model by its engine.
    #[must_use]
    pub fn new(model: String, engine: EngineHandle, tokenizer: Tokenizer, compiler: Arc<Compiler>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let preparation = Preparation::new(tokenizer, compiler, engine.info().max_model_len);
        let preparing = Arc::new(Semaphore::new(threads));
        Self(Arc::new(Shared { model, engine, preparation, preparing, draining: AtomicBool::new(false) }))
    }
}
