//! Streams, and what is recorded of them and enqueued on them: graphs and events.

use std::ffi::{c_uint, c_ulonglong};
use std::sync::Arc;

use cudarc::driver::sys::{CUresult, CUstreamCaptureMode};

use super::{call_in_context, give, take};
use crate::driver::{Event, Failure, Handle, Operation, Recording, Stream, refuse};

#[unsafe(no_mangle)]
unsafe extern "C" fn cuStreamCreate(stream: *mut Handle, _flags: c_uint) -> CUresult {
    call_in_context(|gpu| {
        let handle = gpu.handle();
        gpu.streams.insert(handle, Stream::default());
        // SAFETY: as the folder's `mod.rs` says.
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
        // SAFETY: as the folder's `mod.rs` says.
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
        // SAFETY: as the folder's `mod.rs` says.
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
unsafe extern "C" fn cuEventCreate(event: *mut Handle, _flags: c_uint) -> CUresult {
    call_in_context(|gpu| {
        let handle = gpu.handle();
        gpu.events.insert(handle, Event::default());
        // SAFETY: as the folder's `mod.rs` says.
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
