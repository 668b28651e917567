//! [`Options`]: the options of the backend, by their keys.

use std::path::PathBuf;

use crate::compile::Cache;
use crate::device::Settings;
use jig_plugin_api::{OptionInfo, Result, options};

const ON_OR_OFF: [(&str, bool); 2] = [("on", true), ("off", false)];

/// What the options say.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) settings: Settings,
    /// Where compiled kernels are kept.
    pub(crate) kernels: Cache,
    /// Whether a kernel may begin before the previous one ends (programmatic dependent launch).
    pub(crate) overlap: bool,
}

/// Checks options as [`crate::CudaBackend`] does, without a GPU.
///
/// # Errors
/// `InvalidArgument` for an unknown key or a wrong value.
pub fn check(pairs: &[(String, String)]) -> Result<()> {
    Options::read(pairs).map(drop)
}

impl Options {
    /// Reads pairs of key and value.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown key or a wrong value.
    pub(crate) fn read(pairs: &[(String, String)]) -> Result<Self> {
        let mut read = Self { settings: Settings::default(), kernels: Cache::users(), overlap: true };
        let settings = &mut read.settings;
        for option in options::given(pairs) {
            match (option.key, option.value) {
                ("gpu-memory-utilization", number) => {
                    let share = number.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0);
                    settings.memory_share = share.ok_or_else(|| option.wrong("a number above 0 and up to 1"))?;
                }
                ("kv-cache-dtype", "auto") => settings.kv_type = None,
                ("kv-cache-dtype", name) => {
                    let kv_type = name.parse().map_err(|_| option.wrong("auto, bf16, f16 or f32"))?;
                    settings.kv_type = Some(kv_type);
                }
                ("graphs", _) => settings.record = option.choice(&ON_OR_OFF)?,
                ("overlap", _) => read.overlap = option.choice(&ON_OR_OFF)?,
                ("kernel-cache", "auto") => read.kernels = Cache::users(),
                ("kernel-cache", "none") => read.kernels = Cache::new(None),
                ("kernel-cache", "") => return Err(option.wrong("auto, none or a directory")),
                ("kernel-cache", directory) => read.kernels = Cache::new(Some(PathBuf::from(directory))),
                _ => return Err(option.unknown("CUDA", &Self::describe())),
            }
        }
        Ok(read)
    }

    /// All options, for `jig backends`.
    pub(crate) fn describe() -> Vec<OptionInfo> {
        let option = OptionInfo::new;
        vec![
            option("gpu-memory-utilization", "0.9", "the share of the GPU's memory that weights and KV cache may take"),
            option("kv-cache-dtype", "auto", "bf16, f16 or f32; auto takes that of the weights"),
            option("graphs", "on", "on records decode steps as CUDA graphs, off does not"),
            option("overlap", "on", "on begins kernels while the one before ends, on GPUs from 9.0 on; off does not"),
            option(
                "kernel-cache",
                "auto",
                "a directory for compiled kernels; auto is ~/.cache/jig/cuda, none keeps none",
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, value: &str) -> Result<Options> {
        Options::read(&[(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn every_option_that_is_described_is_read() {
        for option in Options::describe() {
            assert!(read(&option.key, &option.default).is_ok(), "{}", option.key);
        }
        assert_eq!(read("kv-cache-dtype", "f32").unwrap().settings.kv_type, Some(jig_transformer::DType::F32));
    }

    #[test]
    fn a_wrong_key_or_value_is_named() {
        let wrong = [
            ("gpu-memory-utilization", "0"),
            ("gpu-memory-utilization", "1.5"),
            ("gpu-memory-utilization", "NaN"),
            ("kv-cache-dtype", "int8"),
            ("graphs", "yes"),
            ("overlap", "yes"),
            ("kernel-cache", ""),
            ("speed", "1"),
        ];
        for (key, value) in wrong {
            assert!(read(key, value).unwrap_err().message.contains(&format!("`{key}`")), "{key}={value}");
        }
    }
}
