//! The families of models: for each, how its `config.json` becomes a [`Decoder`](crate::Decoder).
//!
//! A family is a row of the table below, and a file here where no other family is read in the same way.

mod family;
mod limits;
mod llama;
mod opt;

use jig_plugin_api::Result;

use self::family::{BiasFields, Family, Traits, WindowRule};
use super::fields::Fields;
use crate::names::{LLAMA, OPT};

const LLAMA_TRAITS: Traits = Traits {
    qkv_bias: false,
    bias_fields: BiasFields::AttentionAndMlp,
    head_norm: false,
    window: WindowRule::Never,
    head_dim: 0,
    max_positions: 2048,
};

const FAMILIES: [Family; 5] = [
    Family {
        architecture: "LlamaForCausalLM",
        model_type: "llama",
        describe: llama::describe,
        names: &LLAMA,
        traits: LLAMA_TRAITS,
    },
    Family {
        architecture: "MistralForCausalLM",
        model_type: "mistral",
        describe: llama::describe,
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
        describe: opt::describe,
        names: &OPT,
        traits: Traits { max_positions: 2048, ..LLAMA_TRAITS },
    },
    Family {
        architecture: "Qwen2ForCausalLM",
        model_type: "qwen2",
        describe: llama::describe,
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
        describe: llama::describe,
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

/// The architectures that can be loaded, as `config.json` names them.
pub fn architectures() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|family| family.architecture)
}

/// The family that `architectures` and `model_type` name.
pub(super) fn find(fields: &Fields<'_>) -> Result<&'static Family> {
    let architectures = fields.texts("architectures")?.unwrap_or_default();
    let model_type = fields.text("model_type")?;
    let supported = || self::architectures().collect::<Vec<_>>().join(", ");
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
