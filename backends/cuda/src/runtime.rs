//! [`Runtime`]: the operations of a GPU that a device needs: memory, copies, launches, large matrix products,
//! recordings.
//!
//! The trait makes the backend testable without a GPU. Above it is everything that computes a decoder
//! ([`crate::device`]); below it are either NVIDIA's driver and cuBLASLt (`gpu`), or the kernels compiled for the CPU
//! (`tests/emulated`).
//!
//! Everything but [`Runtime::read`] and [`Runtime::synchronize`] is enqueued and runs in order.

use std::os::raw::c_void;
use std::sync::Arc;

use jig_plugin_api::{Error, Result};
use jig_transformer::DType;

use crate::kernels::Kernel;

/// Memory of a device, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMemory {
    /// Free memory.
    pub free: u64,
    /// All memory.
    pub total: u64,
}

/// A launch of a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    /// The kernel.
    pub kernel: Kernel,
    /// Blocks in each direction.
    pub grid: [u32; 3],
    /// Bytes of dynamic shared memory of a block.
    pub shared: u32,
    /// The kernel's structure of arguments.
    pub arguments: *const c_void,
    /// Its size in bytes.
    pub size: usize,
}

/// `out[r][o] = sum over i of x[r][i] * weight[o][i]`, with sums and results in `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Product {
    /// The type of x and of the weights.
    pub dtype: DType,
    /// Rows of x.
    pub rows: usize,
    /// Rows of the weights.
    pub outputs: usize,
    /// Elements of a row of x and of the weights.
    pub inputs: usize,
    /// Floats from a row of the result to the next.
    pub out_stride: usize,
    /// Address of `[rows][inputs]`.
    pub x: u64,
    /// Address of `[outputs][inputs]`.
    pub weight: u64,
    /// Address of `[rows][out_stride]` floats.
    pub out: u64,
}

/// A sequence of launches and products that can be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Recording(pub usize);

/// A GPU, or a substitute in tests. See the [module](self).
pub trait Runtime: Send + Sync {
    /// As `--device` names it.
    fn id(&self) -> String;

    /// The address of new memory, aligned to 256 bytes and full of zeros.
    ///
    /// # Errors
    /// `OutOfMemory`.
    fn allocate(&self, bytes: usize) -> Result<u64>;

    /// Frees memory, after all enqueued work.
    ///
    /// # Safety
    /// `address` comes from [`Runtime::allocate`], and is not used any more.
    unsafe fn free(&self, address: u64);

    /// Free and total memory.
    ///
    /// # Errors
    /// Failures of the device.
    fn memory(&self) -> Result<DeviceMemory>;

    /// Copies to the device. `bytes` may be reused at once.
    ///
    /// # Safety
    /// There is allocated room for all bytes from `to` on.
    ///
    /// # Errors
    /// Failures of the device.
    unsafe fn write(&self, to: u64, bytes: &[u8]) -> Result<()>;

    /// Waits for all enqueued work, and copies from the device.
    ///
    /// # Safety
    /// That many bytes from `from` on are allocated.
    ///
    /// # Errors
    /// Failures of the device, and of work enqueued before.
    unsafe fn read(&self, from: u64, bytes: &mut [u8]) -> Result<()>;

    /// Launches a kernel. The arguments are copied.
    ///
    /// # Safety
    /// The arguments are those of the kernel, and all addresses in them have the memory that it reads and writes.
    ///
    /// # Errors
    /// Failures of the device.
    unsafe fn launch(&self, launch: &Launch) -> Result<()>;

    /// Computes a product.
    ///
    /// # Safety
    /// The addresses have the memory that their shapes say.
    ///
    /// # Errors
    /// Failures of the device.
    unsafe fn product(&self, product: &Product) -> Result<()>;

    /// From here to [`Runtime::end_recording`], launches and products are recorded instead of run. No other method may
    /// be called.
    ///
    /// # Errors
    /// Failures of the device.
    fn begin_recording(&self) -> Result<()>;

    /// Ends a recording. It must be called after each successful `begin_recording`, even if an operation in between
    /// failed.
    ///
    /// # Errors
    /// Failures of the device; nothing is recorded then.
    fn end_recording(&self) -> Result<Recording>;

    /// Enqueues a recording.
    ///
    /// # Safety
    /// All memory that it uses still exists.
    ///
    /// # Errors
    /// Failures of the device.
    unsafe fn replay(&self, recording: Recording) -> Result<()>;

    /// Forgets all recordings, after all enqueued work.
    fn forget_recordings(&self);

    /// Waits for all enqueued work.
    ///
    /// # Errors
    /// Failures of enqueued work.
    fn synchronize(&self) -> Result<()>;
}

/// Device memory, freed when it is dropped.
pub struct Allocation {
    runtime: Arc<dyn Runtime>,
    address: u64,
    bytes: usize,
}

impl std::fmt::Debug for Allocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Allocation({} bytes at {:#x})", self.bytes, self.address)
    }
}

impl Allocation {
    /// New memory, full of zeros.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn new(runtime: &Arc<dyn Runtime>, bytes: usize) -> Result<Self> {
        // An allocation of no bytes has an address too.
        let address = runtime.allocate(bytes.max(16))?;
        Ok(Self { runtime: Arc::clone(runtime), address, bytes })
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

    /// Copies to it, at an offset.
    ///
    /// # Errors
    /// `Internal` if it is too small; failures of the device.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        self.check(offset, bytes.len())?;
        // SAFETY: there is the room, as was just checked.
        unsafe { self.runtime.write(self.address + offset as u64, bytes) }
    }

    /// Copies from it, at an offset, after all enqueued work.
    ///
    /// # Errors
    /// `Internal` where it is too small; failures of the device.
    pub fn read(&self, offset: usize, bytes: &mut [u8]) -> Result<()> {
        self.check(offset, bytes.len())?;
        // SAFETY: there are as many bytes, as was just checked.
        unsafe { self.runtime.read(self.address + offset as u64, bytes) }
    }

    fn check(&self, offset: usize, bytes: usize) -> Result<()> {
        let inside = offset.checked_add(bytes).is_some_and(|end| end <= self.bytes);
        inside.then_some(()).ok_or_else(|| Error::internal(format!("{bytes} bytes at {offset} of {}", self.bytes)))
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: it was allocated by this runtime, and nobody else has its address once this is dropped.
        unsafe { self.runtime.free(self.address) };
    }
}
