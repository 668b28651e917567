//! Rotary position embedding (Su et al. 2021) and the ways to stretch it over longer contexts.
//!
//! Every variant becomes a table: for each position, cosine and sine of `head_dim / 2` angles. It is computed once at
//! load, so devices need no code for scalings. Arithmetic is in `f32` in the order of the reference implementation: at
//! positions in the tens of thousands, the rounding of `position * frequency` shows in the logits.

use std::f64::consts::{PI, TAU};

/// A rotary embedding.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Elements of a head; even.
    pub head_dim: usize,
    /// The base of the wavelengths (`rope_theta`).
    pub base: f64,
    /// How frequencies are scaled.
    pub scaling: RopeScaling,
}

/// How the frequencies of a rotary embedding are scaled.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// All are divided by `factor` (position interpolation, Chen et al. 2023).
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Past `original` positions the base grows with the length ("dynamic NTK").
    ///
    /// Each position uses the base that belongs to a sequence ending there. This is what the reference gives when a text
    /// is fed token by token; it does not depend on how a prompt is cut into chunks.
    Dynamic {
        /// The factor.
        factor: f64,
        /// Positions seen in training.
        original: usize,
    },
    /// Long wavelengths are stretched, short ones kept, those between interpolated (Llama 3.1).
    Llama3 {
        /// The factor for long wavelengths.
        factor: f64,
        /// `original / low_frequency` is the wavelength above which all is stretched.
        low_frequency: f64,
        /// `original / high_frequency` is the wavelength below which nothing is.
        high_frequency: f64,
        /// Positions seen in training.
        original: usize,
    },
    /// YaRN (Peng et al. 2023): a ramp over dimensions between interpolation and extrapolation.
    Yarn {
        /// The factor.
        factor: f64,
        /// Positions seen in training.
        original: usize,
        /// Rotations over `original` above which nothing is stretched.
        beta_fast: f64,
        /// Rotations below which all is.
        beta_slow: f64,
        /// What cosines and sines are multiplied by.
        attention_factor: f64,
        /// Whether the ends of the ramp are whole dimensions.
        truncate: bool,
    },
}

impl Rope {
    /// The table for `positions` positions: in each row `head_dim / 2` cosines, then as many sines.
    #[must_use]
    pub fn table(&self, positions: usize) -> Vec<f32> {
        let half = self.head_dim / 2;
        let scale = match self.scaling {
            RopeScaling::Yarn { attention_factor, .. } => attention_factor as f32,
            _ => 1.0,
        };
        let mut frequencies = self.frequencies(1);
        let mut table = vec![0.0; positions * 2 * half];
        for (position, row) in table.chunks_exact_mut((2 * half).max(1)).enumerate() {
            if matches!(self.scaling, RopeScaling::Dynamic { original, .. } if position >= original) {
                frequencies = self.frequencies(position + 1);
            }
            let (cosines, sines) = row.split_at_mut(half);
            for ((cosine, sine), frequency) in cosines.iter_mut().zip(sines).zip(&frequencies) {
                let (s, c) = (position as f32 * frequency).sin_cos();
                (*cosine, *sine) = (c * scale, s * scale);
            }
        }
        table
    }

    /// The `head_dim / 2` frequencies, in radians per position, for a sequence of `length` positions.
    #[must_use]
    pub fn frequencies(&self, length: usize) -> Vec<f32> {
        let dim = self.head_dim as f64;
        match self.scaling {
            RopeScaling::None => self.plain(self.base),
            RopeScaling::Linear { factor } => self.plain(self.base).into_iter().map(|f| f / factor as f32).collect(),
            RopeScaling::Dynamic { factor, original } => {
                let stretch = factor * length.max(original) as f64 / original as f64 - (factor - 1.0);
                self.plain(self.base * stretch.powf(dim / (dim - 2.0)))
            }
            RopeScaling::Llama3 { factor, low_frequency, high_frequency, original } => {
                let scaled = |frequency: f32| {
                    let wavelength = TAU / f64::from(frequency);
                    let (longest, shortest) = (original as f64 / low_frequency, original as f64 / high_frequency);
                    if wavelength < shortest {
                        return frequency;
                    }
                    if wavelength > longest {
                        return frequency / factor as f32;
                    }
                    let smooth = (original as f64 / wavelength - low_frequency) / (high_frequency - low_frequency);
                    ((1.0 - smooth) * f64::from(frequency) / factor + smooth * f64::from(frequency)) as f32
                };
                self.plain(self.base).into_iter().map(scaled).collect()
            }
            RopeScaling::Yarn { factor, original, beta_fast, beta_slow, truncate, .. } => {
                let (low, high) = self.yarn_ramp(original, beta_fast, beta_slow, truncate);
                let blend = |(i, frequency): (usize, f32)| {
                    let kept = 1.0 - ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                    let frequency = f64::from(frequency);
                    (frequency / factor * (1.0 - kept) + frequency * kept) as f32
                };
                self.plain(self.base).into_iter().enumerate().map(blend).collect()
            }
        }
    }

    /// `base^(-2i / head_dim)`.
    fn plain(&self, base: f64) -> Vec<f32> {
        let exponent = |i: usize| (2 * i) as f32 / self.head_dim as f32;
        (0..self.head_dim / 2).map(|i| 1.0 / (base as f32).powf(exponent(i))).collect()
    }

    /// The dimensions between which YaRN goes from extrapolation to interpolation.
    fn yarn_ramp(&self, original: usize, beta_fast: f64, beta_slow: f64, truncate: bool) -> (f64, f64) {
        let dim = self.head_dim as f64;
        let dimension = |rotations: f64| dim * (original as f64 / (rotations * 2.0 * PI)).ln() / (2.0 * self.base.ln());
        let (mut low, mut high) = (dimension(beta_fast), dimension(beta_slow));
        if truncate {
            (low, high) = (low.floor(), high.ceil());
        }
        let (low, mut high) = (low.max(0.0), high.min(dim - 1.0));
        if low == high {
            high += 0.001;
        }
        (low, high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(scaling: RopeScaling) -> Rope {
        Rope { head_dim: 16, base: 10_000.0, scaling }
    }

    #[test]
    fn position_zero_is_not_rotated() {
        let table = rope(RopeScaling::None).table(2);
        assert_eq!(table[..8], [1.0; 8]);
        assert_eq!(table[8..16], [0.0; 8]);
        assert!((table[16] - 1f32.cos()).abs() < 1e-6 && (table[24] - 1f32.sin()).abs() < 1e-6);
    }

    #[test]
    fn dynamic_scaling_begins_past_the_original_length() {
        let plain = rope(RopeScaling::None).table(12);
        let dynamic = rope(RopeScaling::Dynamic { factor: 2.0, original: 8 }).table(12);
        assert_eq!(plain[..8 * 16], dynamic[..8 * 16]);
        assert_ne!(plain[8 * 16..], dynamic[8 * 16..]);
    }

    #[test]
    fn dynamic_scaling_of_a_position_does_not_depend_on_how_long_the_table_is() {
        let scaling = RopeScaling::Dynamic { factor: 4.0, original: 8 };
        assert_eq!(rope(scaling.clone()).table(20)[..12 * 16], rope(scaling).table(12)[..]);
    }

    #[test]
    fn llama3_keeps_short_wavelengths_and_divides_long_ones() {
        let scaling = RopeScaling::Llama3 { factor: 8.0, low_frequency: 1.0, high_frequency: 4.0, original: 64 };
        let (plain, scaled) = (rope(RopeScaling::None).frequencies(1), rope(scaling).frequencies(1));
        assert_eq!(plain[0], scaled[0]);
        assert_eq!(plain[7] / 8.0, scaled[7]);
    }
}
