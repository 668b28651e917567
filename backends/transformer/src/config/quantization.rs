//! `quantization_config`: weights of 8 bits with a scale for each output or for the whole matrix, weights of 4 bits as AWQ and GPTQ
//! pack them, and nothing else.
//!
//! What checkpoints in 8 bits say of activations is about speed on hardware that multiplies 8 bits: here activations stay as they are,
//! which is closer to the model that was quantized. Which weights are quantized is told by the tensors.

use jig_plugin_api::{Error, Result};
use serde_json::Value;

use super::fields::Fields;
use crate::weights::packed::{Layout, Packing};

const FIELD: &str = "quantization_config";
const PREFIX: &str = "quantization_config.";
const REMEDY: &str = "is not supported; use the unquantized model, one in FP8, or one of AWQ or GPTQ in 4 bits";

/// The largest size of a group that is believed.
const MOST_GROUP: usize = 1 << 20;

/// Checks that the quantization is one that can be computed, and gives how weights of 4 bits are packed where there may be some.
///
/// # Errors
/// `Unsupported` or `InvalidFile` that name the field.
pub(super) fn read(fields: &Fields<'_>) -> Result<Option<Packing>> {
    let Some(config) = fields.object(FIELD, PREFIX)? else { return Ok(None) };
    match text(&config, "quant_method") {
        Some("fbgemm_fp8") => Ok(None),
        Some("fp8") if config.value("weight_block_size").is_none() => Ok(None),
        Some("fp8") => Err(refused(&config, "weight_block_size")),
        Some("compressed-tensors") => compressed(&config).map(|()| None),
        Some("awq") => awq(&config).map(Some),
        Some("gptq") => gptq(&config).map(Some),
        _ => Err(refused(&config, "quant_method")),
    }
}

fn text<'a>(config: &Fields<'a>, name: &str) -> Option<&'a str> {
    config.value(name).and_then(Value::as_str)
}

fn refused(config: &Fields<'_>, name: &str) -> Error {
    config.unsupported(name, REMEDY)
}

fn compressed(config: &Fields<'_>) -> Result<()> {
    if text(config, "format") != Some("float-quantized") {
        return Err(refused(config, "format"));
    }
    if config.value("kv_cache_scheme").is_some() {
        return Err(refused(config, "kv_cache_scheme"));
    }
    let sparsity = config.object("sparsity_config", "quantization_config.sparsity_config.")?;
    if let Some(sparsity) = sparsity.filter(|sparsity| text(sparsity, "format").is_some_and(|it| it != "dense")) {
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
    if groups.values().all(plain) { Ok(()) } else { Err(refused(config, "config_groups")) }
}

/// What AutoAWQ writes, under the names of either of its files.
fn awq(config: &Fields<'_>) -> Result<Packing> {
    four_bits(config, if config.value("w_bit").is_some() { "w_bit" } else { "bits" })?;
    // There are more, which pack in other ways; newer versions say it in the second field.
    only(config, "version", &["gemm"])?;
    only(config, "format", &["gemm"])?;
    only(config, "backend", &["autoawq", "auto"])?;
    if config.boolean("zero_point")? == Some(false) {
        return Err(refused(config, "zero_point"));
    }
    let size = if config.value("q_group_size").is_some() { "q_group_size" } else { "group_size" };
    Ok(Packing { layout: Layout::Awq, group_size: group_size(config, size)?, ordered: false })
}

/// What AutoGPTQ and GPTQModel write.
fn gptq(config: &Fields<'_>) -> Result<Packing> {
    four_bits(config, "bits")?;
    if config.boolean("is_marlin_format")? == Some(true) {
        return Err(refused(config, "is_marlin_format"));
    }
    // Some versions say it in one field, and some in the other.
    let mut exact_zeros = false;
    for name in ["checkpoint_format", "format"] {
        only(config, name, &["gptq", "gptq_v2"])?;
        exact_zeros |= text(config, name).is_some_and(|format| format.eq_ignore_ascii_case("gptq_v2"));
    }
    only(config, "pack_dtype", &["int32"])?;
    // Modules with bits or groups of their own.
    if config.value("dynamic").is_some_and(|modules| modules.as_object().is_none_or(|modules| !modules.is_empty())) {
        return Err(refused(config, "dynamic"));
    }
    let group_size = group_size(config, "group_size")?;
    let ordered = config.boolean("desc_act")?.unwrap_or(false) && group_size.is_some();
    Ok(Packing { layout: Layout::Gptq { exact_zeros }, group_size, ordered })
}

fn four_bits(config: &Fields<'_>, name: &str) -> Result<()> {
    let bits = config.required(name, config.integer(name, 1..=64)?)?;
    if bits == 4 { Ok(()) } else { Err(refused(config, name)) }
}

/// Refuses a field that says something else than one of these, in capitals or not.
fn only(config: &Fields<'_>, name: &str, known: &[&str]) -> Result<()> {
    let it =
        |value: &Value| value.as_str().is_some_and(|text| known.iter().any(|known| text.eq_ignore_ascii_case(known)));
    if config.value(name).is_none_or(it) { Ok(()) } else { Err(refused(config, name)) }
}

/// Inputs of a group; -1 stands for all of them.
fn group_size(config: &Fields<'_>, name: &str) -> Result<Option<usize>> {
    if config.value(name).is_some_and(|value| value.as_i64() == Some(-1)) {
        return Ok(None);
    }
    config.required(name, config.integer(name, 1..=MOST_GROUP)?).map(Some)
}
