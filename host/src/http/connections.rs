//! How many connections there are, and which one gives way where there are too many.
//!
//! A connection that waits for nothing, between requests or before the first one, gives way to a new one, the longest idle first. Where all are
//! busy, a few more are taken, on which probes are answered and all else is told to come again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::guarded::Guard;

/// Connections beyond the limit, for probes.
const SPARE: usize = 64;
/// Between two lines of the log that say that there are too many.
const QUIET: Duration = Duration::from_secs(10);

/// All open connections.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    open: Mutex<Open>,
    closed_idle: AtomicU64,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Open {
    by_number: HashMap<u64, Arc<Connection>>,
    next: u64,
    told: Option<Instant>,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// Whether it is one too many.
    pub(super) is_spare: bool,
    /// Requests that are not answered in full.
    requests: AtomicUsize,
    idle_since: Mutex<Instant>,
    /// Set when it has to give way.
    gives_way: AtomicBool,
    told: Notify,
}

/// A connection as long as it is open.
pub(super) struct Entered {
    number: u64,
    all: Arc<Connections>,
    pub(super) connection: Arc<Connection>,
}

/// A request on a connection, until it is answered in full.
pub(super) struct Busy(Arc<Connection>);

impl Connections {
    pub(super) fn new(most: usize) -> Self {
        Self { most, open: Mutex::default(), closed_idle: AtomicU64::new(0), refused: AtomicU64::new(0) }
    }

    /// Counts a new connection; another one may have to give way to it. `None` where it can't be taken.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Entered> {
        let mut open = self.lock();
        let is_full = open.by_number.len() >= self.most;
        let mut is_spare = false;
        if is_full {
            let idle = open.by_number.values().filter_map(|other| Some((other.idle_since()?, other)));
            if let Some((_, oldest)) = idle.min_by_key(|(since, _)| *since) {
                oldest.give_way();
                self.closed_idle.fetch_add(1, Relaxed);
            } else if open.by_number.len() < self.most + SPARE {
                is_spare = true;
            } else {
                self.refused.fetch_add(1, Relaxed);
            }
            if open.told.is_none_or(|told| told.elapsed() > QUIET) {
                open.told = Some(Instant::now());
                tracing::warn!(
                    "there are {} connections, the most there may be (--max-connections): idle ones are closed, and where all are busy, \
                     new ones are refused",
                    open.by_number.len()
                );
            }
            if !is_spare && open.by_number.len() >= self.most + SPARE {
                return None;
            }
        }
        let number = open.next;
        open.next += 1;
        let connection = Arc::new(Connection {
            is_spare,
            requests: AtomicUsize::new(0),
            idle_since: Mutex::new(Instant::now()),
            gives_way: AtomicBool::new(false),
            told: Notify::new(),
        });
        open.by_number.insert(number, connection.clone());
        Some(Entered { number, all: self.clone(), connection })
    }

    /// The number of open connections.
    pub(super) fn open(&self) -> usize {
        self.lock().by_number.len()
    }

    /// Idle connections that gave way, counted from the start.
    pub(super) fn closed_idle(&self) -> u64 {
        self.closed_idle.load(Relaxed)
    }

    /// Connections that were not taken, and requests on spare ones, counted from the start.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Counts a request that was refused on a spare connection.
    pub(super) fn note_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Notes a request.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.requests.fetch_add(1, Relaxed);
        Busy(self.clone())
    }

    /// Waits until it has to give way.
    pub(super) async fn gives_way(&self) {
        self.told.notified().await;
    }

    /// Since when it waits for nothing. `None` where it is busy, or gives way already.
    fn idle_since(&self) -> Option<Instant> {
        let is_idle = self.requests.load(Relaxed) == 0 && !self.gives_way.load(Relaxed);
        is_idle.then(|| *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn give_way(&self) {
        self.gives_way.store(true, Relaxed);
        self.told.notify_one();
    }
}

impl Guard for Busy {}

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.requests.fetch_sub(1, Relaxed);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.all.lock().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_idle_one_gives_way_and_a_busy_one_never_does() {
        let all = Arc::new(Connections::new(3));
        let entered: Vec<Entered> = (0..3).map(|_| all.enter().unwrap()).collect();
        let busy = entered[0].connection.begin();
        // The second one was asked something after the third one came.
        drop(entered[1].connection.begin());
        let fourth = all.enter().unwrap();
        assert!(!fourth.connection.is_spare);
        entered[2].connection.gives_way().await;
        let fifth = all.enter().unwrap();
        entered[1].connection.gives_way().await;
        assert_eq!((all.open(), all.closed_idle()), (5, 2));
        drop((entered, fourth, fifth, busy));
        assert_eq!(all.open(), 0);
    }

    #[test]
    fn where_all_are_busy_some_more_are_spare_and_others_are_refused() {
        let all = Arc::new(Connections::new(1));
        let first = all.enter().unwrap();
        let _busy = first.connection.begin();
        let mut spare = Vec::new();
        for _ in 0..SPARE {
            let entered = all.enter().unwrap();
            assert!(entered.connection.is_spare);
            spare.push((entered.connection.begin(), entered));
        }
        assert!(all.enter().is_none() && all.refused() == 1);
    }
}
