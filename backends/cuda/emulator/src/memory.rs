//! [`Guarded`]: memory of the emulated GPU.

use std::ffi::c_void;

use memmap2::MmapMut;

/// Memory that ends where none may be read or written: a kernel that goes past its end ends the process, by a signal.
#[derive(Debug)]
pub struct Guarded {
    bytes: usize,
    address: u64,
    /// Gives it back.
    _map: MmapMut,
}

impl Guarded {
    /// What the kernels' widest loads are aligned to.
    const ALIGNMENT: usize = 16;
    /// At least a page of any machine, and a multiple of all of them.
    const GUARD: usize = 64 << 10;

    /// So many bytes, aligned to 16 and no more, so that the end is close.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(bytes: usize) -> std::io::Result<Self> {
        Self::aligned(bytes, Self::ALIGNMENT)
    }

    /// So many bytes, aligned to `alignment`.
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

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.address
    }

    /// How much it is.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Makes pages unusable.
fn protect(begin: usize) -> std::io::Result<()> {
    unsafe extern "C" {
        fn mprotect(address: *mut c_void, length: usize, protection: i32) -> i32;
    }
    // SAFETY: the pages are those of a map that its owner has just made, and holds nothing there.
    let refused = unsafe { mprotect(begin as *mut c_void, Guarded::GUARD, 0) };
    if refused == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
