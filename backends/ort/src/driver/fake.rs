//! A fake driver whose GPU is host memory, so that the code for GPUs can be tested without one.

use super::*;

unsafe extern "C" {
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn free(data: *mut c_void);
}

unsafe extern "C" fn ok(_: *mut c_void) -> c_int {
    0
}
unsafe extern "C" fn count(number: *mut c_int) -> c_int {
    // SAFETY: as the driver's.
    unsafe { *number = 1 };
    0
}
unsafe extern "C" fn get(device: *mut c_int, ordinal: c_int) -> c_int {
    // SAFETY: as the driver's.
    unsafe { *device = ordinal };
    // CUDA_ERROR_INVALID_DEVICE
    if ordinal == 0 { 0 } else { 101 }
}
unsafe extern "C" fn name(text: *mut c_char, _: c_int, _: c_int) -> c_int {
    // SAFETY: as the driver's; there is room for more.
    unsafe { text.copy_from_nonoverlapping(c"a card".as_ptr(), 7) };
    0
}
unsafe extern "C" fn total(bytes: *mut usize, _: c_int) -> c_int {
    // SAFETY: as the driver's.
    unsafe { *bytes = 1 << 30 };
    0
}
unsafe extern "C" fn retain(_: *mut *mut c_void, _: c_int) -> c_int {
    0
}
unsafe extern "C" fn release(_: c_int) -> c_int {
    0
}
unsafe extern "C" fn info(free: *mut usize, total: *mut usize) -> c_int {
    // SAFETY: as the driver's.
    unsafe { (*free, *total) = (1 << 29, 1 << 30) };
    0
}
unsafe extern "C" fn alloc(address: *mut u64, bytes: usize) -> c_int {
    if bytes > 1 << 29 {
        return OUT_OF_MEMORY;
    }
    // SAFETY: as the driver's.
    unsafe { *address = calloc(bytes, 1) as u64 };
    0
}
unsafe extern "C" fn dealloc(address: u64) -> c_int {
    // SAFETY: as the driver's.
    unsafe { free(address as *mut c_void) };
    0
}
unsafe extern "C" fn set(address: u64, byte: u8, bytes: usize) -> c_int {
    // SAFETY: as the driver's.
    unsafe { (address as *mut u8).write_bytes(byte, bytes) };
    0
}
unsafe extern "C" fn copy(copy: *const Copy2d) -> c_int {
    // SAFETY: as the driver's.
    let copy = unsafe { &*copy };
    if copy.height > 1 && copy.width > copy.from_pitch.min(copy.to_pitch) {
        // CUDA_ERROR_INVALID_VALUE
        return 1;
    }
    for row in 0..copy.height {
        let from = (copy.from as *const u8).wrapping_add(row * copy.from_pitch);
        let to = (copy.to as *mut u8).wrapping_add(row * copy.to_pitch);
        // SAFETY: as the driver's.
        unsafe { to.copy_from_nonoverlapping(from, copy.width) };
    }
    0
}
unsafe extern "C" fn to_host(to: *mut c_void, from: u64, bytes: usize) -> c_int {
    // SAFETY: as the driver's.
    unsafe { to.cast::<u8>().copy_from_nonoverlapping(from as *const u8, bytes) };
    0
}
unsafe extern "C" fn alloc_host(data: *mut *mut c_void, bytes: usize) -> c_int {
    // SAFETY: as the driver's.
    unsafe { *data = calloc(bytes, 1) };
    0
}
unsafe extern "C" fn free_host(data: *mut c_void) -> c_int {
    // SAFETY: as the driver's.
    unsafe { free(data) };
    0
}
unsafe extern "C" fn wait() -> c_int {
    0
}

pub(crate) const DRIVER: Driver = Driver {
    device_get_count: count,
    device_get: get,
    device_get_name: name,
    device_total_mem: total,
    primary_retain: retain,
    primary_release: release,
    set_current: ok,
    mem_get_info: info,
    mem_alloc: alloc,
    mem_free: dealloc,
    memset: set,
    memcpy_2d: copy,
    memcpy_to_host: to_host,
    alloc_host,
    free_host,
    synchronize: wait,
};

#[test]
fn cards_are_listed_and_one_that_is_not_there_is_an_error() {
    let cards = DRIVER.cards();
    assert_eq!((cards.len(), cards[0].id.as_str(), cards[0].name.as_str()), (1, "cuda:0", "a card"));
    assert!(Card::open(DRIVER, 0).is_ok());
    let error = Card::open(DRIVER, 3).err().unwrap();
    assert!(error.code == ErrorCode::DeviceUnavailable && error.message.contains("cuda:3"), "{error}");
    let error = Card::open(DRIVER, 0).unwrap().allocate(1 << 40).unwrap_err();
    assert_eq!(error.code, ErrorCode::OutOfMemory);
}
