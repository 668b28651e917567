//! [`Shard`]: the part of a model that one of several devices holds, and the rule by which each weight is split.
//!
//! Tensor parallelism as in Megatron-LM (Shoeybi et al. 2019). Each device, a *rank*, has the whole residual stream and
//! computes a part of each block (attention, MLP): some heads, some elements of the MLP. Projections into a block are
//! split by outputs and those out of it by inputs, so that the ranks' results are partial sums of the block's output.
//! An all-reduce adds them up once per block ([`Device::add_ranks`](crate::Device::add_ranks)); ranks exchange nothing
//! else.
//!
//! | weight | split |
//! |---|---|
//! | queries | by outputs, whole heads |
//! | keys, values | by outputs, whole heads; where there are more ranks than heads, some ranks hold the same one |
//! | projection that follows attention | by inputs, as the queries; its bias is the first rank's |
//! | gate and first projection of the MLP | by outputs |
//! | last projection of the MLP | by inputs, as those; its bias is the first rank's |
//! | embedding, positions, projections in and out, logits, all norms | every rank has all of it |
//!
//! Matrices that are stacked on the device (q, k and v; gate and up) are split part by part, so each rank has them
//! stacked in the same way. The projection to logits could be split by outputs and is not: every rank has whole rows of
//! logits, and sampling works as on one device.

use std::ops::Range;

use jig_plugin_api::{Error, Result};

use crate::description::Decoder;
use crate::weights::Tensor;
use crate::weights::int4::{Groups, LEAST_GROUP};
use crate::weights::scales::{LEAST_INPUTS, Scales};

/// One of some ranks that share a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    rank: usize,
    of: usize,
}

impl Shard {
    /// The only rank: it has the whole model.
    #[must_use]
    pub const fn whole() -> Self {
        Self { rank: 0, of: 1 }
    }

    /// One of `of` ranks, counted from 0.
    ///
    /// # Errors
    /// `InvalidArgument` where there is no such rank.
    pub fn new(rank: usize, of: usize) -> Result<Self> {
        if rank < of {
            return Ok(Self { rank, of });
        }
        Err(Error::invalid_argument(format!("rank {rank} of {of}: ranks are counted from 0 on")))
    }

    /// Which one it is, from 0.
    #[must_use]
    pub const fn rank(self) -> usize {
        self.rank
    }

    /// How many there are.
    #[must_use]
    pub const fn of(self) -> usize {
        self.of
    }

    /// Whether it has the whole model.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.of == 1
    }

    /// Its share of `units`, if they divide evenly.
    fn part(self, units: usize) -> Option<Range<usize>> {
        let each = units / self.of;
        units.is_multiple_of(self.of).then(|| self.rank * each..(self.rank + 1) * each)
    }
}

/// What a weight is for, which decides how it is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The embedding table.
    Embedding,
    /// The table of learned positions.
    Positions,
    /// A projection between the embedding's width and that of the residual stream.
    Projection,
    /// The projection to logits.
    Logits,
    /// A norm, of the residual stream or of heads.
    Norm,
    /// The projection to queries.
    Query,
    /// The projection to keys.
    Key,
    /// The projection to values.
    Value,
    /// The projection that follows attention.
    AttentionOutput,
    /// The gate of the MLP.
    Gate,
    /// The first projection of the MLP.
    Up,
    /// The last projection of the MLP.
    Down,
}

/// Which part of a weight a rank has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// All of it.
    Whole,
    /// These outputs.
    Outputs(Range<usize>),
    /// These inputs.
    Inputs(Range<usize>),
}

/// A rank's part of the widths that are split, in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    shard: Shard,
    queries: Range<usize>,
    keys: Range<usize>,
    mlp: Range<usize>,
}

impl Partition {
    /// A rank's part of a decoder.
    ///
    /// # Errors
    /// `Unsupported` where heads or the MLP can't be divided evenly among the ranks, saying which.
    pub fn new(decoder: &Decoder, shard: Shard) -> Result<Self> {
        let Shard { rank, of } = shard;
        let refused = |what: String| {
            let architecture = &decoder.architecture;
            Error::unsupported(format!("{architecture} can't be divided among {of} devices: it has {what}"))
        };
        let (heads, kv_heads, dim) = (decoder.attention.heads, decoder.attention.kv_heads, decoder.attention.head_dim);
        let queries = shard.part(heads).ok_or_else(|| refused(format!("{heads} attention heads")))?;
        // Consecutive query heads share a key head: a rank whose queries are a part of such a group takes that group's
        // key head.
        let repeated = || of.is_multiple_of(kv_heads.max(1)).then(|| rank * kv_heads / of).map(|head| head..head + 1);
        let keys = shard.part(kv_heads).or_else(repeated);
        let keys = keys.ok_or_else(|| refused(format!("{kv_heads} key and value heads")))?;
        let width = decoder.mlp.width;
        let mlp = shard.part(width).ok_or_else(|| refused(format!("an MLP of {width} elements")))?;
        let elements = |heads: Range<usize>| heads.start * dim..heads.end * dim;
        Ok(Self { shard, queries: elements(queries), keys: elements(keys), mlp })
    }

    /// What the rank computes of the decoder.
    #[must_use]
    pub fn decoder(&self, whole: &Decoder) -> Decoder {
        let mut part = whole.clone();
        part.attention.heads = self.queries.len() / whole.attention.head_dim;
        part.attention.kv_heads = self.keys.len() / whole.attention.head_dim;
        part.mlp.width = self.mlp.len();
        part
    }

    /// How a weight is split.
    #[must_use]
    pub fn split(&self, role: Role) -> Split {
        match role {
            Role::Embedding | Role::Positions | Role::Projection | Role::Logits | Role::Norm => Split::Whole,
            Role::Query => Split::Outputs(self.queries.clone()),
            Role::Key | Role::Value => Split::Outputs(self.keys.clone()),
            Role::AttentionOutput => Split::Inputs(self.queries.clone()),
            Role::Gate | Role::Up => Split::Outputs(self.mlp.clone()),
            Role::Down => Split::Inputs(self.mlp.clone()),
        }
    }

    /// The rank's part of a weight. Outputs are read where they are; inputs, some of each row, are copied.
    ///
    /// # Errors
    /// `Internal` where the tensor has no such part.
    pub fn weight(&self, role: Role, tensor: &Tensor) -> Result<Tensor> {
        let part = match self.split(role) {
            Split::Whole => Some(tensor.clone()),
            Split::Outputs(outputs) => tensor.rows(outputs),
            Split::Inputs(inputs) => tensor.columns(inputs),
        };
        part.ok_or_else(|| self.misshapen(role, tensor))
    }

    /// The rank's part of a bias, if it has one.
    ///
    /// # Errors
    /// As [`Partition::weight`].
    pub fn bias(&self, role: Role, tensor: &Tensor) -> Result<Option<Tensor>> {
        let part = match self.split(role) {
            Split::Whole => tensor.clone(),
            Split::Outputs(outputs) => tensor.rows(outputs).ok_or_else(|| self.misshapen(role, tensor))?,
            // The bias must enter the sum over all ranks once.
            Split::Inputs(_) if self.shard.rank == 0 => tensor.clone(),
            Split::Inputs(_) => return Ok(None),
        };
        Ok(Some(part))
    }

    /// The rank's part of the scales of a weight of 8 bits.
    ///
    /// # Errors
    /// `Unsupported` where the split is within the smallest block of inputs.
    pub fn scale(&self, role: Role, scales: &Scales) -> Result<Scales> {
        let part = match self.split(role) {
            Split::Whole => Some(scales.clone()),
            Split::Outputs(outputs) => scales.outputs(outputs),
            Split::Inputs(inputs) => scales.inputs(inputs),
        };
        let refused = || {
            let Shard { rank, of } = self.shard;
            let [outputs, inputs] = scales.block();
            Error::unsupported(format!(
                "{role:?} in 8 bits has no part for rank {rank} of {of}: its blocks of {outputs} by {inputs} can't be cut where \
                 parts are no multiples of {LEAST_INPUTS} inputs"
            ))
        };
        part.ok_or_else(refused)
    }

    /// The rank's part of the groups of a weight of 4 bits.
    ///
    /// # Errors
    /// `Unsupported` where the inputs are reordered, or where the split is within the smallest group.
    pub fn groups(&self, role: Role, groups: &Groups) -> Result<Groups> {
        let part = match self.split(role) {
            // One rank takes all inputs, in whatever order.
            _ if self.shard.is_whole() => Some(groups.clone()),
            Split::Whole => Some(groups.clone()),
            Split::Outputs(outputs) => groups.outputs(outputs),
            Split::Inputs(inputs) => groups.inputs(inputs),
        };
        let refused = || {
            let Shard { rank, of } = self.shard;
            let why = match groups.order() {
                Some(_) => "groups are not of consecutive inputs (g_idx)".to_owned(),
                None => format!("groups can't be cut where parts are no multiples of {LEAST_GROUP} inputs"),
            };
            Error::unsupported(format!("{role:?} in 4 bits has no part for rank {rank} of {of}: its {why}"))
        };
        part.ok_or_else(refused)
    }

    fn misshapen(&self, role: Role, tensor: &Tensor) -> Error {
        let Shard { rank, of } = self.shard;
        Error::internal(format!("{tensor:?} has no part for rank {rank} of {of} as {role:?}"))
    }
}

#[cfg(test)]
mod tests {
    use jig_plugin_api::ErrorCode;

    use super::*;
    use crate::config::Config;
    use crate::golden::Golden;
    use crate::weights::DType;
    use crate::weights::int4::Group;

    fn decoder(heads: usize, kv_heads: usize, width: usize) -> Decoder {
        let mut decoder = Config::read(&Golden::named("qwen3").directory).expect("a model").decoder;
        (decoder.attention.heads, decoder.attention.kv_heads, decoder.mlp.width) = (heads, kv_heads, width);
        decoder.attention.head_dim = 3;
        decoder
    }

    fn partitions(decoder: &Decoder, of: usize) -> Vec<Partition> {
        (0..of).map(|rank| Partition::new(decoder, Shard::new(rank, of).unwrap()).unwrap()).collect()
    }

    #[test]
    fn the_ranks_parts_put_together_are_the_whole_in_its_order() {
        let decoder = decoder(8, 4, 20);
        for of in [1, 2, 4] {
            let parts = partitions(&decoder, of);
            let joined = |range: fn(&Partition) -> &Range<usize>| -> Vec<usize> {
                parts.iter().flat_map(|part| range(part).clone()).collect()
            };
            assert!(joined(|part| &part.queries).into_iter().eq(0..24));
            assert!(joined(|part| &part.keys).into_iter().eq(0..12));
            assert!(joined(|part| &part.mlp).into_iter().eq(0..20));
            let computed: Vec<_> = parts.iter().map(|part| part.decoder(&decoder)).collect();
            assert!(computed.iter().all(|part| (part.attention.heads, part.mlp.width) == (8 / of, 20 / of)));
        }
        assert_eq!(partitions(&decoder, 1)[0].decoder(&decoder), decoder);
    }

    #[test]
    fn ranks_with_parts_of_a_group_hold_the_same_keys() {
        let parts = partitions(&decoder(8, 2, 16), 8);
        let heads: Vec<_> = parts.iter().map(|part| part.keys.start / 3).collect();
        assert_eq!(heads, [0, 0, 0, 0, 1, 1, 1, 1]);
        assert!(parts.iter().all(|part| part.keys.len() == 3 && part.queries.len() == 3));
    }

    #[test]
    fn what_can_not_be_divided_is_named() {
        let said = |heads, kv_heads, width, of| {
            let error = Partition::new(&decoder(heads, kv_heads, width), Shard::new(0, of).unwrap()).unwrap_err();
            assert_eq!(error.code, ErrorCode::Unsupported);
            error.message
        };
        assert!(said(8, 8, 16, 3).contains("among 3 devices: it has 8 attention heads"));
        assert!(said(12, 4, 12, 6).contains("4 key and value heads"));
        assert!(said(8, 8, 18, 4).contains("an MLP of 18 elements"));
        assert!(Shard::new(2, 2).unwrap_err().message.contains("rank 2 of 2"));
        assert!(Shard::new(0, 0).is_err());
    }

    #[test]
    fn a_weight_is_cut_by_its_rule_and_a_summed_bias_is_one_ranks() {
        let parts = partitions(&decoder(2, 2, 4), 2);
        let values: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let (tall, wide) =
            (Tensor::from_values(DType::BF16, &[6, 4], &values), Tensor::from_values(DType::F32, &[4, 6], &values));
        let bias = Tensor::from_values(DType::F32, &[6], &values[..6]);
        let last = &parts[1];
        assert_eq!(last.weight(Role::Query, &tall).unwrap().to_f32(), values[12..]);
        assert_eq!(last.bias(Role::Value, &bias).unwrap().unwrap().to_f32(), [3.0, 4.0, 5.0]);
        let columns = last.weight(Role::AttentionOutput, &wide).unwrap();
        assert_eq!((columns.shape(), columns.dtype()), (&[4, 3][..], DType::F32));
        assert_eq!(columns.to_f32(), [3.0, 4.0, 5.0, 9.0, 10.0, 11.0, 15.0, 16.0, 17.0, 21.0, 22.0, 23.0]);
        assert_eq!(last.weight(Role::Logits, &tall).unwrap().to_f32(), values);
        assert!(last.bias(Role::Down, &bias).unwrap().is_none());
        assert_eq!(parts[0].bias(Role::Down, &bias).unwrap().unwrap().to_f32(), values[..6]);
        let of_outputs = Scales::of_outputs(values[..6].to_vec(), 4);
        assert_eq!(last.scale(Role::Key, &of_outputs).unwrap(), Scales::of_outputs(values[3..6].to_vec(), 4));
        assert_eq!(last.scale(Role::Down, &of_outputs).unwrap(), of_outputs);
        let blocks = Scales::of_blocks([2, 8], values[..6].to_vec(), 16).unwrap();
        assert!(last.scale(Role::Value, &blocks).unwrap().of_output(2) == &values[4..6], "cut within a block");
        let error = last.scale(Role::Down, &blocks).unwrap_err();
        assert!(error.code == ErrorCode::Unsupported && error.message.contains("Down in 8 bits"), "{error}");
        assert!(last.weight(Role::Query, &wide).unwrap_err().message.contains("rank 1 of 2 as Query"));
        let group = |index: usize| Group::new(1.0, index as u8).unwrap();
        let groups = Groups::new(16, 1, (0..6).map(group).collect(), DType::F16, None).unwrap();
        assert_eq!(last.groups(Role::Query, &groups).unwrap().all(), &groups.all()[3..]);
        let error = last.groups(Role::Down, &groups).unwrap_err();
        assert!(error.code == ErrorCode::Unsupported && error.message.contains("Down in 4 bits"), "{error}");
        // The whole is cut by the same rule, and is what there was, where it was.
        let whole = &partitions(&decoder(2, 2, 4), 1)[0];
        let same =
            |role, tensor: &Tensor| whole.weight(role, tensor).unwrap().bytes().as_ptr() == tensor.bytes().as_ptr();
        assert!(same(Role::Query, &tall) && same(Role::AttentionOutput, &wide));
    }
}
