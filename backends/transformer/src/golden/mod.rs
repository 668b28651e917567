//! Tiny random models of each family, and the values that the reference implementation (Hugging Face transformers) computed with
//! them; `golden/make.py` made both. And some of them in few bits, by `golden/quantize.py`. For the tests of this crate's devices and of
//! other backends.
//!
//! # Panics
//! All of it panics where the files are not there or not as they were made: it is for tests.

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
