//! What is logged when a generation ends, however it ends.

use std::time::Instant;

use super::ApiError;

/// A line of the log, written when this is dropped.
pub(in crate::protocol) struct Record {
    /// The request's name.
    pub(in crate::protocol) id: String,
    /// The tokens of its outputs.
    pub(in crate::protocol) tokens: u32,
    /// How it ended.
    pub(in crate::protocol) outcome: &'static str,
    start: Instant,
}

impl Record {
    /// Of a generation that begins now. Nothing but the end of its client ends it without another outcome.
    pub(in crate::protocol) fn new(id: String) -> Self {
        Self { id, tokens: 0, outcome: "the client left", start: Instant::now() }
    }
}

impl Record {
    /// Notes that it failed. Only what is the server's own fault is an error of the log.
    pub(in crate::protocol) fn fail(&mut self, error: &ApiError, text: &str) {
        match error.status() {
            500 => tracing::error!("{}: {text}", self.id),
            _ => tracing::info!("{}: {text}", self.id),
        }
        self.outcome = "failed";
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let time = self.start.elapsed().as_secs_f64();
        tracing::info!("{}: {}, {} tokens in {time:.3} s", self.id, self.outcome, self.tokens);
    }
}
