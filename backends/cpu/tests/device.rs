//! The operations of the CPU device against their textbook versions, and the backend against the plugin API's promises.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jig_backend_cpu::{CpuDevice, Level};
use jig_plugin_api::conformance::{self, Outcome};
use jig_plugin_api::{Backend, ModelSpec};
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

/// The plugin that this build made, beside the test.
fn plugin() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    let name = format!("{}jig_backend_cpu{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let folders = test.ancestors().skip(1).take(2);
    folders.map(|folder| folder.join(&name)).find(|file| file.is_file()).expect("the library is built with its tests")
}

#[test]
fn linked_and_as_a_plugin_the_backend_keeps_the_promises_of_the_plugin_api() {
    let linked: Arc<dyn Backend> = Arc::from(jig_backend_cpu::backend());
    let loaded = jig_plugin_api::load::backend(&plugin()).expect("a plugin").backend();
    assert_eq!(linked.describe(), loaded.describe());
    for name in ["llama2", "qwen3", "opt-post-norm"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../transformer/golden/values").join(name);
        for backend in [&linked, &loaded] {
            let mut failed = Vec::new();
            let summary = conformance::run(&**backend, &ModelSpec::new(&directory), &mut |result| {
                if matches!(result.outcome, Outcome::Failed(_)) {
                    failed.push(result.clone());
                }
            });
            assert!(summary.is_success() && summary.passed > 0, "{name}: {failed:#?}");
        }
    }
}
