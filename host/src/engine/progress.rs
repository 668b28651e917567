//! Where the engine's thread stands, for those who watch it: written by the thread in passing, read without waiting.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What the engine's thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Place {
    Idle,
    Sweep,
    Admit,
    Plan,
    Forward,
    Score,
    Masks,
    Sample,
    Accept,
}

const PLACES: [(Place, &str); 9] = [
    (Place::Idle, "waits for requests"),
    (Place::Sweep, "frees the memory of requests that are over"),
    (Place::Admit, "admits outputs: the backend opens or forks sequences"),
    (Place::Plan, "plans a batch"),
    (Place::Forward, "in the backend's forward"),
    (Place::Score, "scores prompts: in the backend's sample"),
    (Place::Masks, "computes masks"),
    (Place::Sample, "in the backend's sample: the device is waited for"),
    (Place::Accept, "follows up what was drawn"),
];

/// Where the engine's thread stands.
#[derive(Debug)]
pub(super) struct Watched {
    begun: Instant,
    place: AtomicU8,
    is_at_work: AtomicBool,
    /// The end of the last step, or when work came to an idle engine; in microseconds from `begun`.
    last: AtomicU64,
}

impl Watched {
    pub(super) fn new() -> Self {
        let (place, last) = (AtomicU8::new(Place::Idle as u8), AtomicU64::new(0));
        Self { begun: Instant::now(), place, is_at_work: AtomicBool::new(false), last }
    }

    /// The thread comes to a place.
    pub(super) fn at(&self, place: Place) {
        self.place.store(place as u8, Relaxed);
    }

    /// A step has ended, or work has come.
    pub(super) fn goes_on(&self) {
        self.last.store(self.begun.elapsed().as_micros() as u64, Relaxed);
        self.is_at_work.store(true, Relaxed);
    }

    /// Nothing is left to do.
    pub(super) fn rests(&self) {
        self.is_at_work.store(false, Relaxed);
        self.at(Place::Idle);
    }

    /// How long ago the last step ended, if there is work; else zero.
    pub(super) fn age(&self) -> Duration {
        if !self.is_at_work.load(Relaxed) {
            return Duration::ZERO;
        }
        self.begun.elapsed().saturating_sub(Duration::from_micros(self.last.load(Relaxed)))
    }

    /// The place in words.
    pub(super) fn place(&self) -> &'static str {
        let place = self.place.load(Relaxed);
        PLACES.iter().find(|(known, _)| *known as u8 == place).map_or("unknown", |(_, words)| words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_ages_only_while_there_is_work() {
        let watched = Watched::new();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(watched.age(), Duration::ZERO);
        watched.goes_on();
        watched.at(Place::Forward);
        std::thread::sleep(Duration::from_millis(2));
        assert!(watched.age() >= Duration::from_millis(2) && watched.place().contains("forward"));
        watched.rests();
        assert_eq!((watched.age(), watched.place()), (Duration::ZERO, "waits for requests"));
    }

    #[test]
    fn each_place_has_words() {
        for (index, (place, words)) in PLACES.iter().enumerate() {
            assert!(*place as usize == index && !words.is_empty());
        }
    }
}
