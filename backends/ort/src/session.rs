//! Opens a graph in ONNX Runtime.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use jig_plugin_api::{Error, ErrorCode, Result};
use ort::environment::Environment;
use ort::ep;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use crate::device::Device;
use crate::options::{Optimization, Options};

/// The names of an optimized graph and of its weights in their directory.
const OPTIMIZED: [&str; 2] = ["model.onnx", "model.onnx.data"];

/// Opens the graph in `file`. With a directory for optimized graphs, takes the optimized graph from there, or writes it
/// there.
///
/// # Errors
/// ONNX Runtime's error, with the file.
pub(crate) fn open(
    environment: &Environment,
    version: &str,
    file: &Path,
    device: Device,
    options: &Options,
) -> Result<Session> {
    let failed = |error: ort::Error| explain(&error, file);
    let builder = || builder(environment, device, options).map_err(failed);
    let Some(directory) = &options.optimized_models else {
        return builder()?.commit_from_file(file).map_err(failed);
    };
    let kept = directory.join(fingerprint(version, file, device, options)?);
    if kept.join(OPTIMIZED[0]).is_file() {
        let builder = builder()?.with_optimization_level(GraphOptimizationLevel::Disable);
        return builder
            .map_err(|error| failed(error.into()))?
            .commit_from_file(kept.join(OPTIMIZED[0]))
            .map_err(failed);
    }
    // Write it under another name and rename it, so that a directory of the right name is always complete.
    let partial = directory.join(format!(".{}.{}", std::process::id(), kept.file_name().unwrap_or_default().display()));
    let io = |error: std::io::Error| {
        Error::new(ErrorCode::InvalidFile, format!("option `optimized-models`: {}: {error}", partial.display()))
    };
    fs::create_dir_all(&partial).map_err(io)?;
    let session = keep(builder()?, &partial).and_then(|mut builder| builder.commit_from_file(file)).map_err(failed);
    let placed = if session.is_ok() { fs::rename(&partial, &kept) } else { Ok(()) };
    if session.is_err() || placed.is_err() {
        // If two processes do this at once, the second rename fails; the temporary directory is removed either way.
        let _ = fs::remove_dir_all(&partial);
    }
    session
}

fn builder(environment: &Environment, device: Device, options: &Options) -> ort::Result<SessionBuilder> {
    let level = match options.optimization {
        Optimization::None => GraphOptimizationLevel::Disable,
        Optimization::Basic => GraphOptimizationLevel::Level1,
        Optimization::Extended => GraphOptimizationLevel::Level2,
        Optimization::All => GraphOptimizationLevel::All,
    };
    // 0 leaves the number to ONNX Runtime.
    let builder = Session::builder(environment)?
        .with_optimization_level(level)?
        .with_intra_threads(options.threads.unwrap_or(0))?
        // Memory patterns are per shape, and shapes change from step to step.
        .with_memory_pattern(false)?;
    let Device::Cuda(number) = device else { return Ok(builder) };
    // An arena that doubles its size would take memory that is reserved for the KV cache.
    let cuda = ep::CUDA::default().with_arena_extend_strategy(ep::ArenaExtendStrategy::SameAsRequested);
    let cuda = cuda.with_device_id(number).build().error_on_failure();
    let providers = if options.tensorrt {
        vec![ep::TensorRT::default().with_device_id(number).build().error_on_failure(), cuda]
    } else {
        vec![cuda]
    };
    Ok(builder.with_execution_providers(providers)?)
}

/// Makes ONNX Runtime write the optimized graph to a directory, with external weights.
fn keep(builder: SessionBuilder, directory: &Path) -> ort::Result<SessionBuilder> {
    let builder = builder.with_optimized_model_path(directory.join(OPTIMIZED[0]))?;
    let builder = builder.with_config_entry("session.optimized_model_external_initializers_file_name", OPTIMIZED[1])?;
    Ok(builder.with_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")?)
}

/// A name for the optimized graph that changes with everything that it depends on.
fn fingerprint(version: &str, file: &Path, device: Device, options: &Options) -> Result<PathBuf> {
    let unreadable = |error: std::io::Error| Error::new(ErrorCode::NotFound, format!("{}: {error}", file.display()));
    let path = fs::canonicalize(file).map_err(unreadable)?;
    let metadata = fs::metadata(&path).map_err(unreadable)?;
    let mut hasher = DefaultHasher::new();
    let changed = metadata.modified().map_err(unreadable)?;
    let how = (options.optimization as u8, options.tensorrt, device.id());
    (version, &path, metadata.len(), changed, how).hash(&mut hasher);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(format!("{stem}-{:016x}", hasher.finish()).into())
}

/// Converts an error of ONNX Runtime.
pub(crate) fn explain(error: &ort::Error, file: &Path) -> Error {
    let code = if is_out_of_memory(error.message()) {
        ErrorCode::OutOfMemory
    } else {
        match error.code() {
            ort::ErrorCode::NoSuchFile => ErrorCode::NotFound,
            ort::ErrorCode::NotImplemented => ErrorCode::Unsupported,
            ort::ErrorCode::ExecutionProviderFailure => ErrorCode::DeviceUnavailable,
            _ => ErrorCode::InvalidFile,
        }
    };
    Error::new(code, format!("{}: ONNX Runtime can't load it: {}", file.display(), shorten(error.message())))
}

/// Whether an error of ONNX Runtime means that memory ran out.
pub(crate) fn is_out_of_memory(message: &str) -> bool {
    ["bad_alloc", "Failed to allocate memory", "out of memory", "CUDA failure 2:"]
        .iter()
        .any(|sign| message.contains(sign))
}

/// Shortens a text to one line of at most 600 characters.
pub(crate) fn shorten(message: &str) -> String {
    let mut line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(600) {
        line.truncate(end);
        line.push_str(" ...");
    }
    line
}
