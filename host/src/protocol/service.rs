//! What the endpoints of all protocols share.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::EngineHandle;
use crate::prepare::{Preparation, Stages};
use crate::prompt::ChatTemplate;
use crate::protocol::openai::Settings;

/// A model that is ready to be asked, and the way to it.
#[derive(Clone)]
pub struct Service {
    model: String,
    engine: EngineHandle,
    stages: Stages,
    settings: Arc<Settings>,
    chat_template: Option<Arc<ChatTemplate>>,
}

impl Service {
    /// Serves a model of this name by its engine.
    #[must_use]
    pub fn new(model: String, engine: EngineHandle, preparation: Preparation, settings: Settings) -> Self {
        Self::with_stages(model, engine, Stages::new(preparation), settings)
    }

    pub(crate) fn with_stages(model: String, engine: EngineHandle, stages: Stages, settings: Settings) -> Self {
        Self { model, engine, stages, settings: Arc::new(settings), chat_template: None }
    }

    /// The same with a chat template.
    #[must_use]
    pub fn with_chat_template(mut self, template: Option<Arc<ChatTemplate>>) -> Self {
        self.chat_template = template;
        self
    }

    /// What makes a prompt of messages; `None` where the model has no template.
    #[must_use]
    pub fn chat_template(&self) -> Option<&Arc<ChatTemplate>> {
        self.chat_template.as_ref()
    }

    /// The model as the user named it.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What the operator says of the OpenAI-compatible API.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
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
