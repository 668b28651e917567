//! How many values lie below each of some bounds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How many values lie below each of some bounds, and their sum.
#[derive(Debug)]
pub struct Histogram {
    bounds: Vec<f64>,
    /// Values in each bucket, the last one for those above all bounds.
    counts: Vec<AtomicU64>,
    /// The sum, as the bits of an `f64`.
    sum: AtomicU64,
}

/// A histogram at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Each bound, with the values that are at most as large.
    pub buckets: Vec<(f64, u64)>,
    /// All values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

impl Histogram {
    /// Without any value. The bounds rise.
    #[must_use]
    pub fn new(bounds: impl Into<Vec<f64>>) -> Self {
        let bounds = bounds.into();
        let counts = std::iter::repeat_with(AtomicU64::default).take(bounds.len() + 1).collect();
        Self { bounds, counts, sum: AtomicU64::new(0.0f64.to_bits()) }
    }

    /// Adds a value.
    pub fn observe(&self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        // The sum is a float, which no processor adds atomically.
        let add = |sum: u64| Some((f64::from_bits(sum) + value).to_bits());
        let _ = self.sum.fetch_update(Relaxed, Relaxed, add);
    }

    /// Adds a duration in seconds.
    pub fn observe_time(&self, time: Duration) {
        self.observe(time.as_secs_f64());
    }

    /// What it holds now. Values that are added meanwhile may be in the sum and not in the count, or the other way round.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut count = 0;
        let mut up_to = self.counts.iter().map(|own| {
            count += own.load(Relaxed);
            count
        });
        let buckets = self.bounds.iter().copied().zip(up_to.by_ref()).collect();
        up_to.for_each(drop);
        Snapshot { buckets, count, sum: f64::from_bits(self.sum.load(Relaxed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_each_bucket_whose_bound_it_does_not_exceed() {
        let histogram = Histogram::new([1.0, 2.0, 5.0]);
        [0.5, 1.0, 1.5, 5.0, 6.0].into_iter().for_each(|value| histogram.observe(value));
        let expected = Snapshot { buckets: vec![(1.0, 2), (2.0, 3), (5.0, 4)], count: 5, sum: 14.0 };
        assert_eq!(histogram.snapshot(), expected);
    }

    #[test]
    fn no_value_is_lost_among_threads() {
        let histogram = Histogram::new([0.5]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| histogram.observe(1.0)));
            }
        });
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.count, snapshot.sum), (40_000, 40_000.0));
    }
}
