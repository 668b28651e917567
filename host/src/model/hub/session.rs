//! One repository of the hub, and what a failure there means for the user.

use super::cache::Repository;
use super::client::{Client, Failure};
use super::settings::Settings;
use crate::model::error::ModelError;
use crate::model::source::RepositoryId;

/// The revision where none is named.
pub(super) const MAIN: &str = "main";

/// One repository of the hub.
pub(super) struct Hub<'a> {
    pub(super) settings: &'a Settings,
    pub(super) client: Client<'a>,
    pub(super) repository: Repository,
    pub(super) id: &'a RepositoryId,
}

impl Hub<'_> {
    /// What a failure means for the user.
    pub(super) fn explain(&self, failure: Failure, revision: &str) -> ModelError {
        let (id, endpoint) = (self.id.to_string(), self.settings.endpoint.clone());
        let token = self.settings.token.as_ref();
        match failure {
            Failure::NotFound if token.is_some() => {
                let hint = "; if it is private, the access token that is set does not open it";
                ModelError::NotFound { id, endpoint, hint }
            }
            Failure::NotFound => {
                let hint = "; if it is private, set HF_TOKEN to an access token that opens it";
                ModelError::NotFound { id, endpoint, hint }
            }
            Failure::Gated => {
                let hint = match token {
                    Some(token) => format!("as the user of the access token from {}", token.source),
                    None => "then set HF_TOKEN to an access token of that user".to_owned(),
                };
                ModelError::Gated { id, endpoint, hint }
            }
            Failure::BadToken => {
                let source_of_token = token.map_or_else(|| "nowhere".to_owned(), |token| token.source.clone());
                ModelError::BadToken { endpoint, source_of_token }
            }
            Failure::Forbidden(reason) => ModelError::Forbidden { id, endpoint, reason },
            Failure::RevisionNotFound => ModelError::RevisionNotFound { id, revision: revision.to_owned(), endpoint },
            Failure::Unreachable(reason) => {
                ModelError::Unreachable { id, endpoint, reason, cache: self.settings.cache.clone() }
            }
            Failure::Busy { status: 429, .. } => {
                let remedy = "too many requests: wait some minutes, or set HF_TOKEN for a higher limit";
                ModelError::Server { id, endpoint, status: 429, remedy }
            }
            Failure::Busy { status, .. } => {
                ModelError::Server { id, endpoint, status, remedy: "the hub is in trouble: try again later" }
            }
            Failure::Status(status) => {
                ModelError::Server { id, endpoint, status, remedy: "check HF_ENDPOINT and the proxy settings" }
            }
            Failure::Protocol { url, problem } => ModelError::Protocol { url, problem },
        }
    }

    /// What a failure to get a file that is in the listing means.
    pub(super) fn explain_file(&self, failure: Failure, file: &str) -> ModelError {
        match failure {
            Failure::NotFound => {
                let (endpoint, id) = (&self.settings.endpoint, self.id);
                let problem = format!("the hub lists {file}, but does not have it");
                ModelError::Protocol { url: format!("{endpoint}/{id}"), problem }
            }
            other => self.explain(other, MAIN),
        }
    }
}
