//! The kernels' sources, and the names of what they define.

/// A file of `kernels/`.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Its name.
    pub file: &'static str,
    /// Its text, without [`PRELUDE`].
    pub text: &'static str,
}

/// What stands in front of each source.
pub const PRELUDE: &str = include_str!("../kernels/prelude.cuh");

/// All sources.
pub const SOURCES: [Source; 6] = [
    Source { file: "rows.cu", text: include_str!("../kernels/rows.cu") },
    Source { file: "linear.cu", text: include_str!("../kernels/linear.cu") },
    Source { file: "cache.cu", text: include_str!("../kernels/cache.cu") },
    Source { file: "decode.cu", text: include_str!("../kernels/decode.cu") },
    Source { file: "prefill.cu", text: include_str!("../kernels/prefill.cu") },
    Source { file: "sample.cu", text: include_str!("../kernels/sample.cu") },
];

impl Source {
    /// What is compiled.
    #[must_use]
    pub fn program(&self) -> String {
        format!("{PRELUDE}\n#line 1 \"{}\"\n{}", self.file, self.text)
    }
}
