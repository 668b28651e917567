//! Llama and the families that descend from it: rotary positions, RMS norms, gated MLPs.

use jig_plugin_api::Result;

use super::family::{BiasFields, Family, WindowRule};
use super::limits::{
    MAX_HEAD_DIM, MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_WIDTH, activation, vocabulary, whole_heads,
};
use crate::config::fields::Fields;
use crate::config::rope;
use crate::description::{Decoder, Mlp, NormPlace, Position};
use crate::functions::{Activation, NormKind};
use crate::shapes::AttentionShape;

/// Reads the description of a decoder of the Llama kind.
pub(super) fn describe(family: &Family, fields: &Fields<'_>) -> Result<Decoder> {
    let traits = &family.traits;
    let hidden_size = fields.required("hidden_size", fields.integer("hidden_size", 1..=MAX_WIDTH)?)?;
    let heads = fields.required("num_attention_heads", fields.integer("num_attention_heads", 1..=MAX_HEADS)?)?;
    let kv_heads = fields.integer("num_key_value_heads", 1..=MAX_HEADS)?.unwrap_or(heads);
    if !heads.is_multiple_of(kv_heads) {
        return Err(fields.invalid("num_key_value_heads", format!("{kv_heads} does not divide the {heads} heads")));
    }
    let head_dim = match fields.integer("head_dim", 2..=MAX_HEAD_DIM)? {
        Some(size) => size,
        None if traits.head_dim > 0 => traits.head_dim,
        None => whole_heads(fields, hidden_size, heads)?,
    };
    if !head_dim.is_multiple_of(2) {
        return Err(fields.invalid("head_dim", format!("{head_dim} is odd; a rotary embedding needs pairs")));
    }
    let attention_bias = traits.bias_fields != BiasFields::None && fields.boolean("attention_bias")?.unwrap_or(false);
    let mlp_bias = traits.bias_fields == BiasFields::AttentionAndMlp && fields.boolean("mlp_bias")?.unwrap_or(false);
    let layers = fields.required("num_hidden_layers", fields.integer("num_hidden_layers", 1..=MAX_LAYERS)?)?;
    let positions = fields.integer("max_position_embeddings", 1..=MAX_POSITIONS)?.unwrap_or(traits.max_positions);
    let (rope, max_positions) = rope::read(fields, head_dim, positions)?;
    Ok(Decoder {
        architecture: family.architecture.to_owned(),
        vocab_size: vocabulary(fields)?,
        hidden_size,
        embedding_size: hidden_size,
        windows: windows(traits.window, fields, layers)?,
        attention: AttentionShape { heads, kv_heads, head_dim, scale: (head_dim as f32).powf(-0.5) },
        qkv_bias: traits.qkv_bias || attention_bias,
        output_bias: attention_bias,
        head_norm: traits.head_norm,
        mlp: Mlp {
            width: fields.required("intermediate_size", fields.integer("intermediate_size", 1..=MAX_WIDTH * 4)?)?,
            activation: activation(fields, "hidden_act", Activation::Silu)?,
            gated: true,
            bias: mlp_bias,
        },
        norm: NormKind::Rms,
        norm_epsilon: fields.number("rms_norm_eps", 0.0..=1.0)?.unwrap_or(1e-6) as f32,
        norm_affine: true,
        norm_place: NormPlace::Before,
        final_norm: true,
        position: Position::Rotary(rope),
        tied_embeddings: fields.boolean("tie_word_embeddings")?.unwrap_or(false),
        max_positions,
    })
}

/// The sliding window of each layer.
fn windows(rule: WindowRule, fields: &Fields<'_>, layers: usize) -> Result<Vec<Option<u32>>> {
    let window = fields.integer("sliding_window", 1..=MAX_POSITIONS)?.map(|size| size as u32);
    let types = fields.texts("layer_types")?;
    if let Some(types) = &types
        && types.len() != layers
    {
        let problem = format!("has {} entries for {layers} layers", types.len());
        return Err(fields.invalid("layer_types", problem));
    }
    let kind = |layer: usize| types.as_ref().and_then(|types| types.get(layer).copied());
    let enabled = rule == WindowRule::ByLayer && fields.boolean("use_sliding_window")?.unwrap_or(false);
    let first = fields.integer("max_window_layers", 0..=MAX_LAYERS)?.unwrap_or(28);
    let of_layer = |layer: usize| {
        let implied = match rule {
            WindowRule::Never => None,
            WindowRule::All => window,
            WindowRule::ByLayer if kind(layer).is_none() => window.filter(|_| enabled && layer >= first),
            WindowRule::ByLayer => window.filter(|_| enabled && kind(layer) == Some("sliding_attention")),
        };
        let agrees = match kind(layer) {
            None => true,
            Some("full_attention") => implied.is_none(),
            Some("sliding_attention") => implied.is_some(),
            Some(_) => false,
        };
        if agrees {
            return Ok(implied);
        }
        let problem = format!("layer {layer} is \"{}\", which is not supported here", kind(layer).unwrap_or_default());
        Err(fields.unsupported("layer_types", problem))
    };
    (0..layers).map(of_layer).collect()
}
