//! The rotary embedding of a `config.json`: `rope_parameters` (newer files), or `rope_theta` and `rope_scaling`.

use std::ops::RangeInclusive;

use jig_plugin_api::Result;

use super::fields::Fields;
use crate::rope::{Rope, RopeScaling};

const DEFAULT_BASE: f64 = 10_000.0;
const BASES: RangeInclusive<f64> = 1.001..=1e15;
const FACTORS: RangeInclusive<f64> = 1e-6..=1e6;
const POSITIONS: RangeInclusive<usize> = 1..=1 << 26;
const SUPPORTED: &str = "default, linear, dynamic, llama3, yarn";

/// The rotary embedding, and the longest sequence that it supports.
pub(super) fn read(fields: &Fields<'_>, head_dim: usize, positions: usize) -> Result<(Rope, usize)> {
    let scaling = match fields.object("rope_scaling", "rope_scaling.")? {
        Some(scaling) => Some(scaling),
        None => fields.object("rope_parameters", "rope_parameters.")?,
    };
    refuse_partial(fields)?;
    let mut base = fields.number("rope_theta", BASES)?;
    let Some(scaling) = scaling else {
        let rope = Rope { head_dim, base: base.unwrap_or(DEFAULT_BASE), scaling: RopeScaling::None };
        return Ok((rope, positions));
    };
    refuse_partial(&scaling)?;
    for nested in ["full_attention", "sliding_attention"] {
        if scaling.value(nested).is_some() {
            return Err(
                scaling.unsupported(nested, "a rotary embedding of its own for a kind of layer is not supported")
            );
        }
    }
    base = scaling.number("rope_theta", BASES)?.or(base);
    let base = base.unwrap_or(DEFAULT_BASE);
    let (scaling, reach) = read_scaling(fields, &scaling, head_dim, positions)?;
    Ok((Rope { head_dim, base, scaling }, reach))
}

/// The scaling of frequencies, and the longest sequence that it supports if the model was trained on `positions`.
fn read_scaling(
    fields: &Fields<'_>,
    scaling: &Fields<'_>,
    head_dim: usize,
    positions: usize,
) -> Result<(RopeScaling, usize)> {
    let name = match scaling.text("rope_type")? {
        Some(name) => Some(name),
        None => scaling.text("type")?,
    };
    let factor = || scaling.required("factor", scaling.number("factor", FACTORS)?);
    let original = || -> Result<usize> {
        let outside = fields.integer("original_max_position_embeddings", POSITIONS)?;
        let inside = scaling.integer("original_max_position_embeddings", POSITIONS)?;
        Ok(outside.or(inside).unwrap_or(positions))
    };
    Ok(match name.unwrap_or("default") {
        "default" => (RopeScaling::None, positions),
        "linear" => (RopeScaling::Linear { factor: factor()? }, positions),
        "dynamic" => {
            let factor = factor()?;
            if head_dim <= 2 || factor < 1.0 {
                return Err(
                    scaling.invalid("factor", "dynamic scaling needs a factor of at least 1 and heads wider than 2")
                );
            }
            (RopeScaling::Dynamic { factor, original: positions }, stretched(positions, factor))
        }
        "llama3" => {
            let low_frequency = scaling.required("low_freq_factor", scaling.number("low_freq_factor", FACTORS)?)?;
            let high_frequency = scaling.required("high_freq_factor", scaling.number("high_freq_factor", FACTORS)?)?;
            if high_frequency <= low_frequency {
                return Err(scaling.invalid("high_freq_factor", "must be greater than low_freq_factor"));
            }
            (RopeScaling::Llama3 { factor: factor()?, low_frequency, high_frequency, original: original()? }, positions)
        }
        "yarn" => {
            let (factor, original) = (factor()?, original()?);
            let scaling = RopeScaling::Yarn {
                factor,
                original,
                beta_fast: positive(scaling, "beta_fast")?.unwrap_or(32.0),
                beta_slow: positive(scaling, "beta_slow")?.unwrap_or(1.0),
                attention_factor: yarn_attention_factor(scaling, factor)?,
                truncate: scaling.boolean("truncate")?.unwrap_or(true),
            };
            (scaling, positions.max(stretched(original, factor)))
        }
        other => {
            let field = if scaling.value("rope_type").is_some() { "rope_type" } else { "type" };
            return Err(scaling.unsupported(field, format!("\"{other}\" is not supported; supported are {SUPPORTED}")));
        }
    })
}

fn stretched(positions: usize, factor: f64) -> usize {
    ((positions as f64 * factor) as usize).clamp(1, *POSITIONS.end())
}

/// A factor of 0 counts as absent, as in the reference.
fn positive(fields: &Fields<'_>, name: &str) -> Result<Option<f64>> {
    Ok(fields.number(name, 0.0..=1e6)?.filter(|value| *value > 0.0))
}

/// What YaRN multiplies cosines and sines by: given, or from the factor (equation 22 of the paper).
fn yarn_attention_factor(fields: &Fields<'_>, factor: f64) -> Result<f64> {
    let magnitude = |weight: f64| if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 };
    if let Some(given) = fields.number("attention_factor", FACTORS)? {
        return Ok(given);
    }
    Ok(match (positive(fields, "mscale")?, positive(fields, "mscale_all_dim")?) {
        (Some(one), Some(all)) => magnitude(one) / magnitude(all),
        _ => magnitude(1.0),
    })
}

fn refuse_partial(fields: &Fields<'_>) -> Result<()> {
    match fields.number("partial_rotary_factor", 0.0..=1.0)? {
        Some(part) if part < 1.0 => {
            Err(fields
                .unsupported("partial_rotary_factor", format!("{part}: rotating a part of a head is not supported")))
        }
        _ => Ok(()),
    }
}
