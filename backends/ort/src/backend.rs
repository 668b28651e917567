//! [`OrtBackend`]: what the host sees of this crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use jig_plugin_api::{
    Backend, BackendInfo, Error, ErrorCode, HostServices, LogLevel, Model, ModelInfo, ModelSpec, Result,
};

use crate::cache::{Cache, growing::Growing, shared::Shared};
use crate::config::Config;
use crate::device::Device;
use crate::interface::{Declared, Interface};
use crate::memory::Place;
use crate::model::{BLOCK_TOKENS, OrtModel, Rows};
use crate::onnx::Skeleton;
use crate::options::Options;
use crate::runner::Runner;
use crate::worker::Worker;
use crate::{check, files, library, session};

/// The operator that takes past and present in one buffer.
const SHARING: &str = "GroupQueryAttention";

/// The ONNX Runtime backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrtBackend;

/// The ONNX Runtime backend, for a program that links this crate.
#[must_use]
pub fn backend() -> Box<dyn Backend> {
    Box::new(OrtBackend)
}

impl Backend for OrtBackend {
    fn describe(&self) -> BackendInfo {
        let found = library::find(None);
        let version = found.as_ref().map(|found| format!(" {}", found.version)).unwrap_or_default();
        BackendInfo {
            name: "ort".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: format!("ONNX models on ONNX Runtime{version}"),
            devices: found.as_ref().map(|found| Device::list(&found.path)).unwrap_or_default(),
            problem: found.err().map(|error| error.message),
            options: Options::describe(),
        }
    }

    fn model_files(&self, names: &[String], dtype: &str) -> Result<Option<Vec<String>>> {
        let file = files::select(names, dtype)?;
        Ok(Some(files::with_weights(names, file).into_iter().map(str::to_owned).collect()))
    }

    fn load(&self, spec: &ModelSpec, host: Arc<dyn HostServices>) -> Result<Box<dyn Model>> {
        let options = Options::read(&spec.options)?;
        let config = Config::read(&spec.directory)?;
        let file = model_file(spec, &config)?;
        let skeleton = Skeleton::read(&file)?;
        let weight_bytes = weight_bytes(&file, &skeleton)?;
        let found = library::find(options.library.as_deref())?;
        let device = Device::choose(&spec.device, &found.path)?;
        let place = Place::of(device)?;
        check_memory(&file, weight_bytes, place.available()?)?;
        let environment = library::start(&found)?;

        let start = Instant::now();
        let session = session::open(&environment, &found.version, &file, device, &options)?;
        let at_file = |error: Error| Error { message: format!("{}: {}", file.display(), error.message), ..error };
        let interface = Declared::all(session.inputs())
            .and_then(|inputs| Interface::read(inputs, Declared::all(session.outputs())?, &config))
            .map_err(at_file)?;
        let max_model_len = max_model_len(spec, &config)?;
        let shares = skeleton.count(SHARING) > 0 && skeleton.count(SHARING) * 2 == interface.past.len();
        let cache: Box<dyn Cache> = if shares {
            Box::new(Shared::new(place.clone(), interface.kv.clone(), max_model_len))
        } else {
            Box::new(Growing::new(place.clone(), interface.kv.clone()))
        };
        // A growing cache has two copies, past and present.
        let slot_bytes = interface.kv.slot_bytes() * if shares { 1 } else { 2 };
        let total_blocks = blocks(spec, slot_bytes, max_model_len, place.available()?)?;
        let dtype = dtype_name(&skeleton, &interface);
        let info = ModelInfo {
            architecture: config.architecture,
            vocab_size: interface.vocab_size as u32,
            max_model_len: max_model_len as u32,
            device: device.id(),
            parameters: if skeleton.is_quantized() { 0 } else { skeleton.float_elements },
            dtype,
        };
        let mut runner = Runner::new(session, interface, cache, device, place)?;
        check::check(&mut runner, options.batching, info.dtype == "f32").map_err(at_file)?;
        log(&host, &file, &found, shares, &runner, start);
        Ok(Box::new(OrtModel {
            worker: Worker::start(runner)?,
            info,
            weight_bytes,
            max_batch_tokens: (spec.max_batch_tokens as usize).max(1),
            block_bytes: (slot_bytes * BLOCK_TOKENS) as u64,
            total_blocks,
            sequences: Default::default(),
            next_sequence: 0,
            rows: Rows::default(),
        }))
    }
}

fn log(
    host: &Arc<dyn HostServices>,
    file: &Path,
    found: &library::Found,
    shares: bool,
    runner: &Runner,
    start: Instant,
) {
    let abilities = runner.abilities;
    let cache = if shares { "KV cache in one buffer" } else { "KV cache grown by copy" };
    let decode = if abilities.padding {
        "sequences of all lengths decode together"
    } else {
        "sequences of one length decode together"
    };
    let prefill = if abilities.chunks { "" } else { "; this graph takes prompts that go on token by token" };
    let message = format!(
        "{} in {:.1} s by ONNX Runtime {} ({}): {cache}; {decode}{prefill}",
        file.display(),
        start.elapsed().as_secs_f64(),
        found.version,
        found.path.display()
    );
    host.log(LogLevel::Info, &message);
}

/// The graph's file: the one that `genai_config.json` names, or else the one that fits `--dtype` by its name.
fn model_file(spec: &ModelSpec, config: &Config) -> Result<PathBuf> {
    let directory = &spec.directory;
    let names = list(directory);
    if let Some(file) = &config.file
        && spec.dtype == "auto"
    {
        if !names.contains(file) {
            let problem =
                format!("{}: {} names `{file}`, which is not there", directory.display(), files::GENAI_CONFIG);
            return Err(Error::new(ErrorCode::NotFound, problem));
        }
        return Ok(directory.join(file));
    }
    let chosen = files::select(&names, &spec.dtype);
    let named = |error: Error| Error { message: format!("{}: {}", directory.display(), error.message), ..error };
    Ok(directory.join(chosen.map_err(named)?))
}

/// The files of a directory and of its folder `onnx`, as paths within the directory.
fn list(directory: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for folder in files::FOLDERS {
        for entry in fs::read_dir(directory.join(folder)).into_iter().flatten().flatten() {
            if let Ok(name) = entry.file_name().into_string()
                && entry.path().is_file()
            {
                names.push(format!("{folder}{name}"));
            }
        }
    }
    names.sort();
    names
}

fn weight_bytes(file: &Path, skeleton: &Skeleton) -> Result<u64> {
    let directory = file.parent().unwrap_or(Path::new("."));
    let external = skeleton.external_files().map(|name| directory.join(name));
    let size = |path: PathBuf| {
        let unreadable =
            |error: std::io::Error| Error::new(ErrorCode::NotFound, format!("{}: {error}", path.display()));
        Ok(fs::metadata(&path).map_err(unreadable)?.len())
    };
    std::iter::once(file.to_owned()).chain(external).map(size).sum()
}

/// Refuses weights that can't fit: the system would kill the process in the middle of loading.
fn check_memory(file: &Path, bytes: u64, available: u64) -> Result<()> {
    if bytes > available {
        return Err(Error::out_of_memory(format!(
            "{}: its weights take {:.1} GB, and {:.1} GB of memory are available; choose a smaller type with --dtype (q4, int8) or \
             a smaller model",
            file.display(),
            bytes as f64 / 1e9,
            available as f64 / 1e9
        )));
    }
    Ok(())
}

fn max_model_len(spec: &ModelSpec, config: &Config) -> Result<usize> {
    let asked = spec.max_model_len.map(|length| length as usize);
    match (asked, config.max_positions) {
        (None, None) => Err(Error::new(
            ErrorCode::InvalidFile,
            format!(
                "{}: config.json does not say how long a sequence may be (max_position_embeddings); set --max-model-len",
                spec.directory.display()
            ),
        )),
        (None, Some(most)) => Ok(most),
        (Some(length), most) if length >= 1 && most.is_none_or(|most| length <= most) => Ok(length),
        (Some(length), most) => Err(Error::invalid_argument(format!(
            "max_model_len {length}: the model allows from 1 to {} positions",
            most.unwrap_or(usize::MAX)
        ))),
    }
}

/// Blocks of the cache: as many as requested, or as fit in half of the device's free memory, but no more than all
/// sequences together can use.
fn blocks(spec: &ModelSpec, slot_bytes: usize, max_model_len: usize, available: u64) -> Result<usize> {
    let block_bytes = (slot_bytes * BLOCK_TOKENS).max(1) as u64;
    let bytes = spec.kv_cache_bytes.unwrap_or(available / 2);
    let useful = u64::from(spec.max_sequences.max(1)).saturating_mul(max_model_len.div_ceil(BLOCK_TOKENS) as u64);
    let blocks = (bytes / block_bytes).min(useful).min(u64::from(u32::MAX));
    if blocks == 0 {
        let problem = format!("the KV cache may take {bytes} bytes, and one block takes {block_bytes}");
        return Err(Error::out_of_memory(problem));
    }
    Ok(blocks as usize)
}

fn dtype_name(skeleton: &Skeleton, interface: &Interface) -> String {
    let name = match (skeleton.is_quantized(), interface.kv.element) {
        (true, _) => "quantized",
        (false, 4) => "f32",
        (false, _) => "f16",
    };
    name.to_owned()
}
