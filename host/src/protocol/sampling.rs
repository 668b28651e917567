//! vLLM's sampling parameters, which the bodies of all protocols have by the same names and with the same limits.

use super::fields::{Field, Refusal};
use crate::request::GenerationParams;
use crate::request::limits::{MAX_STOP_BYTES, MIN_TEMPERATURE};

/// The names of the fields that [`Sampling::take`] reads.
pub(in crate::protocol) const NAMES: &[&str] = &[
    "forced_text",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "min_tokens",
    "stop",
    "stop_token_ids",
    "include_stop_str_in_output",
    "ignore_eos",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "logit_bias",
    "allowed_token_ids",
    "bad_words",
    "skip_special_tokens",
];

/// The parameters that were read so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::protocol) struct Sampling {
    vocab_size: u32,
    pub(in crate::protocol) params: GenerationParams,
    pub(in crate::protocol) bad_words: Vec<String>,
}

impl Sampling {
    /// None yet. `vocab_size` is one past the largest token id.
    pub(in crate::protocol) fn new(vocab_size: u32) -> Self {
        Self { vocab_size, ..Self::default() }
    }

    /// Reads a field that is not null. Returns whether it is one of [`NAMES`].
    pub(in crate::protocol) fn take(&mut self, field: &Field<'_>) -> Result<bool, Refusal> {
        let params = &mut self.params;
        let sampling = &mut params.sampling;
        match field.name.as_str() {
            "temperature" => sampling.temperature = temperature(field)?,
            "top_p" => {
                sampling.top_p = field.number("a number above 0 and at most 1", |p| p > 0.0 && p <= 1.0)?;
            }
            "top_k" => {
                let what = "a positive integer, or 0 or -1 for all tokens";
                sampling.top_k = field.integer(-1..=i128::from(u32::MAX), what)?.max(0) as u32;
            }
            "min_p" => sampling.min_p = field.number("a number from 0 to 1", |p| (0.0..=1.0).contains(&p))?,
            "seed" => params.seed = seed(field)?,
            "min_tokens" => {
                params.min_tokens = field.integer(0..=i128::from(u32::MAX), "an integer of at least 0")? as u32;
            }
            "stop" => params.stop = stop_strings(field)?,
            "stop_token_ids" => {
                params.stop_token_ids = field.token_ids(self.vocab_size, "a list of token ids")?;
                params.stop_token_ids.sort_unstable();
                params.stop_token_ids.dedup();
            }
            "include_stop_str_in_output" => params.include_stop_str_in_output = field.boolean()?,
            "ignore_eos" => params.ignore_eos = field.boolean()?,
            "presence_penalty" => sampling.presence_penalty = penalty(field)?,
            "frequency_penalty" => sampling.frequency_penalty = penalty(field)?,
            "repetition_penalty" => sampling.repetition_penalty = field.number("a number above 0", |p| p > 0.0)?,
            "logit_bias" => sampling.logit_bias = logit_bias(field, self.vocab_size)?,
            "allowed_token_ids" => {
                let what = "a list of at least one token id";
                let mut allowed = field.token_ids(self.vocab_size, what)?;
                if allowed.is_empty() {
                    return Err(field.must_be(what));
                }
                allowed.sort_unstable();
                allowed.dedup();
                params.allowed_token_ids = Some(allowed);
            }
            "bad_words" => self.bad_words = field.strings(false)?,
            "forced_text" => params.forced_text = field.boolean()?,
            "skip_special_tokens" => params.skip_special_tokens = field.boolean()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What chooses among tokens has no meaning where the most likely one is taken.
    pub(in crate::protocol) fn settle(&mut self) {
        let sampling = &mut self.params.sampling;
        if sampling.temperature == 0.0 {
            (sampling.top_p, sampling.top_k, sampling.min_p) = (1.0, 0, 0.0);
        }
    }
}

fn temperature(field: &Field<'_>) -> Result<f32, Refusal> {
    let temperature = field.number("a number from 0 to 2", |t| (0.0..=2.0).contains(&t))?;
    if temperature > 0.0 && temperature < MIN_TEMPERATURE {
        tracing::debug!("temperature {temperature} is raised to {MIN_TEMPERATURE}, the lowest above 0");
        return Ok(MIN_TEMPERATURE);
    }
    // Minus zero is zero.
    Ok(temperature.abs())
}

fn stop_strings(field: &Field<'_>) -> Result<Vec<String>, Refusal> {
    let strings = field.strings(true)?;
    let bytes: usize = strings.iter().map(String::len).sum();
    if bytes > MAX_STOP_BYTES {
        let rest = format_args!("has {bytes} bytes in all its strings, and at most {MAX_STOP_BYTES} are allowed");
        return Err(Refusal::value(&field.name, rest));
    }
    Ok(strings)
}

fn penalty(field: &Field<'_>) -> Result<f32, Refusal> {
    field.number("a number from -2 to 2", |penalty| (-2.0..=2.0).contains(&penalty))
}

/// Any 64 bits, signed or not; -1 is no seed.
fn seed(field: &Field<'_>) -> Result<Option<u64>, Refusal> {
    let seed = field.integer(i128::from(i64::MIN)..=i128::from(u64::MAX), "an integer of 64 bits")?;
    Ok((seed != -1).then_some(seed as u64))
}

/// An object of token ids and what to add to their logits, which is cut to -100..=100 as vLLM does.
fn logit_bias(field: &Field<'_>, vocab_size: u32) -> Result<Vec<(u32, f32)>, Refusal> {
    const MOST: f32 = 100.0;
    let what = r#"an object of token ids and numbers, such as {"42": -100}"#;
    let read = |mut entry: Field<'_>| {
        let token = entry.name.parse::<u32>().ok().filter(|token| *token < vocab_size);
        let token = token.ok_or_else(|| {
            let rest = format_args!(
                "has the key `{}`, which is no token id of the model's vocabulary of {vocab_size} tokens",
                entry.name
            );
            Refusal::value(&field.name, rest)
        })?;
        entry.name = format!("logit_bias[{token}]");
        let bias = entry.number("a number", |_| true).map_err(|error| error.within(&field.name))?;
        Ok((token, bias.clamp(-MOST, MOST)))
    };
    let mut biases = field.object(what)?.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    biases.sort_unstable_by_key(|(token, _)| *token);
    // `1` and `01` are the same token, though not the same key.
    match biases.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(Refusal::value(&field.name, format_args!("has token {} twice", pair[0].0))),
        None => Ok(biases),
    }
}
