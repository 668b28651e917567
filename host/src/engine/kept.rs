//! How much of answers is in memory: what the engine has said of running requests, until their clients have it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use crate::request::{Delta, Event, TokenLogprob};

/// What a token takes, in a queue and in an answer.
const TOKEN: usize = 8;
/// What a log-probability takes in an answer that is put together: a JSON object of names and numbers.
const LOGPROB: usize = 256;
/// The most that may wait for a client that reads a stream.
pub(super) const MOST_UNREAD: usize = 16 << 20;

/// The bytes of all answers.
#[derive(Debug)]
pub(super) struct Kept {
    bytes: AtomicUsize,
    most: usize,
}

/// The bytes of one request's answer. They are given back when the engine and the client are both done with it.
#[derive(Debug)]
pub(super) struct Answer {
    all: Arc<Kept>,
    bytes: AtomicUsize,
    /// Whether the client passes on what it reads, and keeps nothing.
    is_passed_on: AtomicBool,
}

impl Kept {
    pub(super) fn new(most: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), most }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Whether there is more than there may be.
    pub(super) fn is_too_much(&self) -> bool {
        self.bytes() > self.most
    }

    /// The answer of a new request.
    pub(super) fn answer(self: &Arc<Self>) -> Arc<Answer> {
        Arc::new(Answer { all: self.clone(), bytes: AtomicUsize::new(0), is_passed_on: AtomicBool::new(false) })
    }
}

impl Answer {
    /// Notes what the engine has said.
    pub(super) fn add(&self, event: &Event) {
        let bytes = weight(event);
        self.bytes.fetch_add(bytes, Relaxed);
        self.all.bytes.fetch_add(bytes, Relaxed);
    }

    /// Notes what the client has read.
    pub(super) fn read(&self, event: &Event) {
        if self.is_passed_on.load(Relaxed) {
            let bytes = weight(event);
            self.bytes.fetch_sub(bytes, Relaxed);
            self.all.bytes.fetch_sub(bytes, Relaxed);
        }
    }

    /// From now on the client keeps nothing of what it reads.
    pub(super) fn pass_on(&self) {
        self.is_passed_on.store(true, Relaxed);
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Whether more waits for the client of a stream than may.
    pub(super) fn is_not_read(&self) -> bool {
        self.is_passed_on.load(Relaxed) && self.bytes() > MOST_UNREAD
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.all.bytes.fetch_sub(self.bytes(), Relaxed);
    }
}

/// The memory of an event, from its queue to the answer that it becomes a part of.
fn weight(event: &Event) -> usize {
    let of = |logprobs: &[TokenLogprob]| logprobs.iter().map(|entry| LOGPROB * (1 + entry.top.len())).sum::<usize>();
    match event {
        Event::Delta(Delta { text, tokens, logprobs, .. }) => text.len() + TOKEN * tokens.len() + of(logprobs),
        Event::Prompt(logprobs) => of(logprobs),
        Event::Finished { .. } | Event::Failed(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(bytes: usize) -> Event {
        Event::Delta(Delta { text: "x".repeat(bytes), ..Delta::default() })
    }

    #[test]
    fn what_is_read_counts_until_the_answer_is_dropped_unless_it_is_passed_on() {
        let kept = Arc::new(Kept::new(100));
        let (whole, stream) = (kept.answer(), kept.answer());
        stream.pass_on();
        for answer in [&whole, &stream] {
            answer.add(&delta(60));
        }
        assert_eq!((kept.bytes(), kept.is_too_much()), (120, true));
        for answer in [&whole, &stream] {
            answer.read(&delta(60));
        }
        assert_eq!((kept.bytes(), whole.bytes(), stream.bytes()), (60, 60, 0));
        drop(whole);
        assert_eq!((kept.bytes(), kept.is_too_much()), (0, false));
    }

    #[test]
    fn a_log_probability_weighs_what_it_takes_in_an_answer() {
        let entry = TokenLogprob { token: 1, logprob: 0.0, top: vec![(1, 0.0); 20] };
        assert_eq!(weight(&Event::Prompt(vec![entry; 2])), 2 * 21 * LOGPROB);
    }
}
