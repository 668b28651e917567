//! [`Interrupt`]: compilations that end early.
//!
//! What takes long lies deep in the operations on automata, which know nothing of requests. So the interrupt is not handed down to them:
//! a thread compiles one source at a time, and its loops ask for the interrupt of the thread ([`passed`]). Where it is raised they
//! give up with the error that they have, and whoever began the compilation tells that from a refusal ([`until`]).

use crate::error::CompileError;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Ends a compilation early: at a deadline, or when whoever wants the guide is gone. Cheap to clone; clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    raised: AtomicBool,
    deadline: Option<Deadline>,
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    /// How far it was away when it was set.
    limit: Duration,
}

impl Interrupt {
    /// One without a deadline.
    pub fn new() -> Interrupt {
        Interrupt::default()
    }

    /// One that is raised at a deadline, if not before.
    pub fn at(deadline: Instant) -> Interrupt {
        let limit = deadline.saturating_duration_since(Instant::now());
        let shared = Shared { raised: AtomicBool::new(false), deadline: Some(Deadline { at: deadline, limit }) };
        Interrupt { shared: Arc::new(shared) }
    }

    /// Raises it: compilations that run until then end soon. From any thread.
    pub fn raise(&self) {
        self.shared.raised.store(true, Ordering::Relaxed);
    }

    /// Whether it was raised or its deadline has passed.
    pub fn is_raised(&self) -> bool {
        self.shared.raised.load(Ordering::Relaxed) || self.left().is_some_and(|left| left.is_zero())
    }

    /// The time to the deadline.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.shared.deadline.map(|deadline| deadline.at.saturating_duration_since(Instant::now()))
    }

    /// What a compilation fails with that this ends.
    pub(crate) fn error(&self) -> CompileError {
        match self.shared.deadline {
            Some(Deadline { limit, .. }) if !self.shared.raised.load(Ordering::Relaxed) => {
                CompileError::TooSlow { limit }
            }
            _ => CompileError::Interrupted,
        }
    }
}

/// So many steps, of about a microsecond each, are made between two looks.
const STEPS_BETWEEN_LOOKS: usize = 1000;

thread_local! {
    /// The interrupt of what this thread compiles.
    static CURRENT: RefCell<Option<Interrupt>> = const { RefCell::new(None) };
    /// Steps until it is looked at again.
    static STEPS_LEFT: Cell<usize> = const { Cell::new(0) };
    /// Whether it was seen raised.
    static SEEN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the compilation that this thread is at is to end, after so many more steps of about a microsecond each. Once that is so it stays
/// so. Whoever sees it gives up: what is made from then on is thrown away.
pub(crate) fn passed(steps: usize) -> bool {
    let left = STEPS_LEFT.get();
    if steps < left {
        STEPS_LEFT.set(left - steps);
        return SEEN.get();
    }
    STEPS_LEFT.set(STEPS_BETWEEN_LOOKS);
    let is_raised = CURRENT.with_borrow(|current| current.as_ref().is_some_and(Interrupt::is_raised));
    if is_raised {
        SEEN.set(true);
    }
    SEEN.get()
}

/// Does work that an interrupt ends; an error where it did.
pub(crate) fn until<T>(
    interrupt: &Interrupt,
    work: impl FnOnce() -> Result<T, CompileError>,
) -> Result<T, CompileError> {
    let outer = Outer::enter(Some(interrupt.clone()));
    let result = work();
    let seen = SEEN.get();
    drop(outer);
    if seen { result.map_err(|_| interrupt.error()) } else { result }
}

/// Does work to its end: what it makes is for all compilations.
pub(crate) fn to_the_end<T>(work: impl FnOnce() -> T) -> T {
    let _outer = Outer::enter(None);
    work()
}

/// The interrupt that held before; it holds again once this is dropped, after a panic too.
struct Outer {
    interrupt: Option<Interrupt>,
    seen: bool,
}

impl Outer {
    fn enter(interrupt: Option<Interrupt>) -> Outer {
        STEPS_LEFT.set(0);
        Outer { interrupt: CURRENT.replace(interrupt), seen: SEEN.replace(false) }
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        STEPS_LEFT.set(0);
        SEEN.set(self.seen);
        CURRENT.set(self.interrupt.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Result<(), CompileError> {
        Err(CompileError::Unsatisfiable { pointers: Vec::new(), reason: "none".into() })
    }

    #[test]
    fn work_that_sees_the_interrupt_fails_with_it_and_other_work_with_its_own_error() {
        let interrupt = Interrupt::new();
        let seen = until(&interrupt, || {
            assert!(!passed(0) && !passed(STEPS_BETWEEN_LOOKS));
            interrupt.clone().raise();
            assert!(passed(STEPS_BETWEEN_LOOKS) && passed(0));
            refused()
        });
        assert_eq!(seen, Err(CompileError::Interrupted));
        assert!(!passed(STEPS_BETWEEN_LOOKS));
        assert_eq!(until(&interrupt, refused), refused());
    }

    #[test]
    fn a_deadline_that_has_passed_is_too_slow_and_raised_before_it_is_interrupted() {
        let interrupt = Interrupt::at(Instant::now());
        assert!(interrupt.is_raised());
        assert_eq!(interrupt.error(), CompileError::TooSlow { limit: Duration::ZERO });
        interrupt.raise();
        assert_eq!(interrupt.error(), CompileError::Interrupted);
        assert!(!Interrupt::at(Instant::now() + Duration::from_secs(3600)).is_raised());
    }

    #[test]
    fn work_for_all_goes_on_and_the_interrupt_holds_again_behind_it() {
        let interrupt = Interrupt::new();
        interrupt.raise();
        let result = until(&interrupt, || {
            assert!(!to_the_end(|| passed(STEPS_BETWEEN_LOOKS)));
            assert!(passed(0));
            refused()
        });
        assert_eq!(result, Err(CompileError::Interrupted));
    }
}
