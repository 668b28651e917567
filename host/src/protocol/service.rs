//! What the endpoints of all protocols share.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::EngineHandle;
use crate::output::{Calls, Forms, SpecialTokens, Traits};
use crate::prepare::{Preparation, Stages};
use crate::prompt::ChatTemplate;
use crate::protocol::FieldCounts;
use crate::protocol::openai::Settings;

/// A model that is ready to be asked, and the way to it.
#[derive(Clone)]
pub struct Service {
    model: String,
    engine: EngineHandle,
    stages: Stages,
    settings: Arc<Settings>,
    chat_template: Option<Arc<ChatTemplate>>,
    forms: Forms,
    special_tokens: Arc<SpecialTokens>,
    ignored_fields: Arc<FieldCounts>,
}

impl Service {
    /// Serves a model of this name by its engine.
    #[must_use]
    pub fn new(model: String, engine: EngineHandle, preparation: Preparation, settings: Settings) -> Self {
        Self::with_stages(model, engine, Stages::new(preparation), settings)
    }

    pub(crate) fn with_stages(model: String, engine: EngineHandle, stages: Stages, settings: Settings) -> Self {
        let tokenizer = stages.tokenizer();
        let id = |name: &str| Some((name.to_owned(), tokenizer.token_id(name)?));
        let special_tokens = Arc::new(SpecialTokens::new(tokenizer.special_tokens().filter_map(id).collect()));
        let (chat_template, forms) = (None, Forms::plain());
        Self {
            model,
            engine,
            stages,
            settings: Arc::new(settings),
            chat_template,
            forms,
            special_tokens,
            ignored_fields: Arc::default(),
        }
    }

    /// The same with a chat template.
    #[must_use]
    pub fn with_chat_template(mut self, template: Option<Arc<ChatTemplate>>) -> Self {
        if let Some(template) = &template {
            let tokenizer = self.stages.tokenizer();
            let has_token = |name: &str| tokenizer.token_id(name).is_some();
            self.forms = forms(template, &self.settings, &self.special_tokens, &has_token);
        }
        self.chat_template = template;
        self
    }

    /// How the model writes calls and thoughts.
    #[must_use]
    pub fn forms(&self) -> Forms {
        self.forms
    }

    /// The tokens that no text spells.
    #[must_use]
    pub fn special_tokens(&self) -> &SpecialTokens {
        &self.special_tokens
    }

    /// How often fields of requests were ignored, by name.
    #[must_use]
    pub fn ignored_fields(&self) -> &FieldCounts {
        &self.ignored_fields
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

/// The forms that a template shows, or that the operator named.
fn forms(
    template: &ChatTemplate,
    settings: &Settings,
    special: &SpecialTokens,
    has_token: &dyn Fn(&str) -> bool,
) -> Forms {
    let traits = Traits { mentions: &|text| template.mentions(text), reads_tools: template.reads("tools"), has_token };
    let forms = Forms::of(traits, &settings.tool_call_parser, &settings.reasoning_parser);
    let mut forms = forms.unwrap_or_else(|problem| {
        tracing::warn!("{problem}");
        Forms::plain()
    });
    forms.describe_unless(|family| special.can_write(family));
    let name = |calls: Calls| match calls {
        Calls::Never => "never".to_owned(),
        Calls::Native(family) => family.name.to_owned(),
        Calls::Described(family) => format!("{}, described in the system message", family.name),
    };
    let thinking = forms.thinking.map_or("none", |thinking| thinking.name);
    tracing::info!("tool calls: {}; reasoning: {thinking}", name(forms.calls));
    forms
}
