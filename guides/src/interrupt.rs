//! [`Interrupt`]: ends a compilation early.
//!
//! The loops that take long lie deep in the operations on automata, which know nothing of requests. Handing an interrupt down to them would
//! put a parameter on each. A thread compiles one source at a time, so the interrupt is a thread-local that the loops poll ([`passed`]). A
//! loop that sees it raised returns its usual error for too much work, and [`until`] replaces that by the interrupt's.

use crate::error::CompileError;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Ends a compilation early: at a deadline, or when its requester is gone. Cheap to clone; clones share one state.
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
    /// The time from its creation to `at`.
    limit: Duration,
}

impl Interrupt {
    /// An interrupt without a deadline.
    pub fn new() -> Interrupt {
        Interrupt::default()
    }

    /// An interrupt that is raised at a deadline, if not before.
    pub fn at(deadline: Instant) -> Interrupt {
        let limit = deadline.saturating_duration_since(Instant::now());
        let shared = Shared { raised: AtomicBool::new(false), deadline: Some(Deadline { at: deadline, limit }) };
        Interrupt { shared: Arc::new(shared) }
    }

    /// Raises it, from any thread. Its compilations end within milliseconds.
    pub fn raise(&self) {
        self.shared.raised.store(true, Ordering::Relaxed);
    }

    /// Whether it was raised or its deadline has passed.
    pub fn is_raised(&self) -> bool {
        self.shared.raised.load(Ordering::Relaxed) || self.left().is_some_and(|left| left.is_zero())
    }

    /// The time to the deadline; `None` without one.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.shared.deadline.map(|deadline| deadline.at.saturating_duration_since(Instant::now()))
    }

    /// The error of a compilation that this interrupt ended.
    pub(crate) fn error(&self) -> CompileError {
        match self.shared.deadline {
            Some(Deadline { limit, .. }) if !self.shared.raised.load(Ordering::Relaxed) => {
                CompileError::TooSlow { limit }
            }
            _ => CompileError::Interrupted,
        }
    }
}

/// The steps, of about a microsecond each, between two looks at the interrupt. A look reads the clock, so one for each step would cost more
/// than the step.
const STEPS_BETWEEN_LOOKS: usize = 1000;

thread_local! {
    /// The interrupt of this thread's compilation.
    static CURRENT: RefCell<Option<Interrupt>> = const { RefCell::new(None) };
    /// Steps until the next look at it.
    static STEPS_LEFT: Cell<usize> = const { Cell::new(0) };
    /// Whether a look has seen it raised.
    static SEEN: Cell<bool> = const { Cell::new(false) };
}

/// Whether the compilation of this thread is to end, after so many more steps of about a microsecond each. Once true it stays true. The
/// caller gives up, with any result: it is thrown away.
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

/// Runs `work` until it ends or is interrupted. If it failed after a look had seen the interrupt raised, the error is the interrupt's.
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

/// Runs `work` without the interrupt of this thread: its result is cached for all compilations.
pub(crate) fn to_the_end<T>(work: impl FnOnce() -> T) -> T {
    let _outer = Outer::enter(None);
    work()
}

/// The outer interrupt, which is restored when this is dropped, after a panic too.
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
    fn a_passed_deadline_is_too_slow_and_a_raised_interrupt_is_interrupted() {
        let interrupt = Interrupt::at(Instant::now());
        assert!(interrupt.is_raised());
        assert_eq!(interrupt.error(), CompileError::TooSlow { limit: Duration::ZERO });
        interrupt.raise();
        assert_eq!(interrupt.error(), CompileError::Interrupted);
        assert!(!Interrupt::at(Instant::now() + Duration::from_secs(3600)).is_raised());
    }

    #[test]
    fn work_to_the_end_does_not_see_the_interrupt_which_holds_again_afterwards() {
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
