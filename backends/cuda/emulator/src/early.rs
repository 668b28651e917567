//! [`Early`]: a launch whose first block has begun before the previous kernel has run.
//!
//! This is the earliest start that CUDA allows with programmatic dependent launch: the first block runs until all of
//! its threads wait for the previous kernel. Everything that it has read by then is older than that kernel's results,
//! so a missing wait gives wrong results.

use std::ffi::c_void;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::kernel::{Grid, Kernel, Part};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Early {
    go: Sender<()>,
    told: Receiver<Told>,
    /// The result of the block, if it has already ended.
    ended: Option<Result<(), String>>,
}

/// Messages of the thread about a block.
enum Told {
    Waits,
    Ended(Result<(), String>),
}

struct Job {
    kernel: Kernel,
    grid: Grid,
    arguments: Vec<u64>,
    gate: Gate,
}

struct Gate {
    go: Receiver<()>,
    tell: Sender<Told>,
}

/// The threads of first blocks, which keep their stacks while they wait. There are two, because the block of one launch
/// waits while that of the next one begins.
pub(crate) struct Beginner {
    threads: [Option<Sender<Job>>; 2],
    next: usize,
}

impl Beginner {
    pub(crate) fn new() -> Self {
        let start = || {
            let (jobs, todo) = channel::<Job>();
            let run = move || todo.into_iter().for_each(run);
            thread::Builder::new().name("early blocks".to_owned()).spawn(run).ok().map(|_| jobs)
        };
        Self { threads: [start(), start()], next: 0 }
    }

    /// Begins a launch, and returns once its first block waits or has ended. `None` if there is no free thread.
    ///
    /// # Safety
    /// As for [`Kernel::run`], until the launch is finished.
    pub(crate) unsafe fn begin(&mut self, kernel: Kernel, grid: Grid, arguments: Vec<u64>) -> Option<Early> {
        let ((go, wait), (tell, told)) = (channel(), channel());
        self.next = 1 - self.next;
        self.threads[self.next].as_ref()?.send(Job { kernel, grid, arguments, gate: Gate { go: wait, tell } }).ok()?;
        let ended = match told.recv().ok()? {
            Told::Waits => None,
            Told::Ended(outcome) => Some(outcome),
        };
        Some(Early { go, told, ended })
    }
}

fn run(job: Job) {
    let Job { kernel, grid, arguments, gate } = job;
    let waits = Part::First { waits, argument: (&raw const gate).cast_mut().cast() };
    // SAFETY: whoever began the launch promises the arguments and their memory.
    let outcome = unsafe { kernel.run_part(waits, grid, arguments.as_ptr().cast(), kernel.size()) };
    // If an earlier launch has failed, there is no receiver any more.
    let _ = gate.tell.send(Told::Ended(outcome));
}

/// Called when all threads of the block wait.
extern "C" fn waits(gate: *mut c_void) {
    // SAFETY: it is that of `run`, which waits for the block.
    let gate = unsafe { &*gate.cast::<Gate>() };
    let _ = gate.tell.send(Told::Waits);
    let _ = gate.go.recv();
}

impl Early {
    /// Runs the rest of the launch.
    ///
    /// # Safety
    /// It is the launch that was begun.
    ///
    /// # Errors
    /// What went wrong.
    pub(crate) unsafe fn finish(self, kernel: Kernel, grid: Grid, arguments: &[u64]) -> Result<(), String> {
        let _ = self.go.send(());
        // It has waited at most once, before it was begun.
        self.ended.unwrap_or_else(|| match self.told.recv() {
            Ok(Told::Ended(outcome)) => outcome,
            Ok(Told::Waits) | Err(_) => Err("its first block does not end".to_owned()),
        })?;
        // SAFETY: the caller promises it.
        unsafe { kernel.run_part(Part::Rest, grid, arguments.as_ptr().cast(), kernel.size()) }
    }
}
