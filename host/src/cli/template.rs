//! From flags to the chat template of a model.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use crate::model::ResolvedModel;
use crate::prompt::{ChatTemplate, ChatTemplateOptions, Clock, ContentFormat};
use crate::tokenizer::Tokenizer;

/// The chat template, and what goes into it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Chat")]
pub(super) struct TemplateArgs {
    /// Chat template to use instead of the model's own: a file, the template itself, or the name of one of the model's templates
    #[arg(long, env = "JIG_CHAT_TEMPLATE", value_name = "FILE|TEXT|NAME")]
    chat_template: Option<String>,
    /// Variables of the chat template for all conversations, a JSON object such as '{"enable_thinking":false}'
    #[arg(long, env = "JIG_DEFAULT_CHAT_TEMPLATE_KWARGS", value_name = "JSON", value_parser = object)]
    default_chat_template_kwargs: Option<Map<String, Value>>,
    /// How the chat template gets the content of messages: as a text, as a list of parts (openai), or as it expects them (auto)
    #[arg(long, env = "JIG_CHAT_TEMPLATE_CONTENT_FORMAT", value_enum, default_value_t = Format::Auto)]
    chat_template_content_format: Format,
    /// The date and time that the chat template sees, as '2026-01-31 12:00:00' [default: the local time]
    #[arg(long, env = "JIG_TEMPLATE_TIME", value_name = "TIME", value_parser = Clock::fixed)]
    template_time: Option<Clock>,
    /// Let the text of a special token in a message be that token; without this it is plain text
    #[arg(long, env = "JIG_ALLOW_SPECIAL_IN_CONTENT")]
    allow_special_in_content: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Auto,
    String,
    Openai,
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}

impl TemplateArgs {
    /// The model's chat template, or the one that the flag names; `None` where there is none. A template of the model that can't be read is
    /// none, and the log says why: the model is of use without.
    pub(super) fn load(
        &self,
        model: &ResolvedModel,
        tokenizer: &Tokenizer,
    ) -> Result<Option<Arc<ChatTemplate>>, Box<dyn std::error::Error + Send + Sync>> {
        let options = ChatTemplateOptions {
            clock: self.template_time.unwrap_or_default(),
            variables: self.default_chat_template_kwargs.clone().unwrap_or_default(),
            special_in_content: self.allow_special_in_content,
            content_format: match self.chat_template_content_format {
                Format::Auto => ContentFormat::Auto,
                Format::String => ContentFormat::Text,
                Format::Openai => ContentFormat::Parts,
            },
        };
        let directories = [model.tokenizer_directory.as_path(), model.directory.as_path()];
        let special_tokens = tokenizer.special_tokens().map(ToOwned::to_owned);
        match ChatTemplate::find(&directories, self.chat_template.as_deref(), special_tokens, options) {
            Ok(Some(template)) => {
                tracing::info!("chat template: {}", template.source());
                Ok(Some(Arc::new(template)))
            }
            Ok(None) => {
                tracing::info!("chat template: none; --chat-template gives one");
                Ok(None)
            }
            Err(error) if self.chat_template.is_some() => Err(error.into()),
            Err(error) => {
                tracing::warn!("chat template: none: {error}");
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_a_json_object() {
        assert_eq!(object(r#"{"enable_thinking": false}"#).expect("an object").len(), 1);
        assert!(object("[]").is_err() && object("x").is_err());
    }
}
