//! The programs under test, built by the cargo that runs the tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// The paths of the built programs.
#[derive(Clone, Debug)]
pub struct Artifacts {
    /// The `jig` binary.
    pub jig: PathBuf,
    /// The CPU backend as a plugin.
    pub cpu_plugin: PathBuf,
    /// The ONNX Runtime backend as a plugin.
    pub ort_plugin: PathBuf,
    /// The CUDA backend as a plugin.
    pub cuda_plugin: PathBuf,
    /// The library that emulates CUDA's libraries on a machine without a GPU.
    pub cuda_emulator: PathBuf,
    /// A directory for the tests' files, in cargo's target directory.
    pub scratch: PathBuf,
}

/// Builds the programs that are not up to date, and returns their paths.
///
/// `cargo test` does not build the binary or the plugin of another package. This function selects the same packages and
/// targets as `cargo test`, so that nothing is compiled a second time with other features. Where `JIG_TEST_PROGRAMS` names a directory,
/// what lies there is tested, and nothing is built: `JIG_TEST_PROGRAMS=target/debug cargo test -p jig-tests --test service`.
///
/// # Panics
/// If the build fails, because then no test can run.
pub fn artifacts() -> &'static Artifacts {
    static ARTIFACTS: OnceLock<Artifacts> = OnceLock::new();
    ARTIFACTS.get_or_init(|| match std::env::var_os("JIG_TEST_PROGRAMS") {
        Some(directory) => built(Path::new(&directory)),
        None => build(),
    })
}

/// The programs that lie in a directory, which is relative to the workspace.
fn built(directory: &Path) -> Artifacts {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace");
    let directory = root.join(directory);
    let scratch = directory.join("system-tests");
    std::fs::create_dir_all(&scratch).expect("the directory is writable");
    Artifacts {
        jig: directory.join("jig"),
        cpu_plugin: directory.join("libjig_backend_cpu.so"),
        ort_plugin: directory.join("libjig_backend_ort.so"),
        cuda_plugin: directory.join("libjig_backend_cuda.so"),
        cuda_emulator: directory.join("libjig_cuda_emulator.so"),
        scratch,
    }
}

fn build() -> Artifacts {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["build", "--workspace", "--all-targets", "--message-format=json"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command.output().expect("cargo starts");
    assert!(output.status.success(), "cargo build failed:\n{}", String::from_utf8_lossy(&output.stderr));
    let (mut jig, mut cpu_plugin, mut ort_plugin, mut cuda_plugin, mut cuda_emulator) = (None, None, None, None, None);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        if message["reason"] != "compiler-artifact" || message["profile"]["test"] == true {
            continue;
        }
        let name = &message["target"]["name"];
        if name == "jig" && message["executable"].is_string() {
            jig = message["executable"].as_str().map(PathBuf::from);
        }
        for (library, built) in [
            ("jig_backend_cpu", &mut cpu_plugin),
            ("jig_backend_ort", &mut ort_plugin),
            ("jig_backend_cuda", &mut cuda_plugin),
            ("jig_cuda_emulator", &mut cuda_emulator),
        ] {
            if name == library {
                let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
                *built = files.map(PathBuf::from).find(|file| file.extension().is_some_and(|end| end == "so"));
            }
        }
    }
    let jig = jig.expect("the workspace has a binary named jig");
    let scratch = jig.parent().expect("the binary lies in a directory").join("system-tests");
    std::fs::create_dir_all(&scratch).expect("the target directory is writable");
    Artifacts {
        jig,
        cpu_plugin: cpu_plugin.expect("the CPU backend is built as a plugin"),
        ort_plugin: ort_plugin.expect("the ONNX Runtime backend is built as a plugin"),
        cuda_plugin: cuda_plugin.expect("the CUDA backend is built as a plugin"),
        cuda_emulator: cuda_emulator.expect("the emulator of CUDA is built as a library"),
        scratch,
    }
}
