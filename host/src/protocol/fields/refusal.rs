//! A request that is wrong, and where.

/// A request that is wrong, and where. The text is fit for a client: it names the field and says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The field of the body; `None` where the body as a whole is wrong.
    pub param: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
    /// What kind of mistake it is, for programs.
    pub code: &'static str,
}

impl Refusal {
    /// The body is no JSON object.
    pub(in crate::protocol) fn body(message: impl Into<String>) -> Self {
        Self { param: None, message: message.into(), code: "invalid_json" }
    }

    /// A field has a value that it may not have. `rest` follows the field's name: "must be ...".
    pub(in crate::protocol) fn value(param: &str, rest: impl std::fmt::Display) -> Self {
        Self { param: Some(param.to_owned()), message: format!("`{param}` {rest}"), code: "invalid_value" }
    }

    /// A field that must be there is not.
    pub(in crate::protocol) fn missing(param: &str, remedy: &str) -> Self {
        Self {
            param: Some(param.to_owned()),
            message: format!("`{param}` is missing; {remedy}"),
            code: "missing_field",
        }
    }

    /// A field that no request has.
    pub(in crate::protocol) fn unknown(param: &str, remedy: &str) -> Self {
        // What is to be done must not be behind a megabyte of a name.
        let shown =
            param.char_indices().nth(100).map_or_else(|| param.to_owned(), |(end, _)| format!("{}...", &param[..end]));
        Self {
            param: Some(param.to_owned()),
            message: format!("unknown field `{shown}`; {remedy}"),
            code: "unknown_field",
        }
    }

    /// A field that vLLM has and Jig has not.
    pub(in crate::protocol) fn unsupported(param: &str, remedy: &str) -> Self {
        let message = format!("`{param}` is not supported yet; {remedy}");
        Self { param: Some(param.to_owned()), message, code: "unsupported" }
    }

    /// The same refusal, told of the top-level field in which it was found.
    pub(in crate::protocol) fn within(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }
}
