//! What changes single logits: bias, penalties, bans.

use super::logits::MaxFinite;
use crate::{Error, Result, SampleRow};

/// Stands in the edited logits for a banned token: a NaN that no arithmetic gives.
const BANNED: u32 = 0x7fc0_4a49;

/// Set in `seen` for a token of the prompt; the other bits count its occurrences in the output.
const IN_PROMPT: u32 = 1 << 31;

pub(super) fn is_banned(value: f32) -> bool {
    value.to_bits() == BANNED
}

/// The logits with bias and penalties applied and banned tokens marked: `logits` itself where there is
/// nothing to change, else a copy in `edited`.
///
/// `seen` is all zeros before and after.
pub(super) fn apply<'a>(
    logits: &'a [f32],
    row: &SampleRow<'_>,
    edited: &'a mut Vec<f32>,
    seen: &mut Vec<u32>,
) -> Result<&'a [f32]> {
    let params = row.params;
    if params.logit_bias.is_empty() && !params.has_penalties() && row.banned.is_empty() {
        return Ok(logits);
    }
    edited.clear();
    edited.extend_from_slice(logits);
    for &(token, bias) in &params.logit_bias {
        let value = edited.get_mut(token as usize).ok_or_else(|| out_of_range("logit_bias", token, logits.len()))?;
        *value = bounded(*value, |value| value + bias);
    }
    if params.has_penalties() {
        penalize(edited, row, seen)?;
    }
    for &token in row.banned {
        if let Some(value) = edited.get_mut(token as usize) {
            *value = f32::from_bits(BANNED);
        }
    }
    Ok(edited)
}

fn penalize(edited: &mut [f32], row: &SampleRow<'_>, seen: &mut Vec<u32>) -> Result<()> {
    let width = edited.len();
    for (field, tokens) in [("prompt", row.prompt), ("output", row.output)] {
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= width) {
            return Err(out_of_range(field, token, width));
        }
    }
    seen.resize(width, 0);
    for &token in row.prompt {
        seen[token as usize] = IN_PROMPT;
    }
    for &token in row.output {
        seen[token as usize] += 1;
    }
    for &token in row.prompt.iter().chain(row.output) {
        let seen = std::mem::take(&mut seen[token as usize]);
        if seen != 0 {
            let value = &mut edited[token as usize];
            *value = bounded(*value, |value| penalized(value, seen & !IN_PROMPT, row));
        }
    }
    Ok(())
}

fn penalized(value: f32, count: u32, row: &SampleRow<'_>) -> f32 {
    let repetition = row.params.repetition_penalty;
    let value = if value > 0.0 { value / repetition } else { value * repetition };
    let value = value - row.params.frequency_penalty * count as f32;
    if count > 0 { value - row.params.presence_penalty } else { value }
}

/// Changes a number and keeps it finite. What is not a number stays as it is, to be reported.
fn bounded(value: f32, change: impl FnOnce(f32) -> f32) -> f32 {
    if value <= f32::MAX { change(value.max_finite()).clamp(f32::MIN, f32::MAX) } else { value }
}

fn out_of_range(field: &str, token: u32, width: usize) -> Error {
    Error::invalid_argument(format!("{field} holds token {token}, and the logits end at {width}"))
}
