//! 4-bit weights: integers from 0 to 15. Each group of consecutive inputs shares a scale and a zero point.
//!
//! A weight is `(number - zero) * scale`: the affine quantization of AWQ (Lin et al. 2023) and of GPTQ (Frantar et al.
//! 2022). Checkpoints pack them in several ways ([`super::packed`]); in memory they are always [`DType::I4`], row by
//! row.

use std::ops::Range;
use std::sync::Arc;

use super::blocks::Cut;
use super::dtype::DType;
pub use super::nibbles::{LARGEST, numbers, pack};

/// The fewest inputs of a group: devices read this many numbers at once.
pub const LEAST_GROUP: usize = 8;

/// The scale and the zero of a group.
///
/// Both are in one word, so that a device loads them at once: the scale as an `f32`, with the zero in its lowest four
/// bits, which are zero for every scale that was f16 or bf16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Group(u32);

impl Group {
    /// A scale and a zero. `None` if the scale is not finite or needs the lowest four bits, or if the zero is above 15.
    #[must_use]
    pub fn new(scale: f32, zero: u8) -> Option<Self> {
        let bits = scale.to_bits();
        let fits = scale.is_finite() && bits & u32::from(LARGEST) == 0 && zero <= LARGEST;
        fits.then_some(Self(bits | u32::from(zero)))
    }

    /// The factor of differences from the zero.
    #[must_use]
    pub fn scale(self) -> f32 {
        f32::from_bits(self.0 & !u32::from(LARGEST))
    }

    /// The integer that represents the weight 0.
    #[must_use]
    pub fn zero(self) -> u8 {
        (self.0 & u32::from(LARGEST)) as u8
    }

    /// Dequantizes an integer; the result is exact.
    #[must_use]
    pub fn weight(self, number: u8) -> f32 {
        (f32::from(number) - f32::from(self.zero())) * self.scale()
    }

    /// The word.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// The groups of a matrix, and the order of its inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    size: usize,
    of_output: usize,
    groups: Vec<Group>,
    dtype: DType,
    order: Option<Arc<[u32]>>,
}

impl Groups {
    /// Groups of `size` inputs, output by output, `of_output` for each; the last group of an output may be incomplete.
    ///
    /// `dtype` is the original type of the scales, f16 or bf16. A device may compute products in it where `f32` is too
    /// slow.
    ///
    /// `order` is a permutation: column `i` of the matrix is multiplied with input `order[i]`. `None` is the identity.
    ///
    /// The result is `None` if `size` is no power of two or less than [`LEAST_GROUP`], or if the type or the number of
    /// groups is wrong.
    #[must_use]
    pub fn new(
        size: usize,
        of_output: usize,
        groups: Vec<Group>,
        dtype: DType,
        order: Option<Arc<[u32]>>,
    ) -> Option<Self> {
        let known = matches!(dtype, DType::F16 | DType::BF16);
        let fits = known && size.is_power_of_two() && size >= LEAST_GROUP && of_output > 0;
        (fits && groups.len().is_multiple_of(of_output)).then_some(Self { size, of_output, groups, dtype, order })
    }

    /// Inputs of a group: a power of two.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Groups of an output.
    #[must_use]
    pub fn of_output(&self) -> usize {
        self.of_output
    }

    /// All groups, output by output.
    #[must_use]
    pub fn all(&self) -> &[Group] {
        &self.groups
    }

    /// The original type of the scales.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// For each column of the matrix, the input that it is multiplied with; `None` if column `i` belongs to input `i`.
    #[must_use]
    pub fn order(&self) -> Option<&Arc<[u32]>> {
        self.order.as_ref()
    }

    /// Whether the groups fit a matrix of `outputs` by `inputs`.
    #[must_use]
    pub fn fit(&self, outputs: usize, inputs: usize) -> bool {
        let ordered = self.order.as_ref().is_none_or(|order| order.len() == inputs);
        let of_output = inputs.div_ceil(self.size);
        inputs.is_multiple_of(LEAST_GROUP)
            && self.of_output == of_output
            && outputs.checked_mul(of_output) == Some(self.groups.len())
            && ordered
    }

    /// Whether rows of two matrices can be stacked: their groups have the same inputs.
    #[must_use]
    pub fn alike(&self, other: &Self) -> bool {
        let layout = |groups: &Self| (groups.size, groups.of_output, groups.dtype);
        layout(self) == layout(other) && self.order == other.order
    }

    /// The groups of some outputs. `None` if there are fewer.
    #[must_use]
    pub fn outputs(&self, outputs: Range<usize>) -> Option<Self> {
        let groups = self.groups.get(outputs.start * self.of_output..outputs.end * self.of_output)?.to_vec();
        Some(Self { groups, order: self.order.clone(), ..*self })
    }

    /// The groups of a range of columns. Where the range begins within a group, groups become smaller. `None` where
    /// they would become smaller than [`LEAST_GROUP`], or where columns are reordered.
    #[must_use]
    pub fn inputs(&self, inputs: Range<usize>) -> Option<Self> {
        let whole = inputs.start.is_multiple_of(LEAST_GROUP) && inputs.end.is_multiple_of(LEAST_GROUP);
        let inside = inputs.start < inputs.end && inputs.end <= self.size * self.of_output;
        if !whole || !inside || self.order.is_some() {
            return None;
        }
        let cut = Cut::new(self.size, &inputs);
        let part = |row: &[Group]| cut.blocks().map(|group| row[group]).collect::<Vec<_>>();
        let groups = self.groups.chunks_exact(self.of_output).flat_map(part).collect();
        Some(Self { size: cut.size, of_output: cut.count, groups, dtype: self.dtype, order: None })
    }

    /// Dequantizes the packed numbers of an output, each to the place of its input.
    ///
    /// # Panics
    /// If there is no such output, or the number of inputs is another.
    pub fn widen(&self, output: usize, packed: &[u8], into: &mut [f32]) {
        let groups = &self.groups[output * self.of_output..][..self.of_output];
        assert!(
            into.len() == 2 * packed.len() && into.len() <= self.size * self.of_output,
            "as many numbers as inputs"
        );
        for (column, number) in packed.iter().flat_map(|byte| numbers(*byte)).enumerate() {
            let input = self.order.as_ref().map_or(column, |order| order[column] as usize);
            into[input] = groups[column / self.size].weight(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    fn group(scale: f32, zero: u8) -> Group {
        Group::new(scale, zero).expect("a group")
    }

    #[test]
    fn a_group_gives_back_its_scale_and_zero_and_the_weights_by_them() {
        for scale in [f16::from_f32(0.1).to_f32(), bf16::from_f32(-3e-7).to_f32(), f16::from_bits(1).to_f32(), 0.0] {
            for zero in 0..=15 {
                let group = group(scale, zero);
                assert_eq!((group.scale(), group.zero()), (scale, zero));
                assert_eq!(group.weight(15), (15.0 - f32::from(zero)) * scale);
                assert_eq!(group.weight(zero), 0.0);
            }
        }
        assert!(
            [(0.1, 0), (f32::NAN, 0), (f32::INFINITY, 0), (1.0, 16)].iter().all(|(s, z)| Group::new(*s, *z).is_none())
        );
    }

    /// Two outputs of 32 inputs, in groups of 16.
    fn groups(order: Option<Arc<[u32]>>) -> Groups {
        let all = vec![group(1.0, 0), group(2.0, 1), group(4.0, 2), group(8.0, 3)];
        Groups::new(16, 2, all, DType::F16, order).expect("groups")
    }

    fn widened(groups: &Groups, output: usize, packed: &[u8]) -> Vec<f32> {
        let mut values = vec![f32::NAN; 2 * packed.len()];
        groups.widen(output, packed, &mut values);
        values
    }

    #[test]
    fn rows_are_widened_by_their_groups_and_each_weight_stands_at_its_input() {
        let packed = [pack(5, 6); 16];
        let right: Vec<f32> =
            (0..32).map(|i| if i < 16 { 4.0 * (3 + i % 2) as f32 } else { 8.0 * (2 + i % 2) as f32 }).collect();
        assert_eq!(widened(&groups(None), 1, &packed), right);
        let turned: Arc<[u32]> = (0..32).rev().collect();
        let right: Vec<f32> = right.into_iter().rev().collect();
        assert_eq!(widened(&groups(Some(turned)), 1, &packed), right);
    }

    #[test]
    fn groups_are_cut_by_outputs_and_by_inputs_and_become_smaller_where_they_must() {
        let packed: Vec<u8> = (0..16).map(|i| pack(i, 15 - i)).collect();
        let whole = widened(&groups(None), 1, &packed);
        assert_eq!(widened(&groups(None).outputs(1..2).expect("one"), 0, &packed), whole);
        for (range, size) in [(0..8, 16), (0..24, 16), (16..32, 16), (8..24, 8), (24..32, 8)] {
            let part = groups(None).inputs(range.clone()).expect("a part");
            assert!(part.size() == size && part.fit(2, range.len()), "{range:?}: {part:?}");
            assert_eq!(widened(&part, 1, &packed[range.start / 2..range.end / 2]), whole[range]);
        }
        assert!(groups(None).outputs(1..3).is_none() && groups(None).inputs(0..40).is_none());
        assert!(groups(None).inputs(4..12).is_none(), "less than the least group");
        assert!(groups(Some((0..32).rev().collect())).inputs(0..16).is_none(), "no range of inputs");
    }
}
