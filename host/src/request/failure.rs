//! Why a request failed while it ran.

use jig_plugin_api::Error;

/// Why a request failed while it ran. The text is for its client, too.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The backend or a guide failed, or what the request asks for turned out to be impossible.
    #[error("{}", .0.message)]
    Run(Error),
    /// The time that the server gives running requests at its end is over.
    #[error("the server is shutting down")]
    Draining,
    /// The answers that wait in memory for their clients have become too large; this one was the largest.
    #[error(
        "the answers in memory have become too large for this server (--max-answer-memory), and this one of {0} bytes is the largest; \
         ask for fewer outputs, tokens or log-probabilities, or try again later"
    )]
    TooMuchMemory(usize),
    /// The client of a stream does not read it.
    #[error("the client reads its stream too slowly: {0} bytes wait for it")]
    NotRead(usize),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Run(error)
    }
}
