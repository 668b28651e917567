//! OPT (Zhang et al. 2022), with the variant of its 350M model: norms after, and a narrower embedding.

use jig_plugin_api::Result;

use super::family::Family;
use super::limits::{MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_WIDTH, activation, vocabulary, whole_heads};
use crate::config::fields::Fields;
use crate::description::{Decoder, Mlp, NormPlace, Position};
use crate::functions::{Activation, NormKind};
use crate::shapes::AttentionShape;

/// Reads the description of an OPT decoder.
pub(super) fn describe(family: &Family, fields: &Fields<'_>) -> Result<Decoder> {
    let hidden_size = fields.integer("hidden_size", 1..=MAX_WIDTH)?.unwrap_or(768);
    let heads = fields.integer("num_attention_heads", 1..=MAX_HEADS)?.unwrap_or(12);
    let head_dim = whole_heads(fields, hidden_size, heads)?;
    let layers = fields.integer("num_hidden_layers", 1..=MAX_LAYERS)?.unwrap_or(12);
    let bias = fields.boolean("enable_bias")?.unwrap_or(true);
    let before = fields.boolean("do_layer_norm_before")?.unwrap_or(true);
    Ok(Decoder {
        architecture: family.architecture.to_owned(),
        vocab_size: vocabulary(fields)?,
        hidden_size,
        embedding_size: fields.integer("word_embed_proj_dim", 1..=MAX_WIDTH)?.unwrap_or(hidden_size),
        windows: vec![None; layers],
        attention: AttentionShape { heads, kv_heads: heads, head_dim, scale: (head_dim as f32).powf(-0.5) },
        qkv_bias: bias,
        output_bias: bias,
        head_norm: false,
        mlp: Mlp {
            width: fields.integer("ffn_dim", 1..=MAX_WIDTH * 4)?.unwrap_or(3072),
            activation: activation(fields, "activation_function", Activation::Relu)?,
            gated: false,
            bias,
        },
        norm: NormKind::Layer,
        norm_epsilon: 1e-5,
        norm_affine: fields.boolean("layer_norm_elementwise_affine")?.unwrap_or(true),
        norm_place: if before { NormPlace::Before } else { NormPlace::After },
        final_norm: before && !fields.boolean("_remove_final_layer_norm")?.unwrap_or(false),
        position: Position::Learned { offset: 2 },
        tied_embeddings: fields.boolean("tie_word_embeddings")?.unwrap_or(true),
        max_positions: fields
            .integer("max_position_embeddings", 1..=MAX_POSITIONS)?
            .unwrap_or(family.traits.max_positions),
    })
}
