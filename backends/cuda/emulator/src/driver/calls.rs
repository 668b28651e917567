//! The functions of CUDA's driver API 13.0 that the backend calls.
//!
//! All of them are `unsafe` for the same reason: pointers are to what `cuda.h` says.

#![allow(non_snake_case, reason = "their names are CUDA's")]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::path::Path;
use std::sync::Arc;

use cudarc::driver::sys::{CUdevice_attribute, CUlaunchAttributeID, CUlaunchConfig, CUresult, CUstreamCaptureMode};

use super::operation::Source;
use super::{ALIGNMENT, Done, Event, Failure, GARBAGE, Gpu, Handle, Operation, Recording, Result, Stream, gpu, refuse};
use crate::kernel::{self, Grid, Kernel};
use crate::memory::Guarded;
use crate::nvrtc::library_of;

/// The one context there is.
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

#[unsafe(no_mangle)]
unsafe extern "C" fn cuInit(_flags: c_uint) -> CUresult {
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> CUresult {
    // SAFETY: as the module says, here and in all that follow.
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
    // SAFETY: as above.
    unsafe { give(text, known.as_ptr()) }.err().unwrap_or(CUresult::CUDA_SUCCESS)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> CUresult {
    // SAFETY: as above.
    call(|_| unsafe { give(count, 1) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> CUresult {
    call(|_| match ordinal {
        // SAFETY: as above.
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
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), name.cast(), text.len()) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, _device: c_int) -> CUresult {
    // SAFETY: as above.
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
        // SAFETY: as above.
        Some((_, known)) => unsafe { give(value, *known) },
        None => Err(refuse(&format!("attribute {which} is not emulated"))),
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut Handle, _device: c_int) -> CUresult {
    call(|gpu| {
        gpu.retained += 1;
        // SAFETY: as above.
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

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamCreate(stream: *mut Handle, _flags: c_uint) -> CUresult {
    call_in_context(|gpu| {
        let handle = gpu.handle();
        gpu.streams.insert(handle, Stream::default());
        // SAFETY: as above.
        unsafe { give(stream, handle) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamSynchronize(stream: Handle) -> CUresult {
    call_in_context(|gpu| {
        gpu.not_recorded(stream)?;
        gpu.run(stream, None)
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamDestroy_v2(stream: Handle) -> CUresult {
    call_in_context(|gpu| {
        gpu.run(stream, None)?;
        take(&mut gpu.streams, stream).map(|_| ())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamBeginCapture_v2(stream: Handle, mode: c_uint) -> CUresult {
    call_in_context(|gpu| {
        gpu.not_recorded(stream)?;
        if mode != CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED as c_uint {
            return Err(refuse("only the relaxed mode of recording is emulated"));
        }
        gpu.stream(stream)?.recording = Some(Recording::default());
        Ok(())
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamEndCapture(stream: Handle, graph: *mut Handle) -> CUresult {
    call_in_context(|gpu| {
        let recording = gpu.stream(stream)?.recording.take().ok_or(Failure::CUDA_ERROR_ILLEGAL_STATE)?;
        if recording.broken {
            return Err(Failure::CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
        }
        let handle = gpu.handle();
        gpu.graphs.insert(handle, recording.operations.into());
        // SAFETY: as above.
        unsafe { give(graph, handle) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphInstantiateWithFlags(
    executable: *mut Handle,
    graph: Handle,
    _flags: c_ulonglong,
) -> CUresult {
    call_in_context(|gpu| {
        let operations = gpu.graphs.get(&graph).map(Arc::clone).ok_or(Failure::CUDA_ERROR_INVALID_HANDLE)?;
        let handle = gpu.handle();
        gpu.executables.insert(handle, operations);
        gpu.done.graphs_made += 1;
        // SAFETY: as above.
        unsafe { give(executable, handle) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphDestroy(graph: Handle) -> CUresult {
    call_in_context(|gpu| take(&mut gpu.graphs, graph).map(|_| ()))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphExecDestroy(executable: Handle) -> CUresult {
    call_in_context(|gpu| take(&mut gpu.executables, executable).map(|_| ()))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuGraphLaunch(executable: Handle, stream: Handle) -> CUresult {
    call_in_context(|gpu| {
        let operations = gpu.executables.get(&executable).map(Arc::clone).ok_or(Failure::CUDA_ERROR_INVALID_HANDLE)?;
        gpu.done.graphs_launched += 1;
        gpu.enqueue(stream, Operation::Graph(operations))
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuModuleLoadData(module: *mut Handle, image: *const c_void) -> CUresult {
    call_in_context(|gpu| {
        // SAFETY: as above: an image is one of the emulated compiler.
        let file = unsafe { library_of(image.cast()) }.ok_or(Failure::CUDA_ERROR_INVALID_IMAGE)?;
        let library = kernel::open(Path::new(&file)).map_err(|problem| refuse(&problem))?;
        let handle = gpu.handle();
        gpu.modules.insert(handle, library);
        // SAFETY: as above.
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
        // SAFETY: as above.
        let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
        let kernel = Kernel::find(library, &name).ok_or(Failure::CUDA_ERROR_NOT_FOUND)?;
        let handle = gpu.handle();
        gpu.functions.insert(handle, (module, kernel, name));
        // SAFETY: as above.
        unsafe { give(function, handle) }
    })
}

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
        // SAFETY: as above.
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
        // SAFETY: as above.
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
        // SAFETY: as above.
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
            // SAFETY: as above.
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

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventCreate(event: *mut Handle, _flags: c_uint) -> CUresult {
    call_in_context(|gpu| {
        let handle = gpu.handle();
        gpu.events.insert(handle, Event::default());
        // SAFETY: as above.
        unsafe { give(event, handle) }
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventRecord(event: Handle, stream: Handle) -> CUresult {
    call_in_context(|gpu| {
        gpu.not_recorded(stream)?;
        gpu.events.get_mut(&event).ok_or(Failure::CUDA_ERROR_INVALID_HANDLE)?.enqueued += 1;
        gpu.enqueue(stream, Operation::Event(event))
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventSynchronize(event: Handle) -> CUresult {
    call_in_context(|gpu| {
        let times = gpu.events.get(&event).ok_or(Failure::CUDA_ERROR_INVALID_HANDLE)?.enqueued;
        let streams: Vec<_> = gpu.streams.keys().copied().collect();
        streams.into_iter().try_for_each(|stream| gpu.run(stream, Some((event, times))))
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuEventDestroy_v2(event: Handle) -> CUresult {
    call_in_context(|gpu| take(&mut gpu.events, event).map(|_| ()))
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
    // SAFETY: as above.
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
    // SAFETY: as above, here and for the attributes.
    let config = unsafe { &*config };
    let attributes = match config.numAttrs {
        0 => &[],
        // SAFETY: as above.
        count => unsafe { std::slice::from_raw_parts(config.attrs, count as usize) },
    };
    let known = attributes.iter().all(|attribute| {
        let early = CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
        // SAFETY: as above: it is the member of the union that the attribute has.
        attribute.id == early && unsafe { attribute.value.programmaticStreamSerializationAllowed } == 1
    });
    if !known || config.blockDimY != 1 || config.blockDimZ != 1 || !extra.is_null() {
        return refuse("attributes of a launch, or arguments in another form, are not emulated");
    }
    let blocks = [config.gridDimX, config.gridDimY, config.gridDimZ];
    let grid = Grid { blocks, threads: config.blockDimX, shared: config.sharedMemBytes };
    call_in_context(|gpu| {
        // SAFETY: as above.
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
