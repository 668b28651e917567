//! `config.json` of a model directory -> [`Decoder`].
//!
//! What a field says is done or refused, never passed over: a field that changes what the model computes and is not
//! supported is an error that names it.

mod families;
mod fields;
mod quantization;
mod rope;

use std::fs;
use std::path::Path;

use jig_plugin_api::{Error, ErrorCode, Result};
use serde_json::Value;

use crate::description::Decoder;
use crate::names::Names;
pub use families::architectures;
use fields::Fields;
pub use quantization::Quantization;

/// The largest `config.json` that is read, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// Fields that change what the model computes whatever its family, with what we would have to do about them.
const REFUSED: [(&str, &str); 1] = [("adapter_config", "adapters are not supported; merge them into the model first")];

/// A model's description and the names of its tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What it computes.
    pub decoder: Decoder,
    /// How its tensors are called.
    pub names: &'static Names,
    /// How its weights are quantized, where some are.
    pub quantization: Quantization,
}

impl Config {
    /// Reads `config.json` in a model directory.
    ///
    /// # Errors
    /// `NotFound` if there is none, `InvalidFile` with file and field for one that makes no sense, `Unsupported` for an
    /// architecture or a setting that can't be computed.
    pub fn read(directory: &Path) -> Result<Self> {
        let file = directory.join("config.json");
        let unreadable = |error: std::io::Error| {
            Error::new(ErrorCode::NotFound, format!("{}: {error}; is this a model directory?", file.display()))
        };
        let size = fs::metadata(&file).map_err(unreadable)?.len();
        if size > MAX_BYTES {
            let problem = format!("{}: {size} bytes are too many for a config.json", file.display());
            return Err(Error::new(ErrorCode::InvalidFile, problem));
        }
        Self::parse(&file, &fs::read(&file).map_err(unreadable)?)
    }

    /// Parses the text of a `config.json`; `file` is for messages.
    ///
    /// # Errors
    /// See [`Config::read`].
    pub fn parse(file: &Path, text: &[u8]) -> Result<Self> {
        let invalid = |problem: String| Error::new(ErrorCode::InvalidFile, format!("{}: {problem}", file.display()));
        let value: Value = serde_json::from_slice(text).map_err(|error| invalid(format!("not JSON: {error}")))?;
        let map = value.as_object().ok_or_else(|| invalid("expected a JSON object".to_owned()))?;
        let fields = Fields::new(file, map);
        let family = families::find(&fields)?;
        for (name, remedy) in REFUSED {
            if fields.value(name).is_some() {
                return Err(fields.unsupported(name, remedy));
            }
        }
        let quantization = quantization::read(&fields)?;
        let decoder = (family.describe)(family, &fields)?;
        Ok(Self { decoder, names: family.names, quantization })
    }
}

#[cfg(test)]
mod tests;
