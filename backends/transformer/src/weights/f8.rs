//! Numbers of 8 bits: a sign, 4 bits of exponent and 3 of fraction ("e4m3fn" of the Open Compute Project's 8-bit formats).
//!
//! There is no infinity, and one NaN of each sign, with all bits set. The largest number is 448.

/// The largest number.
pub const LARGEST: f32 = 448.0;

/// The number that eight bits encode.
#[must_use]
pub fn widen(bits: u8) -> f32 {
    let magnitude = bits & 0x7f;
    let (exponent, fraction) = (i32::from(magnitude >> 3), f32::from(magnitude & 7));
    let value = match exponent {
        _ if is_nan(bits) => f32::NAN,
        0 => fraction * 2f32.powi(-9),
        _ => (8.0 + fraction) * 2f32.powi(exponent - 10),
    };
    if bits & 0x80 == 0 { value } else { -value }
}

/// Rounds to the nearest number, ties to even; larger magnitudes saturate.
#[must_use]
pub fn narrow(x: f32) -> u8 {
    let sign = if x.is_sign_negative() { 0x80 } else { 0 };
    if x.is_nan() {
        return sign | 0x7f;
    }
    let x = x.abs().min(LARGEST);
    // The distance between neighbours: an eighth of the power of two below, but at least that of the subnormals.
    let exponent = ((x.to_bits() >> 23) as i32 - 127).max(-6);
    let steps = (x / 2f32.powi(exponent - 3)).round_ties_even() as u8;
    // 16 steps reach the next power of two, and fewer than 8 are subnormal: adding them to the bits carries into the
    // exponent correctly in both cases.
    let below = (exponent + 6) as u8 * 8;
    sign | (below + steps)
}

/// Whether the bits are a NaN.
#[must_use]
pub fn is_nan(bits: u8) -> bool {
    bits & 0x7f == 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_format() {
        for (bits, value) in [(0, 0.0), (1, 2f32.powi(-9)), (8, 2f32.powi(-6)), (0x38, 1.0), (0x3c, 1.5), (0x7e, 448.0)]
        {
            assert_eq!(widen(bits), value);
            assert_eq!(widen(bits | 0x80), -value);
        }
        assert!(widen(0x7f).is_nan() && widen(0xff).is_nan());
        let rising = (0..0x7e).all(|bits| widen(bits) < widen(bits + 1));
        assert!(rising);
    }

    #[test]
    fn narrowing_gives_the_nearest_number_and_the_even_one_of_two() {
        for bits in (0..=255).filter(|bits| !is_nan(*bits)) {
            assert_eq!(narrow(widen(bits)), bits, "{bits:#x}");
        }
        for bits in 0..0x7e {
            let (low, high) = (widen(bits), widen(bits + 1));
            let middle = (low + high) / 2.0;
            assert_eq!(narrow(middle), bits + bits % 2, "between {low} and {high}");
            assert_eq!(narrow(f32::from_bits(middle.to_bits() - 1)), bits);
            assert_eq!(narrow(-f32::from_bits(middle.to_bits() + 1)), 0x80 | (bits + 1));
        }
        assert_eq!((narrow(1e9), narrow(f32::NEG_INFINITY), narrow(f32::NAN)), (0x7e, 0xfe, 0x7f));
    }
}
