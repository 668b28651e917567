//! The operations of the CPU device against their textbook versions, and the backend against the plugin API's promises.

use std::path::Path;

use jig_backend_cpu::{CpuDevice, Level};
use jig_plugin_api::ModelSpec;
use jig_plugin_api::conformance::{self, Outcome};
use jig_transformer::device_suite::{self, Tolerance};

#[test]
fn every_operation_agrees_with_its_textbook_version_on_every_set_of_instructions() {
    for level in Level::available() {
        for threads in [1, 3] {
            let device = CpuDevice::new(Some(threads), level).expect("a device");
            let tolerance = Tolerance { relative: 2e-5, same_bits_in_any_batch: true };
            let results = device_suite::run(&device, tolerance);
            assert!(results.len() > 100, "{} cases", results.len());
            let failed: Vec<_> = results.iter().filter(|result| result.problem.is_some()).collect();
            assert!(failed.is_empty(), "{} with {threads} threads: {failed:#?}", level.name());
        }
    }
}

#[test]
fn the_suite_sees_differences_as_small_as_a_rounding() {
    let device = CpuDevice::new(Some(1), Level::best()).expect("a device");
    let results = device_suite::run(&device, Tolerance { relative: 0.0, same_bits_in_any_batch: true });
    for operation in ["norm", "linear", "attention"] {
        let found = results.iter().any(|result| result.name.starts_with(operation) && result.problem.is_some());
        assert!(found, "{operation} can't be exact");
    }
}

#[test]
fn the_backend_keeps_the_promises_of_the_plugin_api() {
    for name in ["llama2", "qwen3", "opt-post-norm"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../transformer/golden/values").join(name);
        let mut failed = Vec::new();
        let summary = conformance::run(&jig_backend_cpu::CpuBackend, &ModelSpec::new(directory), &mut |result| {
            if matches!(result.outcome, Outcome::Failed(_)) {
                failed.push(result.clone());
            }
        });
        assert!(summary.is_success() && summary.passed > 0, "{name}: {failed:#?}");
    }
}
