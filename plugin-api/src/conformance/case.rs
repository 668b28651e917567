//! [`Case`]: a promise and the code that checks it.

use super::subject::{Subject, Verdict};
use crate::{Backend, ModelSpec};

/// A case: its name, its promise, and the code that checks it.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) promise: &'static str,
    pub(super) check: Check,
}

/// What a case needs.
pub(super) enum Check {
    /// The backend; the case loads what it wants.
    Backend(fn(&dyn Backend, &ModelSpec) -> Verdict),
    /// A loaded model with no open sequence.
    Model(fn(&mut Subject) -> Verdict),
}
