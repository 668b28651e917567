//! Functions of whole vectors.

use super::Simd;

/// `e^x`, to about 2 units in the last place, for x clamped to [-87.3, 88.3] (where neither 0 nor infinity is met).
///
/// Cody and Waite's reduction to `x = n ln 2 + r` with `|r| <= ln 2 / 2`, and the Taylor polynomial of degree 7 for `e^r`.
///
/// # Safety
/// See [`Simd`].
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const INVERSE_FACTORIALS: [f32; 7] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0];
    // SAFETY: the caller's promise.
    unsafe {
        let x = S::max(S::min(x, S::splat(88.3)), S::splat(-87.3));
        let n = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        let r = S::fma(n, S::splat(-LN2_HIGH), x);
        let r = S::fma(n, S::splat(-LN2_LOW), r);
        let mut power = S::splat(INVERSE_FACTORIALS[0]);
        for &coefficient in &INVERSE_FACTORIALS[1..] {
            power = S::fma(power, r, S::splat(coefficient));
        }
        S::scale(S::fma(power, r, S::splat(1.0)), n)
    }
}

/// `tanh x = 1 - 2 / (e^(2x) + 1)`: to a few units in the last place of 1: its uses add 1 to it.
///
/// # Safety
/// See [`Simd`].
#[inline(always)]
pub(crate) unsafe fn tanh<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        let one = S::splat(1.0);
        let double = S::min(S::add(x, x), S::splat(40.0));
        S::sub(one, S::div(S::splat(2.0), S::add(exp::<S>(double), one)))
    }
}
