//! The steps of preparing, off the threads that serve connections and with a permit for work of their kind.
//!
//! Whatever waits or works here ends when the server begins to drain: the engine would not take the request any more. A future that is
//! dropped, as when the client leaves, ends a compilation that it waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use jig_guides::{CompileError, Guide, Interrupt};
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::permits::{FIRST_TRY, NoTurn, Permits, TURN_TIME};
use super::{Preparation, Prepared, Tokenized};
use crate::measure::{Histogram, buckets};
use crate::request::{Constraint, Invalid, TextRequest};
use crate::tokenizer::Tokenizer;

/// Preparation for many requests at once; a clone shares the permits.
#[derive(Clone)]
pub struct Stages {
    inner: Arc<Inner>,
}

/// How often guides were there, and how long others took.
#[derive(Debug)]
pub struct GuideMetrics {
    /// Compiling a guide, failed attempts included, in seconds.
    pub compile: Histogram,
    /// Guides that were there.
    pub hits: AtomicU64,
    /// Guides that had to be compiled.
    pub misses: AtomicU64,
}

struct Inner {
    metrics: GuideMetrics,
    preparation: Preparation,
    permits: Permits,
    draining: watch::Sender<bool>,
}

/// Why a request was not prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unprepared {
    /// The request can't be served.
    #[error("{0}")]
    Invalid(Invalid),
    /// Too much other work is waiting. It is worth trying again.
    #[error("{0}")]
    NoTurn(#[from] NoTurn),
    /// The server is about to end.
    #[error("the server is shutting down")]
    Draining,
    /// A fault of the server: the work panicked.
    #[error("the server failed to prepare this request; its log tells more")]
    Panicked,
}

impl Stages {
    /// With permits for the cores of this machine.
    #[must_use]
    pub fn new(preparation: Preparation) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_permits(preparation, cores, TURN_TIME)
    }

    pub(crate) fn with_permits(preparation: Preparation, cores: usize, patience: Duration) -> Self {
        let permits = Permits::new(cores, patience);
        let metrics =
            GuideMetrics { compile: Histogram::new(buckets::WORK), hits: AtomicU64::new(0), misses: AtomicU64::new(0) };
        Self { inner: Arc::new(Inner { metrics, preparation, permits, draining: watch::Sender::new(false) }) }
    }

    #[cfg(test)]
    pub(crate) fn permits(&self) -> &Permits {
        &self.inner.permits
    }

    /// Prepares nothing more; what is being prepared ends.
    pub fn drain(&self) {
        self.inner.draining.send_replace(true);
    }

    /// Whether [`Stages::drain`] was called.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.inner.draining.borrow()
    }

    /// How often guides were there, and how long others took.
    #[must_use]
    pub fn guide_metrics(&self) -> &GuideMetrics {
        &self.inner.metrics
    }

    /// The number of schemas and regexes that are being compiled.
    #[must_use]
    pub fn compilations_running(&self) -> usize {
        self.inner.permits.compiling.held() + self.inner.permits.compiling_long.held()
    }

    /// Does work of a few milliseconds, such as parsing a body.
    ///
    /// # Errors
    /// [`Unprepared`], all but its `Invalid`.
    pub async fn read<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Unprepared> {
        self.unless_draining(async {
            let permit = self.inner.permits.reading.take().await?;
            self.blocking(permit, |_| work()).await
        })
        .await
    }

    /// The tokenizer of the prompts, for what takes no time.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        self.inner.preparation.tokenizer()
    }

    /// Does work with the tokenizer that may take long.
    ///
    /// # Errors
    /// [`Unprepared`], all but its `Invalid`.
    pub async fn tokenizing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tokenizer) -> T + Send + 'static,
    ) -> Result<T, Unprepared> {
        self.unless_draining(async {
            let permit = self.inner.permits.tokenizing.take().await?;
            self.blocking(permit, |preparation| work(preparation.tokenizer())).await
        })
        .await
    }

    /// Tokenizes a request's texts and compiles its guide.
    ///
    /// # Errors
    /// See [`Unprepared`].
    pub async fn prepare(&self, request: TextRequest) -> Result<Prepared, Unprepared> {
        self.unless_draining(async {
            let tokenized = self.tokenize(request).await?;
            let guide = match tokenized.constraint() {
                Some(constraint) => Some(self.guide(constraint).await?),
                None => None,
            };
            Ok(tokenized.with_guide(guide))
        })
        .await
    }

    /// Why a constraint has no guide; `None` where it has one.
    ///
    /// # Errors
    /// [`Unprepared`], all but its `Invalid`.
    pub async fn why_no_guide(&self, constraint: &Constraint) -> Result<Option<CompileError>, Unprepared> {
        match self.unless_draining(self.guide(constraint)).await {
            Ok(_) => Ok(None),
            Err(Unprepared::Invalid(_)) => Ok(self.inner.preparation.compiled(constraint).and_then(Result::err)),
            Err(other) => Err(other),
        }
    }

    async fn unless_draining<T>(&self, work: impl Future<Output = Result<T, Unprepared>>) -> Result<T, Unprepared> {
        let mut draining = self.inner.draining.subscribe();
        tokio::select! {
            result = work => result,
            // The sender is a part of this, so it is there.
            _ = draining.wait_for(|draining| *draining) => Err(Unprepared::Draining),
        }
    }

    async fn tokenize(&self, request: TextRequest) -> Result<Tokenized, Unprepared> {
        let permits = &self.inner.permits;
        // Gives a request back whose texts are long: these need a permit for that.
        let tokenize_short = |preparation: &Preparation| {
            preparation.check_lengths(&request)?;
            if preparation.is_long(&request) {
                return Ok(Err(Box::new(request)));
            }
            preparation.tokenize(request).map(Ok)
        };
        let permit = permits.reading.take().await?;
        let tokenized = self.blocking(permit, tokenize_short).await?.map_err(Unprepared::Invalid)?;
        match tokenized {
            Ok(tokenized) => Ok(tokenized),
            Err(long) => {
                let permit = permits.tokenizing.take().await?;
                let tokenized = self.blocking(permit, |preparation| preparation.tokenize(*long)).await?;
                tokenized.map_err(Unprepared::Invalid)
            }
        }
    }

    /// The guide of a constraint: one that is there, or compiled with a permit for that. Nearly all compile within the first try; the
    /// others wait for a permit for long ones, and begin anew.
    async fn guide(&self, constraint: &Constraint) -> Result<Guide, Unprepared> {
        let (preparation, permits) = (&self.inner.preparation, &self.inner.permits);
        let limit = preparation.compile_timeout();
        let mut result = preparation.compiled(constraint);
        let metrics = &self.inner.metrics;
        if result.is_some() { &metrics.hits } else { &metrics.misses }.fetch_add(1, Relaxed);
        if result.is_none() {
            let permit = permits.compiling.take().await?;
            result = Some(self.compile(permit, constraint, limit.min(FIRST_TRY)).await?);
        }
        if matches!(result, Some(Err(CompileError::TooSlow { .. }))) && limit > FIRST_TRY {
            let permit = permits.compiling_long.take().await?;
            result = Some(self.compile(permit, constraint, limit).await?);
        }
        match result {
            Some(Ok(guide)) => Ok(guide),
            // The interrupt is raised only where nobody waits any more, or the server drains.
            Some(Err(CompileError::Interrupted)) | None => Err(Unprepared::Draining),
            Some(Err(error)) => Err(Unprepared::Invalid(preparation.refusal(&error))),
        }
    }

    /// Compiles within a time limit. Dropping the future ends the compilation.
    async fn compile(
        &self,
        permit: OwnedSemaphorePermit,
        constraint: &Constraint,
        limit: Duration,
    ) -> Result<Result<Guide, CompileError>, Unprepared> {
        let interrupt = Interrupt::at(Instant::now() + limit);
        let _raised = RaisedOnDrop(interrupt.clone());
        let constraint = constraint.clone();
        let inner = self.inner.clone();
        let compile = move |preparation: &Preparation| {
            let begun = Instant::now();
            let compiled = preparation.compile(&constraint, &interrupt);
            inner.metrics.compile.observe_time(begun.elapsed());
            compiled
        };
        self.blocking(permit, compile).await
    }

    /// Does work on a thread that may block. The permit is held until the work is done, even if nobody waits for it any more.
    async fn blocking<T: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        work: impl FnOnce(&Preparation) -> T + Send + 'static,
    ) -> Result<T, Unprepared> {
        let inner = self.inner.clone();
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&inner.preparation)
        });
        done.await.map_err(|_| Unprepared::Panicked)
    }
}

/// Raises an interrupt when it is dropped: nobody waits for the guide any more.
struct RaisedOnDrop(Interrupt);

impl Drop for RaisedOnDrop {
    fn drop(&mut self) {
        self.0.raise();
    }
}
