//! [`Kernel`]: a kernel that was compiled for this machine, and [`Grid`], how it is launched.

use std::ffi::{CStr, c_char, c_void};
use std::path::Path;

use libloading::Library;

/// What `KERNEL` of `emulator.h` defines: grid, threads, shared memory, arguments and their size; it gives what went wrong, or null.
type Entry = unsafe extern "C" fn(*const u32, u32, u32, *const c_void, usize) -> *const c_char;

/// See the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    entry: Entry,
    size: usize,
}

/// How a kernel is launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Blocks in each direction.
    pub blocks: [u32; 3],
    /// Threads of a block.
    pub threads: u32,
    /// Bytes of dynamic shared memory of a block.
    pub shared: u32,
}

/// A library that [`crate::compiler::build`] has made. It is never unloaded.
///
/// # Errors
/// What the loader says.
pub fn open(file: &Path) -> Result<&'static Library, String> {
    // SAFETY: the library has no initialisers but those of the C++ library.
    let library = unsafe { Library::new(file) }.map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Box::leak(Box::new(library)))
}

impl Kernel {
    /// A kernel of a library by its name; none where it doesn't define it.
    #[must_use]
    pub fn find(library: &'static Library, name: &str) -> Option<Self> {
        // SAFETY: `KERNEL` defines both with these types.
        unsafe {
            let entry = *library.get::<Entry>(name).ok()?;
            let size = library.get::<unsafe extern "C" fn() -> usize>(format!("{name}_size")).ok()?;
            Some(Self { entry, size: size() })
        }
    }

    /// Bytes of its structure of arguments.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Runs it.
    ///
    /// # Safety
    /// There are `size` bytes of arguments, and all addresses in them have the memory that the kernel reads and writes.
    ///
    /// # Errors
    /// What went wrong.
    pub unsafe fn run(&self, grid: Grid, arguments: *const c_void, size: usize) -> Result<(), String> {
        let Grid { blocks, threads, shared } = grid;
        // SAFETY: the caller promises it.
        let failure = unsafe { (self.entry)(blocks.as_ptr(), threads, shared, arguments, size) };
        if failure.is_null() {
            return Ok(());
        }
        // SAFETY: what is not null is a text that ends with NUL and lives as long as the library.
        Err(unsafe { CStr::from_ptr(failure) }.to_string_lossy().into_owned())
    }
}
