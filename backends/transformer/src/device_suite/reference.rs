//! The operations as textbooks have them, in `f64`.

use crate::device::{Activation, AttentionShape, NormKind};

/// A row as `f64`.
pub(super) fn wide(row: &[f32]) -> Vec<f64> {
    row.iter().map(|x| f64::from(*x)).collect()
}

/// A norm of a row.
pub(super) fn norm(kind: NormKind, epsilon: f32, weight: Option<&[f32]>, bias: Option<&[f32]>, x: &[f64]) -> Vec<f64> {
    let count = x.len() as f64;
    let mean = if kind == NormKind::Layer { x.iter().sum::<f64>() / count } else { 0.0 };
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let scale = 1.0 / (variance + f64::from(epsilon)).sqrt();
    let at = |values: Option<&[f32]>, i: usize, default: f64| values.map_or(default, |values| f64::from(values[i]));
    x.iter().enumerate().map(|(i, x)| (x - mean) * scale * at(weight, i, 1.0) + at(bias, i, 0.0)).collect()
}

/// An activation function.
pub(super) fn activation(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Gelu => 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
        Activation::GeluTanh => {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
        }
    }
}

/// The error function, by its Taylor series where that converges quickly.
fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

/// `weight · x + bias`, for a matrix `[outputs, inputs]`.
pub(super) fn product(weight: &[f32], inputs: usize, bias: Option<&[f32]>, x: &[f32]) -> Vec<f64> {
    let dot = |row: &[f32]| row.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>();
    let rows = weight.chunks_exact(inputs).enumerate();
    rows.map(|(output, row)| dot(row) + bias.map_or(0.0, |bias| f64::from(bias[output]))).collect()
}

/// Rotates a head; `angles` has its cosines, then its sines.
pub(super) fn rotate(head: &mut [f64], angles: &[f32]) {
    let half = head.len() / 2;
    for i in 0..half {
        let (cosine, sine) = (f64::from(angles[i]), f64::from(angles[half + i]));
        let (a, b) = (head[i], head[i + half]);
        (head[i], head[i + half]) = (a * cosine - b * sine, b * cosine + a * sine);
    }
}

/// Attention of one row: `query` has all query heads, `keys` and `values` all key heads for each position that it sees.
pub(super) fn attend(shape: &AttentionShape, query: &[f64], keys: &[&[f64]], values: &[&[f64]]) -> Vec<f64> {
    let (dim, group) = (shape.head_dim, shape.heads / shape.kv_heads);
    let mut out = Vec::with_capacity(query.len());
    for (head, query) in query.chunks_exact(dim).enumerate() {
        let kv = head / group * dim..(head / group + 1) * dim;
        let dot = |key: &[f64]| query.iter().zip(key).map(|(q, k)| q * k).sum::<f64>() * f64::from(shape.scale);
        let scores: Vec<f64> = keys.iter().map(|key| dot(&key[kv.clone()])).collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let total: f64 = weights.iter().sum();
        out.extend(kv.map(|i| weights.iter().zip(values).map(|(w, value)| w * value[i]).sum::<f64>() / total));
    }
    out
}
