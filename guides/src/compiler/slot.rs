//! [`Slot`]: a result that many threads want and one of them makes.

use crate::error::CompileError;
use crate::interrupt::Interrupt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a waiting thread sleeps at most before it looks at its own interrupt.
const PATIENCE: Duration = Duration::from_millis(20);

/// A result, or a place where one thread makes it while the others wait. If that thread is interrupted, one of the others starts again: an
/// interrupt belongs to one request and says nothing about the source.
#[derive(Debug)]
pub(super) struct Slot<T> {
    state: Mutex<Filling<T>>,
    changed: Condvar,
}

#[derive(Debug)]
enum Filling<T> {
    Idle,
    Busy,
    Done(Result<T, CompileError>),
}

impl<T> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot { state: Mutex::new(Filling::Idle), changed: Condvar::new() }
    }
}

impl<T: Clone> Slot<T> {
    /// The result, if it is made.
    pub(crate) fn get(&self) -> Option<Result<T, CompileError>> {
        match &*self.state() {
            Filling::Done(result) => Some(result.clone()),
            Filling::Idle | Filling::Busy => None,
        }
    }

    /// The result, from `make` if there is none yet. An interruption of `make` is returned and not kept.
    pub(crate) fn get_or_make(
        &self,
        interrupt: &Interrupt,
        make: impl FnOnce() -> Result<T, CompileError>,
    ) -> Result<T, CompileError> {
        let mut state = self.state();
        loop {
            match &*state {
                Filling::Done(result) => return result.clone(),
                _ if interrupt.is_raised() => return Err(interrupt.error()),
                Filling::Idle => break,
                Filling::Busy => {}
            }
            let patience = interrupt.left().map_or(PATIENCE, |left| left.min(PATIENCE));
            state = self.changed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        *state = Filling::Busy;
        drop(state);
        // If `make` panics, dropping this frees the slot.
        let mut busy = Busy { slot: self, result: None };
        let result = make();
        if !result.as_ref().is_err_and(CompileError::is_interruption) {
            busy.result = Some(result.clone());
        }
        result
    }

    fn state(&self) -> MutexGuard<'_, Filling<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot whose result is being made. Dropping it stores the result, if there is one, and wakes the waiting threads.
struct Busy<'a, T: Clone> {
    slot: &'a Slot<T>,
    result: Option<Result<T, CompileError>>,
}

impl<T: Clone> Drop for Busy<'_, T> {
    fn drop(&mut self) {
        *self.slot.state() = self.result.take().map_or(Filling::Idle, Filling::Done);
        self.slot.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn a_result_is_made_once_and_a_refusal_too() {
        let slot = Slot::default();
        assert_eq!(slot.get(), None);
        assert_eq!(slot.get_or_make(&Interrupt::new(), || Ok(1)), Ok(1));
        assert_eq!(slot.get_or_make(&Interrupt::new(), || Ok(2)), Ok(1));
        let slot = Slot::<u8>::default();
        let refused = Err(CompileError::Unsatisfiable { pointers: Vec::new(), reason: "none".into() });
        assert_eq!(slot.get_or_make(&Interrupt::new(), || refused.clone()), refused);
        assert_eq!(slot.get(), Some(refused));
    }

    #[test]
    fn an_interruption_of_one_thread_is_not_the_result_of_the_waiting_ones() {
        let slot = Slot::default();
        let (begun, has_begun) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        thread::scope(|scope| {
            let slot = &slot;
            let first = scope.spawn(move || {
                slot.get_or_make(&Interrupt::new(), || {
                    begun.send(()).unwrap();
                    ended.recv().unwrap();
                    Err(CompileError::Interrupted)
                })
            });
            has_begun.recv().unwrap();
            let second = scope.spawn(|| slot.get_or_make(&Interrupt::new(), || Ok(5)));
            end.send(()).unwrap();
            assert_eq!(first.join().unwrap(), Err(CompileError::Interrupted));
            assert_eq!(second.join().unwrap(), Ok(5));
        });
        assert_eq!(slot.get(), Some(Ok(5)));
    }

    #[test]
    fn a_waiting_thread_ends_at_its_own_interrupt() {
        let slot = Slot::default();
        let (begun, has_begun) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let interrupt = Interrupt::new();
        thread::scope(|scope| {
            let slot = &slot;
            let first = scope.spawn(move || {
                slot.get_or_make(&Interrupt::new(), || {
                    begun.send(()).unwrap();
                    ended.recv().unwrap();
                    Ok(1)
                })
            });
            has_begun.recv().unwrap();
            let second = scope.spawn(|| slot.get_or_make(&interrupt, || Ok(2)));
            interrupt.raise();
            assert_eq!(second.join().unwrap(), Err(CompileError::Interrupted));
            end.send(()).unwrap();
            assert_eq!(first.join().unwrap(), Ok(1));
        });
    }

    #[test]
    fn a_panic_leaves_the_slot_free() {
        let slot = Slot::default();
        let panics = || -> Result<u8, CompileError> { panic!("on purpose") };
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = slot.get_or_make(&Interrupt::new(), panics);
        }));
        assert!(caught.is_err());
        assert_eq!(slot.get_or_make(&Interrupt::new(), || Ok(3)), Ok(3));
    }
}
