//! What the endpoints of all protocols share.

use std::time::Duration;

use crate::engine::EngineHandle;
use crate::prepare::{Preparation, Stages};

/// A model that is ready to be asked, and the way to it.
#[derive(Clone)]
pub struct Service {
    model: String,
    engine: EngineHandle,
    stages: Stages,
}

impl Service {
    /// Serves a model of this name by its engine.
    #[must_use]
    pub fn new(model: String, engine: EngineHandle, preparation: Preparation) -> Self {
        Self::with_stages(model, engine, Stages::new(preparation))
    }

    pub(crate) fn with_stages(model: String, engine: EngineHandle, stages: Stages) -> Self {
        Self { model, engine, stages }
    }

    /// The model as the user named it.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Runs what is prepared.
    #[must_use]
    pub fn engine(&self) -> &EngineHandle {
        &self.engine
    }

    /// Prepares what is to run.
    #[must_use]
    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    /// Takes no further requests: what is being prepared ends, what runs has until `deadline`. Returns whether all that ran was done.
    pub async fn drain(&self, deadline: Duration) -> bool {
        self.stages.drain();
        self.engine.drain(deadline).await
    }
}
