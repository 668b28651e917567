//! [`Golden`]: a model and the values that the reference computed with it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A model and what the reference computed.
#[derive(Clone, Debug)]
pub struct Golden {
    /// Its family and variant.
    pub name: String,
    /// Where it is, with `config.json` and `model.safetensors`.
    pub directory: PathBuf,
    /// A prompt.
    pub prompt: Vec<u32>,
    /// The logits after each of its tokens.
    pub prompt_logits: Vec<Vec<f32>>,
    /// The tokens of a greedy continuation, and the logits after each.
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

/// The largest difference of two rows, as a share of the largest value of the second; infinite if a difference is NaN.
#[must_use]
pub fn difference(found: &[f32], right: &[f32]) -> f32 {
    assert_eq!(found.len(), right.len(), "width of a row");
    let largest = right.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
    let apart = |(a, b): (&f32, &f32)| if (a - b).is_nan() { f32::INFINITY } else { (a - b).abs() };
    found.iter().zip(right).map(apart).fold(0.0, f32::max) / largest
}

/// The folder of all models: `JIG_GOLDEN_VALUES`, for programs that were built on another machine, or else this
/// crate's.
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
