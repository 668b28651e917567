//! The backend without a GPU: its kernels are compiled for the CPU, and everything above the driver is as it is on a GPU.

use jig_backend_cuda::device::{CudaDevice, Settings};

mod emulator;
mod logprobs;
mod machine;
#[path = "../../examples/check_gpu/operations.rs"]
mod measured;
mod models;
mod operations;

/// The kernels are there, or it is said why a test is skipped.
fn available() -> bool {
    emulator::kernels().inspect_err(|why| println!("skipped: {why}")).is_ok()
}

#[test]
fn single_operations_can_be_measured() {
    if available() {
        let device = CudaDevice::new(emulator::Emulator::new(1 << 30), Settings::default()).expect("a device");
        measured::measure(&device, 64).expect("all of them run");
    }
}
