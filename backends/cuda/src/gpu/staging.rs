//! [`Staging`]: pinned memory for all copies to the GPU and back.
//!
//! The GPU copies from pinned memory by DMA, at the speed of the bus and while the processor continues. There are two
//! halves: one is filled while the other is copied. Several threads fill a half with weights from the page cache,
//! because one thread is slower than the bus.

use std::os::raw::c_void;
use std::thread;

use cudarc::driver::result::{self, DriverError, event, stream};
use cudarc::driver::sys::{CUevent, CUevent_flags, CUstream};
use jig_plugin_api::Result;

use super::failure::failed;

/// Bytes of a half.
const HALF: usize = 16 << 20;
/// Threads that fill a half, and the fewest bytes for which more than one thread pays.
const THREADS: usize = 4;
const LEAST_SHARED: usize = 2 << 20;

/// See the [module](self).
pub(super) struct Staging {
    stream: CUstream,
    halves: [Half; 2],
    next: usize,
}

/// Pinned memory, and the event after which the GPU has read it.
struct Half {
    memory: *mut u8,
    read: CUevent,
}

impl Half {
    fn new() -> Result<Self> {
        let wrong = |error| failed("pinned memory", error);
        let flags = CUevent_flags::CU_EVENT_DISABLE_TIMING;
        let read = event::create(flags).map_err(wrong)?;
        // SAFETY: the context is current. What it holds is written before it is read.
        let memory = unsafe { result::malloc_host(HALF, 0) }.inspect_err(|_| {
            // SAFETY: the event was just made.
            let _ = unsafe { event::destroy(read) };
        });
        Ok(Self { memory: memory.map_err(wrong)?.cast(), read })
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        // SAFETY: both were made once, and are given back once; the event tells that the GPU doesn't read the memory.
        unsafe {
            let _ = event::synchronize(self.read);
            let _ = event::destroy(self.read);
            let _ = result::free_host(self.memory.cast::<c_void>());
        }
    }
}

impl Staging {
    pub(super) fn new(stream: CUstream) -> Result<Self> {
        Ok(Self { stream, halves: [Half::new()?, Half::new()?], next: 0 })
    }

    /// Enqueues a copy to the GPU. `bytes` are read before it returns.
    ///
    /// # Safety
    /// There is room for them at `to`, and the context is current.
    pub(super) unsafe fn write(&mut self, to: u64, bytes: &[u8]) -> std::result::Result<(), DriverError> {
        for (index, piece) in bytes.chunks(HALF).enumerate() {
            let half = &self.halves[self.next];
            self.next = 1 - self.next;
            // SAFETY: the event exists; a half has room for a piece, and after the event nobody else uses it.
            unsafe {
                event::synchronize(half.read)?;
                fill(std::slice::from_raw_parts_mut(half.memory, piece.len()), piece);
                let filled = std::slice::from_raw_parts(half.memory, piece.len());
                result::memcpy_htod_async(to + (index * HALF) as u64, filled, self.stream)?;
                event::record(half.read, self.stream)?;
            }
        }
        Ok(())
    }

    /// Copies from the GPU, after all enqueued work.
    ///
    /// # Safety
    /// There are as many bytes at `from`, and the context is current.
    pub(super) unsafe fn read(&mut self, from: u64, bytes: &mut [u8]) -> std::result::Result<(), DriverError> {
        for (index, piece) in bytes.chunks_mut(HALF).enumerate() {
            let half = &self.halves[self.next];
            self.next = 1 - self.next;
            // SAFETY: a half has room for a piece. The stream is waited for before it is read.
            unsafe {
                event::synchronize(half.read)?;
                let arrived = std::slice::from_raw_parts_mut(half.memory, piece.len());
                result::memcpy_dtoh_async(arrived, from + (index * HALF) as u64, self.stream)?;
                stream::synchronize(self.stream)?;
                piece.copy_from_slice(arrived);
            }
        }
        Ok(())
    }
}

/// Copies, with several threads if that pays.
fn fill(to: &mut [u8], from: &[u8]) {
    if from.len() < LEAST_SHARED {
        return to.copy_from_slice(from);
    }
    let share = from.len().div_ceil(THREADS);
    thread::scope(|scope| {
        for (to, from) in to.chunks_mut(share).zip(from.chunks(share)) {
            scope.spawn(move || to.copy_from_slice(from));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_by_several_threads_is_what_was_there() {
        for length in [0, 1, LEAST_SHARED - 1, LEAST_SHARED + 5] {
            let from: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let mut to = vec![0; length];
            fill(&mut to, &from);
            assert!(to == from, "{length}");
        }
    }
}
