//! Turns for the work that a request needs before it comes to the engine.
//!
//! Each kind of work has permits of its own, so that short work never waits for long work. A plain request needs the first kind alone;
//! so does one whose guide is compiled already.
//!
//! | permits | work | takes |
//! |---|---|---|
//! | `reading` | parsing a body, tokenizing texts of ordinary length | milliseconds |
//! | `tokenizing` | tokenizing long texts | up to seconds |
//! | `compiling` | a first try at a guide, which is enough for nearly all | up to [`FIRST_TRY`] |
//! | `compiling_long` | guides that the first try did not finish | up to `--compile-timeout` |

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::ApiError;

/// The longest that a request of a server waits for a permit.
pub(super) const TURN_TIME: Duration = Duration::from_secs(30);

/// How long a guide may take before its compilation is ended, and begun anew with a permit for long ones. What is thrown away is little
/// beside the time that a long one takes, and one permit is never held long by a guide that others of ordinary size would wait for.
pub(super) const FIRST_TRY: Duration = Duration::from_millis(100);

/// The permits of a server.
pub(super) struct Permits {
    pub(super) reading: Turns,
    pub(super) tokenizing: Turns,
    pub(super) compiling: Turns,
    pub(super) compiling_long: Turns,
}

/// The permits for one kind of work.
pub(super) struct Turns {
    semaphore: Arc<Semaphore>,
    all: usize,
    /// What a request waits for, to be told to a client: "to compile its schema".
    work: &'static str,
    patience: Duration,
}

impl Permits {
    /// For a machine of so many cores: short work may take all of them, long work half, so that the engine keeps some. A request waits
    /// for a turn as long as `patience`.
    pub(super) fn new(cores: usize, patience: Duration) -> Self {
        let long = (cores / 2).max(1);
        Self {
            reading: Turns::new(cores, "to be read", patience),
            tokenizing: Turns::new(long, "to have its long prompt or its many bad words tokenized", patience),
            compiling: Turns::new(cores, "to have its schema or regex compiled", patience),
            compiling_long: Turns::new(long, "to have its large schema or regex compiled", patience),
        }
    }
}

impl Turns {
    fn new(all: usize, work: &'static str, patience: Duration) -> Self {
        Self { semaphore: Arc::new(Semaphore::new(all)), all, work, patience }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// 503 where none is free in time, with what was waited for.
    pub(super) async fn take(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let busy = || {
            let seconds = self.patience.as_secs();
            ApiError::unavailable(format!(
                "the server is busy: this request waited {seconds} s for its turn {}; try again later",
                self.work
            ))
        };
        let permit = tokio::time::timeout(self.patience, self.semaphore.clone().acquire_owned()).await;
        permit.map_err(|_| busy())?.map_err(|_| ApiError::shutting_down())
    }

    /// The permits that are held.
    pub(super) fn held(&self) -> usize {
        self.all.saturating_sub(self.semaphore.available_permits())
    }
}
