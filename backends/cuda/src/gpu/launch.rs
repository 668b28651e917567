//! Launches of kernels that may begin before the previous one ends (programmatic dependent launch).

use std::ptr::null_mut;

use cudarc::driver::result::{self, DriverError};
use cudarc::driver::sys::{
    CUfunction, CUlaunchAttribute, CUlaunchAttributeID, CUlaunchAttributeValue, CUlaunchConfig, CUstream,
    cuLaunchKernelEx,
};

use crate::compile::Capability;
use crate::libraries::Version;
use crate::runtime::Launch;

/// The lowest compute capability whose kernels can wait for the previous kernel.
const LEAST_CAPABILITY: Capability = Capability { major: 9, minor: 0 };
/// The lowest driver version that records such launches in graphs.
const LEAST_DRIVER: Version = Version(12, 3);

/// Whether kernels may begin before the previous one has ended. They wait for its results by `wait_for_previous` of
/// `kernels/prelude.cuh`.
pub(super) fn can_overlap(capability: Capability, driver: Version) -> bool {
    capability >= LEAST_CAPABILITY && driver >= LEAST_DRIVER
}

/// Enqueues a launch. The driver copies the arguments before it returns.
///
/// # Safety
/// The function is that of the launch's kernel, its arguments are that kernel's, and the context is current.
pub(super) unsafe fn enqueue(
    function: CUfunction,
    launch: &Launch,
    stream: CUstream,
    overlap: bool,
) -> Result<(), DriverError> {
    let [x, y, z] = launch.grid;
    let threads = launch.kernel.threads;
    let mut parameters = [launch.arguments.cast_mut()];
    if !overlap {
        // SAFETY: the caller promises it.
        return unsafe {
            result::launch_kernel(function, (x, y, z), (threads, 1, 1), launch.shared, stream, &mut parameters)
        };
    }
    let mut attribute = CUlaunchAttribute {
        id: CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
        pad: [0; 4],
        value: CUlaunchAttributeValue { pad: [0; 64] },
    };
    attribute.value.programmaticStreamSerializationAllowed = 1;
    let config = CUlaunchConfig {
        gridDimX: x,
        gridDimY: y,
        gridDimZ: z,
        blockDimX: threads,
        blockDimY: 1,
        blockDimZ: 1,
        sharedMemBytes: launch.shared,
        hStream: stream,
        attrs: &raw mut attribute,
        numAttrs: 1,
    };
    // SAFETY: the caller promises it; the attribute is read before this returns.
    unsafe { cuLaunchKernelEx(&raw const config, function, parameters.as_mut_ptr(), null_mut()) }.result()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_overlap_where_the_gpu_and_the_driver_can() {
        let (nine, eight) = (LEAST_CAPABILITY, Capability { major: 8, minor: 9 });
        assert!(can_overlap(nine, Version(12, 3)) && can_overlap(Capability { major: 10, minor: 0 }, Version(13, 0)));
        assert!(!can_overlap(eight, Version(13, 0)) && !can_overlap(nine, Version(12, 2)));
    }
}
