//! [`Worker`]: the thread that runs the graph, so that the host can compute masks at the same time.

use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use jig_plugin_api::{Error, Result};

use crate::runner::Runner;

type Job = Box<dyn FnOnce(&mut Runner) + Send>;

/// A thread that owns the runner and runs jobs in order.
pub(crate) struct Worker {
    /// `None` only while it is dropped.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// The future result of a job.
pub(crate) struct Promise<T>(Receiver<Result<T>>);

impl Worker {
    pub(crate) fn start(mut runner: Runner) -> Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let work = move || {
            for job in queue {
                job(&mut runner);
            }
        };
        let thread = Builder::new().name("jig-ort".to_owned()).spawn(work);
        let thread = thread.map_err(|error| Error::internal(format!("can't start a thread: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Enqueues a job.
    pub(crate) fn enqueue<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Runner) -> Result<T> + Send + 'static,
    ) -> Promise<T> {
        let (sender, receiver) = sync_channel(1);
        let job = move |runner: &mut Runner| {
            // The receiver may be gone.
            let _ = sender.send(job(runner));
        };
        if let Some(jobs) = &self.jobs {
            // If the thread is gone, waiting for the promise reports it.
            let _ = jobs.send(Box::new(job));
        }
        Promise(receiver)
    }
}

impl<T> Promise<T> {
    /// Waits for the job.
    ///
    /// # Errors
    /// Those of the job; `Internal` if its thread panicked.
    pub(crate) fn wait(self) -> Result<T> {
        self.0.recv().unwrap_or_else(|_| Err(Error::internal("the thread that runs the graph has panicked")))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the promises.
            let _ = thread.join();
        }
    }
}
