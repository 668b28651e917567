//! The few functions of NVIDIA's driver that this backend calls itself: listing GPUs, and memory on one of them.
//!
//! ONNX Runtime works in the primary context of a GPU, as all users of the CUDA runtime do. [`Card`] does too, so its
//! memory can be bound to a run. All calls are synchronous.

#[cfg(test)]
pub(crate) mod fake;

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;

use jig_plugin_api::{DeviceInfo, Error, ErrorCode, Result};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

/// The most GPUs that are listed: a bound on what the driver reports.
const MAX_CARDS: c_int = 64;
/// `CUDA_ERROR_OUT_OF_MEMORY`.
const OUT_OF_MEMORY: c_int = 2;
/// `CU_MEMORYTYPE_DEVICE`.
const ON_DEVICE: c_uint = 2;

/// Functions of the driver API, under the names of its manual without `cu`.
#[derive(Clone, Copy)]
pub(crate) struct Driver {
    pub(crate) device_get_count: unsafe extern "C" fn(*mut c_int) -> c_int,
    pub(crate) device_get: unsafe extern "C" fn(*mut c_int, c_int) -> c_int,
    pub(crate) device_get_name: unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int,
    pub(crate) device_total_mem: unsafe extern "C" fn(*mut usize, c_int) -> c_int,
    pub(crate) primary_retain: unsafe extern "C" fn(*mut *mut c_void, c_int) -> c_int,
    pub(crate) primary_release: unsafe extern "C" fn(c_int) -> c_int,
    pub(crate) set_current: unsafe extern "C" fn(*mut c_void) -> c_int,
    pub(crate) mem_get_info: unsafe extern "C" fn(*mut usize, *mut usize) -> c_int,
    pub(crate) mem_alloc: unsafe extern "C" fn(*mut u64, usize) -> c_int,
    pub(crate) mem_free: unsafe extern "C" fn(u64) -> c_int,
    pub(crate) memset: unsafe extern "C" fn(u64, u8, usize) -> c_int,
    pub(crate) memcpy_2d: unsafe extern "C" fn(*const Copy2d) -> c_int,
    pub(crate) memcpy_to_host: unsafe extern "C" fn(*mut c_void, u64, usize) -> c_int,
    pub(crate) alloc_host: unsafe extern "C" fn(*mut *mut c_void, usize) -> c_int,
    pub(crate) free_host: unsafe extern "C" fn(*mut c_void) -> c_int,
    pub(crate) synchronize: unsafe extern "C" fn() -> c_int,
}

/// `CUDA_MEMCPY2D`: rows of bytes from one place to another.
#[repr(C)]
pub(crate) struct Copy2d {
    from_x: usize,
    from_y: usize,
    from_type: c_uint,
    from_host: *const c_void,
    pub(crate) from: u64,
    from_array: *mut c_void,
    pub(crate) from_pitch: usize,
    to_x: usize,
    to_y: usize,
    to_type: c_uint,
    to_host: *mut c_void,
    pub(crate) to: u64,
    to_array: *mut c_void,
    pub(crate) to_pitch: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Driver {
    /// This machine's driver; `None` if there is none, or if it is too old or finds no GPU.
    pub(crate) fn get() -> Option<Self> {
        static DRIVER: OnceLock<Option<Driver>> = OnceLock::new();
        *DRIVER.get_or_init(|| {
            // SAFETY: running the initialisers of the driver is what every CUDA program does.
            let library = unsafe { Library::open(Some("libcuda.so.1"), RTLD_NOW | RTLD_LOCAL) }.ok()?;
            let driver = Self::read(&library);
            // The driver starts threads: never unload it.
            std::mem::forget(library);
            driver
        })
    }

    fn read(library: &Library) -> Option<Self> {
        // SAFETY: the symbols of the driver API have had these types since CUDA 7.
        unsafe {
            let init: unsafe extern "C" fn(c_uint) -> c_int = *library.get(b"cuInit").ok()?;
            let driver = Self {
                device_get_count: *library.get(b"cuDeviceGetCount").ok()?,
                device_get: *library.get(b"cuDeviceGet").ok()?,
                device_get_name: *library.get(b"cuDeviceGetName").ok()?,
                device_total_mem: *library.get(b"cuDeviceTotalMem_v2").ok()?,
                primary_retain: *library.get(b"cuDevicePrimaryCtxRetain").ok()?,
                primary_release: *library.get(b"cuDevicePrimaryCtxRelease").ok()?,
                set_current: *library.get(b"cuCtxSetCurrent").ok()?,
                mem_get_info: *library.get(b"cuMemGetInfo_v2").ok()?,
                mem_alloc: *library.get(b"cuMemAlloc_v2").ok()?,
                mem_free: *library.get(b"cuMemFree_v2").ok()?,
                memset: *library.get(b"cuMemsetD8_v2").ok()?,
                memcpy_2d: *library.get(b"cuMemcpy2DUnaligned_v2").ok()?,
                memcpy_to_host: *library.get(b"cuMemcpyDtoH_v2").ok()?,
                alloc_host: *library.get(b"cuMemAllocHost_v2").ok()?,
                free_host: *library.get(b"cuMemFreeHost").ok()?,
                synchronize: *library.get(b"cuCtxSynchronize").ok()?,
            };
            (init(0) == 0).then_some(driver)
        }
    }

    /// The GPUs, with the names by which `--device` chooses them.
    pub(crate) fn cards(&self) -> Vec<DeviceInfo> {
        let mut number = 0;
        // SAFETY: the pointer is to an int.
        if unsafe { (self.device_get_count)(&mut number) } != 0 {
            return Vec::new();
        }
        (0..number.clamp(0, MAX_CARDS)).map(|ordinal| self.card(ordinal)).collect()
    }

    fn card(&self, ordinal: c_int) -> DeviceInfo {
        let (mut handle, mut bytes, mut text) = (0, 0, [0 as c_char; 256]);
        // SAFETY: the pointers are to an int, to 256 bytes and to a size.
        let failed = unsafe {
            (self.device_get)(&mut handle, ordinal) != 0
                || (self.device_get_name)(text.as_mut_ptr(), 255, handle) != 0
                || (self.device_total_mem)(&mut bytes, handle) != 0
        };
        // SAFETY: the last byte is NUL, since it was and only 255 were written.
        let text = unsafe { CStr::from_ptr(text.as_ptr()) };
        let name = if failed { "NVIDIA graphics card".to_owned() } else { text.to_string_lossy().into_owned() };
        DeviceInfo { id: format!("cuda:{ordinal}"), name, memory_bytes: bytes as u64 }
    }
}

/// A GPU on which memory is allocated.
pub(crate) struct Card {
    driver: Driver,
    device: c_int,
    /// The primary context. It is a number so that it is `Send`: it is only ever handed back to the driver, from any
    /// thread.
    context: usize,
}

impl Card {
    /// The card of a number.
    ///
    /// # Errors
    /// `DeviceUnavailable` with the driver's error code.
    pub(crate) fn open(driver: Driver, ordinal: i32) -> Result<Self> {
        let (mut device, mut context) = (0, std::ptr::null_mut());
        // SAFETY: the pointers are to an int and to a pointer.
        let (got, retained) = unsafe {
            let got = (driver.device_get)(&mut device, ordinal);
            (got, if got == 0 { (driver.primary_retain)(&mut context, device) } else { 0 })
        };
        if got != 0 || retained != 0 {
            let problem = format!("device `cuda:{ordinal}`: the NVIDIA driver can't use it (error {})", got + retained);
            return Err(Error::new(ErrorCode::DeviceUnavailable, problem));
        }
        Ok(Self { driver, device, context: context as usize })
    }

    /// Makes the GPU's context current in this thread, which all calls need.
    fn enter(&self) -> Result<&Driver> {
        // SAFETY: the context was retained by `open`, and is until the drop.
        check(unsafe { (self.driver.set_current)(self.context as *mut c_void) }, "take the context of")?;
        Ok(&self.driver)
    }

    /// Bytes that are free now.
    pub(crate) fn free_bytes(&self) -> Result<u64> {
        let (mut free, mut total) = (0, 0);
        // SAFETY: the pointers are to two sizes.
        check(unsafe { (self.enter()?.mem_get_info)(&mut free, &mut total) }, "ask for the memory of")?;
        Ok(free as u64)
    }

    /// Allocates zeroed memory: the graph reads slots that no token was written to, and a NaN there would spread.
    pub(crate) fn allocate(&self, bytes: usize) -> Result<u64> {
        let (driver, mut address) = (self.enter()?, 0);
        // SAFETY: the pointer is to an address.
        check(unsafe { (driver.mem_alloc)(&mut address, bytes) }, &format!("allocate {bytes} bytes on"))?;
        // SAFETY: as many bytes are there.
        let status = unsafe { (driver.memset)(address, 0, bytes) };
        if status != 0 {
            self.free(address);
        }
        check(status, "clear memory of").map(|()| address)
    }

    /// Frees memory of [`Self::allocate`].
    pub(crate) fn free(&self, address: u64) {
        if let Ok(driver) = self.enter() {
            // SAFETY: the caller's memory, which it does not use again. An error would leave it allocated.
            let _ = unsafe { (driver.mem_free)(address) };
        }
    }

    /// Copies rows of bytes.
    ///
    /// # Safety
    /// All of them are in memory of this GPU, and the two sides do not overlap.
    pub(crate) unsafe fn copy(&self, to: (u64, usize), from: (u64, usize), width: usize, height: usize) -> Result<()> {
        if width == 0 || height == 0 {
            return Ok(());
        }
        let driver = self.enter()?;
        let copy = Copy2d {
            from_x: 0,
            from_y: 0,
            from_type: ON_DEVICE,
            from_host: std::ptr::null(),
            from: from.0,
            from_array: std::ptr::null_mut(),
            from_pitch: from.1,
            to_x: 0,
            to_y: 0,
            to_type: ON_DEVICE,
            to_host: std::ptr::null_mut(),
            to: to.0,
            to_array: std::ptr::null_mut(),
            to_pitch: to.1,
            width,
            height,
        };
        // SAFETY: the caller's.
        check(unsafe { (driver.memcpy_2d)(&copy) }, "copy inside of the memory of")
    }

    /// Waits for all enqueued work of the GPU.
    pub(crate) fn synchronize(&self) -> Result<()> {
        // SAFETY: a context is current.
        check(unsafe { (self.enter()?.synchronize)() }, "wait for")
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        // SAFETY: it was retained once.
        let _ = unsafe { (self.driver.primary_release)(self.device) };
    }
}

/// Page-locked host memory, to which a GPU copies without an intermediate buffer.
pub(crate) struct Pinned {
    data: *mut c_void,
    bytes: usize,
}

// SAFETY: it is plain memory that this value owns.
unsafe impl Send for Pinned {}

impl Pinned {
    pub(crate) const EMPTY: Self = Self { data: std::ptr::null_mut(), bytes: 0 };

    /// Reads memory of a GPU, growing this memory if it is too small.
    ///
    /// # Safety
    /// The bytes are in memory of this GPU.
    pub(crate) unsafe fn read(&mut self, card: &Card, address: u64, bytes: usize) -> Result<&[u8]> {
        let driver = card.enter()?;
        if bytes > self.bytes {
            self.release(card);
            let mut data = std::ptr::null_mut();
            // SAFETY: the pointer is to a pointer.
            check(unsafe { (driver.alloc_host)(&mut data, bytes) }, "allocate page-locked memory for")?;
            *self = Self { data, bytes };
        }
        if bytes == 0 {
            return Ok(&[]);
        }
        // SAFETY: the caller's for the card's side; there is room for as many bytes on ours.
        check(unsafe { (driver.memcpy_to_host)(self.data, address, bytes) }, "read memory of")?;
        // SAFETY: as many bytes have just been written.
        Ok(unsafe { std::slice::from_raw_parts(self.data.cast(), bytes) })
    }

    /// Frees it.
    pub(crate) fn release(&mut self, card: &Card) {
        if !self.data.is_null()
            && let Ok(driver) = card.enter()
        {
            // SAFETY: it was allocated by `read`, and is forgotten here.
            let _ = unsafe { (driver.free_host)(self.data) };
        }
        *self = Self::EMPTY;
    }
}

fn check(status: c_int, what: &str) -> Result<()> {
    match status {
        0 => Ok(()),
        OUT_OF_MEMORY => Err(Error::out_of_memory(format!("can't {what} the graphics card: it has too little memory"))),
        _ => Err(Error::internal(format!("can't {what} the graphics card: error {status} of the NVIDIA driver"))),
    }
}
