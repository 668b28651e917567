//! The ranges of the sampling parameters.

use crate::{Error, Result, SamplingParams};

/// Checks that the parameters can be sampled with, token ids aside. The ranges are those of the arithmetic; a
/// host may allow its users less.
///
/// # Errors
/// `InvalidArgument`, naming the parameter, its range and its value.
pub fn validate(params: &SamplingParams) -> Result<()> {
    let check = |name: &str, value: f32, holds: bool, range: &str| {
        if holds { Ok(()) } else { Err(Error::invalid_argument(format!("{name} must be {range}, and is {value}"))) }
    };
    let SamplingParams { temperature, top_p, min_p, repetition_penalty, .. } = *params;
    check("temperature", temperature, temperature.is_finite() && temperature >= 0.0, "finite and at least 0")?;
    check("top_p", top_p, top_p > 0.0 && top_p <= 1.0, "in (0, 1]")?;
    check("min_p", min_p, (0.0..=1.0).contains(&min_p), "in [0, 1]")?;
    let positive = repetition_penalty.is_finite() && repetition_penalty > 0.0;
    check("repetition_penalty", repetition_penalty, positive, "finite and greater than 0")?;
    for (name, value) in
        [("presence_penalty", params.presence_penalty), ("frequency_penalty", params.frequency_penalty)]
    {
        check(name, value, value.is_finite(), "finite")?;
    }
    for &(token, bias) in &params.logit_bias {
        check(&format!("logit_bias of token {token}"), bias, bias.is_finite(), "finite")?;
    }
    Ok(())
}
