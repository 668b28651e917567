//! Memory of the GPU, page-locked memory of the host, and copies.

use std::ffi::{c_uint, c_void};

use cudarc::driver::sys::CUresult;

use super::{call_in_context, give};
use crate::driver::operation::Source;
use crate::driver::{ALIGNMENT, Failure, GARBAGE, Handle, Operation, refuse};
use crate::memory::Guarded;

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemAlloc_v2(address: *mut u64, bytes: usize) -> CUresult {
    call_in_context(|gpu| {
        if bytes == 0 {
            return Err(refuse("memory of no bytes"));
        }
        if bytes > gpu.total - gpu.used() {
            return Err(Failure::CUDA_ERROR_OUT_OF_MEMORY);
        }
        let memory = Guarded::aligned(bytes, ALIGNMENT).map_err(|_| Failure::CUDA_ERROR_OUT_OF_MEMORY)?;
        let at = memory.address();
        // SAFETY: it was just allocated.
        unsafe { std::ptr::write_bytes(at as *mut u8, GARBAGE, bytes) };
        gpu.memory.insert(at, memory);
        // SAFETY: as the folder's `mod.rs` says.
        unsafe { give(address, at) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemFree_v2(address: u64) -> CUresult {
    call_in_context(|gpu| {
        gpu.run_all()?;
        gpu.memory.remove(&address).map(|_| ()).ok_or_else(|| refuse("memory is freed that is none"))
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> CUresult {
    call_in_context(|gpu| {
        // SAFETY: as the folder's `mod.rs` says.
        unsafe { give(free, gpu.total - gpu.used()).and_then(|()| give(total, gpu.total)) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemsetD8Async(to: u64, value: u8, bytes: usize, stream: Handle) -> CUresult {
    call_in_context(|gpu| gpu.enqueue(stream, Operation::Fill { to, value, bytes }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemHostAlloc(out: *mut *mut c_void, bytes: usize, _flags: c_uint) -> CUresult {
    call_in_context(|gpu| {
        let mut memory = vec![GARBAGE; bytes];
        let begin = memory.as_mut_ptr();
        gpu.pinned.insert(begin as usize, memory);
        // SAFETY: as the folder's `mod.rs` says.
        unsafe { give(out, begin.cast()) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemFreeHost(memory: *mut c_void) -> CUresult {
    call_in_context(|gpu| {
        gpu.run_all()?;
        gpu.pinned.remove(&(memory as usize)).map(|_| ()).ok_or_else(|| refuse("memory is freed that is none"))
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: Handle) -> CUresult {
    call_in_context(|gpu| {
        let from = if gpu.is_pinned(from as usize, bytes) {
            Source::Pinned(from as usize, bytes)
        } else {
            // SAFETY: as the folder's `mod.rs` says.
            Source::Copied(unsafe { std::slice::from_raw_parts(from.cast::<u8>(), bytes) }.to_vec())
        };
        gpu.enqueue(stream, Operation::ToDevice { to, from })
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: Handle) -> CUresult {
    call_in_context(|gpu| {
        if !gpu.is_pinned(to as usize, bytes) {
            return Err(refuse("a copy to memory that is not pinned waits for the GPU, and is not emulated"));
        }
        gpu.enqueue(stream, Operation::ToHost { from, to: to as usize, bytes })
    })
}
