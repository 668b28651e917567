//! The families of models: for each, how its `config.json` becomes a [`Decoder`].

use jig_plugin_api::Result;

use super::fields::Fields;
use super::rope;
use crate::description::{Decoder, Mlp, NormPlace, Position};
use crate::device::{Activation, AttentionShape, NormKind};
use crate::names::{LLAMA, Names, OPT};

/// Largest widths, counts and lengths that are believed. Far above any model, far below what overflows.
const MAX_WIDTH: usize = 1 << 18;
const MAX_LAYERS: usize = 1024;
const MAX_HEADS: usize = 4096;
const MAX_HEAD_DIM: usize = 1024;
const MAX_VOCABULARY: usize = 1 << 24;
const MAX_POSITIONS: usize = 1 << 26;

/// A family of models.
pub(super) struct Family {
    /// The class in `architectures`.
    pub(super) architecture: &'static str,
    /// The name in `model_type`.
    pub(super) model_type: &'static str,
    /// Reads the description.
    pub(super) describe: fn(&Family, &Fields<'_>) -> Result<Decoder>,
    /// The names of the tensors.
    pub(super) names: &'static Names,
    /// What sets it apart within its kind.
    traits: Traits,
}

/// What sets the families of the Llama kind apart.
#[derive(Clone, Copy)]
struct Traits {
    /// q, k and v always have biases.
    qkv_bias: bool,
    /// `attention_bias` gives biases to q, k, v and the output projection; `mlp_bias` to the MLP.
    bias_fields: BiasFields,
    /// Each head of q and k is normalised.
    head_norm: bool,
    /// How the sliding window is told.
    window: WindowRule,
    /// The head size if `head_dim` is absent; 0 for `hidden_size / num_attention_heads`.
    head_dim: usize,
    /// What `max_position_embeddings` is if absent.
    max_positions: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum BiasFields {
    None,
    Attention,
    AttentionAndMlp,
}

#[derive(Clone, Copy, PartialEq)]
enum WindowRule {
    /// None, whatever the file says.
    Never,
    /// `sliding_window`, in all layers.
    All,
    /// `sliding_window` where `layer_types` says so, or from layer `max_window_layers` on, if `use_sliding_window`.
    ByLayer,
}

const LLAMA_TRAITS: Traits = Traits {
    qkv_bias: false,
    bias_fields: BiasFields::AttentionAndMlp,
    head_norm: false,
    window: WindowRule::Never,
    head_dim: 0,
    max_positions: 2048,
};

pub(super) const FAMILIES: [Family; 5] = [
    Family {
        architecture: "LlamaForCausalLM",
        model_type: "llama",
        describe: llama_kind,
        names: &LLAMA,
        traits: LLAMA_TRAITS,
    },
    Family {
        architecture: "MistralForCausalLM",
        model_type: "mistral",
        describe: llama_kind,
        names: &LLAMA,
        traits: Traits {
            bias_fields: BiasFields::None,
            window: WindowRule::All,
            max_positions: 131_072,
            ..LLAMA_TRAITS
        },
    },
    Family {
        architecture: "OPTForCausalLM",
        model_type: "opt",
        describe: opt,
        names: &OPT,
        traits: Traits { max_positions: 2048, ..LLAMA_TRAITS },
    },
    Family {
        architecture: "Qwen2ForCausalLM",
        model_type: "qwen2",
        describe: llama_kind,
        names: &LLAMA,
        traits: Traits {
            qkv_bias: true,
            bias_fields: BiasFields::None,
            window: WindowRule::ByLayer,
            max_positions: 32_768,
            ..LLAMA_TRAITS
        },
    },
    Family {
        architecture: "Qwen3ForCausalLM",
        model_type: "qwen3",
        describe: llama_kind,
        names: &LLAMA,
        traits: Traits {
            bias_fields: BiasFields::Attention,
            head_norm: true,
            window: WindowRule::ByLayer,
            head_dim: 128,
            max_positions: 32_768,
            ..LLAMA_TRAITS
        },
    },
];

/// The family that `architectures` and `model_type` name.
pub(super) fn find(fields: &Fields<'_>) -> Result<&'static Family> {
    let architectures = fields.texts("architectures")?.unwrap_or_default();
    let model_type = fields.text("model_type")?;
    let supported = || super::architectures().collect::<Vec<_>>().join(", ");
    let by_class = FAMILIES.iter().find(|family| architectures.contains(&family.architecture));
    let by_type = FAMILIES.iter().find(|family| Some(family.model_type) == model_type);
    match (by_class, by_type) {
        (Some(a), Some(b)) if a.architecture != b.architecture => {
            let problem = format!("\"{}\" contradicts `architectures`, which has {}", b.model_type, a.architecture);
            Err(fields.invalid("model_type", problem))
        }
        (Some(family), _) => Ok(family),
        (None, _) if !architectures.is_empty() => {
            let problem = format!("{} is not supported; supported are {}", architectures.join(", "), supported());
            Err(fields.unsupported("architectures", problem))
        }
        (None, Some(family)) => Ok(family),
        (None, None) => {
            match model_type {
                Some(name) => Err(fields
                    .unsupported("model_type", format!("\"{name}\" is not supported; supported are {}", supported()))),
                None => Err(fields.invalid("architectures", format!("is missing; supported are {}", supported()))),
            }
        }
    }
}

/// Llama and what descends from it.
fn llama_kind(family: &Family, fields: &Fields<'_>) -> Result<Decoder> {
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

/// OPT (Zhang et al. 2022), with the variant of its 350M model: norms after, and a narrower embedding.
fn opt(family: &Family, fields: &Fields<'_>) -> Result<Decoder> {
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

fn vocabulary(fields: &Fields<'_>) -> Result<usize> {
    fields.required("vocab_size", fields.integer("vocab_size", 1..=MAX_VOCABULARY)?)
}

fn whole_heads(fields: &Fields<'_>, hidden_size: usize, heads: usize) -> Result<usize> {
    if !hidden_size.is_multiple_of(heads) {
        return Err(fields.invalid("hidden_size", format!("{hidden_size} is not a multiple of the {heads} heads")));
    }
    Ok(hidden_size / heads)
}

fn activation(fields: &Fields<'_>, name: &str, default: Activation) -> Result<Activation> {
    match fields.text(name)? {
        None => Ok(default),
        Some("relu") => Ok(Activation::Relu),
        Some("silu" | "swish") => Ok(Activation::Silu),
        Some("gelu") => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") => Ok(Activation::GeluTanh),
        Some(other) => Err(fields.unsupported(
            name,
            format!(
                "\"{other}\" is not supported; supported are relu, silu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh"
            ),
        )),
    }
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
