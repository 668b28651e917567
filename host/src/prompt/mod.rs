//! From messages and tools to the text of a prompt, by a model's chat template.
//!
//! | module | what it holds |
//! |---|---|
//! | `conversation` | what a template is given |
//! | `messages` | messages as clients send them, to messages as templates expect them |
//! | `chat_template` | the template of a model: variables, kinds, rendering |
//! | `files` | all places in which models keep templates and special tokens |
//! | `continuation` | a last message that is to be continued |
//! | `literal` | special tokens that someone wrote, apart from those of the template |
//! | `jinja` | the language: what transformers makes of Jinja, on `minijinja` |
//!
//! The texts are those of transformers' `apply_chat_template`, byte for byte; `tests/chat_templates.rs` compares them.

mod chat_template;
mod continuation;
mod conversation;
mod error;
mod files;
mod jinja;
mod literal;
mod messages;
#[cfg(test)]
mod tests;

pub use self::chat_template::{ChatTemplate, ChatTemplateOptions};
pub use self::conversation::Conversation;
pub use self::error::{PromptError, RenderError, TemplateError};
pub use self::jinja::Clock;
pub use self::messages::{ContentFormat, MessageError};
