//! [`Scales`]: the factors of 8-bit weights.
//!
//! Checkpoints have one for a whole matrix, for each output, or for each block of outputs by inputs (128 by 128 in
//! DeepSeek-V3). Here all of them are blocks.

use std::ops::Range;

use super::blocks::Cut;

/// The fewest inputs of a block: devices read this many numbers at once.
pub const LEAST_INPUTS: usize = 8;

/// Scales of a matrix `[outputs, inputs]`: one for each block of outputs by inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Scales {
    /// Outputs and inputs of a block: powers of two.
    block: [usize; 2],
    /// Blocks along the inputs.
    columns: usize,
    values: Vec<f32>,
}

impl Scales {
    /// One for each output of a matrix of `inputs` inputs.
    #[must_use]
    pub fn of_outputs(values: Vec<f32>, inputs: usize) -> Self {
        Self { block: [1, inputs.next_power_of_two().max(LEAST_INPUTS)], columns: 1, values }
    }

    /// One for each block of `[outputs, inputs]`, row by row, of a matrix of `inputs` inputs. The last blocks may be
    /// incomplete.
    ///
    /// `None` if a block's sizes are no powers of two, or its inputs are fewer than [`LEAST_INPUTS`].
    #[must_use]
    pub fn of_blocks(block: [usize; 2], values: Vec<f32>, inputs: usize) -> Option<Self> {
        let [outputs, width] = block;
        let known = outputs.is_power_of_two() && width.is_power_of_two() && width >= LEAST_INPUTS;
        known.then(|| Self { block, columns: inputs.div_ceil(width).max(1), values })
    }

    /// Outputs and inputs of a block: powers of two.
    #[must_use]
    pub fn block(&self) -> [usize; 2] {
        self.block
    }

    /// All of them, row by row.
    #[must_use]
    pub fn all(&self) -> &[f32] {
        &self.values
    }

    /// Whether the scales fit a matrix of `outputs` by `inputs`.
    #[must_use]
    pub fn fit(&self, outputs: usize, inputs: usize) -> bool {
        let [of_outputs, of_inputs] = self.block;
        let rows = outputs.div_ceil(of_outputs);
        inputs.div_ceil(of_inputs).max(1) == self.columns && rows.checked_mul(self.columns) == Some(self.values.len())
    }

    /// The scales of an output, block after block along its inputs; empty if there is no such output.
    #[must_use]
    pub fn of_output(&self, output: usize) -> &[f32] {
        let first = output / self.block[0] * self.columns;
        self.values.get(first..first + self.columns).unwrap_or_default()
    }

    /// Multiplies an output's weights by their scales.
    pub fn apply(&self, output: usize, weights: &mut [f32]) {
        for (weights, scale) in weights.chunks_mut(self.block[1]).zip(self.of_output(output)) {
            weights.iter_mut().for_each(|weight| *weight *= scale);
        }
    }

    /// The scales of some outputs. `None` if there are fewer.
    #[must_use]
    pub fn outputs(&self, outputs: Range<usize>) -> Option<Self> {
        let cut = Cut::new(self.block[0], &outputs);
        let mut values = Vec::with_capacity(cut.count * self.columns);
        for row in cut.blocks() {
            values.extend_from_slice(self.values.get(row * self.columns..(row + 1) * self.columns)?);
        }
        Some(Self { block: [cut.size, self.block[1]], columns: self.columns, values })
    }

    /// The scales of some inputs. `None` if there are fewer, and where blocks would become smaller than [`LEAST_INPUTS`].
    #[must_use]
    pub fn inputs(&self, inputs: Range<usize>) -> Option<Self> {
        if self.columns == 1 && inputs.end <= self.block[1] {
            return Some(self.clone());
        }
        let cut = Cut::new(self.block[1], &inputs);
        if cut.size < LEAST_INPUTS || inputs.end > self.columns * self.block[1] {
            return None;
        }
        let part = |row: &[f32]| cut.blocks().map(|block| row[block]).collect::<Vec<_>>();
        let values = self.values.chunks_exact(self.columns).flat_map(part).collect();
        Some(Self { block: [self.block[0], cut.size], columns: cut.count, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUTS: usize = 20;
    const INPUTS: usize = 40;

    /// Blocks of 8 by 16, the last ones smaller.
    fn blocks() -> Scales {
        Scales::of_blocks([8, 16], (0..9).map(|i| i as f32).collect(), INPUTS).expect("blocks")
    }

    /// The scale of each weight.
    fn each(scales: &Scales, outputs: usize, inputs: usize) -> Vec<Vec<f32>> {
        let row = |output| {
            let mut ones = vec![1.0; inputs];
            scales.apply(output, &mut ones);
            ones
        };
        (0..outputs).map(row).collect()
    }

    #[test]
    fn each_weight_has_the_scale_of_its_block() {
        for (output, row) in each(&blocks(), OUTPUTS, INPUTS).iter().enumerate() {
            let right: Vec<f32> = (0..INPUTS).map(|input| (output / 8 * 3 + input / 16) as f32).collect();
            assert_eq!(row, &right);
        }
        let of_outputs = Scales::of_outputs((0..OUTPUTS).map(|i| i as f32).collect(), INPUTS);
        for (output, row) in each(&of_outputs, OUTPUTS, INPUTS).iter().enumerate() {
            assert_eq!(row, &[output as f32; INPUTS]);
        }
        assert!(blocks().fit(OUTPUTS, INPUTS) && blocks().fit(24, 48) && of_outputs.fit(OUTPUTS, INPUTS));
        assert!(!blocks().fit(25, INPUTS) && !blocks().fit(16, INPUTS) && !blocks().fit(OUTPUTS, 49));
        assert!(!of_outputs.fit(OUTPUTS + 1, INPUTS) && !of_outputs.fit(OUTPUTS, 65));
        assert!([[3, 16], [8, 24], [8, 4], [0, 8]].iter().all(|block| Scales::of_blocks(*block, vec![], 8).is_none()));
    }

    #[test]
    fn a_part_of_a_matrix_keeps_the_scale_of_each_of_its_weights() {
        let whole = each(&blocks(), OUTPUTS, INPUTS);
        for outputs in [0..20, 0..8, 8..20, 4..13, 5..6] {
            let part = blocks().outputs(outputs.clone()).expect("outputs");
            assert!(part.fit(outputs.len(), INPUTS), "{part:?}");
            assert_eq!(each(&part, outputs.len(), INPUTS), whole[outputs]);
        }
        for inputs in [0..40, 0..16, 16..40, 8..40, 24..32] {
            let part = blocks().inputs(inputs.clone()).expect("inputs");
            assert!(part.fit(OUTPUTS, inputs.len()), "{part:?}");
            let right: Vec<_> = whole.iter().map(|row| row[inputs.clone()].to_vec()).collect();
            assert_eq!(each(&part, OUTPUTS, inputs.len()), right);
        }
        assert!(blocks().outputs(0..25).is_none() && blocks().inputs(0..49).is_none(), "more than there are");
        assert!(blocks().inputs(4..12).is_none(), "less than the least block");
        let of_outputs = Scales::of_outputs(vec![1.0; OUTPUTS], INPUTS);
        assert!(of_outputs.inputs(3..9).is_some_and(|part| part.fit(OUTPUTS, 6)), "cut anywhere");
    }
}
