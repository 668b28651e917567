//! The CUDA plugin on machines where something is missing. The test compiles a fake driver for each case.

use std::path::{Path, PathBuf};
use std::process::Command;

use jig_tests::{artifacts, jig};
use tempfile::TempDir;

/// A fake driver that reports a version and one GPU.
const DRIVER: &str = r#"
#include <string.h>
int cuInit(unsigned f) { (void)f; return INIT; }
int cuDriverGetVersion(int *v) { *v = VERSION; return 0; }
int cuGetErrorString(int e, const char **s) { *s = e == 100 ? "no CUDA-capable device is detected" : "an error"; return 0; }
int cuGetErrorName(int e, const char **s) { return cuGetErrorString(e, s); }
int cuDeviceGetCount(int *n) { *n = GPUS; return 0; }
int cuDeviceGet(int *d, int n) { *d = n; return 0; }
int cuDeviceGetName(char *s, int n, int d) { (void)d; strncpy(s, "Pretended GPU", n); return 0; }
int cuDeviceTotalMem_v2(size_t *b, int d) { (void)d; *b = (size_t)80 << 30; return 0; }
int cuDeviceGetAttribute(int *v, int a, int d) { (void)d; *v = a == 75 ? MAJOR : 0; return 0; }
"#;

/// The values of the fake driver that differ from the defaults; `None` is a machine without a driver.
type Driver<'a> = Option<&'a [(&'a str, u32)]>;

/// A machine with one of these drivers and without Python. All its search paths lead into one directory.
struct Machine(TempDir);

impl Machine {
    /// `None` without a C compiler; prints the reason.
    fn new(driver: Driver<'_>) -> Option<Self> {
        let machine = Self(tempfile::tempdir_in(&artifacts().scratch).unwrap());
        let Some(driver) = driver else { return Some(machine) };
        let source = machine.path("driver.c");
        std::fs::write(&source, format!("#include <stddef.h>\n{DRIVER}")).unwrap();
        let defined = [("INIT", 0), ("VERSION", 13000), ("GPUS", 1), ("MAJOR", 9)].map(|(name, usual)| {
            let value = driver.iter().find(|(chosen, _)| *chosen == name).map_or(usual, |(_, value)| *value);
            format!("-D{name}={value}")
        });
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC"]).args(defined).arg("-o").args([&machine.path("libcuda.so.1"), &source]);
        if !command.status().is_ok_and(|status| status.success()) {
            println!("skipped: needs a C compiler");
            return None;
        }
        std::fs::copy(machine.path("libcuda.so.1"), machine.path("libcuda.so")).unwrap();
        Some(machine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `jig` on this machine and returns its exit code and its output.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = jig();
        for variable in ["PATH", "HOME", "VIRTUAL_ENV", "CONDA_PREFIX", "CUDA_HOME", "CUDA_PATH", "LD_LIBRARY_PATH"] {
            command.env(variable, self.0.path());
        }
        let output = command.args(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// The error message of a `jig generate` that fails on this machine.
    fn refusal(&self, arguments: &[&str]) -> String {
        let plugin = artifacts().cuda_plugin.to_str().unwrap();
        let all = [&["generate", "--model", "demo", "--backend", plugin], arguments, &["Hello"]].concat();
        let (code, message) = self.run(&all);
        assert_eq!(code, Some(1), "{message}");
        assert!(message.contains("error: ") && !message.contains("panicked"), "{message}");
        message
    }
}

/// A real driver would be found before the fake one.
fn has_driver() -> bool {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/nvidia/lib64"];
    folders.iter().any(|folder| Path::new(folder).join("libcuda.so.1").exists())
}

#[test]
fn a_missing_or_old_driver_or_gpu_is_an_error_that_names_it_and_the_requirement() {
    if has_driver() {
        println!("skipped: this machine has NVIDIA's driver");
        return;
    }
    let cases: [(Driver<'_>, &[&str]); 5] = [
        (None, &["NVIDIA's driver was not found", "libcuda.so.1"]),
        (Some(&[("INIT", 100)]), &["does not start", "no CUDA-capable device", "nvidia-smi"]),
        (Some(&[("VERSION", 11040)]), &["CUDA 11.4", "12.0 or newer is needed"]),
        (Some(&[("MAJOR", 7)]), &["Pretended GPU (7.0)", "8.0 or newer is needed"]),
        (Some(&[("GPUS", 0)]), &["8.0 or newer is needed", "shows: none"]),
    ];
    for (driver, says) in cases {
        let Some(machine) = Machine::new(driver) else { return };
        let message = machine.refusal(&[]);
        for part in says {
            assert!(message.contains(part), "{driver:?}: {message}");
        }
    }
}

#[test]
fn without_nvrtc_a_gpu_is_listed_and_the_error_names_the_package_to_install() {
    if has_driver() {
        println!("skipped: this machine has NVIDIA's driver");
        return;
    }
    let Some(machine) = Machine::new(Some(&[])) else { return };
    let folder = artifacts().cuda_plugin.parent().unwrap().to_str().unwrap();
    let (code, listed) = machine.run(&["backends", "--backend-dir", folder]);
    assert_eq!(code, Some(0), "{listed}");
    for part in ["cuda:0", "Pretended GPU, compute capability 9.0, 80.0 GiB", "gpu-memory-utilization", "kernel-cache"]
    {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    if !Path::new("/usr/local/cuda/lib64").exists() {
        let message = machine.refusal(&[]);
        for part in ["NVRTC was not found", "pip install nvidia-cuda-nvrtc", "LD_LIBRARY_PATH"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}

#[test]
fn an_invalid_device_or_option_is_refused_by_its_name() {
    let Some(machine) = Machine::new(None) else { return };
    let cases: [(&[&str], &str); 4] = [
        (&["--device", "gpu", "--backend-option", "graphs=on"], "device `gpu`"),
        (&["--gpu-memory-utilization", "1.5"], "`1.5` is not a number above 0 and up to 1"),
        (&["--backend-option", "graphs=maybe"], "`maybe` is not on or off"),
        (&["--backend-option", "speed=1"], "it has gpu-memory-utilization, kv-cache-dtype"),
    ];
    for (arguments, says) in cases {
        let message = machine.refusal(arguments);
        assert!(message.contains(says), "{arguments:?}: {message}");
    }
}
