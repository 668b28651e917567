//! [`CudaBackend`]: what the host sees of this crate.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cudarc::driver::result::device;
use cudarc::driver::sys::{CUdevice, CUdevice_attribute};
use jig_plugin_api::{
    Backend, BackendInfo, DeviceInfo, Error, ErrorCode, HostServices, LogLevel, Model, ModelSpec, Result,
};
use jig_transformer::Transformer;

use crate::compile::Capability;
use crate::device::CudaDevice;
use crate::gpu::Gpu;
use crate::libraries::{self, Libraries};
use crate::options::Options;

/// The lowest compute capability: the kernels need bf16 tensor cores and asynchronous copies.
const LEAST_CAPABILITY: Capability = Capability { major: 8, minor: 0 };

/// The CUDA backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct CudaBackend;

/// The CUDA backend, for a program that links this crate.
#[must_use]
pub fn backend() -> Box<dyn Backend> {
    Box::new(CudaBackend)
}

impl Backend for CudaBackend {
    fn describe(&self) -> BackendInfo {
        let gpus = gpus();
        let problem = match &gpus {
            Err(error) => Some(error.message.clone()),
            Ok(gpus) => usable(gpus).and_then(|_| guarded(Libraries::find)).err().map(|error| error.message),
        };
        BackendInfo {
            name: "cuda".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "Transformers on NVIDIA GPUs".to_owned(),
            devices: gpus.unwrap_or_default().iter().map(Card::info).collect(),
            problem,
            options: Options::describe(),
        }
    }

    fn load(&self, spec: &ModelSpec, host: Arc<dyn HostServices>) -> Result<Box<dyn Model>> {
        let tell = |message: &str| host.log(LogLevel::Info, message);
        let (card, device) = open_card(&spec.device, &spec.options, &tell)?;
        let Card { name, capability, .. } = &card;
        host.log(LogLevel::Info, &format!("{}: {name}, compute capability {capability}", card.id()));
        guarded(|| Ok(Box::new(Transformer::load(device, spec, &host)?) as Box<dyn Model>))
    }
}

/// Opens the GPU that `--device` names, with options of the backend, for tools and tests of the device itself.
///
/// # Errors
/// `InvalidArgument` for unknown names and options; `DeviceUnavailable` with what is missing; `OutOfMemory`.
pub fn open(device: &str, options: &[(String, String)]) -> Result<CudaDevice> {
    open_card(device, options, &|_| {}).map(|(_, device)| device)
}

fn open_card(device: &str, options: &[(String, String)], tell: &(dyn Fn(&str) + Sync)) -> Result<(Card, CudaDevice)> {
    let options = Options::read(options)?;
    if !(matches!(device, "auto" | "cuda") || device.starts_with("cuda:")) {
        let problem = format!("device `{device}`: the CUDA backend has cuda, cuda:0, cuda:1 and so on");
        return Err(Error::invalid_argument(problem));
    }
    let cards = gpus()?;
    let card = choose(&cards, device)?.clone();
    let libraries = guarded(Libraries::find)?;
    let Options { kernels, overlap, settings } = options;
    let open = || Gpu::open(card.id(), card.ordinal, card.capability, libraries, &kernels, overlap, tell);
    let runtime = guarded(open)?;
    let device = guarded(|| CudaDevice::new(Arc::new(runtime), settings))?;
    Ok((card, device))
}

/// A GPU that the driver shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) ordinal: usize,
    pub(crate) name: String,
    pub(crate) capability: Capability,
    pub(crate) memory: u64,
}

impl Card {
    pub(crate) fn id(&self) -> String {
        format!("cuda:{}", self.ordinal)
    }

    fn info(&self) -> DeviceInfo {
        DeviceInfo {
            id: self.id(),
            name: format!("{}, compute capability {}", self.name, self.capability),
            memory_bytes: self.memory,
        }
    }
}

/// Catches panics: cudarc panics if a library or one of its functions is missing, and an older driver may lack some.
fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Error::new(
            ErrorCode::DeviceUnavailable,
            format!("NVIDIA's driver or a library of CUDA is incomplete: {text}"),
        ))
    })
}

/// The GPUs of this machine.
fn gpus() -> Result<Vec<Card>> {
    guarded(|| {
        libraries::driver()?;
        let failed = |what: &str, error| {
            let problem = format!("NVIDIA's driver does not tell {what}: {}", libraries::text(error));
            Error::new(ErrorCode::DeviceUnavailable, problem)
        };
        let count = device::get_count().map_err(|error| failed("how many GPUs there are", error))?;
        (0..count)
            .map(|ordinal| {
                let handle = device::get(ordinal).map_err(|error| failed("of a GPU", error))?;
                let name = device::get_name(handle).map_err(|error| failed("a GPU's name", error))?;
                // SAFETY: the handle is one of the driver.
                let memory = unsafe { device::total_mem(handle) }.map_err(|error| failed("a GPU's memory", error))?;
                Ok(Card {
                    ordinal: usize::try_from(ordinal).unwrap_or(0),
                    name,
                    capability: Capability {
                        major: attribute(handle, CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
                        minor: attribute(handle, CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
                    },
                    memory: memory as u64,
                })
            })
            .collect()
    })
}

/// An attribute of a GPU; 0 if the driver does not give it.
fn attribute(handle: CUdevice, attribute: CUdevice_attribute) -> u32 {
    // SAFETY: the handle is one of the driver.
    unsafe { device::get_attribute(handle, attribute) }.ok().and_then(|value| u32::try_from(value).ok()).unwrap_or(0)
}

/// The first GPU that is new enough.
fn usable(gpus: &[Card]) -> Result<&Card> {
    let found: Vec<_> = gpus.iter().map(|gpu| format!("{} ({})", gpu.name, gpu.capability)).collect();
    let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    gpus.iter().find(|gpu| gpu.capability >= LEAST_CAPABILITY).ok_or_else(|| {
        let problem =
            format!("a GPU of compute capability {LEAST_CAPABILITY} or newer is needed; the driver shows: {found}");
        Error::new(ErrorCode::DeviceUnavailable, problem)
    })
}

/// The GPU that `--device` names.
fn choose<'a>(gpus: &'a [Card], name: &str) -> Result<&'a Card> {
    if matches!(name, "auto" | "cuda") {
        return usable(gpus);
    }
    let known: Vec<_> = gpus.iter().map(Card::id).collect();
    let gpu = gpus.iter().find(|gpu| gpu.id() == name).ok_or_else(|| {
        Error::new(ErrorCode::DeviceUnavailable, format!("device `{name}`: this machine has {}", known.join(", ")))
    })?;
    usable(std::slice::from_ref(gpu))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(ordinal: usize, major: u32) -> Card {
        let capability = Capability { major, minor: 5 };
        Card { ordinal, name: format!("GPU {ordinal}"), capability, memory: 1 << 30 }
    }

    #[test]
    fn auto_takes_the_first_gpu_that_is_new_enough_and_a_name_the_named_one() {
        let gpus = [gpu(0, 7), gpu(1, 8), gpu(2, 9)];
        assert_eq!(choose(&gpus, "auto").unwrap().ordinal, 1);
        assert_eq!(choose(&gpus, "cuda:2").unwrap().ordinal, 2);
    }

    #[test]
    fn a_gpu_that_is_too_old_or_not_there_is_named_with_what_there_is() {
        let gpus = [gpu(0, 7)];
        for (gpus, name, says) in [
            (&gpus[..], "auto", "GPU 0 (7.5)"),
            (&gpus[..], "cuda:0", "8.0 or newer"),
            (&gpus[..], "cuda:4", "`cuda:4`: this machine has cuda:0"),
            (&[], "auto", "shows: none"),
        ] {
            let error = choose(gpus, name).unwrap_err();
            assert!(error.code == ErrorCode::DeviceUnavailable && error.message.contains(says), "{error}");
        }
    }

    #[test]
    fn a_panic_of_a_missing_function_is_an_error() {
        let error = guarded::<()>(|| panic!("no symbol {}", "cuNew")).unwrap_err();
        assert!(error.code == ErrorCode::DeviceUnavailable && error.message.contains("no symbol cuNew"), "{error}");
    }
}
