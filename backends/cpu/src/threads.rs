//! The backend's own threads: a loop over independent pieces of work.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use jig_plugin_api::{Error, Result};

/// Below this many multiply-adds, waking the other threads costs more than it saves.
const WORTH_SHARING: usize = 1 << 17;

/// A pool of threads.
#[derive(Debug)]
pub struct Threads {
    pool: ThreadPool,
    count: usize,
}

impl Threads {
    /// `count` threads, by default one for each core.
    ///
    /// # Errors
    /// `Internal` if the system can't start the threads.
    pub fn new(count: Option<usize>) -> Result<Self> {
        let count = count.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
        let name = |index| format!("jig-cpu-{index}");
        let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(name).build();
        let pool = pool.map_err(|error| Error::internal(format!("can't start {count} threads: {error}")))?;
        Ok(Self { pool, count })
    }

    /// The number of threads.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Runs `work` for each index below `pieces`, on all threads if `cost` (multiply-adds in total) is large enough.
    pub fn each(&self, pieces: usize, cost: usize, work: impl Fn(usize) + Send + Sync) {
        if self.count == 1 || pieces < 2 || cost < WORTH_SHARING {
            (0..pieces).for_each(work);
        } else {
            self.pool.install(|| (0..pieces).into_par_iter().with_max_len(1).for_each(&work));
        }
    }
}

/// A pointer to output; each piece of work writes its own elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shared(*mut f32);

// SAFETY: the pointer is only a place; who writes through it promises that no two threads write the same element.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// The start of a slice that outlives the work.
    pub(crate) fn new(slice: &mut [f32]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// The place of an element.
    ///
    /// # Safety
    /// `index` lies inside of the slice.
    pub(crate) unsafe fn at(self, index: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(index) }
    }
}
