//! What is noted of a generation while it runs, however it ends.

use std::sync::Arc;
use std::time::Instant;

use super::ApiError;
use super::report::{self, Facts, Report};
use crate::engine::Timing;
use crate::request::{Event, FinishReason, Request};

/// What is noted of a generation. When it is dropped, the report of its request has it, or else the log.
pub(in crate::protocol) struct Record {
    /// The request's name.
    pub(in crate::protocol) id: String,
    facts: Facts,
    timings: Vec<Timing>,
    report: Option<Arc<Report>>,
    start: Instant,
}

impl Record {
    /// Of a generation that begins now. Nothing but the end of its client ends it without another outcome.
    pub(in crate::protocol) fn new(id: String) -> Self {
        let facts = Facts { finish: "abort", ..Facts::default() };
        Self { id, facts, timings: Vec::new(), report: report::current(), start: Instant::now() }
    }

    /// Notes a request that the engine is about to take.
    pub(in crate::protocol) fn asks(&mut self, request: &Request) {
        self.facts.prompt_tokens += request.prompt.len() as u64;
        self.facts.outputs += request.params.n;
        self.facts.is_guided |= request.guide.is_some();
    }

    /// Notes when things happen to a request that the engine has taken.
    pub(in crate::protocol) fn watches(&mut self, timing: Timing) {
        self.timings.push(timing);
    }

    /// Notes an event.
    pub(in crate::protocol) fn note(&mut self, event: &Event) {
        if let Event::Finished { usage, reason, .. } = event {
            self.facts.output_tokens += u64::from(usage.output_tokens);
            let is_cut = *reason == FinishReason::Length || self.facts.finish == "length";
            self.facts.finish = if is_cut { "length" } else { "stop" };
        }
    }

    /// Notes that it is whole.
    pub(in crate::protocol) fn is_whole(&mut self) {
        if self.facts.finish == "abort" {
            self.facts.finish = "stop";
        }
        self.tell();
    }

    /// Notes that it failed. Only what is the server's own fault is an error of the log.
    pub(in crate::protocol) fn fail(&mut self, error: &ApiError, text: &str) {
        match error.status() {
            500 => tracing::error!("{}: {text}", self.id),
            _ => tracing::debug!("{}: {text}", self.id),
        }
        self.facts.finish = "error";
        self.tell();
    }

    /// Writes it to the report, once.
    fn tell(&mut self) {
        let mut facts = self.facts.clone();
        facts.queued = self.timings.iter().filter_map(Timing::queued).max();
        facts.first_token = self.timings.iter().filter_map(Timing::first_token).min();
        match self.report.take() {
            Some(report) => report.set(facts),
            None => tracing::debug!(
                "{}: {}, {} tokens in {:.3} s",
                self.id,
                facts.finish,
                facts.output_tokens,
                self.start.elapsed().as_secs_f64()
            ),
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.report.is_some() {
            // Some outputs may have ended before the client left.
            self.facts.finish = "abort";
            self.tell();
        }
    }
}
