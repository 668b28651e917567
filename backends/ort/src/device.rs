//! [`Device`]: where the graph runs, and which GPUs this machine has.

use std::fs;
use std::path::Path;

use jig_plugin_api::{DeviceInfo, Error, ErrorCode, Result};

use crate::driver::Driver;

/// The CUDA execution provider's file, beside ONNX Runtime's.
const CUDA_PROVIDER: &str = "libonnxruntime_providers_cuda.so";

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

/// The GPUs that NVIDIA's driver shows; none without a driver.
fn cards() -> Vec<DeviceInfo> {
    Driver::get().map(|driver| driver.cards()).unwrap_or_default()
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
