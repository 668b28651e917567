//! The weight of a token: an exponential that is the same to the last bit on every machine.

/// The weight of the most likely token: 1 with 40 fractional bits. The sum over 2^23 tokens fits 64 bits.
pub const WEIGHT_ONE: u64 = 1 << 40;

/// Under this the weight is 0: `exp(-28) < 2^-40`.
const LEAST: f32 = -28.0;

/// Adding this rounds to an integer (to even among equals), for numbers under 2^22: it is 1.5 * 2^23, so that the last
/// bit of the sum is worth 1.
const ROUND: f32 = 12_582_912.0;

/// ln 2 in two parts; the first has so few bits that its product with a small integer is exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// `exp(x) * 2^40`, rounded down, for `x` of at most 0; 0 for what is under -28 or not a number.
///
/// `exp` is computed in single precision by additions and multiplications in just this order, none of them fused,
/// so that a device can do the same: `x = n ln 2 + r`, a polynomial of degree 6 in `r`, and `n` added to the
/// exponent. The relative error is under 3e-7.
#[must_use]
#[inline]
pub fn weight(x: f32) -> u64 {
    fixed(scaled(x))
}

/// The weight before it is rounded down to an integer.
#[inline]
pub(super) fn scaled(x: f32) -> f32 {
    let scaled = exp(x.clamp(LEAST, 0.0)) * WEIGHT_ONE as f32;
    if x >= LEAST { scaled } else { 0.0 }
}

/// Rounds down to an integer. Never negative and under 2^63: the conversion to a signed number is the cheaper one.
#[inline]
pub(super) fn fixed(scaled: f32) -> u64 {
    scaled as i64 as u64
}

/// `exp(x)` for `x` from -28 to 0.
#[inline]
fn exp(x: f32) -> f32 {
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut p = 1.0 / 720.0;
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + coefficient;
    }
    // The low bits of the rounded sum are `n`, from -41 to 0.
    let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    p * f32::from_bits(exponent << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_close_to_the_true_one() {
        let mut worst = 0.0_f64;
        for step in 0..280_000 {
            let x = -(step as f32) / 10_000.0;
            let true_value = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - true_value).abs() / true_value);
        }
        assert!(worst < 3e-7, "{worst}");
    }

    /// What an implementation on a device has to give, to the last bit.
    #[test]
    fn weights_have_these_bits() {
        let weights = [0.0, -1.0e-7, -0.5, -1.0, -2.75, -10.0, -27.5].map(weight);
        assert_eq!(weights, GOLDEN);
        assert_eq!(weight(0.0), WEIGHT_ONE);
        assert_eq!([-28.001, f32::NEG_INFINITY, f32::NAN].map(weight), [0; 3]);
    }

    /// Computed in Python with doubles, each operation rounded to single precision by `struct.pack('<f', x)`.
    const GOLDEN: [u64; 7] = [1099511627776, 1099511496704, 666887520256, 404487733248, 70289424384, 49917752, 1];

    #[test]
    fn weights_never_fall_where_logits_rise() {
        let mut last = 0;
        for step in 0..2_900_000 {
            let next = weight(-29.0 + step as f32 / 100_000.0);
            assert!(next >= last, "at step {step}");
            last = next;
        }
    }
}
