//! [`Recordings`]: decides which steps are recorded, and finds the recording of a shape.
//!
//! A shape is recorded when it occurs for the second time. At the first, scratch memory may have to grow and the
//! runtime may have to choose algorithms; and many shapes occur only once.

use std::collections::{HashMap, HashSet};

use jig_transformer::StepShape;

use crate::runtime::{Recording, Runtime};

/// The most recordings that are kept: a safety bound, as steps have only a few dozen sizes.
const MOST: usize = 256;

/// What to do with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Run,
    Record,
    Replay(Recording),
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Recordings {
    seen: HashSet<StepShape>,
    recorded: HashMap<StepShape, Recording>,
}

impl Recordings {
    /// Decides what to do with a step of this shape, and remembers that it occurred.
    pub(crate) fn next(&mut self, shape: StepShape) -> Action {
        match self.recorded.get(&shape) {
            Some(recording) => Action::Replay(*recording),
            None if self.recorded.len() >= MOST || self.seen.insert(shape) => Action::Run,
            None => Action::Record,
        }
    }

    pub(crate) fn insert(&mut self, shape: StepShape, recording: Recording) {
        self.recorded.insert(shape, recording);
    }

    /// Forgets all recordings, because memory that they use is about to be freed. Shapes stay known as seen: scratch
    /// memory only grows.
    pub(crate) fn forget(&mut self, runtime: &dyn Runtime) {
        if !self.recorded.is_empty() {
            self.recorded.clear();
            runtime.forget_recordings();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_run_then_recorded_then_replayed() {
        let shape = |rows| StepShape { rows, logit_rows: rows, decode: true };
        let mut recordings = Recordings::default();
        assert_eq!(recordings.next(shape(1)), Action::Run);
        assert_eq!(recordings.next(shape(2)), Action::Run);
        assert_eq!(recordings.next(shape(1)), Action::Record);
        recordings.insert(shape(1), Recording(7));
        assert_eq!(recordings.next(shape(1)), Action::Replay(Recording(7)));
        assert_eq!(recordings.next(shape(2)), Action::Record);
    }
}
