//! [`Level`]: which instructions the processor has.

/// The instructions that a kernel may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// No instructions beyond the compilation target's.
    Portable,
    /// AVX2, FMA and F16C: x86-64 since about 2013.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Level {
    /// The levels that this processor has, the slowest first. Never empty.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Level::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 =
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
            if avx2 {
                levels.push(Level::Avx2);
            }
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            if avx2 && avx512 {
                levels.push(Level::Avx512);
            }
        }
        levels
    }

    /// The best level that this processor has.
    #[must_use]
    pub fn best() -> Self {
        *Self::available().last().unwrap_or(&Level::Portable)
    }

    /// The level's name (`avx512`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }
}
