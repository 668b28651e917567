//! The engine as everybody else sees it: requests in, events out.

use std::sync::Arc;
use std::time::Duration;

use jig_plugin_api::{Error, Model, ModelInfo};
use tokio::sync::mpsc::UnboundedReceiver;

use super::kept::Answer;
use super::mailbox::{AliveGuard, Shared, SubmitError, Taken};
use super::record::{RequestMetrics, Times, Timing};
use super::sequence::StopStrings;
use super::thread::EngineThread;
use super::{EngineConfig, EngineStats, check};
use crate::request::{Event, Failure, Invalid, Request};
use crate::tokenizer::Tokenizer;

/// How long a running step may take, after what runs was to be failed.
const ABORTED_WITHIN: Duration = Duration::from_secs(5);

/// The engine. [`Engine::start`] is its only function: the rest is [`EngineHandle`].
#[derive(Debug)]
pub struct Engine;

impl Engine {
    /// Starts the thread that owns the model. It ends, and frees the model, when all handles are dropped and the
    /// requests that it has are done; [`EngineHandle::finish`] waits for that.
    #[must_use]
    pub fn start(model: Box<dyn Model>, tokenizer: Tokenizer, config: EngineConfig) -> EngineHandle {
        let mut info = model.info();
        info.max_model_len = config.max_model_len.map_or(info.max_model_len, |limit| limit.min(info.max_model_len));
        let stats = EngineStats { memory: model.memory(), ..EngineStats::default() };
        let shared = Arc::new(Shared::new(config.max_queue, config.max_answer_bytes, info.max_model_len, stats));
        let guard = AliveGuard(shared.clone());
        let (max_model_len, max_n) = (info.max_model_len, config.max_n);
        let run = move || {
            // Moved in as a whole, so that it is dropped however the thread ends.
            let guard = guard;
            EngineThread::new(model, tokenizer, config, max_model_len, guard.0.clone()).run();
        };
        if let Err(error) = std::thread::Builder::new().name("engine".to_owned()).spawn(run) {
            tracing::error!("the engine's thread cannot be started: {error}");
        }
        EngineHandle { owner: Arc::new(Owner { shared, info, max_n }) }
    }
}

/// A way to the engine; a clone leads to the same one.
#[derive(Clone)]
pub struct EngineHandle {
    owner: Arc<Owner>,
}

struct Owner {
    shared: Arc<Shared>,
    info: ModelInfo,
    max_n: u32,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl EngineHandle {
    /// Gives a request to the engine.
    ///
    /// # Errors
    /// [`SubmitError`] says why it was not taken.
    pub fn submit(&self, request: Request) -> Result<RequestStream, SubmitError> {
        check::check(&request, &self.owner.info, self.owner.max_n).map_err(SubmitError::Invalid)?;
        let outputs_left = request.params.n;
        let stop = StopStrings::new(&request.params.stop, request.params.include_stop_str_in_output);
        let stop = stop.map_err(|problem| SubmitError::Invalid(Invalid { field: None, problem }))?;
        let Taken { receiver, answer, times } = self.owner.shared.submit(request, stop)?;
        Ok(RequestStream { receiver, answer, times, outputs_left })
    }

    /// The engine as it was after its last step.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        self.owner.shared.stats()
    }

    /// What the model is; `max_model_len` is the limit that the engine keeps.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.owner.info
    }

    /// How long requests waited and ran, how many tokens they had, how they ended.
    #[must_use]
    pub fn metrics(&self) -> &RequestMetrics {
        &self.owner.shared.metrics
    }

    /// How long ago the last step ended, where there is work; else zero.
    #[must_use]
    pub fn step_age(&self) -> Duration {
        self.owner.shared.watched.age()
    }

    /// What the engine's thread is doing, in words.
    #[must_use]
    pub fn place(&self) -> &'static str {
        self.owner.shared.watched.place()
    }

    /// Whether the engine's thread runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.owner.shared.is_alive()
    }

    /// Takes no further requests and waits until those taken are done, for at most `deadline`; those that are not done by
    /// then fail. Returns whether all were done.
    pub async fn drain(&self, deadline: Duration) -> bool {
        let shared = &self.owner.shared;
        shared.refuse_further();
        let done = tokio::time::timeout(deadline, shared.until_idle()).await.is_ok();
        if !done {
            shared.abort();
            // A step that hangs in the backend is not waited for.
            let _ = tokio::time::timeout(ABORTED_WITHIN, shared.until_idle()).await;
        }
        done
    }

    /// Takes no further requests and waits until those taken are done and the model is freed, for at most `limit`. Returns whether it is.
    ///
    /// A program that ends without it takes the process from under the backend: libraries end while their model still uses them.
    pub fn finish(&self, limit: Duration) -> bool {
        self.owner.shared.finish(limit)
    }
}

/// The events of a request. Dropping it cancels the request: the engine frees its memory within a step.
#[derive(Debug)]
pub struct RequestStream {
    receiver: UnboundedReceiver<Event>,
    answer: Arc<Answer>,
    times: Arc<Times>,
    outputs_left: u32,
}

/// What is in memory of one request's answer.
#[derive(Clone, Debug)]
pub struct AnswerMemory(Arc<Answer>);

impl AnswerMemory {
    /// Says that events are passed on and not kept: what was read no longer counts.
    pub fn pass_on(&self) {
        self.0.pass_on();
    }
}

impl RequestStream {
    /// When things happen to the request.
    #[must_use]
    pub fn timing(&self) -> Timing {
        Timing(self.times.clone())
    }

    /// What is in memory of the answer.
    #[must_use]
    pub fn memory(&self) -> AnswerMemory {
        AnswerMemory(self.answer.clone())
    }

    /// The next event; `None` after the last one. It never waits for an engine that has stopped: that is an
    /// [`Event::Failed`] as well.
    pub async fn recv(&mut self) -> Option<Event> {
        if self.outputs_left == 0 {
            return None;
        }
        let event = self.receiver.recv().await;
        Some(self.note(event))
    }

    /// [`RequestStream::recv`] for a thread that may wait.
    pub fn blocking_recv(&mut self) -> Option<Event> {
        if self.outputs_left == 0 {
            return None;
        }
        let event = self.receiver.blocking_recv();
        Some(self.note(event))
    }

    /// Keeps count of what is still to come.
    fn note(&mut self, event: Option<Event>) -> Event {
        let stopped = || Error::internal("the engine has stopped; the server must be started again");
        let event = event.unwrap_or_else(|| Event::Failed(Failure::Run(stopped())));
        self.answer.read(&event);
        match event {
            Event::Delta(_) | Event::Prompt(_) => {}
            Event::Finished { .. } => self.outputs_left -= 1,
            Event::Failed(_) => self.outputs_left = 0,
        }
        event
    }
}
