//! How far the start of a server is: its stage, how much of it is done, and how long the stages before took.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How far a start is. A clone is of the same start.
#[derive(Clone, Debug)]
pub struct Startup(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    begun: Instant,
    stage: Stage,
    since: Instant,
    past: Vec<(String, Duration)>,
    is_over: bool,
}

/// A stage of a start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// What is done: `weights`.
    pub name: String,
    /// How much of it is done, in bytes.
    pub done: u64,
    /// How much there is to do, in bytes; 0 where that is not known.
    pub total: u64,
}

impl Default for Startup {
    fn default() -> Self {
        let (now, stage) = (Instant::now(), Stage { name: "start".to_owned(), ..Stage::default() });
        Self(Arc::new(Mutex::new(State { begun: now, stage, since: now, past: Vec::new(), is_over: false })))
    }
}

impl Startup {
    /// A stage begins, and the one before ends.
    pub fn begin(&self, stage: &str) {
        let mut state = self.lock();
        if state.stage.name != stage {
            state.end_stage();
            state.stage = Stage { name: stage.to_owned(), ..Stage::default() };
        }
    }

    /// So much of the stage is done.
    pub fn progress(&self, done: u64, total: u64) {
        let mut state = self.lock();
        (state.stage.done, state.stage.total) = (done, total);
    }

    /// All stages are over.
    pub fn end(&self) {
        let mut state = self.lock();
        if !state.is_over {
            state.end_stage();
            state.is_over = true;
        }
    }

    /// The stage that it is at; `None` after the last one.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        let state = self.lock();
        (!state.is_over).then(|| state.stage.clone())
    }

    /// The stages that are over, with the time that each took.
    #[must_use]
    pub fn past(&self) -> Vec<(String, Duration)> {
        self.lock().past.clone()
    }

    /// How long ago it began.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.lock().begun.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end_stage(&mut self) {
        let time = self.since.elapsed();
        let name = std::mem::take(&mut self.stage.name);
        match self.past.iter_mut().find(|(known, _)| *known == name) {
            Some((_, all)) => *all += time,
            None => self.past.push((name, time)),
        }
        self.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_tells_its_stage_and_those_that_are_over() {
        let start = Startup::default();
        start.begin("tokenizer");
        start.begin("weights");
        start.progress(1, 9);
        start.begin("weights");
        assert_eq!(start.stage(), Some(Stage { name: "weights".to_owned(), done: 1, total: 9 }));
        start.end();
        let past: Vec<String> = start.past().into_iter().map(|(name, _)| name).collect();
        assert_eq!((past, start.stage()), (vec!["start".into(), "tokenizer".into(), "weights".into()], None));
    }
}
