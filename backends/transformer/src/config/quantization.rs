//! `quantization_config`: 8-bit weights with a scale for each output, each block or the whole matrix, and 4-bit weights
//! as AWQ, GPTQ and compressed-tensors pack them. Anything else is refused.
//!
//! Quantization of input activations is ignored. It serves speed on hardware that multiplies narrow numbers; unquantized
//! activations are closer to the original model. The tensors, not the configuration, say which weights are quantized.

use jig_plugin_api::{Error, Result};
use serde_json::Value;

use super::fields::Fields;
use crate::weights::packed::{Layout, Packing};
use crate::weights::scales::LEAST_INPUTS;

/// The field, its name in older versions of compressed-tensors, and the prefix of its fields in errors.
const FIELDS: [(&str, &str); 2] =
    [("quantization_config", "quantization_config."), ("compression_config", "compression_config.")];
const REMEDY: &str =
    "is not supported; use the unquantized model, one in FP8, or one in 4 bits of AWQ, GPTQ or compressed-tensors";

/// The largest size of a group or a block that is accepted.
const MOST_GROUP: usize = 1 << 20;

/// How weights are quantized, where some are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantization {
    /// How weights of 4 bits are packed.
    pub packing: Option<Packing>,
    /// Outputs and inputs of a block of 8-bit weights, where each block has a scale.
    pub block: Option<[usize; 2]>,
}

impl From<Packing> for Quantization {
    fn from(packing: Packing) -> Self {
        Self { packing: Some(packing), block: None }
    }
}

/// Checks that the quantization is supported, and reads what the tensors alone don't say about it.
///
/// # Errors
/// `Unsupported` or `InvalidFile` that name the field.
pub(super) fn read(fields: &Fields<'_>) -> Result<Quantization> {
    let mut found = None;
    for (name, prefix) in FIELDS {
        let Some(config) = fields.object(name, prefix)? else { continue };
        let quantization = match text(&config, "quant_method") {
            Some("fbgemm_fp8") => Quantization::default(),
            Some("fp8") => Quantization { packing: None, block: block(&config, "weight_block_size")? },
            Some("compressed-tensors") => compressed(&config)?,
            Some("awq") => awq(&config)?.into(),
            Some("gptq") => gptq(&config)?.into(),
            _ => return Err(refused(&config, "quant_method")),
        };
        if found.is_some_and(|found| found != quantization) {
            return Err(fields.invalid(name, format_args!("does not say the same as `{}`", FIELDS[0].0)));
        }
        found = Some(quantization);
    }
    Ok(found.unwrap_or_default())
}

fn text<'a>(config: &Fields<'a>, name: &str) -> Option<&'a str> {
    config.value(name).and_then(Value::as_str)
}

fn refused(config: &Fields<'_>, name: &str) -> Error {
    config.unsupported(name, REMEDY)
}

/// What compressed-tensors writes: groups of modules, each with a format. There may be several groups, if all packed
/// ones have the same packing.
fn compressed(config: &Fields<'_>) -> Result<Quantization> {
    let format = text(config, "format");
    if !matches!(format, Some("float-quantized" | "pack-quantized" | "mixed-precision")) {
        return Err(refused(config, "format"));
    }
    if config.value("kv_cache_scheme").is_some() {
        return Err(refused(config, "kv_cache_scheme"));
    }
    if config.value("transform_config").is_some_and(|it| it.as_object().is_none_or(|it| !it.is_empty())) {
        return Err(refused(config, "transform_config"));
    }
    let dense = |sparsity: &Value| sparsity["format"].as_str().is_none_or(|format| format == "dense");
    if !config.value("sparsity_config").is_none_or(dense) {
        return Err(refused(config, "sparsity_config"));
    }
    let groups = config.value("config_groups").and_then(Value::as_object);
    let groups = groups.ok_or_else(|| config.invalid("config_groups", "expected an object"))?;
    let mut all = Quantization::default();
    for group in groups.values() {
        let format = group["format"].as_str().or(format).unwrap_or_default();
        let one = group_of_modules(format, group).ok_or_else(|| refused(config, "config_groups"))?;
        let differ = all.packing.is_some() && one.packing.is_some() && all.packing != one.packing
            || all.block.is_some() && one.block.is_some() && all.block != one.block;
        if differ {
            return Err(refused(config, "config_groups"));
        }
        all = Quantization { packing: all.packing.or(one.packing), block: all.block.or(one.block) };
    }
    Ok(all)
}

/// The format of one group of modules. `None` if it is not supported.
fn group_of_modules(format: &str, group: &Value) -> Option<Quantization> {
    let weights = &group["weights"];
    let (bits, kind) = (weights["num_bits"].as_u64()?, weights["type"].as_str()?);
    let symmetric = weights["symmetric"].as_bool().unwrap_or(true);
    let size = |value: &Value| usize::try_from(value.as_u64()?).ok().filter(|size| (1..=MOST_GROUP).contains(size));
    if !group["output_activations"].is_null() {
        return None;
    }
    match (format, bits, kind, weights["strategy"].as_str()?) {
        ("float-quantized", 8, "float", "channel" | "tensor") if symmetric => Some(Quantization::default()),
        ("float-quantized", 8, "float", "block") if symmetric => {
            let block = weights["block_structure"].as_array()?;
            let [outputs, inputs] = &block[..] else { return None };
            let block = Some([size(outputs)?, size(inputs)?]).filter(is_block)?;
            Some(Quantization { packing: None, block: Some(block) })
        }
        ("pack-quantized", 4, "int", strategy @ ("group" | "channel")) => {
            let group_size = if strategy == "group" { Some(size(&weights["group_size"])?) } else { None };
            let ordered = matches!(weights["actorder"].as_str(), Some("group" | "dynamic"));
            let layout = Layout::Compressed { symmetric };
            Some(Packing { layout, group_size, ordered: ordered && group_size.is_some() }.into())
        }
        _ => None,
    }
}

/// Outputs and inputs of a block that has a scale, if the field is there.
fn block(config: &Fields<'_>, name: &str) -> Result<Option<[usize; 2]>> {
    let Some(value) = config.value(name) else { return Ok(None) };
    let sizes: Option<Vec<usize>> = value
        .as_array()
        .and_then(|sizes| sizes.iter().map(|size| size.as_u64().and_then(|size| usize::try_from(size).ok())).collect());
    let block = sizes.as_deref().and_then(|sizes| <[usize; 2]>::try_from(sizes).ok()).filter(is_block);
    block.map(Some).ok_or_else(|| refused(config, name))
}

fn is_block(block: &[usize; 2]) -> bool {
    block.iter().all(|size| size.is_power_of_two() && *size <= MOST_GROUP) && block[1] >= LEAST_INPUTS
}

/// What AutoAWQ writes, under the field names of either of its two files.
fn awq(config: &Fields<'_>) -> Result<Packing> {
    four_bits(config, if config.value("w_bit").is_some() { "w_bit" } else { "bits" })?;
    // Other versions pack in other ways; newer releases use the second field.
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
    // Some releases use one field, some the other.
    let mut exact_zeros = false;
    for name in ["checkpoint_format", "format"] {
        only(config, name, &["gptq", "gptq_v2"])?;
        exact_zeros |= text(config, name).is_some_and(|format| format.eq_ignore_ascii_case("gptq_v2"));
    }
    only(config, "pack_dtype", &["int32"])?;
    // Overrides of bits or group sizes for single modules.
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

/// Refuses a field whose text is none of these, ignoring case.
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
