//! The operations between the products: norms, rotation, activation functions.

use crate::simd::{Level, Simd, dispatch, exp, tanh};

/// `x / sqrt(mean(x^2) + epsilon) * weight + bias` (Zhang, Sennrich 2019), or with the mean subtracted first (layer
/// norm; Ba, Kiros, Hinton 2016). [`norm_in_place`] is for one and the same row.
///
/// # Panics
/// If the lengths differ.
pub fn norm(centred: bool, epsilon: f32, weight: Option<&[f32]>, bias: Option<&[f32]>, x: &[f32], out: &mut [f32]) {
    out.copy_from_slice(x);
    norm_in_place(centred, epsilon, weight, bias, out);
}

/// As [`norm`], in place.
///
/// # Panics
/// If the lengths differ.
pub fn norm_in_place(centred: bool, epsilon: f32, weight: Option<&[f32]>, bias: Option<&[f32]>, row: &mut [f32]) {
    let width = row.len() as f32;
    let mean = if centred { sum(row, |x| x) / width } else { 0.0 };
    let scale = 1.0 / (sum(row, |x| (x - mean) * (x - mean)) / width + epsilon).sqrt();
    match weight {
        Some(weight) => row.iter_mut().zip(weight.iter()).for_each(|(x, w)| *x = (*x - mean) * scale * w),
        None => row.iter_mut().for_each(|x| *x = (*x - mean) * scale),
    }
    if let Some(bias) = bias {
        add(row, bias);
    }
    assert!(weight.is_none_or(|weight| weight.len() == row.len()), "a weight for each element");
}

/// The sum of `f` over the elements, in sixteen partial sums: that keeps the rounding error of long rows small and
/// fills vectors.
fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0f32; 16];
    let (chunks, rest) = row.as_chunks::<16>();
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += f(x);
        }
    }
    let rest: f32 = rest.iter().map(|&x| f(x)).sum();
    sums.iter().sum::<f32>() + rest
}

/// `x += delta`.
///
/// # Panics
/// If the lengths differ.
pub fn add(x: &mut [f32], delta: &[f32]) {
    assert_eq!(x.len(), delta.len(), "an addend for each element");
    x.iter_mut().zip(delta).for_each(|(x, delta)| *x += delta);
}

/// Rotates a head by position (RoPE; Su et al. 2021): element `i` pairs with element `i + half`, `half` being the
/// number of cosines; elements past the pairs keep their values.
///
/// # Panics
/// If the head is shorter than its pairs.
pub fn rotate(head: &mut [f32], cosines: &[f32], sines: &[f32]) {
    let half = cosines.len();
    let (low, high) = head.split_at_mut(half);
    for ((low, high), (cosine, sine)) in low.iter_mut().zip(&mut high[..half]).zip(cosines.iter().zip(sines)) {
        (*low, *high) = (*low * cosine - *high * sine, *high * cosine + *low * sine);
    }
}

/// The functions between the two products of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `max(x, 0)`.
    Relu,
    /// `x / (1 + e^-x)`.
    Silu,
    /// `x/2 (1 + erf(x / sqrt 2))`.
    Gelu,
    /// `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`.
    GeluTanh,
}

/// Applies a function to each element.
pub fn activate(level: Level, function: Function, row: &mut [f32]) {
    match function {
        Function::Relu => row.iter_mut().for_each(|x| *x = x.max(0.0)),
        Function::Gelu => row.iter_mut().for_each(|x| *x *= 0.5 * (1.0 + erf(*x * std::f32::consts::FRAC_1_SQRT_2))),
        // SAFETY: the kernels read and write inside of the slice.
        Function::Silu => unsafe { silu(level, row) },
        // SAFETY: as above.
        Function::GeluTanh => unsafe { gelu_tanh(level, row) },
    }
}

/// `gate = function(gate) * up`.
///
/// # Panics
/// If the lengths differ.
pub fn gate(level: Level, function: Function, gate: &mut [f32], up: &[f32]) {
    assert_eq!(gate.len(), up.len(), "a factor for each element");
    activate(level, function, gate);
    gate.iter_mut().zip(up).for_each(|(gate, up)| *gate *= up);
}

dispatch! {
    unsafe fn silu(row: &mut [f32]) = silu_kernel;
}

dispatch! {
    unsafe fn gelu_tanh(row: &mut [f32]) = gelu_tanh_kernel;
}

/// # Safety
/// See [`Simd`].
#[inline(always)]
unsafe fn silu_kernel<S: Simd>(row: &mut [f32]) {
    // SAFETY: the caller's promise.
    unsafe {
        each::<S>(row, |x| {
            let one = S::splat(1.0);
            S::div(x, S::add(one, exp::<S>(S::sub(S::splat(0.0), x))))
        });
    }
}

/// # Safety
/// See [`Simd`].
#[inline(always)]
unsafe fn gelu_tanh_kernel<S: Simd>(row: &mut [f32]) {
    // sqrt(2 / pi)
    const SCALE: f32 = 0.797_884_6;
    // SAFETY: the caller's promise.
    unsafe {
        each::<S>(row, |x| {
            let cube = S::mul(S::mul(x, x), x);
            let inner = S::mul(S::splat(SCALE), S::fma(S::splat(0.044_715), cube, x));
            S::mul(S::mul(S::splat(0.5), x), S::add(S::splat(1.0), tanh::<S>(inner)))
        });
    }
}

/// # Safety
/// See [`Simd`].
#[inline(always)]
unsafe fn each<S: Simd>(row: &mut [f32], f: impl Fn(S::V) -> S::V) {
    let whole = row.len() / S::LANES * S::LANES;
    let at = row.as_mut_ptr();
    // SAFETY: the indices stay below the length.
    unsafe {
        for i in (0..whole).step_by(S::LANES) {
            S::store(at.add(i), f(S::load(at.add(i))));
        }
        let rest = row.len() - whole;
        if rest > 0 {
            S::store_part(at.add(whole), f(S::load_part(at.add(whole), rest)), rest);
        }
    }
}

/// The error function, to 1.5e-7 (Abramowitz, Stegun 1964, formula 7.1.26).
fn erf(x: f32) -> f32 {
    const COEFFICIENTS: [f64; 5] = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let size = f64::from(x.abs());
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let polynomial = COEFFICIENTS.iter().fold(0.0, |sum, coefficient| (sum + coefficient) * t);
    ((1.0 - polynomial * (-size * size).exp()) as f32).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f32, want: f64) -> bool {
        (f64::from(got) - want).abs() <= 3e-6 * (1.0 + want.abs())
    }

    #[test]
    fn functions_agree_with_their_definitions_on_every_level() {
        let inputs: Vec<f32> = (-2000..2000).map(|i| i as f32 / 40.0).chain([-1e4, 1e4, 0.0]).collect();
        for level in Level::available() {
            let of = |function| {
                let mut row = inputs.clone();
                activate(level, function, &mut row);
                row.into_iter().zip(&inputs).map(|(got, &x)| (got, f64::from(x)))
            };
            assert!(of(Function::Relu).all(|(got, x)| close(got, x.max(0.0))));
            assert!(of(Function::Silu).all(|(got, x)| close(got, x / (1.0 + (-x).exp()))), "{level:?}");
            let inner = |x: f64| (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            assert!(of(Function::GeluTanh).all(|(got, x)| close(got, 0.5 * x * (1.0 + inner(x).tanh()))), "{level:?}");
        }
    }

    #[test]
    fn gelu_agrees_with_tabulated_values() {
        // x/2 (1 + erf(x/sqrt 2)) by scipy.special.erf.
        let mut row = [-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0];
        activate(Level::best(), Function::Gelu, &mut row);
        let wanted = [-0.004_049_694, -0.158_655_25, -0.154_268_77, 0.0, 0.345_731_23, 0.841_344_75, 2.995_950_3];
        assert!(row.iter().zip(wanted).all(|(&got, want)| close(got, want)), "{row:?}");
    }

    #[test]
    fn norms_agree_with_their_definitions() {
        let x: Vec<f32> = (0..37).map(|i| (i as f32 * 0.7).sin() * 3.0 + 1.0).collect();
        let weight: Vec<f32> = (0..37).map(|i| i as f32 / 10.0).collect();
        let bias: Vec<f32> = (0..37).map(|i| -(i as f32)).collect();
        for centred in [false, true] {
            let mut out = vec![0.0; 37];
            norm(centred, 1e-5, Some(&weight), Some(&bias), &x, &mut out);
            let mean = if centred { x.iter().map(|&x| f64::from(x)).sum::<f64>() / 37.0 } else { 0.0 };
            let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / 37.0;
            for i in 0..37 {
                let want =
                    (f64::from(x[i]) - mean) / (variance + 1e-5).sqrt() * f64::from(weight[i]) + f64::from(bias[i]);
                assert!(close(out[i], want), "{} {want}", out[i]);
            }
        }
    }

    #[test]
    fn a_rotation_turns_pairs_and_keeps_lengths() {
        let mut head = [1.0, 0.0, 0.0, 2.0, 9.0];
        rotate(&mut head, &[0.0, 0.6], &[1.0, 0.8]);
        assert_eq!(head, [0.0, -1.6, 1.0, 1.2, 9.0]);
    }
}
