//! A request's events to the text so far, whole or as a stream of chunks that each end in a NUL.

use futures_util::Stream;
use futures_util::stream;
use serde_json::{Map, Value, json};

use crate::engine::RequestStream;
use crate::protocol::ApiError;
use crate::protocol::record::Record;
use crate::request::{Delta, Event, TokenLogprob};

/// The answer to a running request. Dropping it cancels the request.
pub(super) struct Answer {
    events: RequestStream,
    /// Prompt and text so far, of each output.
    texts: Vec<String>,
    /// The log-probabilities so far, of each output, where they were asked for.
    logprobs: Option<Vec<Vec<Value>>>,
    /// Whether something changed since the last chunk, and whether the last event was seen.
    changed: bool,
    done: bool,
    record: Record,
}

impl Answer {
    pub(super) fn new(
        record: Record,
        events: RequestStream,
        prompt: String,
        outputs: usize,
        with_logprobs: bool,
    ) -> Self {
        let logprobs = with_logprobs.then(|| vec![Vec::new(); outputs]);
        // Even an empty answer has one chunk.
        Self { events, texts: vec![prompt; outputs], logprobs, changed: true, done: false, record }
    }

    /// Waits for all of it.
    pub(super) async fn whole(mut self) -> Result<Value, ApiError> {
        while let Some(event) = self.events.recv().await {
            self.take(event)?;
        }
        self.record.is_whole();
        Ok(self.body())
    }

    /// A chunk for each step that brought something: the answer so far and a NUL. A failure is the last chunk.
    pub(super) fn into_stream(self) -> impl Stream<Item = String> {
        stream::unfold(self, |mut answer| async move {
            let chunk = answer.next().await?;
            let body = chunk.unwrap_or_else(|error| {
                answer.done = true;
                error.body()
            });
            Some((format!("{body}\0"), answer))
        })
    }

    /// The next chunk of a stream.
    async fn next(&mut self) -> Option<Result<Value, ApiError>> {
        if self.done {
            return None;
        }
        // The text of the prompt alone is no news; at the end it is the whole answer.
        let begun = self.changed;
        self.changed = false;
        loop {
            let event = if self.changed {
                // Deltas that the same step brought to other outputs have arrived already: they go into the same chunk.
                tokio::select! {
                    biased;
                    event = self.events.recv() => event,
                    () = std::future::ready(()) => return Some(Ok(self.body())),
                }
            } else {
                self.events.recv().await
            };
            match event {
                Some(event) => {
                    if let Err(error) = self.take(event) {
                        return Some(Err(error));
                    }
                }
                None => {
                    self.done = true;
                    self.record.is_whole();
                    return (self.changed || begun).then(|| Ok(self.body()));
                }
            }
        }
    }

    fn take(&mut self, event: Event) -> Result<(), ApiError> {
        self.record.note(&event);
        match event {
            Event::Delta(Delta { index, text, logprobs, .. }) => {
                self.changed |= !text.is_empty() || !logprobs.is_empty();
                if let Some(own) = self.texts.get_mut(index as usize) {
                    own.push_str(&text);
                }
                if let Some(own) = self.logprobs.as_mut().and_then(|all| all.get_mut(index as usize)) {
                    own.extend(logprobs.iter().map(logprob));
                }
                Ok(())
            }
            // No request of this protocol asks for log-probabilities of its prompt.
            Event::Prompt(_) | Event::Finished { .. } => Ok(()),
            Event::Failed(failure) => {
                let text = failure.to_string();
                let error = ApiError::from(failure);
                self.record.fail(&error, &text);
                Err(error)
            }
        }
    }

    fn body(&self) -> Value {
        match &self.logprobs {
            None => json!({"text": self.texts}),
            Some(logprobs) => json!({"text": self.texts, "logprobs": logprobs}),
        }
    }
}

/// `{"token", "logprob", "top": {token: logprob}}`.
fn logprob(entry: &TokenLogprob) -> Value {
    let top: Map<String, Value> = entry.top.iter().map(|(token, value)| (token.to_string(), number(*value))).collect();
    json!({"token": entry.token, "logprob": number(entry.logprob), "top": top})
}

/// A number with the digits that an `f32` has; JSON has no infinity, so what has no probability is `null`.
fn number(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}
