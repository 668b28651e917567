//! [`Device`]: the interface between a decoder and the hardware that computes it.
//!
//! A device holds weights, activations and the KV cache in its own memory behind opaque handles, and computes a small
//! set of fused operations on them. Operations are **enqueued**: they return at once and run in the order in which they
//! were enqueued. Only three calls wait: [`Device::sample`], [`Device::read_row`] and [`Device::synchronize`]. Only
//! sampled tokens, requested log-probabilities and single rows of logits are copied back to the host.
//!
//! A step is
//!
//! ```text
//! begin(batch)                       token ids, positions, page tables go to the device, once
//! record(shape, || { operations })   a device may capture and replay them (CUDA graphs)
//! sample(logits, rows)               waits
//! ```
//!
//! Rows of a batch are tokens; a matrix of activations has one row for each. All arithmetic accumulates in
//! `f32` or wider. The result of a row must not depend on which other rows are in the batch: hosts rely on it for
//! seeds that reproduce.

use jig_plugin_api::{Error, Result, SampleRow, Sampled};

use crate::batch::{Batch, StepShape};
pub use crate::functions::{Activation, NormKind};
pub use crate::shapes::{AttentionShape, KvShape};
use crate::shard::Shard;
use crate::weights::int4::Groups;
use crate::weights::scales::Scales;
use crate::weights::{DType, Tensor};

/// Hardware that computes a decoder. See the [module](self) for the rules.
pub trait Device: Send + Sync + 'static {
    /// A weight matrix of shape `[outputs, inputs]`, or an embedding table of shape `[ids, width]`.
    type Matrix: Send + Sync;
    /// A vector of `f32`: norm weights, rotation tables.
    type Vector: Send + Sync;
    /// Activations: `[rows, width]`.
    type Buffer: Send + Sync;
    /// The KV cache of all layers, in pages of [`Device::page_tokens`] tokens.
    type KvCache: Send + Sync;

    /// The device's id, as `--device` names it (`cpu`, `cuda:0`).
    fn id(&self) -> String;

    /// Tokens in a page of the KV cache. At least 1.
    fn page_tokens(&self) -> usize;

    /// Bytes that a page takes, over all layers.
    fn page_bytes(&self, shape: &KvShape) -> u64;

    /// Bytes that the KV cache may take: what is free now, less what should stay free.
    ///
    /// # Errors
    /// `OutOfMemory` if none is left, with the total and what uses it.
    fn memory_for_cache(&self) -> Result<u64>;

    /// Bytes of weights held.
    fn weight_bytes(&self) -> u64;

    /// The part of a model that it holds: all of it, unless several devices share the model.
    fn shard(&self) -> Shard {
        Shard::whole()
    }

    // Loading. These may block.

    /// Uploads a matrix.
    ///
    /// # Errors
    /// `OutOfMemory`, or `Unsupported` for a shape that the device can't hold.
    fn matrix(&self, source: &MatrixSource<'_>) -> Result<Self::Matrix>;

    /// Uploads a vector.
    ///
    /// # Errors
    /// `OutOfMemory`.
    fn vector(&self, values: &[f32]) -> Result<Self::Vector>;

    /// Allocates activations of `rows` by `width`, all zero.
    ///
    /// # Errors
    /// `OutOfMemory`.
    fn buffer(&self, rows: usize, width: usize) -> Result<Self::Buffer>;

    /// Allocates activations that only [`Device::linear`] with these matrices reads. A device may store them in the
    /// type in which it multiplies them. They are written and read with the same number of rows.
    ///
    /// # Errors
    /// `OutOfMemory`.
    fn operand(&self, rows: usize, width: usize, matrices: &[&Self::Matrix]) -> Result<Self::Buffer> {
        let _ = matrices;
        self.buffer(rows, width)
    }

    /// Allocates a KV cache of `pages` pages.
    ///
    /// # Errors
    /// `OutOfMemory`, or `Unsupported` for a head size that the device can't compute.
    fn kv_cache(&self, shape: &KvShape, pages: usize) -> Result<Self::KvCache>;

    // A step. These enqueue.

    /// The number of rows that a step of `shape` should be padded to; at least `shape.rows`. Padding rows have
    /// token 0, position 0, no slot and no span. A device that replays recorded steps has few sizes.
    fn padded_rows(&self, shape: StepShape) -> usize {
        shape.rows
    }

    /// Makes `batch` the current one: all operations until the next `begin` work on it.
    ///
    /// # Errors
    /// A failure of the device.
    fn begin(&self, batch: &Batch) -> Result<()>;

    /// Enqueues the operations that `operations` enqueues. A device that has already recorded a step of this shape may
    /// replay the recording instead: the same shape always gives the same operations on the same handles.
    ///
    /// # Errors
    /// Those of `operations`.
    fn record(&self, shape: StepShape, operations: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let _ = shape;
        operations()
    }

    /// `out[r] = table[token of r]`, for all rows of the batch.
    ///
    /// # Errors
    /// Those of all operations that enqueue: `Internal` for shapes that don't fit, or a failure of the device.
    fn embed(&self, table: &Self::Matrix, out: &Self::Buffer) -> Result<()>;

    /// `x[r] += table[position of r + offset]`, for all rows of the batch.
    ///
    /// # Errors
    /// See [`Device::embed`].
    fn add_positions(&self, table: &Self::Matrix, offset: u32, x: &Self::Buffer) -> Result<()>;

    /// `out[r] = norm(x[r])`. `x` and `out` differ.
    ///
    /// # Errors
    /// See [`Device::embed`].
    fn norm(&self, rows: usize, x: &Self::Buffer, norm: &Norm<Self::Vector>, out: &Self::Buffer) -> Result<()>;

    /// `x[r] += delta[r]`.
    ///
    /// # Errors
    /// See [`Device::embed`].
    fn add(&self, rows: usize, x: &Self::Buffer, delta: &Self::Buffer) -> Result<()>;

    /// `x[r] = ` the sum of `x[r]` over all ranks of the device's [`Device::shard`], with the same bits on each: an
    /// all-reduce. All ranks get the same calls in the same order. With one rank there is nothing to do.
    ///
    /// # Errors
    /// See [`Device::embed`]; and failures of other ranks.
    fn add_ranks(&self, rows: usize, x: &Self::Buffer) -> Result<()> {
        let _ = (rows, x);
        let whole = self.shard().is_whole();
        whole
            .then_some(())
            .ok_or_else(|| Error::internal(format!("{} can't add up what its ranks computed", self.id())))
    }

    /// `x[r] += delta[r]; out[r] = norm(x[r])`. `out` may not be `x`.
    ///
    /// # Errors
    /// See [`Device::embed`].
    fn add_norm(
        &self,
        rows: usize,
        x: &Self::Buffer,
        delta: &Self::Buffer,
        norm: &Norm<Self::Vector>,
        out: &Self::Buffer,
    ) -> Result<()>;

    /// `out[r] = epilogue(weight · x[r] + bias)`. The outputs of the matrix's parts lie side by side in `out`. A gated
    /// epilogue takes two parts of equal size and writes one of that size.
    ///
    /// # Errors
    /// See [`Device::embed`].
    fn linear(
        &self,
        rows: usize,
        x: &Self::Buffer,
        weight: &Self::Matrix,
        epilogue: Epilogue,
        out: &Self::Buffer,
    ) -> Result<()>;

    /// For all rows of the batch: normalises the heads of q and k (if asked for), rotates them by the row of `rotation`
    /// at the row's position (if asked for), and writes k and v to the row's slot. `qkv` has the query heads, then the
    /// key heads, then the value heads in each row; q is changed in place; the contents of k and v in it are
    /// unspecified afterwards.
    ///
    /// `rotation` has a row for each position: `head_dim / 2` cosines, then as many sines; element `i` of a head pairs with
    /// element `i + head_dim / 2`.
    ///
    /// # Errors
    /// See [`Device::embed`].
    fn store_kv(
        &self,
        layer: usize,
        shape: &AttentionShape,
        qkv: &Self::Buffer,
        head_norms: Option<&HeadNorms<Self::Vector>>,
        rotation: Option<&Self::Vector>,
        cache: &Self::KvCache,
    ) -> Result<()>;

    /// Attention of the q in `qkv` over the cache, for the rows of all spans of the batch: a row at position `p` sees
    /// the positions `max(0, p + 1 - window) ..= p` of its sequence. `out` has the heads side by side. Rows outside all
    /// spans keep their values.
    ///
    /// # Errors
    /// See [`Device::embed`].
    fn attend(
        &self,
        layer: usize,
        shape: &AttentionShape,
        window: Option<u32>,
        qkv: &Self::Buffer,
        cache: &Self::KvCache,
        out: &Self::Buffer,
    ) -> Result<()>;

    /// `out[i] = x[batch.logit_rows[first + i]]` for `count` rows.
    ///
    /// # Errors
    /// See [`Device::embed`].
    fn gather(&self, x: &Self::Buffer, first: usize, count: usize, out: &Self::Buffer) -> Result<()>;

    /// Copies a page, in all layers.
    ///
    /// # Errors
    /// See [`Device::embed`].
    fn copy_page(&self, cache: &Self::KvCache, from: u32, to: u32) -> Result<()>;

    // These wait.

    /// Samples a token for each row; [`SampleRow::row`] is a row of `logits`. The caller ([`crate::Transformer`]) has
    /// checked the arguments, except for what depends on the logits.
    ///
    /// # Errors
    /// Those of [`jig_plugin_api::Model::sample`], and failures of operations enqueued before.
    fn sample(&self, logits: &Self::Buffer, vocab_size: usize, rows: &[SampleRow<'_>]) -> Result<Vec<Sampled>>;

    /// A row of activations.
    ///
    /// # Errors
    /// Failures of what was enqueued before.
    fn read_row(&self, buffer: &Self::Buffer, row: usize) -> Result<Vec<f32>>;

    /// Overwrites the first rows of a buffer (`values` is a whole number of rows). For tests and tools; no step does so.
    ///
    /// # Errors
    /// `Internal` for shapes that don't fit.
    fn write_rows(&self, buffer: &Self::Buffer, values: &[f32]) -> Result<()>;

    /// Waits for all enqueued operations.
    ///
    /// # Errors
    /// Failures of what was enqueued before.
    fn synchronize(&self) -> Result<()>;
}

/// A matrix to upload: one or more tensors of shape `[outputs, inputs]` with the same inputs, stacked.
#[derive(Clone, Copy, Debug)]
pub struct MatrixSource<'a> {
    /// The tensors; at least one.
    pub parts: &'a [MatrixPart<'a>],
    /// The type of the elements in the device's memory.
    pub dtype: DType,
}

/// A tensor of a [`MatrixSource`].
#[derive(Clone, Copy, Debug)]
pub struct MatrixPart<'a> {
    /// `[outputs, inputs]`.
    pub weight: &'a Tensor,
    /// `[outputs]`.
    pub bias: Option<&'a Tensor>,
    /// The scales of weights of [`DType::F8`]. A device that keeps the weights in another type may multiply them in at
    /// upload.
    pub scale: Option<&'a Scales>,
    /// The scales and zeros of weights of [`DType::I4`], which always have them; others never do. If the device keeps
    /// the matrix in 4 bits, the groups of all parts are [alike](Groups::alike).
    pub groups: Option<&'a Groups>,
}

impl MatrixPart<'_> {
    /// Dequantizes the stored elements of an output, by its groups or its scales.
    ///
    /// # Panics
    /// If the part has groups and the number of inputs is another, or there is no such output.
    pub fn widen(&self, output: usize, elements: &[u8], into: &mut [f32]) {
        if let Some(groups) = self.groups {
            return groups.widen(output, elements, into);
        }
        self.weight.dtype().widen(elements, into);
        if let Some(scale) = self.scale {
            scale.apply(output, into);
        }
    }
}

/// What follows a matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epilogue {
    /// Nothing.
    None,
    /// The function, on each element.
    Activate(Activation),
    /// `f(a) * b`, where `a` is the first part's product and `b` the second's.
    Gate(Activation),
}

/// A norm over the width of a row.
#[derive(Clone, Debug)]
pub struct Norm<V> {
    /// Its kind.
    pub kind: NormKind,
    /// Added to the mean square or variance.
    pub epsilon: f32,
    /// Multiplied after normalising; 1 if absent.
    pub weight: Option<V>,
    /// Added last; 0 if absent.
    pub bias: Option<V>,
}

/// Norms over each head of q and of k.
#[derive(Clone, Debug)]
pub struct HeadNorms<V> {
    /// Of the query heads.
    pub query: Norm<V>,
    /// Of the key heads.
    pub key: Norm<V>,
}
