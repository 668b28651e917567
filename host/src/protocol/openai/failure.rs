//! What goes wrong, as this API says it.

use crate::engine::SubmitError;
use crate::prepare::Unprepared;
use crate::protocol::fields::Refusal;
use crate::protocol::{ApiError, Service};
use crate::request::{Failure, Field, Invalid};

/// The field names that a client used, for refusals from the layers below, which do not know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// Where the prompt comes from.
    pub(super) prompt: &'static str,
    /// Where the constraint comes from.
    pub(super) constraint: String,
    /// Where the limit of the output comes from.
    pub(super) max_tokens: &'static str,
    /// The model's longest sequence in tokens.
    pub(super) max_model_len: u32,
}

impl Names {
    pub(super) fn new(prompt: &'static str, max_model_len: u32) -> Self {
        Self { prompt, constraint: "response_format".to_owned(), max_tokens: "max_tokens", max_model_len }
    }

    /// The names in a body that was read: its limit and its constraint may stand in several fields.
    pub(super) fn of(
        service: &Service,
        prompt: &'static str,
        max_tokens: &'static str,
        constraint: Option<&str>,
    ) -> Self {
        let names = Self { max_tokens, ..Self::new(prompt, service.engine().info().max_model_len) };
        match constraint {
            Some(constraint) => Self { constraint: constraint.to_owned(), ..names },
            None => names,
        }
    }

    /// A request that could not be prepared.
    pub(super) fn unprepared(&self, error: Unprepared) -> ApiError {
        match error {
            Unprepared::Invalid(invalid) => self.invalid(&invalid),
            Unprepared::Panicked => ApiError::internal(error.to_string()).with_code(None).lasting(),
            Unprepared::NoTurn(_) => ApiError::unavailable(error.to_string()).with_code(Some("overloaded")),
            Unprepared::Draining => ApiError::unavailable(error.to_string()).with_code(Some("draining")),
        }
    }

    /// A request that the engine did not take.
    pub(super) fn not_taken(&self, error: &SubmitError) -> ApiError {
        match error {
            SubmitError::Invalid(invalid) => self.invalid(invalid),
            SubmitError::Full { seconds, .. } => ApiError::new(429, "overloaded", error.to_string()).after(*seconds),
            SubmitError::AnswersInMemory => ApiError::unavailable(error.to_string()).with_code(Some("overloaded")),
            SubmitError::Draining => ApiError::unavailable(error.to_string()).with_code(Some("draining")),
            SubmitError::Stopped => ApiError::unavailable(error.to_string()).with_code(None).lasting(),
        }
    }

    fn invalid(&self, invalid: &Invalid) -> ApiError {
        let Some(field) = invalid.field else {
            return ApiError::new(400, "invalid_value", &invalid.problem);
        };
        let param = match field {
            Field::Prompt | Field::Room { .. } => self.prompt,
            Field::Constraint => &self.constraint,
            Field::BadWords => "bad_words",
            Field::N => "n",
            Field::MaxTokens => self.max_tokens,
            Field::AllowedTokenIds => "allowed_token_ids",
        };
        let message = match field {
            // Clients know this case by this sentence, which OpenAI and vLLM begin so.
            Field::Room { prompt_tokens, is_counted } => format!(
                "This model's maximum context length is {} tokens. However, your prompt contains {}{prompt_tokens} input tokens. \
                 Please reduce its length. (The prompt {})",
                self.max_model_len,
                if is_counted { "" } else { "at least " },
                invalid.problem.strip_prefix("it ").unwrap_or(&invalid.problem),
            ),
            _ => format!("`{param}`: {}", invalid.problem),
        };
        let code = match field {
            Field::Room { .. } => "context_length_exceeded",
            Field::Constraint => "invalid_json_schema",
            _ => "invalid_value",
        };
        // A constraint is told of by the field of the body that it is in; the message has the whole path.
        let param = if field == Field::Constraint { param.split('.').next().unwrap_or(param) } else { param };
        ApiError::new(400, code, message).with_param(param)
    }
}

/// A body that is wrong.
pub(super) fn refused(refusal: Refusal) -> ApiError {
    let code = match refusal.code {
        "missing_field" => "missing_required_parameter",
        "unknown_field" => "unknown_parameter",
        code => code,
    };
    ApiError::from(refusal).with_code(Some(code))
}

/// A request that failed while it ran.
pub(super) fn failed(failure: Failure) -> ApiError {
    let code = match &failure {
        Failure::Draining => Some("draining"),
        Failure::TooMuchMemory(_) => Some("overloaded"),
        Failure::Run(_) | Failure::NotRead(_) => None,
    };
    let error = ApiError::from(failure);
    if error.status() < 500 { error } else { error.with_code(code) }
}

/// Refuses a name that is none of the model's.
pub(super) fn check_model(service: &Service, model: Option<&str>) -> Result<(), ApiError> {
    let settings = service.settings();
    match model {
        Some(name) if !settings.has_name(name) => Err(no_such_model(name, &settings.names)),
        _ => Ok(()),
    }
}

/// A name that is none of the model's.
pub(super) fn no_such_model(name: &str, names: &[String]) -> ApiError {
    let listed = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let message = format!("the model `{name}` does not exist; this server has {listed}");
    ApiError::new(404, "model_not_found", message).with_param("model")
}
