//! The backend without a GPU: its kernels are compiled for the CPU, and everything above the driver is as it is on a GPU.

mod emulator;
mod logprobs;
mod machine;
mod models;
mod operations;

/// The kernels are there, or it is said why a test is skipped.
fn available() -> bool {
    emulator::kernels().inspect_err(|why| println!("skipped: {why}")).is_ok()
}
