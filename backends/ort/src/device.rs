//! [`Device`]: where the graph runs, and which graphics cards there are.

use std::ffi::{CStr, c_char, c_int};
use std::fs;
use std::path::Path;

use jig_plugin_api::{DeviceInfo, Error, ErrorCode, Result};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

/// The file beside ONNX Runtime that has the CUDA execution provider.
const CUDA_PROVIDER: &str = "libonnxruntime_providers_cuda.so";
/// The most graphics cards that are believed.
const MAX_CARDS: c_int = 64;

/// A device that a session can run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Cpu,
    /// By its number.
    Cuda(i32),
}

impl Device {
    /// The device of a value of `--device`, for the ONNX Runtime in `library`.
    ///
    /// # Errors
    /// `DeviceUnavailable` with what is missing.
    pub(crate) fn choose(name: &str, library: &Path) -> Result<Self> {
        let unavailable =
            |problem: String| Error::new(ErrorCode::DeviceUnavailable, format!("device `{name}`: {problem}"));
        let number = match name {
            "cpu" => return Ok(Self::Cpu),
            "auto" if !has_cuda_provider(library) || cards().is_empty() => return Ok(Self::Cpu),
            "auto" | "cuda" => Some(0),
            _ => name.strip_prefix("cuda:").and_then(|number| number.parse::<i32>().ok()),
        };
        let number = number.ok_or_else(|| unavailable("the devices are auto, cpu, cuda and cuda:N".to_owned()))?;
        if !has_cuda_provider(library) {
            let directory = library.parent().unwrap_or(library).display();
            return Err(unavailable(format!(
                "{CUDA_PROVIDER} is not in {directory}: this is ONNX Runtime for the CPU; install onnxruntime-gpu instead"
            )));
        }
        let cards = cards();
        if usize::try_from(number).ok().is_none_or(|number| number >= cards.len()) {
            return Err(unavailable(format!("the NVIDIA driver shows {} graphics cards", cards.len())));
        }
        Ok(Self::Cuda(number))
    }

    /// The name by which `--device` chooses it.
    pub(crate) fn id(self) -> String {
        match self {
            Self::Cpu => "cpu".to_owned(),
            Self::Cuda(number) => format!("cuda:{number}"),
        }
    }

    /// The devices that the ONNX Runtime in `library` can use.
    pub(crate) fn list(library: &Path) -> Vec<DeviceInfo> {
        let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory = text
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok());
        let cpu = DeviceInfo {
            id: Self::Cpu.id(),
            name: "CPU execution provider".to_owned(),
            memory_bytes: memory.unwrap_or(0) * 1024,
        };
        let cards = if has_cuda_provider(library) { cards() } else { Vec::new() };
        std::iter::once(cpu).chain(cards).collect()
    }
}

fn has_cuda_provider(library: &Path) -> bool {
    library.parent().is_some_and(|directory| directory.join(CUDA_PROVIDER).is_file())
}

/// The graphics cards that NVIDIA's driver shows; none without a driver.
fn cards() -> Vec<DeviceInfo> {
    // SAFETY: running the initialisers of the driver is what every CUDA program does.
    let Ok(driver) = (unsafe { Library::open(Some("libcuda.so.1"), RTLD_NOW | RTLD_LOCAL) }) else { return Vec::new() };
    let found = ask(&driver).unwrap_or_default();
    // The driver starts threads: never unload it.
    std::mem::forget(driver);
    found
}

fn ask(driver: &Library) -> Option<Vec<DeviceInfo>> {
    type Init = unsafe extern "C" fn(u32) -> c_int;
    type Count = unsafe extern "C" fn(*mut c_int) -> c_int;
    type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
    type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
    type Memory = unsafe extern "C" fn(*mut usize, c_int) -> c_int;
    // SAFETY: these symbols of the driver API have these types since CUDA 3.2.
    let (init, count, get, name, memory) = unsafe {
        (
            driver.get::<Init>(b"cuInit").ok()?,
            driver.get::<Count>(b"cuDeviceGetCount").ok()?,
            driver.get::<Get>(b"cuDeviceGet").ok()?,
            driver.get::<Name>(b"cuDeviceGetName").ok()?,
            driver.get::<Memory>(b"cuDeviceTotalMem_v2").ok()?,
        )
    };
    let mut number = 0;
    // SAFETY: 0 is the only flag there is; the pointer is to an int.
    if unsafe { init(0) } != 0 || unsafe { count(&mut number) } != 0 {
        return None;
    }
    let card = |ordinal: c_int| {
        let (mut handle, mut bytes, mut text) = (0, 0, [0 as c_char; 256]);
        // SAFETY: the pointers are to an int, to 256 bytes and to a size.
        let failed = unsafe {
            get(&mut handle, ordinal) != 0
                || name(text.as_mut_ptr(), 255, handle) != 0
                || memory(&mut bytes, handle) != 0
        };
        // SAFETY: the last byte is NUL, since it was and only 255 were written.
        let text = unsafe { CStr::from_ptr(text.as_ptr()) };
        let name = if failed { "NVIDIA graphics card".to_owned() } else { text.to_string_lossy().into_owned() };
        DeviceInfo { id: Device::Cuda(ordinal).id(), name, memory_bytes: bytes as u64 }
    };
    Some((0..number.clamp(0, MAX_CARDS)).map(card).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_cuda_provider_there_is_the_processor_alone() {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("libonnxruntime.so");
        assert_eq!(Device::choose("auto", &library), Ok(Device::Cpu));
        assert_eq!(Device::choose("cpu", &library), Ok(Device::Cpu));
        assert_eq!(Device::list(&library).len(), 1);
        for name in ["cuda", "cuda:0", "cuda:x", "tpu:0", ""] {
            let error = Device::choose(name, &library).unwrap_err();
            assert!(
                error.code == ErrorCode::DeviceUnavailable && error.message.contains(&format!("`{name}`")),
                "{error}"
            );
        }
    }
}
