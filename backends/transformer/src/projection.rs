//! [`Projection`]: a weight of a checkpoint, plain or quantized, as a device gets it.

use jig_plugin_api::{Error, ErrorCode, Result};

use crate::config::Quantization;
use crate::device::MatrixPart;
use crate::names::Names;
use crate::shard::{Partition, Role};
use crate::weights::int4::Groups;
use crate::weights::scales::Scales;
use crate::weights::{DType, Tensor, Weights, f8, packed};

/// Where weights come from, and which part and type of them to load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) partition: &'a Partition,
    pub(crate) names: &'static Names,
    pub(crate) weights: &'a Weights,
    /// How weights are quantized, where some are.
    pub(crate) quantization: Quantization,
    /// The type on the device; `None` for that of each weight.
    pub(crate) dtype: Option<DType>,
}

/// A weight to load.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    role: Role,
    /// Without `.weight`.
    name: String,
    outputs: usize,
    bias: bool,
}

impl Wanted {
    pub(crate) fn new(role: Role, name: String, outputs: usize, bias: bool) -> Self {
        Self { role, name, outputs, bias }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// The device's part of a weight, with its bias, scales and groups.
#[derive(Debug)]
pub(crate) struct Projection {
    weight: Tensor,
    bias: Option<Tensor>,
    scale: Option<Scales>,
    groups: Option<Groups>,
}

impl Projection {
    /// The device's part of a weight `[outputs, inputs]`.
    ///
    /// # Errors
    /// Those of [`Weights::take`], [`Packing::unpack`] and [`Partition`].
    pub(crate) fn take(source: &Source<'_>, wanted: &Wanted, inputs: usize) -> Result<Self> {
        let Source { partition, weights, .. } = *source;
        let Wanted { role, ref name, outputs, bias } = *wanted;
        let packed = packed::find(weights, name).is_some();
        let named = format!("{name}.bias");
        let taken =
            if bias || (packed && weights.contains(&named)) { Some(weights.take(&named, &[outputs])?) } else { None };
        // GPTQ's tools write zero biases for layers that have none.
        let taken = taken.filter(|taken| bias || taken.to_f32().iter().any(|x| *x != 0.0));
        let bias = taken.map(|bias| partition.bias(role, bias)).transpose()?.flatten();
        if packed {
            let (weight, groups) = unpack(source, wanted, inputs)?;
            let (weight, groups) = (partition.weight(role, &weight)?, partition.groups(role, &groups)?);
            return Ok(Self { weight, bias, scale: None, groups: Some(groups) });
        }
        let weight = weights.take(&format!("{name}.weight"), &[outputs, inputs])?;
        let scale = (weight.dtype() == DType::F8).then(|| scale(source, wanted, weight, inputs)).transpose()?;
        Ok(Self { weight: partition.weight(role, weight)?, bias, scale, groups: None })
    }

    /// What the device gets.
    pub(crate) fn part(&self) -> MatrixPart<'_> {
        MatrixPart {
            weight: &self.weight,
            bias: self.bias.as_ref(),
            scale: self.scale.as_ref(),
            groups: self.groups.as_ref(),
        }
    }
}

/// The type in which stacked weights are kept. Where only some of them are quantized, or their groups differ, it is a
/// type that can hold all of them.
pub(crate) fn stored(parts: &[Projection]) -> DType {
    let Some(first) = parts.first() else { return DType::F32 };
    let alike = |part: &Projection| match (&first.groups, &part.groups) {
        (Some(first), Some(groups)) => first.alike(groups),
        (None, None) => part.weight.dtype() == first.weight.dtype(),
        _ => false,
    };
    if parts.iter().all(alike) {
        return first.weight.dtype();
    }
    let plain = |part: &Projection| match &part.groups {
        Some(_) => None,
        None => Some(part.weight.dtype()).filter(|dtype| *dtype != DType::F8),
    };
    let of_groups = || parts.iter().find_map(|part| part.groups.as_ref().map(Groups::dtype));
    parts.iter().find_map(plain).or_else(of_groups).unwrap_or(DType::F8)
}

fn unpack(source: &Source<'_>, wanted: &Wanted, inputs: usize) -> Result<(Tensor, Groups)> {
    let Wanted { role, ref name, outputs, .. } = *wanted;
    let tensor = packed::find(source.weights, name).unwrap_or_default();
    if matches!(role, Role::Embedding | Role::Positions) {
        return Err(Error::unsupported(format!("`{name}.{tensor}`: a table in 4 bits; only projections may be")));
    }
    let unknown = || {
        let problem =
            format!("tensor `{name}.{tensor}` is quantized, and config.json has no quantization_config of 4 bits");
        Error::new(ErrorCode::InvalidFile, problem)
    };
    source.quantization.packing.ok_or_else(unknown)?.unpack(source.weights, name, outputs, inputs)
}

/// The device's part of the scales of an 8-bit weight: one for each output or block, or one for the whole matrix.
fn scale(source: &Source<'_>, wanted: &Wanted, weight: &Tensor, inputs: usize) -> Result<Scales> {
    let Wanted { role, ref name, outputs, .. } = *wanted;
    let file = weight.file().display();
    let invalid = |problem: String| Error::new(ErrorCode::InvalidFile, format!("{file}: {problem}"));
    if matches!(role, Role::Embedding | Role::Positions) {
        return Err(Error::unsupported(format!("{file}: `{name}` has 8 bits; only projections may")));
    }
    if weight.bytes().iter().any(|bits| f8::is_nan(*bits)) {
        return Err(invalid(format!("`{name}.weight` holds what is no number")));
    }
    // Some tools call it the inverse scale: weights were multiplied by its inverse when they were quantized.
    let inverse = format!("{name}.weight_scale_inv");
    let named = if source.weights.contains(&inverse) { inverse } else { format!("{name}.weight_scale") };
    let found = source.weights.shape(&named);
    let of_outputs = |shape: &&[usize]| matches!(**shape, [] | [1] | [1, 1]) || **shape == [outputs];
    let shape = found.filter(of_outputs).map_or_else(|| vec![outputs, 1], <[usize]>::to_vec);
    let scales = match source.quantization.block.filter(|_| found != Some(&shape)) {
        Some(block) => {
            let shape = [outputs.div_ceil(block[0]), inputs.div_ceil(block[1])];
            let values = source.weights.take(&named, &shape)?.to_f32();
            let unsupported = || Error::unsupported(format!("{file}: `{name}` has blocks of {block:?}"));
            Scales::of_blocks(block, values, inputs).ok_or_else(unsupported)?
        }
        None => {
            let mut values = source.weights.take(&named, &shape)?.to_f32();
            if let [all] = values[..] {
                values = vec![all; outputs];
            }
            Scales::of_outputs(values, inputs)
        }
    };
    if let Some(scale) = scales.all().iter().find(|scale| !scale.is_finite()) {
        return Err(invalid(format!("`{named}` holds {scale}, which is no number")));
    }
    source.partition.scale(role, &scales)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::weights::int4::Group;

    fn plain(dtype: DType) -> Projection {
        Projection { weight: Tensor::from_values(dtype, &[1, 16], &[0.0; 16]), bias: None, scale: None, groups: None }
    }

    fn of_4_bits(size: usize, dtype: DType, order: Option<Arc<[u32]>>) -> Projection {
        let group = Group::new(1.0, 0).expect("a group");
        let groups = Groups::new(size, 16 / size, vec![group; 16 / size], dtype, order);
        Projection { groups, ..plain(DType::I4) }
    }

    #[test]
    fn stacked_weights_are_kept_in_few_bits_where_all_can_be_and_else_in_a_type_that_all_can() {
        let (f16, bf16) = (DType::F16, DType::BF16);
        let order: Arc<[u32]> = (0..16).rev().collect();
        let cases = [
            (vec![of_4_bits(8, f16, None), of_4_bits(8, f16, None)], DType::I4),
            (vec![of_4_bits(8, f16, Some(Arc::clone(&order))), of_4_bits(8, f16, Some(order.clone()))], DType::I4),
            (vec![of_4_bits(8, bf16, None), of_4_bits(8, bf16, Some(order))], bf16),
            (vec![of_4_bits(8, f16, None), of_4_bits(16, f16, None)], f16),
            (vec![of_4_bits(8, f16, None), plain(bf16)], bf16),
            (vec![plain(DType::F8), of_4_bits(8, f16, None)], f16),
            (vec![plain(DType::F8), plain(DType::F8)], DType::F8),
            (vec![plain(DType::F8), plain(bf16)], bf16),
            (vec![plain(f16), plain(bf16)], f16),
        ];
        for (index, (parts, right)) in cases.into_iter().enumerate() {
            assert_eq!(stored(&parts), right, "case {index}");
        }
    }
}
