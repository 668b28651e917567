//! The device, its context, and the texts of errors.

use std::ffi::{c_char, c_int, c_uint};

use cudarc::driver::sys::{CUdevice_attribute, CUresult};

use super::{CONTEXT, CURRENT, call, give};
use crate::driver::{Done, Failure, Handle, refuse};

#[unsafe(no_mangle)]
unsafe extern "C" fn cuInit(_flags: c_uint) -> CUresult {
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> CUresult {
    // SAFETY: as the folder's `mod.rs` says.
    call(|_| unsafe { give(version, 13000) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGetErrorString(error: CUresult, text: *mut *const c_char) -> CUresult {
    let known = match error {
        CUresult::CUDA_ERROR_OUT_OF_MEMORY => c"out of memory",
        CUresult::CUDA_ERROR_INVALID_VALUE => c"invalid argument",
        CUresult::CUDA_ERROR_INVALID_CONTEXT => c"invalid device context",
        CUresult::CUDA_ERROR_INVALID_HANDLE => c"invalid resource handle",
        CUresult::CUDA_ERROR_LAUNCH_FAILED => c"unspecified launch failure",
        _ => c"another error",
    };
    // SAFETY: as the folder's `mod.rs` says.
    unsafe { give(text, known.as_ptr()) }.err().unwrap_or(CUresult::CUDA_SUCCESS)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> CUresult {
    // SAFETY: as the folder's `mod.rs` says.
    call(|_| unsafe { give(count, 1) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> CUresult {
    call(|_| match ordinal {
        // SAFETY: as the folder's `mod.rs` says.
        0 => unsafe { give(device, 0) },
        _ => Err(Failure::CUDA_ERROR_INVALID_DEVICE),
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, length: c_int, _device: c_int) -> CUresult {
    let text = c"Emulated GPU".to_bytes_with_nul();
    call(|_| {
        if usize::try_from(length).unwrap_or(0) < text.len() {
            return Err(Failure::CUDA_ERROR_INVALID_VALUE);
        }
        // SAFETY: as the folder's `mod.rs` says.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), name.cast(), text.len()) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, _device: c_int) -> CUresult {
    // SAFETY: as the folder's `mod.rs` says.
    call(|gpu| unsafe { give(bytes, gpu.total) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetAttribute(value: *mut c_int, which: c_uint, _device: c_int) -> CUresult {
    let known = [
        (CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 9),
        (CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0),
    ];
    let found = known.iter().find(|(name, _)| *name as c_uint == which);
    call(|_| match found {
        // SAFETY: as the folder's `mod.rs` says.
        Some((_, known)) => unsafe { give(value, *known) },
        None => Err(refuse(&format!("attribute {which} is not emulated"))),
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut Handle, _device: c_int) -> CUresult {
    call(|gpu| {
        gpu.retained += 1;
        // SAFETY: as the folder's `mod.rs` says.
        unsafe { give(context, CONTEXT) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDevicePrimaryCtxRelease_v2(_device: c_int) -> CUresult {
    call(|gpu| {
        gpu.retained = gpu.retained.checked_sub(1).ok_or(Failure::CUDA_ERROR_INVALID_CONTEXT)?;
        if gpu.retained == 0 {
            eprintln!("{}", gpu.summary());
            gpu.done = Done::default();
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuCtxSetCurrent(context: Handle) -> CUresult {
    call(|gpu| {
        if context != CONTEXT || gpu.retained == 0 {
            return Err(Failure::CUDA_ERROR_INVALID_CONTEXT);
        }
        CURRENT.set(context);
        Ok(())
    })
}
