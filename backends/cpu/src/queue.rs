//! [`Queue`]: the thread that runs a device's operations, one after the other. It lets the host compute masks while the
//! device computes, as with a GPU.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use jig_plugin_api::{Error, Result};
use jig_transformer::Batch;

use crate::simd::Level;
use crate::threads::Threads;

/// What operations run on.
pub(crate) struct Executor {
    pub(crate) threads: Arc<Threads>,
    pub(crate) level: Level,
    pub(crate) batch: Batch,
    /// The products of a gate, side by side. It grows to the largest size and is kept.
    pub(crate) gated: Vec<f32>,
    /// Rows with their elements in the order of a matrix's columns. It grows and is kept as well.
    pub(crate) ordered: Vec<f32>,
}

type Job = Box<dyn FnOnce(&mut Executor) + Send>;

/// A thread that runs operations in the order in which they were enqueued.
pub(crate) struct Queue {
    jobs: Mutex<Option<Sender<Job>>>,
    /// The first failure since the last wait.
    failure: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Queue {
    pub(crate) fn new(mut executor: Executor) -> Result<Self> {
        let (sender, jobs) = mpsc::channel::<Job>();
        let failure = Arc::new(Mutex::new(None));
        let failed = Arc::clone(&failure);
        let run = move || {
            for job in jobs {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(&mut executor))) {
                    let text = panic.downcast_ref::<String>().map(String::as_str);
                    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text.to_owned());
                }
            }
        };
        let thread = thread::Builder::new().name("jig-cpu".to_owned()).spawn(run);
        let thread = thread.map_err(|error| Error::out_of_memory(format!("can't start a thread: {error}")))?;
        Ok(Self { jobs: Mutex::new(Some(sender)), failure, thread: Some(thread) })
    }

    /// Enqueues an operation and returns at once.
    pub(crate) fn enqueue(&self, job: impl FnOnce(&mut Executor) + Send + 'static) -> Result<()> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = jobs.as_ref().is_some_and(|jobs| jobs.send(Box::new(job)).is_ok());
        if sent { Ok(()) } else { Err(Error::internal("the CPU device's thread has ended")) }
    }

    /// Enqueues an operation and waits for its result, and thereby for all operations before it.
    pub(crate) fn wait<T: Send + 'static>(&self, job: impl FnOnce(&mut Executor) -> T + Send + 'static) -> Result<T> {
        let (sender, result) = mpsc::channel();
        self.enqueue(move |executor| {
            // The receiver waits below; it can't be gone.
            let _ = sender.send(job(executor));
        })?;
        let result = result.recv();
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(failure) => Err(Error::internal(format!("an operation of the CPU device failed: {failure}"))),
            None => result.map_err(|_| Error::internal("an operation of the CPU device gave no result")),
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.take() {
            // Panics of jobs were caught, so the thread itself did not panic.
            let _ = thread.join();
        }
    }
}
