//! What operators ask of requests: how long they waited, how long they ran, how many tokens they had, how they ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::measure::{Histogram, buckets};
use crate::request::FinishReason;

/// Histograms and counters of requests. The engine's thread writes them, anybody reads them.
#[derive(Debug)]
pub struct RequestMetrics {
    /// From its arrival to the first token of a request, in seconds.
    pub first_token: Histogram,
    /// Between tokens of an output, in seconds.
    pub between_tokens: Histogram,
    /// The mean of that for each output.
    pub time_per_token: Histogram,
    /// From its arrival to the end of a request, in seconds.
    pub whole: Histogram,
    /// From its arrival until it is begun.
    pub queued: Histogram,
    /// From there to its first token.
    pub prefill: Histogram,
    /// From its first token to its last.
    pub decode: Histogram,
    /// From its beginning to its last token.
    pub inference: Histogram,
    /// Tokens of the prompt.
    pub prompt_tokens: Histogram,
    /// Tokens of all outputs of a request.
    pub generation_tokens: Histogram,
    /// `n` of requests.
    pub n: Histogram,
    /// The most tokens of an output that requests allow.
    pub max_tokens: Histogram,
    /// Tokens that a step computes.
    pub step_tokens: Histogram,
    /// Outputs that ended by themselves or by what the request named.
    pub stopped: AtomicU64,
    /// Outputs that ended at their limit.
    pub reached_limit: AtomicU64,
    /// Outputs of requests whose client went away.
    pub aborted: AtomicU64,
    /// Outputs of requests that failed.
    pub failed: AtomicU64,
}

impl RequestMetrics {
    pub(super) fn new(max_model_len: u32) -> Self {
        let tokens = || Histogram::new(buckets::one_two_five(max_model_len));
        let request = || Histogram::new(buckets::REQUEST);
        Self {
            first_token: Histogram::new(buckets::FIRST_TOKEN),
            between_tokens: Histogram::new(buckets::BETWEEN_TOKENS),
            time_per_token: Histogram::new(buckets::BETWEEN_TOKENS),
            whole: request(),
            queued: request(),
            prefill: request(),
            decode: request(),
            inference: request(),
            prompt_tokens: tokens(),
            generation_tokens: tokens(),
            n: Histogram::new(buckets::OUTPUTS),
            max_tokens: tokens(),
            step_tokens: Histogram::new(buckets::STEP_TOKENS),
            stopped: AtomicU64::new(0),
            reached_limit: AtomicU64::new(0),
            aborted: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    pub(super) fn count_end(&self, reason: FinishReason) {
        match reason {
            FinishReason::Stop => self.stopped.fetch_add(1, Relaxed),
            FinishReason::Length => self.reached_limit.fetch_add(1, Relaxed),
        };
    }
}

/// The times of a request. Only the engine's thread writes them.
#[derive(Debug)]
pub(super) struct Times {
    arrived: Instant,
    /// Microseconds from the arrival, plus one; 0 where it has not come to that.
    begun: AtomicU64,
    first_token: AtomicU64,
    last_token: AtomicU64,
    tokens: AtomicU64,
}

impl Times {
    pub(super) fn arrived_now() -> Self {
        let none = || AtomicU64::new(0);
        Self { arrived: Instant::now(), begun: none(), first_token: none(), last_token: none(), tokens: none() }
    }

    fn now(&self) -> u64 {
        self.arrived.elapsed().as_micros() as u64 + 1
    }

    /// Its first output was admitted.
    pub(super) fn begin(&self, metrics: &RequestMetrics) {
        let now = self.now();
        if self.begun.compare_exchange(0, now, Relaxed, Relaxed).is_ok() {
            metrics.queued.observe_time(since(0, now));
        }
    }

    /// One of its outputs has got tokens.
    pub(super) fn token(&self, tokens: u32, metrics: &RequestMetrics) {
        let now = self.now();
        if self.first_token.compare_exchange(0, now, Relaxed, Relaxed).is_ok() {
            metrics.first_token.observe_time(since(0, now));
            metrics.prefill.observe_time(since(self.begun.load(Relaxed), now));
        }
        self.last_token.store(now, Relaxed);
        self.tokens.fetch_add(u64::from(tokens), Relaxed);
    }

    /// It is over, with all of its outputs.
    pub(super) fn end(&self, prompt: usize, metrics: &RequestMetrics) {
        let (first, last) = (self.first_token.load(Relaxed), self.last_token.load(Relaxed));
        metrics.whole.observe_time(since(0, self.now()));
        if first > 0 {
            metrics.decode.observe_time(since(first, last));
            metrics.inference.observe_time(since(self.begun.load(Relaxed), last));
        }
        metrics.prompt_tokens.observe(prompt as f64);
        metrics.generation_tokens.observe(self.tokens.load(Relaxed) as f64);
    }
}

/// When things happened to one request.
#[derive(Clone, Debug)]
pub struct Timing(pub(super) Arc<Times>);

impl Timing {
    /// How long it waited to be begun; `None` where it was not.
    #[must_use]
    pub fn queued(&self) -> Option<Duration> {
        after_arrival(&self.0.begun)
    }

    /// How long its first token took from its arrival; `None` where it has none.
    #[must_use]
    pub fn first_token(&self) -> Option<Duration> {
        after_arrival(&self.0.first_token)
    }
}

fn after_arrival(time: &AtomicU64) -> Option<Duration> {
    time.load(Relaxed).checked_sub(1).map(Duration::from_micros)
}

fn since(from: u64, to: u64) -> Duration {
    Duration::from_micros(to.saturating_sub(from.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_measured_once_in_each_histogram_and_its_parts_make_the_whole() {
        let metrics = RequestMetrics::new(100);
        let times = Times::arrived_now();
        let wait = || std::thread::sleep(Duration::from_millis(2));
        wait();
        times.begin(&metrics);
        times.begin(&metrics);
        wait();
        times.token(2, &metrics);
        wait();
        times.token(1, &metrics);
        times.end(7, &metrics);
        let sums = [&metrics.queued, &metrics.prefill, &metrics.decode].map(|histogram| {
            let snapshot = histogram.snapshot();
            assert!(snapshot.count == 1 && snapshot.sum >= 0.002, "{snapshot:?}");
            snapshot.sum
        });
        let (first, whole) = (metrics.first_token.snapshot().sum, metrics.whole.snapshot().sum);
        assert!((first - sums[0] - sums[1]).abs() < 1e-4 && whole >= sums.iter().sum::<f64>() - 1e-4);
        assert!((metrics.inference.snapshot().sum - sums[1] - sums[2]).abs() < 1e-4);
        assert_eq!((metrics.prompt_tokens.snapshot().sum, metrics.generation_tokens.snapshot().sum), (7.0, 3.0));
    }
}
