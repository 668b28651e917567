//! Products of activations with weights: `out[r][o] = weight[o] · x[r] + bias[o]`.
//!
//! Both operands have the summed dimension innermost, so one kernel serves all sizes: a block of `M` outputs by `N`
//! rows keeps `M * N` vectors of partial sums in registers and walks the inputs once. An output is always summed in the
//! same order, whatever `M` and `N` are: one chain of fused multiply-adds per lane, then the lanes in a fixed order. So
//! a row has the same bits in every batch.
//!
//! - With few rows (decode), the weights are read once in their stored type, and memory bandwidth is the bound.
//! - With many rows (prefill), a panel of outputs is first widened to `f32` in cache, and all rows are multiplied with
//!   the panel. 4-bit weights are widened like this from fewer rows on.

use std::cell::RefCell;

use crate::element::{BF16, Element, F16, F32};
use crate::int4::Int4;
use crate::part::Part;
use crate::simd::{Level, Simd, dispatch};
use crate::threads::{Shared, Threads};

/// A matrix of weights `[outputs, inputs]`, row by row, in the type it is stored in.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// IEEE single precision.
    F32(&'a [f32]),
    /// IEEE half precision, as bits.
    F16(&'a [u16]),
    /// bfloat16, as bits.
    BF16(&'a [u16]),
    /// Four bits.
    I4(Int4<'a>),
}

impl Weights<'_> {
    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Weights::F32(values) => values.len(),
            Weights::F16(bits) | Weights::BF16(bits) => bits.len(),
            Weights::I4(weights) => 2 * weights.packed.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The fewest rows for which widening a panel of weights pays.
const PANEL_ROWS: usize = 16;
/// The most outputs that a block has: see [`product_kernel`].
const BLOCK: usize = 16;
/// Bytes of a widened panel, which shares the L2 cache with a block of rows.
const PANEL_BYTES: usize = 256 << 10;

/// A matrix of a product, with its bias.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// `[outputs, inputs]`.
    pub weights: Weights<'a>,
    /// `[outputs]`. Without it nothing is added.
    pub bias: Option<&'a [f32]>,
}

/// Computes `out[r * out_stride + o] = weight[o] · x[r] + bias[o]` for `rows` rows of `inputs` elements and all outputs
/// of the matrices, one matrix after the other. All matrices are one parallel job, so that threads wait for each other
/// once.
///
/// # Panics
/// If a slice is shorter than the sizes say.
#[allow(clippy::too_many_arguments, reason = "a product has this many sizes")]
pub fn matmul(
    level: Level,
    threads: &Threads,
    x: &[f32],
    rows: usize,
    inputs: usize,
    matrices: &[Matrix<'_>],
    out: &mut [f32],
    out_stride: usize,
) {
    if rows == 0 || inputs == 0 {
        return;
    }
    let mut outputs = 0;
    for Matrix { weights, bias } in matrices {
        let of_this = weights.len() / inputs;
        assert_eq!(weights.len(), of_this * inputs, "the matrix is whole");
        assert!(bias.is_none_or(|bias| bias.len() >= of_this), "the bias fits");
        outputs += of_this;
    }
    assert!(x.len() >= rows * inputs && outputs <= out_stride, "the sizes fit");
    assert!(out.len() >= (rows - 1) * out_stride + outputs, "the output fits");
    // Pieces are small enough to balance the threads, large enough to stream, and whole blocks.
    let share = outputs.div_ceil(threads.count() * 16).next_multiple_of(BLOCK);
    let panel = (PANEL_BYTES / (inputs * size_of::<f32>())).clamp(8, 128) / 8 * 8;
    let wide =
        |matrix: &Matrix<'_>| matches!(matrix.weights, Weights::I4(weights) if !weights.is_direct(level, rows, inputs));
    let widened = rows >= PANEL_ROWS || matrices.iter().any(wide);
    let largest = if widened { panel.min(share) } else { share };
    let pieces = pieces(matrices, inputs, largest);
    let out = Shared::new(out);
    threads.each(pieces.len(), rows * inputs * outputs, |index| {
        let Piece { matrix, first, count, column } = pieces[index];
        // SAFETY: the sizes were checked; each piece writes its own columns of each row.
        unsafe {
            let bias = matrix.bias.map(|bias| bias[first..].as_ptr());
            let part = Part { x: x.as_ptr(), rows, inputs, outputs: count, bias, out: out.at(column), out_stride };
            let elements = first * inputs..(first + count) * inputs;
            match matrix.weights {
                Weights::F32(weights) => run::<F32>(level, &weights[elements], part),
                Weights::F16(weights) => run::<F16>(level, &weights[elements], part),
                Weights::BF16(weights) => run::<BF16>(level, &weights[elements], part),
                Weights::I4(weights) if weights.is_direct(level, rows, inputs) => weights.product(level, first, part),
                Weights::I4(weights) => PANEL.with_borrow_mut(|widened| {
                    widened.resize(elements.len().max(widened.len()), 0.0);
                    weights.widen(level, inputs, first, count, widened);
                    product::<F32>(level, widened.as_ptr(), part);
                }),
            }
        }
    });
}

/// A piece of work: `count` outputs of a matrix from its `first` on, which go to the columns from `column` on.
#[derive(Clone, Copy)]
struct Piece<'a> {
    matrix: Matrix<'a>,
    first: usize,
    count: usize,
    column: usize,
}

fn pieces<'a>(matrices: &[Matrix<'a>], inputs: usize, largest: usize) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut before = 0;
    for &matrix in matrices {
        let outputs = matrix.weights.len() / inputs;
        let piece = |first| Piece { matrix, first, count: largest.min(outputs - first), column: before + first };
        pieces.extend((0..outputs).step_by(largest).map(piece));
        before += outputs;
    }
    pieces
}

/// The outputs of a piece.
///
/// # Safety
/// The places of `part` exist, and nobody else uses those that are written.
unsafe fn run<E: Element>(level: Level, weights: &[E::Stored], part: Part) {
    if E::IS_F32 || part.rows < PANEL_ROWS {
        // SAFETY: the caller's promise.
        unsafe { product::<E>(level, weights.as_ptr(), part) };
        return;
    }
    PANEL.with_borrow_mut(|widened| {
        widened.resize(weights.len().max(widened.len()), 0.0);
        // SAFETY: the panel has room for the weights; the rest is the caller's promise.
        unsafe {
            widen_panel::<E>(level, weights, widened);
            product::<F32>(level, widened.as_ptr(), part);
        }
    });
}

thread_local! {
    static PANEL: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

dispatch! {
    unsafe fn widen_panel<E: Element>(from: &[E::Stored], to: &mut [f32]) = widen_kernel;
}

#[inline(always)]
unsafe fn widen_kernel<S: Simd, E: Element>(from: &[E::Stored], to: &mut [f32]) {
    let whole = from.len() / S::LANES * S::LANES;
    // SAFETY: the indices stay below `from.len()`, and `to` is at least as long.
    unsafe {
        for i in (0..whole).step_by(S::LANES) {
            S::store(to.as_mut_ptr().add(i), E::load::<S>(from.as_ptr().add(i)));
        }
        let rest = from.len() - whole;
        if rest > 0 {
            S::store_part(to.as_mut_ptr().add(whole), E::load_part::<S>(from.as_ptr().add(whole), rest), rest);
        }
    }
}

dispatch! {
    unsafe fn product<E: Element>(weights: *const E::Stored, part: Part) = product_kernel;
}

/// The outer loop is over blocks of rows, the inner one over outputs: a block of rows stays in the L1 cache. The block
/// sizes measured best; with few rows, a block has many outputs, so that many cache lines are in flight.
#[inline(always)]
unsafe fn product_kernel<S: Simd, E: Element>(weights: *const E::Stored, part: Part) {
    let mut row = 0;
    // SAFETY: the blocks tile the part. Their sizes are what the registers hold: M * N sums, M weights and an x.
    unsafe {
        if S::REGISTERS >= 32 {
            if part.rows == 8 {
                return outputs_kernel::<S, E, 3, 8>(weights, part, 0);
            }
            while part.rows - row >= 6 {
                outputs_kernel::<S, E, 4, 6>(weights, part, row);
                row += 6;
            }
            match part.rows - row {
                5 => {
                    outputs_kernel::<S, E, 8, 3>(weights, part, row);
                    outputs_kernel::<S, E, 12, 2>(weights, part, row + 3);
                }
                4 => outputs_kernel::<S, E, 6, 4>(weights, part, row),
                3 => outputs_kernel::<S, E, 8, 3>(weights, part, row),
                2 => outputs_kernel::<S, E, 12, 2>(weights, part, row),
                1 => outputs_kernel::<S, E, 16, 1>(weights, part, row),
                _ => {}
            }
            return;
        }
        while part.rows - row >= 4 {
            outputs_kernel::<S, E, 2, 4>(weights, part, row);
            row += 4;
        }
        match part.rows - row {
            3 => outputs_kernel::<S, E, 2, 3>(weights, part, row),
            2 => outputs_kernel::<S, E, 4, 2>(weights, part, row),
            1 => outputs_kernel::<S, E, 8, 1>(weights, part, row),
            _ => {}
        }
    }
}

#[inline(always)]
unsafe fn outputs_kernel<S: Simd, E: Element, const M: usize, const N: usize>(
    weights: *const E::Stored,
    part: Part,
    row: usize,
) {
    let mut output = 0;
    // SAFETY: the blocks tile the outputs of these rows.
    unsafe {
        while part.outputs - output >= M {
            block::<S, E, M, N>(weights, part, row, output);
            output += M;
        }
        while output < part.outputs {
            block::<S, E, 1, N>(weights, part, row, output);
            output += 1;
        }
    }
}

/// `M` outputs of `N` rows.
#[inline(always)]
unsafe fn block<S: Simd, E: Element, const M: usize, const N: usize>(
    weights: *const E::Stored,
    part: Part,
    row: usize,
    output: usize,
) {
    let inputs = part.inputs;
    let whole = inputs / S::LANES * S::LANES;
    // SAFETY: all reads lie in rows `row .. row + N` of x and outputs `output .. output + M` of the weights, all writes in
    // the same block of `out`; the caller promises that they exist.
    unsafe {
        let w = weights.add(output * inputs);
        let x = part.x.add(row * inputs);
        let mut sums = [[S::splat(0.0); M]; N];
        let mut k = 0;
        while k < whole {
            let mut ws = [S::splat(0.0); M];
            for (m, weight) in ws.iter_mut().enumerate() {
                *weight = E::load::<S>(w.add(m * inputs + k));
                if N != 6 {
                    // Where memory is the bound, prefetch the same columns of the next block.
                    S::prefetch(w.wrapping_add((M + m) * inputs + k).cast());
                }
            }
            for (n, sums) in sums.iter_mut().enumerate() {
                let x = S::load(x.add(n * inputs + k));
                for (sum, weight) in sums.iter_mut().zip(ws) {
                    *sum = S::fma(weight, x, *sum);
                }
            }
            k += S::LANES;
        }
        let rest = inputs - whole;
        if rest > 0 {
            for (n, sums) in sums.iter_mut().enumerate() {
                let x = S::load_part(x.add(n * inputs + k), rest);
                for (m, sum) in sums.iter_mut().enumerate() {
                    *sum = S::fma(E::load_part::<S>(w.add(m * inputs + k), rest), x, *sum);
                }
            }
        }
        for (n, sums) in sums.into_iter().enumerate() {
            for (m, sum) in sums.into_iter().enumerate() {
                let bias = part.bias.map_or(0.0, |bias| *bias.add(output + m));
                *part.out.add((row + n) * part.out_stride + output + m) = S::sum(sum) + bias;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};
    use proptest::prelude::*;

    fn naive(x: &[f32], rows: usize, inputs: usize, w: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let outputs = w.len() / inputs;
        let dot = |r: usize, o: usize| {
            let products = (0..inputs).map(|k| f64::from(x[r * inputs + k]) * f64::from(w[o * inputs + k]));
            (products.sum::<f64>() + bias.map_or(0.0, |bias| f64::from(bias[o]))) as f32
        };
        (0..rows).flat_map(|r| (0..outputs).map(move |o| (r, o))).map(|(r, o)| dot(r, o)).collect()
    }

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 * 2.0 - 1.0
        };
        // Exact in every stored type, so that only the order of the sums differs.
        (0..count).map(|_| bf16::from_f32(next()).to_f32()).map(|x| if x.abs() < 1e-3 { 0.0 } else { x }).collect()
    }

    proptest! {
        #[test]
        fn every_level_and_type_gives_the_product_and_a_row_does_not_depend_on_its_batch(
            rows in 1usize..40, inputs in 1usize..130, outputs in 1usize..70, seed: u32, biased: bool,
        ) {
            let threads = Threads::new(Some(2)).unwrap();
            let x = numbers(rows * inputs, seed);
            let w = numbers(outputs * inputs, seed ^ 1);
            let bias = biased.then(|| numbers(outputs, seed ^ 2));
            let bias = bias.as_deref();
            let as_f16: Vec<u16> = w.iter().map(|&w| f16::from_f32(w).to_bits()).collect();
            let as_bf16: Vec<u16> = w.iter().map(|&w| bf16::from_f32(w).to_bits()).collect();
            let expected = naive(&x, rows, inputs, &w, bias);
            for level in Level::available() {
                for weights in [Weights::F32(&w), Weights::F16(&as_f16), Weights::BF16(&as_bf16)] {
                    let mut out = vec![f32::NAN; rows * outputs];
                    matmul(level, &threads, &x, rows, inputs, &[Matrix { weights, bias }], &mut out, outputs);
                    for (got, want) in out.iter().zip(&expected) {
                        prop_assert!((got - want).abs() <= 1e-5 * (1.0 + inputs as f32), "{level:?}: {got} {want}");
                    }
                    let last = rows - 1;
                    let mut alone = vec![f32::NAN; outputs];
                    matmul(level, &threads, &x[last * inputs..], 1, inputs, &[Matrix { weights, bias }], &mut alone, outputs);
                    prop_assert_eq!(&alone[..], &out[last * outputs..], "{:?}", level);
                }
            }
        }
    }

    #[test]
    fn matrices_stand_side_by_side_and_rows_may_stand_apart() {
        let threads = Threads::new(Some(1)).unwrap();
        let mut out = [7.0; 7];
        let (x, first, second, bias) = ([1.0, 2.0], [3.0, 4.0], [bf16::from_f32(5.0).to_bits()], [0.5]);
        let matrices = [
            Matrix { weights: Weights::F32(&first), bias: None },
            Matrix { weights: Weights::BF16(&second), bias: Some(&bias) },
        ];
        matmul(Level::best(), &threads, &x, 2, 1, &matrices, &mut out, 4);
        assert_eq!(out, [3.0, 4.0, 5.5, 7.0, 6.0, 8.0, 10.5]);
    }
}
