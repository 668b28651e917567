//! Finds NVIDIA's libraries on this machine: the driver, NVRTC and cuBLASLt.
//!
//! None of them is linked. cudarc opens each by its usual name at its first use, and panics if it is missing, so this
//! module looks for them first. CUDA's Python packages have them in places that no loader searches. This module loads
//! them from there by their full path, after which cudarc finds them by their names.

use std::env;
use std::os::raw::c_int;
use std::path::{Path, PathBuf};

use jig_plugin_api::{Error, ErrorCode, Result, search};
use libloading::os::unix::{Library, RTLD_LAZY, RTLD_LOCAL};

/// The lowest CUDA version of the driver. The compiler, and so the machine code, may be as new as CUDA 13.
const LEAST_DRIVER: Version = Version(12, 0);
/// The lowest version of NVRTC: it has `__grid_constant__` and all GPUs from 8.0 to 9.0.
const LEAST_NVRTC: Version = Version(12, 0);

/// A version of CUDA or of one of its libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// The libraries that were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Libraries {
    /// The newest CUDA version that the driver supports.
    pub driver: Version,
    /// NVRTC's.
    pub nvrtc: Version,
    /// cuBLASLt's.
    pub cublas_lt: Version,
}

impl Libraries {
    /// Finds all three.
    ///
    /// # Errors
    /// `DeviceUnavailable` names the library that is missing or too old, what was found, and what to do.
    pub fn find() -> Result<Self> {
        let driver = driver()?;
        let nvrtc = nvrtc()?;
        let cublas_lt = cublas_lt()?;
        for (what, package, found) in [("NVRTC", "nvidia-cuda-nvrtc", nvrtc), ("cuBLASLt", "nvidia-cublas", cublas_lt)]
        {
            if found.0 > driver.0 {
                return Err(unavailable(format!(
                    "{what} {found} needs a driver for CUDA {}, and the driver is for CUDA {driver} at most: install a newer driver, or \
                     {what} {} (`pip install {package}-cu{}`)",
                    found.0, driver.0, driver.0
                )));
            }
        }
        Ok(Self { driver, nvrtc, cublas_lt })
    }
}

fn unavailable(message: String) -> Error {
    Error::new(ErrorCode::DeviceUnavailable, message)
}

/// Starts the driver, and asks for the newest CUDA version that it supports.
///
/// # Errors
/// `DeviceUnavailable` if it is missing, doesn't start or is too old.
pub fn driver() -> Result<Version> {
    use cudarc::driver::{result, sys};
    // SAFETY: running the initialisers of the driver is what every CUDA program does.
    if !unsafe { sys::is_culib_present() } {
        return Err(unavailable(
            "NVIDIA's driver was not found (libcuda.so.1): this machine has no NVIDIA GPU, its driver is not installed, or a container was \
             started without access to the GPU (docker run --gpus all)"
                .to_owned(),
        ));
    }
    result::init().map_err(|error| {
        unavailable(format!(
            "NVIDIA's driver is installed and does not start: {}; `nvidia-smi` may say more",
            text(error)
        ))
    })?;
    let mut number: c_int = 0;
    // SAFETY: the pointer is to an int.
    let told = unsafe { sys::cuDriverGetVersion(&mut number) }.result();
    told.map_err(|error| unavailable(format!("NVIDIA's driver does not tell its version: {}", text(error))))?;
    // 1000 times the major version and 10 times the minor.
    let number = u32::try_from(number).unwrap_or(0);
    let version = Version(number / 1000, number % 1000 / 10);
    if version < LEAST_DRIVER {
        return Err(unavailable(format!(
            "NVIDIA's driver is for CUDA {version} at most, and {LEAST_DRIVER} or newer is needed: install a newer driver"
        )));
    }
    Ok(version)
}

/// The driver's text for a failure.
pub(crate) fn text(error: cudarc::driver::result::DriverError) -> String {
    let text = error.error_string().map(|text| text.to_string_lossy().into_owned());
    text.unwrap_or_else(|_| format!("{:?}", error.0))
}

/// NVRTC's version, once it is loaded.
///
/// # Errors
/// `DeviceUnavailable` if it is missing or too old.
pub fn nvrtc() -> Result<Version> {
    use cudarc::nvrtc::sys;
    // SAFETY: running the initialisers of NVRTC is what every program does that uses it.
    let present = || unsafe { sys::is_culib_present() };
    find("NVRTC", "libnvrtc.so", "nvidia-cuda-nvrtc", present)?;
    let (mut major, mut minor): (c_int, c_int) = (0, 0);
    // SAFETY: the library is there; the pointers are to ints.
    let told = unsafe { sys::nvrtcVersion(&mut major, &mut minor) }.result();
    told.map_err(|error| unavailable(format!("NVRTC does not tell its version: {error}")))?;
    let version = Version(u32::try_from(major).unwrap_or(0), u32::try_from(minor).unwrap_or(0));
    if version < LEAST_NVRTC {
        return Err(unavailable(format!(
            "NVRTC {version} was found, and {LEAST_NVRTC} or newer is needed: install CUDA {LEAST_NVRTC} or newer, or put its \
             libnvrtc.so first in LD_LIBRARY_PATH"
        )));
    }
    Ok(version)
}

fn cublas_lt() -> Result<Version> {
    use cudarc::cublaslt::sys;
    // SAFETY: running the initialisers of cuBLASLt is what every program does that uses it.
    let present = || unsafe { sys::is_culib_present() };
    find("cuBLASLt", "libcublasLt.so", "nvidia-cublas", present)?;
    // SAFETY: the library is there; the call takes nothing.
    let number = u32::try_from(unsafe { sys::cublasLtGetVersion() }).unwrap_or(0);
    // 10000 times the major version and 100 times the minor.
    Ok(Version(number / 10_000, number % 10_000 / 100))
}

/// Loads a library from wherever it is, so that it can be opened by its name.
fn find(what: &str, file: &str, package: &str, present: impl Fn() -> bool) -> Result<()> {
    if present() {
        return Ok(());
    }
    let directories = directories();
    for candidate in directories.iter().flat_map(|directory| versions(directory, file)) {
        // SAFETY: running the initialisers of a library that is named as NVIDIA's is what is asked for.
        if let Ok(library) = unsafe { Library::open(Some(&candidate), RTLD_LAZY | RTLD_LOCAL) } {
            // It is used by its name from now on: never unload it.
            std::mem::forget(library);
            if present() {
                return Ok(());
            }
        }
    }
    let searched: Vec<_> = directories.iter().map(|directory| directory.display().to_string()).collect();
    let searched = if searched.is_empty() { String::new() } else { format!(", {}", searched.join(", ")) };
    Err(unavailable(format!(
        "{what} was not found ({file}): install the CUDA toolkit (12 or newer) or, in the active Python environment, `pip install \
         {package}`, or name its directory in LD_LIBRARY_PATH. Searched: the loader's directories{searched}"
    )))
}

/// Directories outside the loader's path that may have CUDA's libraries: those of toolkits, and of Python packages in
/// the active environment or in that of the `python3` in the path.
fn directories() -> Vec<PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut found: Vec<PathBuf> =
        ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(variable).map(|path| path.join("lib64")).collect();
    found.push(PathBuf::from("/usr/local/cuda/lib64"));
    for packages in search::python_packages() {
        // `cu13` has all libraries of CUDA 13; those of CUDA 12 have a directory each.
        let nvidia = search::entries(&packages.join("nvidia"), |_| true);
        found.extend(nvidia.into_iter().map(|package| package.join("lib")));
    }
    let mut unique: Vec<PathBuf> = Vec::new();
    for directory in found {
        if directory.is_dir() && !unique.contains(&directory) {
            unique.push(directory);
        }
    }
    unique
}

/// The files of a library in a directory: `libx.so`, `libx.so.13`; the newest first.
fn versions(directory: &Path, file: &str) -> Vec<PathBuf> {
    let mut found = search::entries(directory, |name| {
        name.strip_prefix(file).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_files_of_a_library_are_told_from_others() {
        let directory = tempfile::tempdir().unwrap();
        for name in
            ["libnvrtc.so.12", "libnvrtc.so.13", "libnvrtc-builtins.so.13.2", "libnvrtc.sox", "libnvrtc_static.a"]
        {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let found = versions(directory.path(), "libnvrtc.so");
        let found: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(found, ["libnvrtc.so.13", "libnvrtc.so.12"]);
    }

    #[test]
    fn a_library_that_is_nowhere_is_named_with_the_remedy() {
        let error = find("NVRTC", "libno-such-library.so", "nvidia-cuda-nvrtc", || false).unwrap_err();
        assert_eq!(error.code, ErrorCode::DeviceUnavailable);
        for part in ["NVRTC", "libno-such-library.so", "pip install nvidia-cuda-nvrtc", "LD_LIBRARY_PATH"] {
            assert!(error.message.contains(part), "{error}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(Version(12, 10) > Version(12, 9) && Version(13, 0) > Version(12, 9) && Version(11, 8) < LEAST_DRIVER);
    }
}
