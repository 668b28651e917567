//! The functions of CUDA's driver API 13.0 that the backend calls.
//!
//! All of them are `unsafe` for the same reason: the caller promises that pointers are to what `cuda.h` says.

#![allow(non_snake_case, reason = "their names are CUDA's")]

mod device;
mod launches;
mod memory;
mod streams;

use std::cell::Cell;

use cudarc::driver::sys::CUresult;

use super::{Failure, Gpu, Handle, Result, gpu};

/// The handle of the only context.
const CONTEXT: Handle = 0xc0de_0000;

thread_local! {
    static CURRENT: Cell<Handle> = const { Cell::new(0) };
}

/// Runs a call that needs no context.
fn call(act: impl FnOnce(&mut Gpu) -> Result<()>) -> CUresult {
    let mut gpu = gpu();
    if let Some(failure) = gpu.failure {
        return failure;
    }
    act(&mut gpu).err().unwrap_or(CUresult::CUDA_SUCCESS)
}

/// Runs a call that needs a current context.
fn call_in_context(act: impl FnOnce(&mut Gpu) -> Result<()>) -> CUresult {
    if CURRENT.get() != CONTEXT {
        eprintln!("emulated GPU: refused: no context is current in this thread");
        return CUresult::CUDA_ERROR_INVALID_CONTEXT;
    }
    call(act)
}

/// Removes a handle that must exist.
fn take<T>(things: &mut std::collections::HashMap<Handle, T>, handle: Handle) -> Result<T> {
    things.remove(&handle).ok_or(Failure::CUDA_ERROR_INVALID_HANDLE)
}

/// Writes a result.
///
/// # Safety
/// There is room for it, or nothing.
unsafe fn give<T>(out: *mut T, value: T) -> Result<()> {
    if out.is_null() {
        return Err(Failure::CUDA_ERROR_INVALID_VALUE);
    }
    // SAFETY: the caller promises the room.
    unsafe { out.write(value) };
    Ok(())
}
