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

/// The longest that a request of a server waits for a permit.
pub(crate) const TURN_TIME: Duration = Duration::from_secs(30);

/// How long a guide may take before its compilation is ended, and begun anew with a permit for long ones. What is thrown away is little
/// beside the time that a long one takes, and one permit is never held long by a guide that others of ordinary size would wait for.
pub(crate) const FIRST_TRY: Duration = Duration::from_millis(100);

/// The permits of a server.
pub(crate) struct Permits {
    pub(crate) reading: Turns,
    pub(crate) tokenizing: Turns,
    pub(crate) compiling: Turns,
    pub(crate) compiling_long: Turns,
}

/// The permits for one kind of work.
pub(crate) struct Turns {
    semaphore: Arc<Semaphore>,
    all: usize,
    /// The work that a request waits for, as told to a client: "to have its schema compiled".
    work: &'static str,
    patience: Duration,
}

/// No permit was free for as long as a request waits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server is busy: this request waited {} s for its turn {work}; try again later", patience.as_secs())]
pub struct NoTurn {
    patience: Duration,
    work: &'static str,
}

impl Permits {
    /// For a machine of so many cores: short work may take all of them, long work half, so that the engine keeps some. A request waits
    /// for a turn as long as `patience`.
    pub(crate) fn new(cores: usize, patience: Duration) -> Self {
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
    /// [`NoTurn`] where none is free in time.
    pub(crate) async fn take(&self) -> Result<OwnedSemaphorePermit, NoTurn> {
        let no_turn = || NoTurn { patience: self.patience, work: self.work };
        let permit = tokio::time::timeout(self.patience, self.semaphore.clone().acquire_owned()).await;
        // The semaphore is never closed, so waiting too long is all that can go wrong.
        permit.map_err(|_| no_turn())?.map_err(|_| no_turn())
    }

    /// The permits that are held.
    pub(crate) fn held(&self) -> usize {
        self.all.saturating_sub(self.semaphore.available_permits())
    }
}
