//! 4-bit weights: widened to `f32` in registers for few rows, and a panel of outputs at a time in cache for many.
//!
//! They take a quarter of the memory of 16 bits. Widening is exact, so both ways give the same bits as `f32` weights
//! would.

use jig_transformer::weights::int4::{Group, Groups, numbers};

use crate::part::Part;
use crate::simd::{Level, Simd, dispatch};

/// The most rows for which widening in registers, again for each block of rows, is faster than widening once in cache.
const FEW_ROWS: usize = 8;
/// The most elements of a vector, on any level.
const MOST_LANES: usize = 16;

/// 4-bit weights `[outputs, inputs]`.
#[derive(Clone, Copy, Debug)]
pub struct Int4<'a> {
    /// Two numbers in a byte, row by row.
    pub packed: &'a [u8],
    /// Scales and zeros. Columns are widened in their stored order.
    pub groups: &'a Groups,
}

impl Int4<'_> {
    /// Widens the weights of `count` outputs from `first` on, of `inputs` each.
    ///
    /// # Panics
    /// If there are fewer outputs, or `to` has less room.
    pub(crate) fn widen(&self, level: Level, inputs: usize, first: usize, count: usize, to: &mut [f32]) {
        let packed = &self.packed[first * inputs / 2..(first + count) * inputs / 2];
        let of_output = self.groups.of_output();
        let groups = &self.groups.all()[first * of_output..(first + count) * of_output];
        let size = self.groups.size();
        assert!(to.len() >= count * inputs && inputs <= size * of_output, "the sizes fit");
        for ((row, groups), to) in
            packed.chunks_exact(inputs / 2).zip(groups.chunks_exact(of_output)).zip(to.chunks_exact_mut(inputs))
        {
            // SAFETY: the row has two numbers in each byte, and there is a group for each `size` of them.
            unsafe { widen_row(level, row, groups, size, to) };
        }
    }
}

impl Int4<'_> {
    /// Whether [`Int4::product`] computes products of `rows` rows.
    pub(crate) fn is_direct(&self, level: Level, rows: usize, inputs: usize) -> bool {
        let whole = |elements: usize| elements.is_multiple_of(MOST_LANES);
        // The compiler does not vectorise the portable block, but does vectorise the loop that widens rows.
        level != Level::Portable && rows <= FEW_ROWS && whole(inputs) && whole(self.groups.size())
    }

    /// Computes the outputs of a part, from the `first` on.
    ///
    /// # Panics
    /// If the matrix has fewer outputs, or [`Int4::is_direct`] says no.
    ///
    /// # Safety
    /// The places of `part` exist, and nobody else uses those that are written.
    pub(crate) unsafe fn product(&self, level: Level, first: usize, part: Part) {
        assert!(self.is_direct(level, part.rows, part.inputs), "few rows, and whole vectors");
        let (row_bytes, of_output) = (part.inputs / 2, self.groups.of_output());
        let packed = &self.packed[first * row_bytes..(first + part.outputs) * row_bytes];
        let groups = &self.groups.all()[first * of_output..(first + part.outputs) * of_output];
        assert!(part.inputs <= self.groups.size() * of_output, "as many groups as inputs");
        // SAFETY: the part has as many outputs as there are rows of numbers and of groups; the rest is the caller's promise.
        unsafe { few_rows(level, packed, groups, self.groups.size(), part) };
    }
}

dispatch! {
    /// # Safety
    /// The places of `part` exist, and nobody else uses those that are written. `packed` and `groups` have what belongs to its outputs.
    unsafe fn few_rows(packed: &[u8], groups: &[Group], size: usize, part: Part) = few_rows_kernel;
}

/// Two outputs at a time: their sums are independent, which hides the latency of the multiply-add.
#[inline(always)]
unsafe fn few_rows_kernel<S: Simd>(packed: &[u8], groups: &[Group], size: usize, part: Part) {
    let (row_bytes, of_output) = (part.inputs / 2, groups.len() / part.outputs.max(1));
    let of = |output: usize| (&packed[output * row_bytes..][..row_bytes], &groups[output * of_output..][..of_output]);
    // SAFETY: the caller's promise.
    unsafe {
        for output in (0..part.outputs / 2 * 2).step_by(2) {
            rows_kernel::<S, 2>([of(output), of(output + 1)], size, part, output);
        }
        if part.outputs % 2 == 1 {
            rows_kernel::<S, 1>([of(part.outputs - 1)], size, part, part.outputs - 1);
        }
    }
}

/// `M` outputs of all rows.
#[inline(always)]
unsafe fn rows_kernel<S: Simd, const M: usize>(
    weights: [(&[u8], &[Group]); M],
    size: usize,
    part: Part,
    output: usize,
) {
    let mut row = 0;
    // SAFETY: the blocks tile the rows; the rest is the caller's promise.
    unsafe {
        while part.rows - row >= 4 {
            block::<S, M, 4>(weights, size, part, row, output);
            row += 4;
        }
        match part.rows - row {
            3 => block::<S, M, 3>(weights, size, part, row, output),
            2 => block::<S, M, 2>(weights, size, part, row, output),
            1 => block::<S, M, 1>(weights, size, part, row, output),
            _ => {}
        }
    }
}

/// `M` outputs, each with its numbers and groups, of `N` rows.
#[inline(always)]
unsafe fn block<S: Simd, const M: usize, const N: usize>(
    weights: [(&[u8], &[Group]); M],
    size: usize,
    part: Part,
    row: usize,
    output: usize,
) {
    // SAFETY: all reads lie in rows of x and of the weights, all writes in the rows of `out`; the caller promises that they exist.
    unsafe {
        let mut sums = [[S::splat(0.0); M]; N];
        for (index, first) in (0..part.inputs).step_by(size).enumerate() {
            let group: [Group; M] = std::array::from_fn(|m| weights[m].1[index]);
            let zeros = group.map(|group| S::splat(f32::from(group.zero())));
            let scales = group.map(|group| S::splat(group.scale()));
            for (packed, _) in weights {
                // The same place of the next block.
                S::prefetch(packed.as_ptr().wrapping_add(M * packed.len() + first / 2));
            }
            for k in (first..part.inputs.min(first + size)).step_by(S::LANES) {
                let weight: [S::V; M] = std::array::from_fn(|m| {
                    let number = S::load_i4(weights[m].0.as_ptr().add(k / 2));
                    S::mul(S::sub(number, zeros[m]), scales[m])
                });
                for (n, sums) in sums.iter_mut().enumerate() {
                    let x = S::load(part.x.add((row + n) * part.inputs + k));
                    for (sum, weight) in sums.iter_mut().zip(weight) {
                        *sum = S::fma(weight, x, *sum);
                    }
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

dispatch! {
    /// # Safety
    /// `to` has twice as many elements as `row` has bytes, and `groups` one for each `size` of them.
    unsafe fn widen_row(row: &[u8], groups: &[Group], size: usize, to: &mut [f32]) = widen_kernel;
}

#[inline(always)]
unsafe fn widen_kernel<S: Simd>(row: &[u8], groups: &[Group], size: usize, to: &mut [f32]) {
    for ((packed, group), to) in row.chunks(size / 2).zip(groups).zip(to.chunks_mut(size)) {
        let whole = to.len() / S::LANES * S::LANES;
        // SAFETY: there are as many whole vectors of numbers and of places for them.
        unsafe {
            let (zero, scale) = (S::splat(f32::from(group.zero())), S::splat(group.scale()));
            for i in (0..whole).step_by(S::LANES) {
                let number = S::load_i4(packed.as_ptr().add(i / 2));
                S::store(to.as_mut_ptr().add(i), S::mul(S::sub(number, zero), scale));
            }
        }
        let rest = packed[whole / 2..].iter().flat_map(|byte| numbers(*byte));
        to[whole..].iter_mut().zip(rest).for_each(|(to, number)| *to = group.weight(number));
    }
}

#[cfg(test)]
mod tests {
    use jig_transformer::DType;
    use jig_transformer::weights::int4::pack;

    use super::*;

    #[test]
    fn every_level_widens_groups_of_any_size_to_what_their_numbers_stand_for() {
        for (size, inputs) in [(8, 8), (8, 40), (16, 24), (32, 72), (128, 136)] {
            let (outputs, of_output) = (5, inputs / size + usize::from(inputs % size > 0));
            let group = |i: usize| Group::new(0.25 * i as f32 - 1.0, (i * 7 % 16) as u8).expect("a group");
            let all = (0..outputs * of_output).map(group).collect();
            let groups = Groups::new(size, of_output, all, DType::F16, None).expect("groups");
            let packed: Vec<u8> =
                (0..outputs * inputs / 2).map(|i| pack((i * 3 % 16) as u8, (i * 5 / 3 % 16) as u8)).collect();
            let weights = Int4 { packed: &packed, groups: &groups };
            for level in Level::available() {
                let mut found = vec![f32::NAN; 3 * inputs];
                weights.widen(level, inputs, 2, 3, &mut found);
                let mut right = vec![f32::NAN; inputs];
                for (output, found) in (2..5).zip(found.chunks(inputs)) {
                    groups.widen(output, &packed[output * inputs / 2..][..inputs / 2], &mut right);
                    assert_eq!(found, right, "{level:?}, {inputs} inputs in groups of {size}");
                }
            }
        }
    }
}
