//! `POST /invocations`: SageMaker's one path for all kinds of bodies.

use super::failure::{Names, refused};
use super::{Reply, chat, completions, responses};
use crate::protocol::fields::{self, Refusal};
use crate::protocol::{ApiError, Service};

/// Which endpoint a body is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Chat,
    Responses,
    Completions,
}

impl Kind {
    /// The kind of a body, by the field that its prompt comes from.
    fn of(body: &[u8]) -> Result<Self, Refusal> {
        const FIELDS: [(&str, Kind); 3] =
            [("messages", Kind::Chat), ("input", Kind::Responses), ("prompt", Kind::Completions)];
        let fields = fields::read(body)?;
        let has = |name: &str| fields.iter().any(|field| field.name == name && !field.is_null());
        let kind = FIELDS.iter().find(|(name, _)| has(name)).map(|(_, kind)| *kind);
        kind.ok_or_else(|| Refusal::missing("messages", "give `messages`, `input` or `prompt`"))
    }
}

/// Answers a body as the endpoint does that it is for.
///
/// # Errors
/// As that endpoint, and for a body that is for none.
pub async fn invocations(
    service: &Service,
    id: String,
    body: impl AsRef<[u8]> + Send + Sync + 'static,
) -> Result<Reply, ApiError> {
    let body = std::sync::Arc::new(body);
    let shared = body.clone();
    let names = Names::new("messages", service.engine().info().max_model_len);
    let kind = service.stages().read(move || Kind::of((*shared).as_ref())).await;
    let body = Shared(body);
    match kind.map_err(|error| names.unprepared(error))?.map_err(refused)? {
        Kind::Chat => chat::completions(service, id, body).await,
        Kind::Responses => responses::responses(service, id, body).await,
        Kind::Completions => completions::completions(service, id, body).await,
    }
}

/// A body that is read twice.
struct Shared<T>(std::sync::Arc<T>);

impl<T: AsRef<[u8]>> AsRef<[u8]> for Shared<T> {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_for_the_endpoint_of_its_prompt() {
        for (body, kind) in [
            (r#"{"messages": [], "prompt": null}"#, Ok(Kind::Chat)),
            (r#"{"input": "x"}"#, Ok(Kind::Responses)),
            (r#"{"prompt": "x", "messages": null}"#, Ok(Kind::Completions)),
            (r#"{"inputs": "x"}"#, Err("missing_field")),
            ("[]", Err("invalid_json")),
        ] {
            assert_eq!(Kind::of(body.as_bytes()).map_err(|refusal| refusal.code), kind, "{body}");
        }
    }
}
