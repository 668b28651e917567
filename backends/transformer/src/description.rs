//! [`Decoder`]: what a decoder computes, as data.
//!
//! The forward pass reads this and nothing else, so an architecture that fits the description needs no code of its own.

use crate::functions::{Activation, NormKind};
use crate::rope::Rope;
use crate::shapes::{AttentionShape, KvShape};

/// A decoder-only transformer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoder {
    /// The class that `config.json` names (`LlamaForCausalLM`).
    pub architecture: String,
    /// Rows of the embedding table and width of a row of logits.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the embedding table. Where it differs from `hidden_size`, projections lead in and out.
    pub embedding_size: usize,
    /// The layers, each with its sliding window.
    pub windows: Vec<Option<u32>>,
    /// Heads, the same in all layers.
    pub attention: AttentionShape,
    /// Biases of the q, k and v projections.
    pub qkv_bias: bool,
    /// Bias of the projection that follows attention.
    pub output_bias: bool,
    /// The norm over each head of q and k.
    pub head_norm: bool,
    /// The MLP, the same in all layers.
    pub mlp: Mlp,
    /// The norm, the same everywhere.
    pub norm: NormKind,
    /// Its epsilon.
    pub norm_epsilon: f32,
    /// Whether norms have weights (and biases, for layer norms).
    pub norm_affine: bool,
    /// Where in a layer the norms stand.
    pub norm_place: NormPlace,
    /// Whether a norm follows the last layer.
    pub final_norm: bool,
    /// How positions enter.
    pub position: Position,
    /// Whether the embedding table is also the last projection.
    pub tied_embeddings: bool,
    /// The longest sequence that the description allows.
    pub max_positions: usize,
}

impl Decoder {
    /// What the KV cache holds for each token.
    #[must_use]
    pub fn kv_shape(&self) -> KvShape {
        let AttentionShape { kv_heads, head_dim, .. } = self.attention;
        KvShape { layers: self.windows.len(), kv_heads, head_dim }
    }
}

/// The MLP of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mlp {
    /// Width of its inside.
    pub width: usize,
    /// Its function.
    pub activation: Activation,
    /// `down(f(gate(x)) * up(x))` instead of `down(f(up(x)))`.
    pub gated: bool,
    /// Biases of its projections.
    pub bias: bool,
}

/// Where in a layer the norms stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormPlace {
    /// `x + f(norm(x))`.
    Before,
    /// `norm(x + f(x))`.
    After,
}

/// How positions enter.
#[derive(Clone, Debug, PartialEq)]
pub enum Position {
    /// Queries and keys are rotated.
    Rotary(Rope),
    /// A learned vector is added to the embedding. The table has `offset` rows before that of position 0.
    Learned {
        /// Rows before that of position 0.
        offset: usize,
    },
}
