//! Tiny random models of each family with the values that the reference implementation (Hugging Face transformers)
//! computed, for the tests of this crate's devices and of other backends. `golden/make.py` makes them, and
//! `golden/quantize.py` quantizes some of them.
//!
//! # Panics
//! Every function panics if a file is missing or malformed: this module is for tests.

mod model;
mod quantized;

pub use model::{Golden, difference};
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

/// Golden models to quantize by [`quantized`], and the sizes of the blocks that have a scale.
pub const OF_8_BITS: [(&str, Option<[usize; 2]>); 7] = [
    ("llama2", None),
    ("qwen3", None),
    ("opt", None),
    ("mistral", None),
    ("llama2", Some([16, 16])),
    ("qwen3", Some([8, 32])),
    ("mistral", Some([128, 128])),
];
