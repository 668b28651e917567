//! The engine as everybody else sees it: requests in, events out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jig_plugin_api::{Error, Model, ModelInfo};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::thread::EngineThread;
use super::{EngineConfig, EngineStats, Event, Request};
use crate::tokenizer::Tokenizer;

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
        let inbox = Inbox::default();
        let shared = Arc::new(Shared {
            max_queue: config.max_queue,
            inbox: Mutex::new(inbox),
            arrived: Condvar::new(),
            left: AtomicU64::new(0),
            idle: Notify::new(),
            stats: Mutex::new(EngineStats { memory: model.memory(), ..EngineStats::default() }),
            alive: AtomicBool::new(true),
        });
        let guard = AliveGuard(shared.clone());
        let max_model_len = info.max_model_len;
        let run = move || {
            // Moved in as a whole, so that it tells the end of the thread whatever ends it.
            let guard = guard;
            EngineThread::new(model, tokenizer, config, max_model_len, guard.0.clone()).run();
        };
        if let Err(error) = std::thread::Builder::new().name("engine".to_owned()).spawn(run) {
            tracing::error!("the engine's thread cannot be started: {error}");
        }
        EngineHandle { owner: Arc::new(Owner { shared, info }) }
    }
}

/// What the handles and the engine's thread share.
pub(super) struct Shared {
    max_queue: usize,
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    /// Requests that no longer wait to be started, counted from the start.
    left: AtomicU64,
    /// Told when nothing is left to do.
    idle: Notify,
    stats: Mutex<EngineStats>,
    alive: AtomicBool,
}

#[derive(Default)]
struct Inbox {
    submissions: VecDeque<Submission>,
    /// Requests taken, counted from the start.
    taken: u64,
    /// No further requests are taken.
    draining: bool,
    /// What runs is to be failed.
    abort: bool,
    /// No handle is left.
    closed: bool,
    /// The engine has nothing to do.
    idle: bool,
}

/// A request and where its events go.
pub(super) struct Submission {
    pub(super) request: Request,
    pub(super) events: UnboundedSender<Event>,
}

/// What the engine's thread finds when it looks for work.
pub(super) enum Mail {
    /// Further requests; `abort` asks to fail everything, these included.
    Requests { submissions: VecDeque<Submission>, abort: bool },
    /// Nothing will come any more.
    Closed,
}

impl Shared {
    /// What has arrived. Waits for it if the engine is idle.
    pub(super) fn collect(&self, idle: bool) -> Mail {
        let mut inbox = self.lock();
        if idle {
            inbox.idle = true;
            self.idle.notify_waiters();
            while inbox.submissions.is_empty() && !inbox.closed {
                inbox.abort = false;
                inbox = self.arrived.wait(inbox).unwrap_or_else(PoisonError::into_inner);
            }
            if inbox.submissions.is_empty() {
                return Mail::Closed;
            }
            inbox.idle = false;
        }
        let abort = std::mem::take(&mut inbox.abort);
        Mail::Requests { submissions: std::mem::take(&mut inbox.submissions), abort }
    }

    /// Says how many requests, counted from the start, wait no longer.
    pub(super) fn leave_queue(&self, left: u64) {
        self.left.store(left, Ordering::Relaxed);
    }

    pub(super) fn publish(&self, stats: EngineStats) {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = stats;
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by the engine's thread: when it is dropped the thread has ended, by itself or by a panic.
struct AliveGuard(Arc<Shared>);

impl Drop for AliveGuard {
    fn drop(&mut self) {
        let mut inbox = self.0.lock();
        self.0.alive.store(false, Ordering::Release);
        // Their clients learn of it by their events ending.
        inbox.submissions.clear();
        inbox.idle = true;
        self.0.idle.notify_waiters();
        self.0.arrived.notify_all();
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
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_all();
    }
}

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Too many requests wait. It is worth trying again.
    #[error("the server is busy: {0} requests are waiting, which is the most it keeps; try again later")]
    Full(usize),
    /// The engine takes no further requests, since the server is about to end.
    #[error("the server is shutting down")]
    Draining,
    /// The engine has stopped by a fault.
    #[error("the engine has stopped; the server must be started again")]
    Stopped,
    /// The request can't be served, whatever else runs. The text names the field.
    #[error("{0}")]
    Invalid(String),
}

impl EngineHandle {
    /// Gives a request to the engine.
    ///
    /// # Errors
    /// [`SubmitError`] says why it was not taken.
    pub fn submit(&self, request: Request) -> Result<RequestStream, SubmitError> {
        super::check::check(&request, &self.owner.info).map_err(SubmitError::Invalid)?;
        let shared = &self.owner.shared;
        let (events, receiver) = unbounded_channel();
        let outputs_left = request.params.n;
        let mut inbox = shared.lock();
        if !self.is_alive() {
            return Err(SubmitError::Stopped);
        }
        if inbox.draining {
            return Err(SubmitError::Draining);
        }
        if inbox.taken - shared.left.load(Ordering::Relaxed) >= shared.max_queue as u64 {
            return Err(SubmitError::Full(shared.max_queue));
        }
        inbox.taken += 1;
        inbox.submissions.push_back(Submission { request, events });
        drop(inbox);
        shared.arrived.notify_all();
        Ok(RequestStream { receiver, outputs_left })
    }

    /// The engine as it was after its last step.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        *self.owner.shared.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the model is; `max_model_len` is the limit that the engine keeps.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.owner.info
    }

    /// Whether the engine's thread runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.owner.shared.alive.load(Ordering::Acquire)
    }

    /// Takes no further requests and waits until those taken are done, for at most `deadline`; those that are not done by
    /// then fail. Returns whether all were done.
    pub async fn drain(&self, deadline: Duration) -> bool {
        let shared = &self.owner.shared;
        shared.lock().draining = true;
        let done = tokio::time::timeout(deadline, shared.until_idle()).await.is_ok();
        if !done {
            shared.lock().abort = true;
            shared.until_idle().await;
        }
        done
    }

    /// Takes no further requests and waits until those taken are done and the model is freed, for at most `limit`. Returns whether it is.
    ///
    /// A program that ends without it takes the process from under the backend: libraries end while their model still uses them.
    pub fn finish(&self, limit: Duration) -> bool {
        let shared = &self.owner.shared;
        let mut inbox = shared.lock();
        (inbox.draining, inbox.closed) = (true, true);
        shared.arrived.notify_all();
        let waited = shared.arrived.wait_timeout_while(inbox, limit, |_| self.is_alive());
        waited.is_ok_and(|(_, timeout)| !timeout.timed_out())
    }
}

impl Shared {
    /// Waits until the engine has nothing to do.
    async fn until_idle(&self) {
        loop {
            // Listening begins before looking, so that no call is missed in between.
            let told = self.idle.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            let idle = {
                let inbox = self.lock();
                inbox.idle && inbox.submissions.is_empty()
            };
            if idle || !self.alive.load(Ordering::Acquire) {
                return;
            }
            told.await;
        }
    }
}

/// The events of a request. Dropping it cancels the request: the engine frees its memory within a step.
#[derive(Debug)]
pub struct RequestStream {
    receiver: UnboundedReceiver<Event>,
    outputs_left: u32,
}

impl RequestStream {
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
        let stopped = || Event::Failed(Error::internal("the engine has stopped; the server must be started again"));
        let event = event.unwrap_or_else(stopped);
        match event {
            Event::Delta(_) => {}
            Event::Finished { .. } => self.outputs_left -= 1,
            Event::Failed(_) => self.outputs_left = 0,
        }
        event
    }
}
