//! [`Backend`]: a kind of hardware or runtime that can load a model.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{HostServices, Model, Result};

/// A plugin: what it is, what it can see, and how it loads a model.
///
/// Calls may come from any thread. `load` may be called more than once; the models are independent.
pub trait Backend: Send + Sync {
    /// Name, version and devices. Never fails and does not load a model: [`BackendInfo::problem`] reports a missing
    /// driver.
    fn describe(&self) -> BackendInfo;

    /// The files of a model that this backend reads, in addition to those that describe it (`config.json`, the
    /// tokenizer's).
    ///
    /// `names` are the paths of all files of a directory, or of a repository before the download. `dtype` is that of
    /// [`ModelSpec`]. `None` leaves the choice to the host, which takes the safetensors.
    ///
    /// # Errors
    /// `NotFound` if there is no file that the backend can read, with those that exist instead; `InvalidArgument` for
    /// an unknown `dtype`.
    fn model_files(&self, names: &[String], dtype: &str) -> Result<Option<Vec<String>>> {
        let _ = (names, dtype);
        Ok(None)
    }

    /// Loads a model. It may take minutes, and reports its progress through `host`.
    ///
    /// # Errors
    /// Everything that can be wrong with the directory, the device or an option, with a message that names it.
    fn load(&self, spec: &ModelSpec, host: Arc<dyn HostServices>) -> Result<Box<dyn Model>>;
}

/// The description of a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendInfo {
    /// The name by which `--backend` finds it: lower case, no spaces (`cpu`, `cuda`, `ort`).
    pub name: String,
    /// The version of the plugin, as `major.minor.patch`.
    pub version: String,
    /// One line for a person.
    pub description: String,
    /// The devices that it can see now.
    pub devices: Vec<DeviceInfo>,
    /// Why it can't run here (no driver, no library), with the remedy; `None` if it can.
    pub problem: Option<String>,
    /// The options that [`ModelSpec::options`] may hold.
    pub options: Vec<OptionInfo>,
}

/// A device that a backend can see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The name by which `--device` chooses it (`cpu`, `cuda:0`).
    pub id: String,
    /// The product's name and relevant properties (`NVIDIA H200, compute capability 9.0`).
    pub name: String,
    /// Memory in bytes; 0 if unknown.
    pub memory_bytes: u64,
}

/// An option of a backend, set by `--backend-option KEY=VALUE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionInfo {
    /// The key.
    pub key: String,
    /// The default value.
    pub default: String,
    /// One line for a person.
    pub help: String,
}

impl OptionInfo {
    /// An option of these texts.
    #[must_use]
    pub fn new(key: &str, default: &str, help: &str) -> Self {
        Self { key: key.to_owned(), default: default.to_owned(), help: help.to_owned() }
    }
}

/// What to load, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// A local directory with `config.json` and the weights.
    pub directory: PathBuf,
    /// A device id of [`BackendInfo::devices`], or `auto`.
    pub device: String,
    /// `auto` (as stored), `f32`, `f16` or `bf16`: the type of the weights in memory.
    pub dtype: String,
    /// The longest sequence in tokens; `None` for the model's own limit.
    pub max_model_len: Option<u32>,
    /// The most sequences that are open at once. A hint for sizing, at least 1.
    pub max_sequences: u32,
    /// The most tokens in one `forward`, over all chunks. At least 1.
    pub max_batch_tokens: u32,
    /// Bytes for the KV cache; `None` lets the backend choose.
    pub kv_cache_bytes: Option<u64>,
    /// Options of this backend: key and value. An unknown key is an error, never ignored.
    pub options: Vec<(String, String)>,
}

impl ModelSpec {
    /// A specification with defaults for everything but the directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            device: "auto".to_owned(),
            dtype: "auto".to_owned(),
            max_model_len: None,
            max_sequences: 64,
            max_batch_tokens: 2048,
            kv_cache_bytes: None,
            options: Vec::new(),
        }
    }
}
