//! [`Memory`]: large blocks of memory that the tasks of a step share.

use jig_plugin_api::{Error, Result};
use memmap2::{Advice, MmapMut};

/// A block of zeroed memory, in huge pages if the system has them, which reduce TLB misses of weight streams by a factor of 512.
/// Pages that are never written take no memory.
///
/// Access is not checked by the compiler. Operations run one after the other on the device's thread, and the pieces of
/// an operation write to disjoint parts.
#[derive(Debug)]
pub(crate) struct Memory {
    map: MmapMut,
    bytes: usize,
}

impl Memory {
    /// Allocates at least `bytes` bytes, aligned to a page.
    pub(crate) fn new(bytes: usize) -> Result<Self> {
        let failed = |error: std::io::Error| Error::out_of_memory(format!("can't allocate {bytes} bytes: {error}"));
        let map = MmapMut::map_anon(bytes.max(1)).map_err(failed)?;
        #[cfg(target_os = "linux")]
        if bytes >= 1 << 21 {
            // If the system refuses huge pages, only speed is lost.
            let _ = map.advise(Advice::HugePage);
        }
        Ok(Self { map, bytes })
    }

    /// Room for `count` values of `f32`.
    pub(crate) fn floats(count: usize) -> Result<Self> {
        let bytes = count.checked_mul(4).ok_or_else(|| Error::out_of_memory(format!("{count} floats are too many")))?;
        Self::new(bytes)
    }

    /// Its size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where it begins.
    pub(crate) fn pointer(&self) -> *mut u8 {
        self.map.as_ptr().cast_mut()
    }

    /// All of it.
    ///
    /// # Safety
    /// Nobody writes to it meanwhile.
    pub(crate) unsafe fn as_floats(&self) -> &[f32] {
        // SAFETY: a page is aligned for floats, any bits are a float; the rest is the contract.
        unsafe { std::slice::from_raw_parts(self.pointer().cast(), self.bytes / size_of::<f32>()) }
    }

    /// All of it, to write to.
    ///
    /// # Safety
    /// Nobody else uses it meanwhile.
    #[allow(clippy::mut_from_ref, reason = "who writes is agreed outside of the borrow checker; see the type")]
    pub(crate) unsafe fn as_floats_mut(&self) -> &mut [f32] {
        // SAFETY: the contract, which is stricter.
        unsafe { self.floats_at(0, self.bytes / size_of::<f32>()) }
    }

    /// Some of it, to write to.
    ///
    /// # Panics
    /// If it ends before.
    ///
    /// # Safety
    /// Nobody else uses this part meanwhile.
    #[allow(clippy::mut_from_ref, reason = "who writes is agreed outside of the borrow checker; see the type")]
    pub(crate) unsafe fn floats_at(&self, first: usize, count: usize) -> &mut [f32] {
        assert!(first.checked_add(count).is_some_and(|end| end <= self.bytes / size_of::<f32>()), "past the end");
        // SAFETY: the part lies inside, a page is aligned for floats, any bits are a float; the rest is the contract.
        unsafe { std::slice::from_raw_parts_mut(self.pointer().cast::<f32>().add(first), count) }
    }
}
