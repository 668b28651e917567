//! [`Family`]: an entry of the table of families.

use jig_plugin_api::Result;

use crate::config::fields::Fields;
use crate::description::Decoder;
use crate::names::Names;

/// A family of models.
pub(crate) struct Family {
    /// The class in `architectures`.
    pub(crate) architecture: &'static str,
    /// The name in `model_type`.
    pub(crate) model_type: &'static str,
    /// Reads the description.
    pub(crate) describe: fn(&Family, &Fields<'_>) -> Result<Decoder>,
    /// The names of the tensors.
    pub(crate) names: &'static Names,
    /// How it differs from Llama.
    pub(super) traits: Traits,
}

/// How a family of the Llama kind differs from Llama.
#[derive(Clone, Copy)]
pub(super) struct Traits {
    /// q, k and v always have biases.
    pub(super) qkv_bias: bool,
    /// `attention_bias` gives biases to q, k, v and the output projection; `mlp_bias` to the MLP.
    pub(super) bias_fields: BiasFields,
    /// Each head of q and k is normalised.
    pub(super) head_norm: bool,
    /// How the file gives the sliding window.
    pub(super) window: WindowRule,
    /// The head size if `head_dim` is absent; 0 for `hidden_size / num_attention_heads`.
    pub(super) head_dim: usize,
    /// What `max_position_embeddings` is if absent.
    pub(super) max_positions: usize,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum BiasFields {
    None,
    Attention,
    AttentionAndMlp,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum WindowRule {
    /// None, whatever the file says.
    Never,
    /// `sliding_window`, in all layers.
    All,
    /// `sliding_window` where `layer_types` says so, or from layer `max_window_layers` on, if `use_sliding_window`.
    ByLayer,
}
