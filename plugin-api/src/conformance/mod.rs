//! The kit that tells whether a backend keeps its promises.
//!
//! [`run`] asks a backend and a model all that [`crate::Backend`] and [`crate::Model`] promise: handles, forks, batches,
//! masks, draws, errors, memory. Each case is independent, has a name, and ends as passed, failed with the
//! reason, or skipped with the reason. `jig check-plugin FILE --model DIR` runs it on any plugin.
//!
//! Numbers are compared in two ways. Logits that were computed in two ways (in a batch and alone, forked and fresh) may
//! differ by rounding: up to 1/1000 of the largest logit where the weights are `f32`, 1/30 otherwise. Tokens drawn by the
//! backend must be those that [`crate::sampler`] draws from the backend's own logits, exactly.

mod batches;
mod case;
mod loading;
mod memory;
mod sampling;
mod sequences;
mod subject;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::case::{Case, Check};
use self::subject::{Stop, Subject, Verdict};
use crate::{Backend, ModelSpec};

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What the case says holds.
    Passed,
    /// It does not; what was seen instead.
    Failed(String),
    /// It could not be tried; why.
    Skipped(String),
}

/// A case and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// The name, as `group.case`. Names stay the same from version to version.
    pub name: &'static str,
    /// What has to hold, in a line.
    pub promise: &'static str,
    /// How it ended.
    pub outcome: Outcome,
}

/// How many cases ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Cases that passed.
    pub passed: usize,
    /// Cases that failed.
    pub failed: usize,
    /// Cases that could not be tried.
    pub skipped: usize,
}

impl Summary {
    /// Whether nothing failed.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.failed == 0
    }
}

/// Runs all cases on a backend and the model that `spec` names, and calls `report` after each.
///
/// The model is loaded once, and a second time with a small KV cache. A model of a few million parameters takes seconds;
/// a large one takes some hundred forward passes.
pub fn run(backend: &dyn Backend, spec: &ModelSpec, report: &mut dyn FnMut(&CaseResult)) -> Summary {
    let mut summary = Summary::default();
    let mut finish = |case: &Case, verdict: Verdict| {
        let outcome = match verdict {
            Ok(()) => Outcome::Passed,
            Err(Stop::Failed(reason)) => Outcome::Failed(reason),
            Err(Stop::Skipped(reason)) => Outcome::Skipped(reason),
        };
        match outcome {
            Outcome::Passed => summary.passed += 1,
            Outcome::Failed(_) => summary.failed += 1,
            Outcome::Skipped(_) => summary.skipped += 1,
        }
        report(&CaseResult { name: case.name, promise: case.promise, outcome });
    };

    for case in loading::CASES {
        if let Check::Backend(check) = case.check {
            finish(case, contained(|| check(backend, spec)));
        }
    }
    let mut subject = Err(Stop::Failed("not loaded".to_owned()));
    let loaded = contained(|| {
        subject = Subject::load(backend, spec);
        subject.as_ref().map(|_| ()).map_err(Clone::clone)
    });
    finish(&LOAD, loaded);
    for case in [sequences::CASES, batches::CASES, sampling::CASES, memory::CASES].into_iter().flatten() {
        let verdict = match (&case.check, &mut subject) {
            (Check::Backend(check), _) => contained(|| check(backend, spec)),
            (Check::Model(check), Ok(subject)) => contained(|| check(subject)).and(contained(|| subject.close_all())),
            (Check::Model(_), Err(_)) => Err(Stop::Skipped("the model could not be loaded".to_owned())),
        };
        finish(case, verdict);
    }
    summary
}

const LOAD: Case = Case { name: "load.model", promise: "the model loads", check: Check::Backend(|_, _| Ok(())) };

/// Runs a check; a panic (of a backend that is linked in, without a boundary that catches it) is a failure.
fn contained(check: impl FnOnce() -> Verdict) -> Verdict {
    catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|_| Err(Stop::Failed("the backend panicked".to_owned())))
}
