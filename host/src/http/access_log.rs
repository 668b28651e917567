//! One line of the log for each request, when its answer ends: what an operator counts and searches.
//!
//! It never has prompts, outputs or keys. Probes and collectors are not logged: they ask every second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Method};
use axum::response::Response;

use super::access::KeyId;
use super::error::Refused;
use super::guarded::Guard;
use super::request_id::RequestId;
use crate::protocol::report::Report;

/// Which requests are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLog {
    /// None.
    Off,
    /// Those that were answered with an error.
    Errors,
    /// All.
    #[default]
    All,
}

/// The longest text of a client in a line, in characters.
const LONGEST: usize = 200;

/// A line that is written when the answer ends, or its client has left.
pub(super) struct Line {
    id: RequestId,
    method: String,
    route: String,
    /// The ids of the trace and of the span that the request is a part of.
    trace: Option<(String, String)>,
    report: Arc<Report>,
    model: Option<String>,
    start: Instant,
    answer: Option<Answer>,
    is_sent: bool,
    is_wanted: bool,
}

/// What the head of an answer says.
struct Answer {
    status: u16,
    key: Option<String>,
    error: Option<String>,
    is_stream: bool,
}

impl Line {
    /// Of a request that was read just now.
    pub(super) fn new(
        id: RequestId,
        method: &Method,
        route: &str,
        headers: &HeaderMap,
        report: Arc<Report>,
        model: Option<String>,
    ) -> Self {
        let (method, route, trace) = (shortened(method.as_str()), shortened(route), trace(headers));
        Self {
            id,
            method,
            route,
            trace,
            report,
            model,
            start: Instant::now(),
            answer: None,
            is_sent: false,
            is_wanted: true,
        }
    }

    /// It is not to be logged, if its answer comes.
    pub(super) fn forget(mut self) {
        self.is_wanted = false;
    }

    /// Notes the head of its answer.
    pub(super) fn answered(&mut self, response: &Response) {
        let is_stream = hyper::body::Body::size_hint(response.body()).exact().is_none();
        self.answer = Some(Answer {
            status: response.status().as_u16(),
            key: response.extensions().get::<KeyId>().map(|key| key.0.clone()),
            error: response.extensions().get::<Refused>().map(|refused| shortened(&refused.0)),
            is_stream,
        });
    }
}

impl Guard for Line {
    fn is_sent(&mut self) {
        self.is_sent = true;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.is_wanted {
            return;
        }
        let answer = self.answer.as_ref();
        let facts = self.report.facts();
        let facts = facts.as_ref();
        let milliseconds = |time: Duration| (time.as_secs_f64() * 1e5).round() / 1e2;
        tracing::info!(
            request_id = %self.id,
            trace_id = self.trace.as_ref().map(|(trace, _)| trace.as_str()),
            span_id = self.trace.as_ref().map(|(_, span)| span.as_str()),
            method = self.method,
            route = self.route,
            status = answer.map(|answer| u64::from(answer.status)),
            model = facts.and(self.model.as_deref()),
            key = answer.and_then(|answer| answer.key.as_deref()),
            prompt_tokens = facts.map(|facts| facts.prompt_tokens),
            output_tokens = facts.map(|facts| facts.output_tokens),
            outputs = facts.map(|facts| u64::from(facts.outputs)),
            queue_ms = facts.and_then(|facts| facts.queued).map(milliseconds),
            ttft_ms = facts.and_then(|facts| facts.first_token).map(milliseconds),
            total_ms = milliseconds(self.start.elapsed()),
            finish = facts.map(|facts| facts.finish),
            guided = facts.map(|facts| facts.is_guided),
            stream = answer.is_some_and(|answer| answer.is_stream),
            client_gone = !self.is_sent,
            error = answer.and_then(|answer| answer.error.as_deref()),
            "request"
        );
    }
}

/// The trace and the span of a `traceparent` (W3C Trace Context), where it is one.
fn trace(headers: &HeaderMap) -> Option<(String, String)> {
    let parent = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = parent.split('-');
    let mut hex = |length: usize| {
        let is_hex = |part: &&str| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        parts.next().filter(is_hex)
    };
    let (_, trace, span) = (hex(2)?, hex(32)?, hex(16)?);
    Some((trace.to_owned(), span.to_owned()))
}

/// A text of a client, as long as it may be in a line.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_known_and_anything_else_is_none() {
        let trace_of =
            |value: &str| trace(&HeaderMap::from_iter([("traceparent".parse().unwrap(), value.parse().unwrap())]));
        let (id, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        assert_eq!(trace_of(&format!("00-{id}-{span}-01")), Some((id.to_owned(), span.to_owned())));
        for value in
            ["", "00", &format!("00-{id}"), &format!("00-{id}-x7ad6b7169203331-01"), &format!("0-{id}-{span}-01")]
        {
            assert_eq!(trace_of(value), None, "{value}");
        }
    }
}
