//! `quantization_config`: weights of 8 bits with a scale for each output or for the whole matrix, and nothing else.
//!
//! What those checkpoints say of activations is about speed on hardware that multiplies 8 bits: here activations stay as they are,
//! which is closer to the model that was quantized. Which weights have 8 bits is told by the tensors.

use jig_plugin_api::Result;
use serde_json::Value;

use super::fields::Fields;

const FIELD: &str = "quantization_config";

/// Checks that the quantization is one that can be computed.
///
/// # Errors
/// `Unsupported` or `InvalidFile` that name the field.
pub(super) fn check(fields: &Fields<'_>) -> Result<()> {
    let Some(config) = fields.object(FIELD, "quantization_config.")? else { return Ok(()) };
    let text = |fields: &Fields<'_>, name| fields.value(name).and_then(Value::as_str).map(str::to_owned);
    let refused = |name: &str| config.unsupported(name, "is not supported; use the unquantized model or one in FP8");
    match text(&config, "quant_method").as_deref() {
        Some("fbgemm_fp8") => Ok(()),
        Some("fp8") if config.value("weight_block_size").is_none() => Ok(()),
        Some("fp8") => Err(refused("weight_block_size")),
        Some("compressed-tensors") => {
            if text(&config, "format").as_deref() != Some("float-quantized") {
                return Err(refused("format"));
            }
            if config.value("kv_cache_scheme").is_some() {
                return Err(refused("kv_cache_scheme"));
            }
            let sparsity = config.object("sparsity_config", "quantization_config.sparsity_config.")?;
            if let Some(sparsity) = sparsity.filter(|sparsity| text(sparsity, "format").is_some_and(|it| it != "dense"))
            {
                return Err(sparsity.unsupported("format", "is not supported; use a model that is not sparse"));
            }
            let groups = config.value("config_groups").and_then(Value::as_object);
            let groups = groups.ok_or_else(|| config.invalid("config_groups", "expected an object"))?;
            let plain = |group: &Value| {
                let weights = &group["weights"];
                let strategy = weights["strategy"].as_str();
                weights["num_bits"] == 8
                    && weights["type"] == "float"
                    && matches!(strategy, Some("channel" | "tensor"))
                    && weights["symmetric"].as_bool().unwrap_or(true)
                    && group["output_activations"].is_null()
            };
            if groups.values().all(plain) { Ok(()) } else { Err(refused("config_groups")) }
        }
        _ => Err(refused("quant_method")),
    }
}
