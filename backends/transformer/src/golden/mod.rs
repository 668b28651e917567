//! Tiny random models of each family, and the values that the reference implementation (Hugging Face transformers) computed with
//! them; `golden/make.py` made both. And some of them in few bits, by `golden/quantize.py`. For the tests of this crate's devices and of
//! other backends.
//!
//! # Panics
//! All of it panics where the files are not there or not as they were made: it is for tests.

mod quantized;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use quantized::quantized;

/// Golden models whose projections have 4 bits.
pub const OF_4_BITS: [&str; 7] = [
    "llama2-awq",
    "mistral-gptq",
    "qwen2-gptq",
    "qwen3-gptq",
    "llama2-compressed",
    "mistral-compressed",
    "qwen3-compressed",
];

/// Golden models that [`quantized`] is tried with, and the blocks that have a scale.
pub const OF_8_BITS: [(&str, Option<[usize; 2]>); 7] = [
    ("llama2", None),
    ("qwen3", None),
    ("opt", None),
    ("mistral", None),
    ("llama2", Some([16, 16])),
    ("qwen3", Some([8, 32])),
    ("mistral", Some([128, 128])),
];

/// A model and what the reference computed.
#[derive(Clone, Debug)]
pub struct Golden {
    /// Its family, and what is special about it.
    pub name: String,
    /// Where it is, with `config.json` and `model.safetensors`.
    pub directory: PathBuf,
    /// A prompt.
    pub prompt: Vec<u32>,
    /// The logits after each of its tokens.
    pub prompt_logits: Vec<Vec<f32>>,
    /// Tokens that were appended, the most likely ones, and the logits after each.
    pub steps: Vec<(u32, Vec<f32>)>,
}

impl Golden {
    /// All models, in the order of their names.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let entries = fs::read_dir(values()).expect("golden values");
        let mut all: Vec<_> = entries.map(|entry| read(&entry.expect("an entry").path())).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(all.len() >= 12, "{} models", all.len());
        all
    }

    /// The model of a name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        read(&values().join(name))
    }

    /// Prompt and steps in one.
    #[must_use]
    pub fn tokens(&self) -> Vec<u32> {
        self.prompt.iter().copied().chain(self.steps.iter().map(|step| step.0)).collect()
    }
}

/// The largest difference of two rows, as a share of the largest value of the second; infinite where a difference is no number.
#[must_use]
pub fn difference(found: &[f32], right: &[f32]) -> f32 {
    assert_eq!(found.len(), right.len(), "width of a row");
    let largest = right.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
    let apart = |(a, b): (&f32, &f32)| if (a - b).is_nan() { f32::INFINITY } else { (a - b).abs() };
    found.iter().zip(right).map(apart).fold(0.0, f32::max) / largest
}

/// In this crate, or, for programs that were built on another machine, where `JIG_GOLDEN_VALUES` says.
fn values() -> PathBuf {
    let elsewhere = std::env::var_os("JIG_GOLDEN_VALUES").map(PathBuf::from);
    elsewhere.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/values"))
}

fn read(directory: &Path) -> Golden {
    let text = fs::read(directory.join("golden.json")).expect("golden.json");
    let json: Value = serde_json::from_slice(&text).expect("JSON");
    let floats = |value: &Value| -> Vec<f32> {
        value.as_array().expect("a row").iter().map(|x| x.as_f64().expect("a number") as f32).collect()
    };
    let token = |value: &Value| value.as_u64().expect("a token") as u32;
    let array = |field: &str| json[field].as_array().expect("an array").clone();
    Golden {
        name: directory.file_name().expect("a name").to_string_lossy().into_owned(),
        directory: directory.to_owned(),
        prompt: array("prompt").iter().map(token).collect(),
        prompt_logits: array("prompt_logits").iter().map(floats).collect(),
        steps: array("steps").iter().map(|step| (token(&step["token"]), floats(&step["logits"]))).collect(),
    }
}
