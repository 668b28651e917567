//! `POST /generate`: from a body to an answer.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde_json::Value;

use super::answer::Answer;
use super::parse::{Names, parse};
use crate::engine::SubmitError;
use crate::prepare::Unprepared;
use crate::protocol::record::Record;
use crate::protocol::{ApiError, Service};

/// The answer to a request that was taken.
pub enum Reply {
    /// All of it.
    Whole(Value),
    /// Its chunks as they come. Dropping them cancels the request.
    Stream(BoxStream<'static, String>),
}

/// An answer, and what the client is told beside it.
pub struct Generated {
    /// The answer.
    pub reply: Reply,
    /// Names in the schema that look like a misspelt keyword: a sentence for each.
    pub unknown_keywords: Vec<String>,
}

/// Answers a body. `id` is the request's name in the log.
///
/// # Errors
/// What the client is told instead of an answer. A stream that fails on the way says so in its last chunk.
pub async fn generate(
    service: &Service,
    id: String,
    body: impl AsRef<[u8]> + Send + 'static,
) -> Result<Generated, ApiError> {
    let vocab_size = service.engine().info().vocab_size;
    let parsed = service.stages().read(move || parse(body.as_ref(), vocab_size)).await;
    let generate = parsed.map_err(|error| not_prepared(error, Names::default()))??;
    let (names, unknown_keywords) = (generate.names, generate.unknown_keywords);
    if !unknown_keywords.is_empty() {
        tracing::warn!(
            "{id}: the schema has unknown keywords, which constrain nothing: {}",
            unknown_keywords.join("; ")
        );
    }
    let prepared = service.stages().prepare(generate.request).await;
    let prepared = prepared.map_err(|error| not_prepared(error, names))?;
    let outputs = prepared.request.params.n as usize;
    let with_logprobs = prepared.request.params.sampling.logprobs.is_some();
    let mut record = Record::new(id);
    record.asks(&prepared.request);
    let events = service.engine().submit(prepared.request).map_err(|error| not_taken(error, names))?;
    record.watches(events.timing());
    let answer = Answer::new(record, events, prepared.prompt, outputs, with_logprobs);
    if generate.stream {
        return Ok(Generated { reply: Reply::Stream(answer.into_stream().boxed()), unknown_keywords });
    }
    Ok(Generated { reply: Reply::Whole(answer.whole().await?), unknown_keywords })
}

fn not_prepared(error: Unprepared, names: Names) -> ApiError {
    match error {
        Unprepared::Invalid(invalid) => names.of_preparation(&invalid).into(),
        Unprepared::Panicked => ApiError::internal(error.to_string()),
        Unprepared::NoTurn(_) | Unprepared::Draining => ApiError::unavailable(error.to_string()),
    }
}

fn not_taken(error: SubmitError, names: Names) -> ApiError {
    match error {
        SubmitError::Invalid(invalid) => names.of_engine(&invalid).into(),
        SubmitError::Full { seconds, .. } => ApiError::new(429, "overloaded", error.to_string()).after(seconds),
        SubmitError::AnswersInMemory | SubmitError::Draining | SubmitError::Stopped => {
            ApiError::unavailable(error.to_string())
        }
    }
}
