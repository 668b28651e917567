//! [`Early`]: a launch whose first block has begun before the kernel before it has run.
//!
//! Of what CUDA allows where a kernel may begin while the one before it ends, this is the most: the first block runs up to where all of its
//! threads wait for that kernel. Whatever it has read by then is as that kernel has found it.

use std::ffi::c_void;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::kernel::{Grid, Kernel, Part};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Early {
    go: Sender<()>,
    told: Receiver<Told>,
    /// What became of the block, where it has ended already.
    ended: Option<Result<(), String>>,
}

/// What the thread tells of a block.
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

/// The threads in which first blocks begin, which keep their stacks. There are two: the block of a launch waits while the next one's begins.
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

    /// Begins a launch, and returns once its first block waits or has ended. None where there is no thread.
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
    // Nobody listens any more where a launch before this one has failed.
    let _ = gate.tell.send(Told::Ended(outcome));
}

/// All threads of the block wait.
extern "C" fn waits(gate: *mut c_void) {
    // SAFETY: it is that of `run`, which waits for the block.
    let gate = unsafe { &*gate.cast::<Gate>() };
    let _ = gate.tell.send(Told::Waits);
    let _ = gate.go.recv();
}

impl Early {
    /// Runs what is left of the launch.
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
