//! Bounds of histograms, those of vLLM for the metrics that have its names, so that dashboards made for it work.

/// Until the first token, in seconds.
pub const FIRST_TOKEN: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
    160.0, 640.0, 2560.0,
];

/// Between tokens, in seconds.
pub const BETWEEN_TOKENS: &[f64] =
    &[0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0];

/// Of a request or a part of it, in seconds.
pub const REQUEST: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0,
    1920.0, 7680.0,
];

/// Tokens of a step.
pub const STEP_TOKENS: &[f64] =
    &[1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0];

/// Outputs of a request.
pub const OUTPUTS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0];

/// Short work of a processor, in seconds.
pub const WORK: &[f64] =
    &[0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// 1, 2, 5, 10, 20, 50, ... up to `most`.
#[must_use]
pub fn one_two_five(most: u32) -> Vec<f64> {
    let powers = std::iter::successors(Some(1u64), |power| Some(power * 10));
    let all = powers.flat_map(|power| [power, 2 * power, 5 * power]);
    all.take_while(|bound| *bound <= u64::from(most)).map(|bound| bound as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_one_two_five_end_at_the_most() {
        assert_eq!(one_two_five(50), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!(one_two_five(49), [1.0, 2.0, 5.0, 10.0, 20.0]);
        assert_eq!(one_two_five(u32::MAX).last(), Some(&2e9));
    }

    #[test]
    fn all_bounds_rise() {
        for bounds in [FIRST_TOKEN, BETWEEN_TOKENS, REQUEST, STEP_TOKENS, OUTPUTS, WORK] {
            assert!(bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
        }
    }
}
