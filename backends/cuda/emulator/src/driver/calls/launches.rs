//! Modules, their kernels, and launches.

use std::ffi::{CStr, c_char, c_uint, c_void};
use std::path::Path;

use cudarc::driver::sys::{CUlaunchAttributeID, CUlaunchConfig, CUresult};

use super::{call_in_context, give, take};
use crate::driver::{Failure, Gpu, Handle, Operation, Result, refuse};
use crate::kernel::{self, Grid, Kernel};
use crate::nvrtc::library_of;

#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleLoadData(module: *mut Handle, image: *const c_void) -> CUresult {
    call_in_context(|gpu| {
        // SAFETY: as the folder's `mod.rs` says: an image is one of the emulated compiler.
        let file = unsafe { library_of(image.cast()) }.ok_or(Failure::CUDA_ERROR_INVALID_IMAGE)?;
        let library = kernel::open(Path::new(&file)).map_err(|problem| refuse(&problem))?;
        let handle = gpu.handle();
        gpu.modules.insert(handle, library);
        // SAFETY: as the folder's `mod.rs` says.
        unsafe { give(module, handle) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleUnload(module: Handle) -> CUresult {
    call_in_context(|gpu| {
        gpu.functions.retain(|_, (of, _, _)| *of != module);
        take(&mut gpu.modules, module).map(|_| ())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleGetFunction(function: *mut Handle, module: Handle, name: *const c_char) -> CUresult {
    call_in_context(|gpu| {
        let library = gpu.modules.get(&module).ok_or(Failure::CUDA_ERROR_INVALID_HANDLE)?;
        // SAFETY: as the folder's `mod.rs` says.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        let kernel = Kernel::find(library, &name).ok_or(Failure::CUDA_ERROR_NOT_FOUND)?;
        let handle = gpu.handle();
        gpu.functions.insert(handle, (module, kernel, name));
        // SAFETY: as the folder's `mod.rs` says.
        unsafe { give(function, handle) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuLaunchKernel(
    function: Handle,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    shared: c_uint,
    stream: Handle,
    parameters: *mut *mut c_void,
    extra: *mut *mut c_void,
) -> CUresult {
    let blocks = [grid_x, grid_y, grid_z];
    if block_y != 1 || block_z != 1 || !extra.is_null() {
        return refuse("blocks of more than one dimension, or arguments in another form, are not emulated");
    }
    // SAFETY: as the folder's `mod.rs` says.
    call_in_context(|gpu| unsafe {
        launch(gpu, function, Grid { blocks, threads: block_x, shared }, stream, parameters, false)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuLaunchKernelEx(
    config: *const CUlaunchConfig,
    function: Handle,
    parameters: *mut *mut c_void,
    extra: *mut *mut c_void,
) -> CUresult {
    // SAFETY: as the folder's `mod.rs` says, here and for the attributes.
    let config = unsafe { &*config };
    let attributes = match config.numAttrs {
        0 => &[],
        // SAFETY: as the folder's `mod.rs` says.
        count => unsafe { std::slice::from_raw_parts(config.attrs, count as usize) },
    };
    let known = attributes.iter().all(|attribute| {
        let early = CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
        // SAFETY: as the folder's `mod.rs` says: it is the member of the union that the attribute has.
        attribute.id == early && unsafe { attribute.value.programmaticStreamSerializationAllowed } == 1
    });
    if !known || config.blockDimY != 1 || config.blockDimZ != 1 || !extra.is_null() {
        return refuse("attributes of a launch, or arguments in another form, are not emulated");
    }
    let blocks = [config.gridDimX, config.gridDimY, config.gridDimZ];
    let grid = Grid { blocks, threads: config.blockDimX, shared: config.sharedMemBytes };
    call_in_context(|gpu| {
        // SAFETY: as the folder's `mod.rs` says.
        unsafe { launch(gpu, function, grid, config.hStream as Handle, parameters, !attributes.is_empty()) }
    })
}

/// Enqueues a launch.
///
/// # Safety
/// The first parameter points to the kernel's structure.
unsafe fn launch(
    gpu: &mut Gpu,
    function: Handle,
    grid: Grid,
    stream: Handle,
    parameters: *mut *mut c_void,
    early: bool,
) -> Result<()> {
    let (_, kernel, name) = gpu.functions.get(&function).cloned().ok_or(Failure::CUDA_ERROR_INVALID_HANDLE)?;
    let Grid { blocks, threads, shared } = grid;
    // The limits of compute capability 9.0; more shared memory must be requested by an attribute.
    let fits = blocks.iter().zip([i32::MAX as u32, 65535, 65535]).all(|(count, most)| (1..=most).contains(count));
    let fits = fits && (1..=1024).contains(&threads) && shared <= 48 << 10;
    if !fits || kernel.size() > 4 << 10 || parameters.is_null() {
        return Err(refuse(&format!("{name}: {blocks:?} blocks of {threads} threads with {shared} bytes")));
    }
    let mut arguments = vec![0u64; kernel.size().div_ceil(8)];
    // SAFETY: the caller promises the structure; there is as much room.
    unsafe {
        let from = (*parameters).cast::<u8>().cast_const();
        std::ptr::copy_nonoverlapping(from, arguments.as_mut_ptr().cast::<u8>(), kernel.size());
    }
    gpu.enqueue(stream, Operation::Launch { name, kernel, grid, arguments, early })
}
