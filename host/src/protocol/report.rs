//! What is known of a request when its answer ends, for the line that the log has of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What is known of a request. Whoever answers it writes, whoever logs it reads.
#[derive(Debug, Default)]
pub struct Report(Mutex<Facts>);

/// What is known of a request that generates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Tokens of its prompts.
    pub prompt_tokens: u64,
    /// Tokens of its outputs.
    pub output_tokens: u64,
    /// Its outputs.
    pub outputs: u32,
    /// How long it waited to be begun.
    pub queued: Option<Duration>,
    /// From its arrival at the engine to its first token.
    pub first_token: Option<Duration>,
    /// How it ended: `stop`, `length`, `error`, `abort`.
    pub finish: &'static str,
    /// Whether its outputs had to match something.
    pub is_guided: bool,
}

impl Report {
    /// What is known; `None` for a request that did not come to generate.
    #[must_use]
    pub fn facts(&self) -> Option<Facts> {
        let facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!facts.finish.is_empty()).then(|| facts.clone())
    }

    pub(super) fn set(&self, facts: Facts) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = facts;
    }
}

tokio::task_local! {
    static CURRENT: Arc<Report>;
}

/// Answers a request; what becomes known of it until its answer ends is written to `report`.
pub async fn reported<T>(report: Arc<Report>, answer: impl Future<Output = T>) -> T {
    CURRENT.scope(report, answer).await
}

/// The report of the request that is being answered, where somebody wants one.
pub(super) fn current() -> Option<Arc<Report>> {
    CURRENT.try_with(Clone::clone).ok()
}
