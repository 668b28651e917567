//! The requests that answer one body, while they run, and their events as a stream of frames.

use std::time::Duration;

use futures_util::stream::{self, BoxStream, SelectAll};
use futures_util::{FutureExt, StreamExt};

use super::failure::failed;
use super::head::{DONE, frame};
use crate::engine::{AnswerMemory, RequestStream, SubmitError};
use crate::protocol::record::Record;
use crate::protocol::{ApiError, Service};
use crate::request::{Event, Failure, Request};

/// Requests that run, one for each prompt of a body. Dropping it cancels all of them.
pub(super) struct Running {
    streams: SelectAll<BoxStream<'static, (usize, Event)>>,
    /// An event that was waited for and not taken yet.
    next: Option<(usize, Event)>,
    memory: Vec<AnswerMemory>,
    record: Record,
    service: Service,
}

impl Running {
    /// Gives the requests to the engine: all of them or none. `id` is their name in the log.
    ///
    /// # Errors
    /// Why one of them was not taken.
    pub(super) fn submit(service: &Service, id: String, requests: Vec<Request>) -> Result<Self, SubmitError> {
        let (mut streams, mut memory) = (SelectAll::new(), Vec::new());
        let mut record = Record::new(id);
        for (prompt, request) in requests.into_iter().enumerate() {
            record.asks(&request);
            let events = service.engine().submit(request)?;
            record.watches(events.timing());
            memory.push(events.memory());
            let next = async |mut events: RequestStream| Some((events.recv().await?, events));
            streams.push(stream::unfold(events, next).map(move |event| (prompt, event)).boxed());
        }
        Ok(Self { streams, next: None, memory, record, service: service.clone() })
    }

    /// Waits for the first event, for at most `patience`.
    ///
    /// # Errors
    /// Where it says that the request failed: nothing was answered yet, so this can still be the answer.
    pub(super) async fn begin(&mut self, patience: Option<Duration>) -> Result<(), ApiError> {
        let next = self.streams.next();
        self.next = match patience {
            Some(patience) => match tokio::time::timeout(patience, next).await {
                Ok(event) => event,
                Err(_) => return Ok(()),
            },
            None => next.await,
        };
        match self.next.take() {
            Some((_, Event::Failed(error))) => Err(self.fail(error)),
            event => {
                self.next = event;
                Ok(())
            }
        }
    }

    /// The next event with the place of its prompt; `None` after the last one.
    ///
    /// # Errors
    /// That the request failed. Nothing more is to be asked for.
    pub(super) async fn next(&mut self) -> Option<Result<(usize, Event), ApiError>> {
        let event = match self.next.take() {
            Some(event) => Some(event),
            None => self.streams.next().await,
        };
        match event {
            Some((_, Event::Failed(error))) => Some(Err(self.fail(error))),
            Some((prompt, event)) => {
                self.record.note(&event);
                Some(Ok((prompt, event)))
            }
            None => {
                self.record.is_whole();
                None
            }
        }
    }

    fn fail(&mut self, failure: Failure) -> ApiError {
        let text = failure.to_string();
        let error = failed(failure);
        self.record.fail(&error, &text);
        if self.service.stages().is_draining() { error.with_code(Some("draining")) } else { error }
    }
}

/// An answer that can come as a stream of frames.
pub(super) trait Framed: Send + 'static {
    /// The requests that it answers.
    fn running(&mut self) -> &mut Running;

    /// What comes before all events.
    fn first(&mut self) -> String {
        String::new()
    }

    /// What an event brings.
    fn frames(&mut self, prompt: usize, event: Event) -> String;

    /// What follows the last event.
    fn last(&mut self) -> String;

    /// What follows where a request failed.
    fn failed(&mut self, error: &ApiError) -> String {
        frame(&error.body()) + DONE
    }
}

/// The frames of an answer. The first event is waited for, for at most `patience`.
///
/// # Errors
/// Where the first event says that the request failed.
pub(super) async fn frames(
    mut answer: impl Framed,
    patience: Option<Duration>,
) -> Result<BoxStream<'static, String>, ApiError> {
    answer.running().begin(patience).await?;
    answer.running().memory.iter().for_each(AnswerMemory::pass_on);
    let first = Some(answer.first()).filter(|first| !first.is_empty());
    let rest = stream::unfold(Some(answer), async |answer| {
        let mut answer = answer?;
        let (frames, goes_on) = next_frames(&mut answer).await;
        Some((frames, goes_on.then_some(answer)))
    });
    Ok(stream::iter(first).chain(rest).boxed())
}

/// The frames of the next events, and whether more follow.
async fn next_frames(answer: &mut impl Framed) -> (String, bool) {
    let mut frames = String::new();
    let mut next = Some(answer.running().next().await);
    // What the same step brought to other choices has arrived already: it goes out together.
    while let Some(event) = next {
        match event {
            Some(Ok((prompt, event))) => frames.push_str(&answer.frames(prompt, event)),
            Some(Err(error)) => return (frames + &answer.failed(&error), false),
            None => return (frames + &answer.last(), false),
        }
        let further = answer.running().next();
        next = if frames.is_empty() { Some(further.await) } else { further.now_or_never() };
    }
    (frames, true)
}
