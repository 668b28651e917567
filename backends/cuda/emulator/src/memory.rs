//! [`Guarded`]: memory of the emulated GPU, with guard pages.

use std::ffi::c_void;

use memmap2::MmapMut;

/// Memory that ends at a guard page: a kernel that goes past its end ends the process by a signal.
#[derive(Debug)]
pub struct Guarded {
    bytes: usize,
    address: u64,
    /// Unmaps it.
    _map: MmapMut,
}

impl Guarded {
    /// The alignment of the kernels' widest loads.
    const ALIGNMENT: usize = 16;
    /// At least the page size of any machine, and a multiple of it.
    const GUARD: usize = 64 << 10;

    /// Allocates `bytes` bytes with the smallest alignment, 16, so that the guard page is close to their end.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(bytes: usize) -> std::io::Result<Self> {
        Self::aligned(bytes, Self::ALIGNMENT)
    }

    /// Allocates `bytes` bytes, aligned to `alignment`.
    ///
    /// # Errors
    /// What the system says.
    pub fn aligned(bytes: usize, alignment: usize) -> std::io::Result<Self> {
        let taken = bytes.next_multiple_of(alignment);
        let map = MmapMut::map_anon(taken.next_multiple_of(Self::GUARD) + 2 * Self::GUARD)?;
        let end = (map.as_ptr() as usize + taken).next_multiple_of(Self::GUARD);
        protect(end)?;
        Ok(Self { bytes, address: (end - taken) as u64, _map: map })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Its size in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Makes pages inaccessible.
fn protect(begin: usize) -> std::io::Result<()> {
    unsafe extern "C" {
        fn mprotect(address: *mut c_void, length: usize, protection: i32) -> i32;
    }
    // SAFETY: the pages are those of a map that its owner has just made, and holds nothing there.
    let refused = unsafe { mprotect(begin as *mut c_void, Guarded::GUARD, 0) };
    if refused == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
