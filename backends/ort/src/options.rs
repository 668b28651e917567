//! [`Options`]: the options of the backend, by their keys.

use std::path::PathBuf;

use jig_plugin_api::{OptionInfo, Result, options};

/// The most threads that are accepted: more are a mistake, and would take memory for their stacks.
const MAX_THREADS: usize = 1024;

const OPTIMIZATIONS: [(&str, Optimization); 4] = [
    ("none", Optimization::None),
    ("basic", Optimization::Basic),
    ("extended", Optimization::Extended),
    ("all", Optimization::All),
];

const BATCHINGS: [(&str, Batching); 3] =
    [("auto", Batching::Auto), ("padded", Batching::Padded), ("lengths", Batching::Lengths)];

/// What the options say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The file of ONNX Runtime.
    pub(crate) library: Option<PathBuf>,
    /// Threads of an operator; `None` for one on each core.
    pub(crate) threads: Option<usize>,
    pub(crate) optimization: Optimization,
    /// The directory for optimized graphs.
    pub(crate) optimized_models: Option<PathBuf>,
    pub(crate) batching: Batching,
    /// Whether TensorRT is tried before CUDA.
    pub(crate) tensorrt: bool,
}

/// How far ONNX Runtime rewrites the graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Optimization {
    None,
    Basic,
    Extended,
    #[default]
    All,
}

/// Which sequences decode in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Batching {
    /// `Padded` if the graph can, else `Lengths`.
    #[default]
    Auto,
    /// All in one run, with the shorter ones padded.
    Padded,
    /// Those of one length in one run.
    Lengths,
}

impl Options {
    /// Reads pairs of key and value.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown key or a wrong value.
    pub(crate) fn read(pairs: &[(String, String)]) -> Result<Self> {
        let mut read = Self::default();
        for option in options::given(pairs) {
            match (option.key, option.value) {
                ("library" | "optimized-models", "") => return Err(option.wrong("a path")),
                ("library", path) => read.library = Some(path.into()),
                ("optimized-models", path) => read.optimized_models = Some(path.into()),
                ("threads", _) => read.threads = option.number_or_auto(1..=MAX_THREADS)?,
                ("optimization", _) => read.optimization = option.choice(&OPTIMIZATIONS)?,
                ("batching", _) => read.batching = option.choice(&BATCHINGS)?,
                ("provider", _) => read.tensorrt = option.choice(&[("auto", false), ("tensorrt", true)])?,
                _ => return Err(option.unknown("ONNX Runtime", &Self::describe())),
            }
        }
        Ok(read)
    }

    /// All options, for `jig backends`.
    pub(crate) fn describe() -> Vec<OptionInfo> {
        let option = OptionInfo::new;
        vec![
            option("library", "searched", "the file libonnxruntime.so; ORT_DYLIB_PATH names it too"),
            option("threads", "auto", "threads of an operator; auto takes one for each core"),
            option("optimization", "all", "how far the graph is rewritten: none, basic, extended or all"),
            option("optimized-models", "none", "a directory in which optimized graphs are kept for the next start"),
            option("batching", "auto", "sequences that decode in one run: padded (all), lengths (of one length), auto"),
            option("provider", "auto", "tensorrt puts TensorRT before CUDA"),
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
        assert_eq!(read("threads", "3").unwrap().threads, Some(3));
    }

    #[test]
    fn a_wrong_key_or_value_is_named() {
        let wrong = [
            ("threads", "0"),
            ("threads", "x"),
            ("optimization", "most"),
            ("batching", ""),
            ("provider", "rocm"),
            ("library", ""),
            ("speed", "1"),
        ];
        for (key, value) in wrong {
            assert!(read(key, value).unwrap_err().message.contains(&format!("`{key}`")), "{key}={value}");
        }
    }
}
