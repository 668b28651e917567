//! What lies between the handles and the engine's thread: requests on their way in, and what the thread says of itself.
//!
//! The lock is held for a few instructions at a time, so that neither side keeps the other waiting. The events of a request have a
//! channel of their own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::EngineStats;
use super::kept::{Answer, Kept};
use super::progress::Watched;
use super::record::{RequestMetrics, Times};
use super::sequence::StopStrings;
use crate::request::{Event, Invalid, Request};

/// The longest that a client is told to wait, in seconds.
const LONGEST_WAIT: f64 = 120.0;

/// What the handles and the engine's thread share.
pub(super) struct Shared {
    max_queue: usize,
    /// Answers in memory.
    pub(super) kept: Arc<Kept>,
    pub(super) watched: Watched,
    pub(super) metrics: Arc<RequestMetrics>,
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
    pub(super) stop: StopStrings,
    pub(super) events: UnboundedSender<Event>,
    pub(super) answer: Arc<Answer>,
    pub(super) times: Arc<Times>,
}

/// What the client of a request that was taken has of it.
pub(super) struct Taken {
    pub(super) receiver: UnboundedReceiver<Event>,
    pub(super) answer: Arc<Answer>,
    pub(super) times: Arc<Times>,
}

/// What the engine's thread finds when it looks for work.
pub(super) enum Mail {
    /// Further requests; `abort` asks to fail everything, these included.
    Requests { submissions: VecDeque<Submission>, abort: bool },
    /// Nothing will come any more.
    Closed,
}

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Too many requests wait. It is worth trying again.
    #[error(
        "the server is busy: {waiting} requests are waiting, which is the most it keeps (--max-queue); try again in {seconds} s"
    )]
    Full {
        /// Requests that wait.
        waiting: usize,
        /// How long they will take to be begun, as far as requests before them tell.
        seconds: u64,
    },
    /// The answers that wait in memory for their clients have become too large. It is worth trying again.
    #[error("the server is busy: the answers in its memory are as large as they may be; try again later")]
    AnswersInMemory,
    /// The engine takes no further requests, since the server is about to end.
    #[error("the server is shutting down")]
    Draining,
    /// The engine has stopped by a fault.
    #[error("the engine has stopped; the server must be started again")]
    Stopped,
    /// The request can't be served, whatever else runs.
    #[error("{0}")]
    Invalid(Invalid),
}

impl Shared {
    pub(super) fn new(max_queue: usize, max_answer_bytes: usize, max_model_len: u32, stats: EngineStats) -> Self {
        Self {
            max_queue,
            kept: Arc::new(Kept::new(max_answer_bytes)),
            watched: Watched::new(),
            metrics: Arc::new(RequestMetrics::new(max_model_len)),
            inbox: Mutex::default(),
            arrived: Condvar::new(),
            left: AtomicU64::new(0),
            idle: Notify::new(),
            stats: Mutex::new(stats),
            alive: AtomicBool::new(true),
        }
    }

    /// Puts a request into the queue; its events come from the receiver.
    pub(super) fn submit(&self, request: Request, stop: StopStrings) -> Result<Taken, SubmitError> {
        if self.kept.is_too_much() {
            return Err(SubmitError::AnswersInMemory);
        }
        let (answer, times) = (self.kept.answer(), Arc::new(Times::arrived_now()));
        let (events, receiver) = unbounded_channel();
        let mut inbox = self.lock();
        if !self.is_alive() {
            return Err(SubmitError::Stopped);
        }
        if inbox.draining {
            return Err(SubmitError::Draining);
        }
        if inbox.taken - self.left.load(Ordering::Relaxed) >= self.max_queue as u64 {
            drop(inbox);
            return Err(SubmitError::Full { waiting: self.max_queue, seconds: self.wait_seconds() });
        }
        inbox.taken += 1;
        inbox.submissions.push_back(Submission { request, stop, events, answer: answer.clone(), times: times.clone() });
        drop(inbox);
        self.arrived.notify_all();
        Ok(Taken { receiver, answer, times })
    }

    /// How long a request will wait that comes after a full queue: what the requests before took, shared by those that run side by side.
    fn wait_seconds(&self) -> u64 {
        let whole = self.metrics.inference.snapshot();
        let mean = if whole.count == 0 { 1.0 } else { whole.sum / whole.count as f64 };
        let at_a_time = self.stats().requests_running.max(1) as f64;
        (mean * self.max_queue as f64 / at_a_time).ceil().clamp(1.0, LONGEST_WAIT) as u64
    }

    /// What has arrived. Waits for it if the engine is idle.
    pub(super) fn collect(&self, idle: bool) -> Mail {
        let mut inbox = self.lock();
        if idle {
            inbox.idle = true;
            self.watched.rests();
            self.idle.notify_waiters();
            while inbox.submissions.is_empty() && !inbox.closed {
                inbox.abort = false;
                inbox = self.arrived.wait(inbox).unwrap_or_else(PoisonError::into_inner);
            }
            if inbox.submissions.is_empty() {
                return Mail::Closed;
            }
            inbox.idle = false;
            self.watched.goes_on();
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

    pub(super) fn stats(&self) -> EngineStats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// Takes no further requests.
    pub(super) fn refuse_further(&self) {
        self.lock().draining = true;
    }

    /// Has the engine fail what runs.
    pub(super) fn abort(&self) {
        self.lock().abort = true;
    }

    /// Has the thread end when nothing is left to do.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Waits until the engine has nothing to do.
    pub(super) async fn until_idle(&self) {
        loop {
            // Listening begins before looking, so that no call is missed in between.
            let told = self.idle.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            let idle = {
                let inbox = self.lock();
                inbox.idle && inbox.submissions.is_empty()
            };
            if idle || !self.is_alive() {
                return;
            }
            told.await;
        }
    }

    /// Takes no further requests, has the thread end when nothing is left to do, and waits for that. Returns whether it has ended.
    pub(super) fn finish(&self, limit: Duration) -> bool {
        let mut inbox = self.lock();
        (inbox.draining, inbox.closed) = (true, true);
        self.arrived.notify_all();
        let waited = self.arrived.wait_timeout_while(inbox, limit, |_| self.is_alive());
        waited.is_ok_and(|(_, timeout)| !timeout.timed_out())
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by the engine's thread: when it is dropped the thread has ended, by itself or by a panic.
pub(super) struct AliveGuard(pub(super) Arc<Shared>);

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
