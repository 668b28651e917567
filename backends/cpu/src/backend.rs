//! [`CpuBackend`]: what the host sees of this crate.

use std::fs;
use std::sync::Arc;

use jig_plugin_api::{Backend, BackendInfo, DeviceInfo, Error, HostServices, LogLevel, Model, ModelSpec, Result};
use jig_transformer::Transformer;

use crate::device::CpuDevice;
use crate::options::Options;
use crate::simd::Level;

/// The CPU backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuBackend;

/// The CPU backend, for a host that links this crate.
#[must_use]
pub fn backend() -> Box<dyn Backend> {
    Box::new(CpuBackend)
}

impl Backend for CpuBackend {
    fn describe(&self) -> BackendInfo {
        let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok())
        });
        BackendInfo {
            name: "cpu".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "Transformers on the processor's cores".to_owned(),
            devices: vec![DeviceInfo {
                id: "cpu".to_owned(),
                name: format!("{} ({})", processor(), Level::best().name()),
                memory_bytes: memory.unwrap_or(0) * 1024,
            }],
            problem: None,
            options: Options::describe(),
        }
    }

    fn load(&self, spec: &ModelSpec, host: Arc<dyn HostServices>) -> Result<Box<dyn Model>> {
        if !matches!(spec.device.as_str(), "auto" | "cpu") {
            return Err(Error::invalid_argument(format!("device `{}`: the CPU backend has `cpu` only", spec.device)));
        }
        let Options { threads, level } = Options::read(&spec.options)?;
        let device = CpuDevice::new(threads, level)?;
        let message = format!("cpu: {} with {} on {} threads", processor(), level.name(), device.threads());
        host.log(LogLevel::Info, &message);
        Ok(Box::new(Transformer::load(device, spec, &host)?))
    }
}

/// The processor's name by `/proc/cpuinfo`, or else the architecture.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}
