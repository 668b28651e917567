//! The layouts in which checkpoints pack 4-bit weights, converted to [`DType::I4`] with [`Groups`].
//!
//! For a linear layer of `inputs` and `outputs`, each format has these tensors. A 32-bit word holds eight numbers, the
//! first in its lowest bits:
//!
//! | AWQ ("gemm") | GPTQ | compressed-tensors ("pack-quantized") |
//! |---|---|---|
//! | `qweight` `[inputs, outputs / 8]`: a word has eight outputs | `qweight` `[inputs / 8, outputs]`: a word has eight inputs | `weight_packed` `[outputs, inputs / 8]`: a word has eight inputs |
//! | `qzeros` `[groups, outputs / 8]` | `qzeros` `[groups, outputs / 8]`, one less than they are before format 2 | `weight_zero_point` `[outputs / 8, groups]`; where groups are symmetric there is none, and zeros are 8 |
//! | `scales` `[groups, outputs]` | `scales` `[groups, outputs]` | `weight_scale` `[outputs, groups]` |
//! | | `g_idx` `[inputs]`: the group of each input; may be left out where groups are consecutive inputs | `weight_g_idx` `[inputs]`: the same |
//!
//! The eight outputs of an AWQ word are in the order 0, 2, 4, 6, 1, 3, 5, 7. Only compressed-tensors may have a number
//! of outputs that is no multiple of 8; the last word of zero points is padded then.

use std::ops::Range;
use std::sync::Arc;
use std::thread;

use jig_plugin_api::{Error, ErrorCode, Result};

use super::int4::{self, Group, Groups, LEAST_GROUP};
use super::{DType, Tensor, Weights};

/// The zero point of symmetric groups: numbers from -8 to 7 are stored as 0 to 15.
const MIDDLE: u8 = 8;

/// The place of each output in an AWQ word.
const AWQ_PLACES: [usize; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

/// The packing of a checkpoint, by its `config.json`. Its tensors say which weights are quantized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// The layout of numbers in words.
    pub layout: Layout,
    /// Inputs of a group; `None` for all of them.
    pub group_size: Option<usize>,
    /// Whether the inputs of a group may be non-consecutive (`desc_act`), so that `g_idx` is required.
    pub ordered: bool,
}

/// The layout of numbers in words; see the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// That of AutoAWQ's version "gemm".
    Awq,
    /// That of GPTQ.
    Gptq {
        /// Whether zero points are stored unchanged (format 2), not reduced by one.
        exact_zeros: bool,
    },
    /// That of compressed-tensors.
    Compressed {
        /// Whether all zero points are 8 and not stored.
        symmetric: bool,
    },
}

/// The names of packed weights.
const PACKED: [&str; 2] = ["qweight", "weight_packed"];

/// The tensor of the packed weight `name`, if it is packed.
pub(crate) fn find(weights: &Weights, name: &str) -> Option<&'static str> {
    PACKED.into_iter().find(|tensor| weights.contains(&format!("{name}.{tensor}")))
}

impl Packing {
    /// The weight `name`, `[outputs, inputs]`.
    ///
    /// # Errors
    /// `InvalidFile` if tensors are missing, contradict `config.json` or are malformed; `Unsupported` for sizes that no
    /// device takes.
    pub fn unpack(&self, weights: &Weights, name: &str, outputs: usize, inputs: usize) -> Result<(Tensor, Groups)> {
        let (tensor, words) = match self.layout {
            Layout::Awq => ("qweight", [inputs, outputs / 8]),
            Layout::Gptq { .. } => ("qweight", [inputs / 8, outputs]),
            Layout::Compressed { .. } => ("weight_packed", [outputs, inputs.div_ceil(8)]),
        };
        let packed = weights.take_packed(&format!("{name}.{tensor}"), words)?;
        let whole_words = matches!(self.layout, Layout::Compressed { .. }) || outputs.is_multiple_of(8);
        if !inputs.is_multiple_of(LEAST_GROUP) || !whole_words {
            let file = packed.file().display();
            return Err(Error::unsupported(format!(
                "{file}: `{name}`: {outputs} outputs of {inputs} inputs in 4 bits; both must be multiples of 8"
            )));
        }
        let size = self.group_size.unwrap_or(inputs).min(inputs).max(1);
        let order = self.order(weights, name, inputs, size)?;
        let groups = self.groups(weights, name, [outputs, inputs], size, order.clone())?;
        let (shape, bytes, order) = ([outputs, inputs], packed.bytes(), order.as_deref());
        let tensor = match self.layout {
            Layout::Compressed { .. } if order.is_none() => packed.reshaped(&shape),
            Layout::Compressed { .. } => by_outputs(bytes, shape, order, |output, input| output * inputs + input),
            Layout::Awq => by_outputs(bytes, shape, order, |output, input| input * outputs + awq_place(output)),
            Layout::Gptq { .. } => {
                by_outputs(bytes, shape, order, |output, input| (input / 8 * outputs + output) * 8 + input % 8)
            }
        };
        tensor.zip(groups).ok_or_else(|| Error::internal(format!("{name}: its parts do not fit together")))
    }

    /// The groups of `size` inputs each, with the order of the inputs if they are reordered.
    fn groups(
        &self,
        weights: &Weights,
        name: &str,
        [outputs, inputs]: [usize; 2],
        size: usize,
        order: Option<Arc<[u32]>>,
    ) -> Result<Option<Groups>> {
        let count = inputs.div_ceil(size);
        // In memory a group's size is a power of two; a group of another size becomes several of them.
        let kept = if count == 1 { inputs.next_power_of_two() } else { 1 << size.trailing_zeros() };
        let compressed = matches!(self.layout, Layout::Compressed { .. });
        let (named, shape) = if compressed { ("weight_scale", [outputs, count]) } else { ("scales", [count, outputs]) };
        let scales = weights.take(&format!("{name}.{named}"), &shape)?;
        let file = scales.file().display();
        if kept < LEAST_GROUP {
            return Err(Error::unsupported(format!(
                "{file}: `{name}`: groups of {size} inputs; their size must be a multiple of {LEAST_GROUP}"
            )));
        }
        let invalid = |problem: String| Error::new(ErrorCode::InvalidFile, format!("{file}: `{name}`: {problem}"));
        if !matches!(scales.dtype(), DType::F16 | DType::BF16) {
            return Err(invalid(format!("scales are {}, not f16 or bf16", scales.dtype())));
        }
        let zeros = match self.layout {
            Layout::Awq | Layout::Gptq { .. } => {
                weights.take_packed(&format!("{name}.qzeros"), [count, outputs / 8])?.bytes()
            }
            Layout::Compressed { symmetric: false } => {
                weights.take_packed(&format!("{name}.weight_zero_point"), [outputs.div_ceil(8), count])?.bytes()
            }
            Layout::Compressed { symmetric: true } => &[],
        };
        let zero = |group: usize, output: usize| match self.layout {
            Layout::Awq => number(zeros, group * outputs + awq_place(output)),
            Layout::Gptq { exact_zeros: true } => number(zeros, group * outputs + output),
            // A zero point is at most 15, never 16, so a stored 15 is 0 - 1 wrapped around.
            Layout::Gptq { exact_zeros: false } => (number(zeros, group * outputs + output) + 1) & int4::LARGEST,
            Layout::Compressed { symmetric: false } => number(zeros, (output / 8 * count + group) * 8 + output % 8),
            Layout::Compressed { symmetric: true } => MIDDLE,
        };
        let (values, of_output) = (scales.to_f32(), inputs.div_ceil(kept));
        let mut groups = Vec::with_capacity(outputs * of_output);
        for output in 0..outputs {
            for group in (0..of_output).map(|group| group * kept / size) {
                let scale = values[if compressed { output * count + group } else { group * outputs + output }];
                let made = Group::new(scale, zero(group, output));
                groups.push(made.ok_or_else(|| invalid(format!("a scale is {scale}, which is no number")))?);
            }
        }
        Ok(Groups::new(kept, of_output, groups, scales.dtype(), order))
    }

    /// The order that puts the inputs group by group; `None` if they already are.
    fn order(&self, weights: &Weights, name: &str, inputs: usize, size: usize) -> Result<Option<Arc<[u32]>>> {
        let compressed = matches!(self.layout, Layout::Compressed { .. });
        let named = format!("{name}.{}", if compressed { "weight_g_idx" } else { "g_idx" });
        if self.layout == Layout::Awq || !(self.ordered || weights.contains(&named)) {
            return Ok(None);
        }
        let tensor = weights.take_packed(&named, [inputs])?;
        let of_input: Vec<u32> = tensor.bytes().as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
        // compressed-tensors fills it with -1 where it is unused.
        let unused = compressed && of_input.iter().all(|group| *group == u32::MAX);
        if unused || of_input.iter().enumerate().all(|(input, group)| *group as usize == input / size) {
            return Ok(None);
        }
        let mut order: Vec<u32> = (0..inputs as u32).collect();
        order.sort_by_key(|input| of_input[*input as usize]);
        let in_order = order.iter().enumerate().all(|(at, input)| of_input[*input as usize] as usize == at / size);
        let invalid = || {
            let (file, last) = (tensor.file().display(), inputs.div_ceil(size) - 1);
            let problem =
                format!("{file}: tensor `{named}` does not give each group from 0 to {last} its {size} inputs");
            Error::new(ErrorCode::InvalidFile, problem)
        };
        in_order.then(|| Some(order.into())).ok_or_else(invalid)
    }
}

/// Repacks the numbers of a matrix output by output, with its inputs in `order`; `place` gives the index of a number in
/// the checkpoint's layout.
fn by_outputs(
    bytes: &[u8],
    [outputs, inputs]: [usize; 2],
    order: Option<&[u32]>,
    place: impl Fn(usize, usize) -> usize + Sync,
) -> Option<Tensor> {
    let column = |column: usize| order.map_or(column, |order| order[column] as usize);
    let numbers = transpose(outputs, inputs, |output, at| number(bytes, place(output, column(at))));
    Tensor::in_memory(DType::I4, &[outputs, inputs], numbers)
}

/// The place of an output in a row of AWQ words.
fn awq_place(output: usize) -> usize {
    output / 8 * 8 + AWQ_PLACES[output % 8]
}

/// The packed number at an index.
fn number(bytes: &[u8], index: usize) -> u8 {
    int4::numbers(bytes[index / 2])[index % 2]
}

/// Packs the numbers of all outputs, output after output, on all cores; `number` gives that of an output at a column.
fn transpose(outputs: usize, inputs: usize, number: impl Fn(usize, usize) -> u8 + Sync) -> Vec<u8> {
    /// The fewest numbers for which a thread pays.
    const WORTH_A_THREAD: usize = 1 << 20;
    /// Outputs and columns of a tile: its reads and writes stay in the L1 cache.
    const TILE: usize = 64;
    let row_bytes = inputs / 2;
    let mut packed = vec![0u8; outputs * row_bytes];
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(outputs * inputs / WORTH_A_THREAD).max(1);
    let rows = outputs.div_ceil(threads).next_multiple_of(TILE);
    let fill = |first: usize, packed: &mut [u8]| {
        for (tile, packed) in packed.chunks_mut(TILE * row_bytes).enumerate() {
            for columns in tiles(row_bytes, TILE / 2) {
                for (row, packed) in packed.chunks_exact_mut(row_bytes).enumerate() {
                    let output = first + tile * TILE + row;
                    for (at, byte) in columns.clone().zip(&mut packed[columns.clone()]) {
                        *byte = int4::pack(number(output, 2 * at), number(output, 2 * at + 1));
                    }
                }
            }
        }
    };
    if threads == 1 {
        fill(0, &mut packed);
    } else {
        thread::scope(|scope| {
            for (index, part) in packed.chunks_mut(rows * row_bytes).enumerate() {
                let fill = &fill;
                scope.spawn(move || fill(index * rows, part));
            }
        });
    }
    packed
}

fn tiles(count: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count).step_by(size).map(move |first| first..count.min(first + size))
}

#[cfg(test)]
mod tests;
