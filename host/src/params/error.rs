//! Why a request is refused.

/// A request that is wrong, and where. The text is fit for a client: it names the field and says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// The field of the body; `None` where the body as a whole is wrong.
    pub param: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
    /// What kind of mistake it is, for programs.
    pub code: &'static str,
}

impl Invalid {
    /// The body is no JSON object.
    pub(crate) fn body(message: impl Into<String>) -> Self {
        Self { param: None, message: message.into(), code: "invalid_json" }
    }

    /// A field has a value that it may not have. `rest` follows the field's name: "must be ...".
    pub(crate) fn value(param: &str, rest: impl std::fmt::Display) -> Self {
        Self { param: Some(param.to_owned()), message: format!("`{param}` {rest}"), code: "invalid_value" }
    }

    /// A field that must be there is not.
    pub(crate) fn missing(param: &str, remedy: &str) -> Self {
        Self {
            param: Some(param.to_owned()),
            message: format!("`{param}` is missing; {remedy}"),
            code: "missing_field",
        }
    }

    /// A field that no request has.
    pub(crate) fn unknown(param: &str, remedy: &str) -> Self {
        Self {
            param: Some(param.to_owned()),
            message: format!("unknown field `{param}`; {remedy}"),
            code: "unknown_field",
        }
    }

    /// A field that vLLM has and Jig has not.
    pub(crate) fn unsupported(param: &str, remedy: &str) -> Self {
        let message = format!("`{param}` is not supported yet; {remedy}");
        Self { param: Some(param.to_owned()), message, code: "unsupported" }
    }

    /// A source that can't be made a guide; `message` names the place in it.
    #[must_use]
    pub fn source(param: &str, message: impl std::fmt::Display) -> Self {
        Self { param: Some(param.to_owned()), message: format!("`{param}`: {message}"), code: "invalid_value" }
    }

    /// A text of the form `field: what is wrong`, where that field is one of the body's.
    #[must_use]
    pub fn named(message: String) -> Self {
        let param = message.split_once(": ").map(|(field, _)| field.to_owned());
        Self { param: param.filter(|field| super::names::is_known(field)), message, code: "invalid_value" }
    }
}
