//! A number of bytes that all requests share: each takes its part and gives it back when it is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::guarded::Guard;

/// Bytes that all requests share.
#[derive(Debug)]
pub(super) struct Budget {
    taken: AtomicUsize,
    most: usize,
}

/// What one request has taken of a budget.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(most: usize) -> Self {
        Self { taken: AtomicUsize::new(0), most }
    }

    pub(super) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// The share of a request that has taken nothing yet.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Takes more. Returns `false`, and takes nothing, where not so much is left.
    #[must_use]
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= self.budget.most);
        let is_taken = self.budget.taken.fetch_update(Relaxed, Relaxed, more).is_ok();
        self.bytes += if is_taken { bytes } else { 0 };
        is_taken
    }
}

impl Guard for Share {}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_there_is_and_what_is_dropped_is_there_again() {
        let budget = Arc::new(Budget::new(10));
        let (mut one, mut other) = (budget.share(), budget.share());
        assert!(one.take(6) && !other.take(5) && other.take(4) && !one.take(1));
        assert!(!one.take(usize::MAX));
        assert_eq!(budget.taken(), 10);
        drop(one);
        assert!(other.take(6) && !other.take(1));
        drop(other);
        assert_eq!(budget.taken(), 0);
    }
}
