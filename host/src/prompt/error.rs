//! What can go wrong with a template.

use std::path::PathBuf;

use super::MessageError;

/// Why a model's chat template can't be used at all.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// A file can't be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A value of the command line is not what it should be.
    #[error("{0}")]
    Flag(String),
    /// A template is no Jinja.
    #[error("the chat template of {place} can't be read: {problem}; give another with --chat-template")]
    Syntax {
        /// Where it is from.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Why a template gives no prompt for a conversation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The template refuses the conversation, in its own words.
    #[error("{0}")]
    Raised(String),
    /// The template asks for something that the conversation has not.
    #[error("the chat template fails on this conversation: {0}")]
    Failed(String),
    /// The work or its result is larger than a prompt can be.
    #[error("{0}")]
    TooLarge(String),
    /// The message to be continued can't be continued.
    #[error("the last message can't be continued: {0}")]
    NotContinued(String),
    /// A message holds the text of a special token where the template reads it.
    #[error(
        "a message holds the text of a special token, {token}, and the chat template does more with it than to print it; leave it out of \
         the message, or start the server with --allow-special-in-content"
    )]
    SpecialInContent {
        /// The token's text.
        token: String,
    },
}

/// Why there is no prompt for a conversation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// There is no template.
    #[error(
        "this model has no chat template, so it can't be asked with messages: start Jig with --chat-template FILE, or give a prompt as a text"
    )]
    NoTemplate,
    /// A message that no template can be given.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A variable that the conversation or the model sets.
    #[error("`{name}` is set by the server and can't be set for the chat template; leave it out")]
    Variable {
        /// The variable.
        name: String,
    },
    /// The template gives none.
    #[error(transparent)]
    Render(#[from] RenderError),
}
