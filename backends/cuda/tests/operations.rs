//! The kernels on the CPU: each operation of the device against its textbook version, and the emulation itself.

mod emulator;

use std::fmt::Write;

use emulator::Emulator;
use jig_backend_cuda::device::{CudaDevice, Settings};
use jig_backend_cuda::kernels::Kernel;
use jig_backend_cuda::runtime::Launch;
use jig_plugin_api::{ErrorCode, SampleRow, SamplingParams, mask, sampler};
use jig_transformer::device_suite::{self, Tolerance};
use jig_transformer::{DType, Device};
use libloading::Library;

/// The kernels are there, or it is said why this test is skipped.
fn available() -> bool {
    emulator::kernels().inspect_err(|why| println!("skipped: {why}")).is_ok()
}

fn device(kv_type: Option<DType>) -> CudaDevice {
    let settings = Settings { kv_type, ..Settings::default() };
    CudaDevice::new(Emulator::new(1 << 30), settings).expect("a device")
}

fn run_suite(kv_type: DType, relative: f64) {
    let results = device_suite::run(&device(Some(kv_type)), Tolerance { relative, same_bits_in_any_batch: false });
    assert!(results.len() > 100, "{} cases", results.len());
    let mut failed = String::new();
    for result in &results {
        if let Some(problem) = &result.problem {
            writeln!(failed, "{}: {problem}", result.name).expect("text");
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

#[test]
fn every_operation_agrees_with_its_textbook_version() {
    // Rows of more than 16 are narrowed to the type of the weights, in which the suite's inputs are exact.
    if available() {
        run_suite(DType::F32, 2e-5);
    }
}

#[test]
fn keys_and_values_in_16_bits_cost_their_rounding_and_no_more() {
    if available() {
        run_suite(DType::F16, 2e-3);
        run_suite(DType::BF16, 2e-2);
    }
}
