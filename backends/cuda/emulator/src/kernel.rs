//! [`Kernel`]: a kernel that is compiled for this machine, and [`Grid`]: the dimensions of a launch.

use std::ffi::{CStr, c_char, c_void};
use std::path::Path;
use std::ptr::null_mut;

use libloading::Library;

/// The function that `KERNEL` of `emulator.h` defines. It takes grid, threads, shared memory, arguments and their size,
/// and returns an error text or null.
type Entry = unsafe extern "C" fn(*const u32, u32, u32, *const c_void, usize) -> *const c_char;

/// The function of `emulator.h` that prepares this thread's next launch: which blocks run, and what is called when all
/// threads of a block wait for the previous kernel.
type Prepare = unsafe extern "C" fn(i32, Option<extern "C" fn(*mut c_void)>, *mut c_void);

/// See the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    entry: Entry,
    prepare: Prepare,
    size: usize,
}

/// Blocks of a launch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    All,
    /// The first one, and what it calls when all of its threads wait for the previous kernel.
    First {
        waits: extern "C" fn(*mut c_void),
        argument: *mut c_void,
    },
    /// All others.
    Rest,
}

/// The dimensions of a launch.
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
/// The loader's error.
pub fn open(file: &Path) -> Result<&'static Library, String> {
    // SAFETY: the library has no initialisers but those of the C++ library.
    let library = unsafe { Library::new(file) }.map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Box::leak(Box::new(library)))
}

impl Kernel {
    /// A kernel of a library by its name; `None` if the library doesn't define it.
    #[must_use]
    pub fn find(library: &'static Library, name: &str) -> Option<Self> {
        // SAFETY: `KERNEL` defines both with these types.
        unsafe {
            let entry = *library.get::<Entry>(name).ok()?;
            let size = library.get::<unsafe extern "C" fn() -> usize>(format!("{name}_size")).ok()?;
            let prepare = *library.get::<Prepare>("emulator_prepare").ok()?;
            Some(Self { entry, prepare, size: size() })
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
        // SAFETY: the caller promises it.
        unsafe { self.run_part(Part::All, grid, arguments, size) }
    }

    /// Runs some blocks of it.
    ///
    /// # Safety
    /// As for [`Kernel::run`].
    ///
    /// # Errors
    /// What went wrong.
    pub(crate) unsafe fn run_part(
        &self,
        part: Part,
        grid: Grid,
        arguments: *const c_void,
        size: usize,
    ) -> Result<(), String> {
        let Grid { blocks, threads, shared } = grid;
        let (number, waits, argument) = match part {
            Part::All => (0, None, null_mut()),
            Part::First { waits, argument } => (1, Some(waits), argument),
            Part::Rest => (2, None, null_mut()),
        };
        // SAFETY: the caller promises it; what is prepared holds for this thread and this launch.
        let failure = unsafe {
            (self.prepare)(number, waits, argument);
            (self.entry)(blocks.as_ptr(), threads, shared, arguments, size)
        };
        if failure.is_null() {
            return Ok(());
        }
        // SAFETY: what is not null is a text that ends with NUL and lives as long as the library.
        Err(unsafe { CStr::from_ptr(failure) }.to_string_lossy().into_owned())
    }
}
