//! Fields of vLLM that are not there yet, and fields that it had: accepted where they ask for nothing.

use serde_json::Value;

use crate::protocol::fields::{Field, Refusal};

/// A field that is accepted only where its value changes nothing.
struct Unsupported {
    name: &'static str,
    /// Whether a value other than `null` asks for nothing.
    is_neutral: fn(&Value) -> bool,
    /// What to do.
    remedy: &'static str,
}

const fn never(name: &'static str, remedy: &'static str) -> Unsupported {
    Unsupported { name, is_neutral: |_| false, remedy }
}

const LEAVE_OUT: &str = "leave it out";

const FIELDS: &[Unsupported] = &[
    never("prompt_logprobs", LEAVE_OUT),
    never("prompt_logprob_token_ids", LEAVE_OUT),
    never("prompt_logprob_start", LEAVE_OUT),
    never("logprob_token_ids", "leave it out, or use `logprobs`"),
    Unsupported { name: "flat_logprobs", is_neutral: is_false, remedy: "leave it out or send false" },
    Unsupported { name: "detokenize", is_neutral: is_true, remedy: "leave it out or send true: the answer is text" },
    Unsupported { name: "spaces_between_special_tokens", is_neutral: is_true, remedy: "leave it out or send true" },
    Unsupported {
        name: "output_kind",
        is_neutral: |value| value == 0 || value == "CUMULATIVE",
        remedy: "leave it out: a stream is cumulative",
    },
    Unsupported { name: "stream_interval", is_neutral: |value| value == 1, remedy: "leave it out or send 1" },
    // These two say how vLLM should work inside; no answer depends on them.
    Unsupported { name: "skip_clone", is_neutral: Value::is_boolean, remedy: "leave it out" },
    Unsupported { name: "skip_reading_prefix_cache", is_neutral: Value::is_boolean, remedy: "leave it out" },
    Unsupported { name: "extra_args", is_neutral: is_empty, remedy: LEAVE_OUT },
    Unsupported { name: "thinking_token_budget", is_neutral: |value| value == -1, remedy: "leave it out or send -1" },
    Unsupported { name: "repetition_detection", is_neutral: is_off, remedy: LEAVE_OUT },
    Unsupported { name: "routed_experts_prompt_start", is_neutral: |value| value == 0, remedy: LEAVE_OUT },
    never("trace_decode_token_ids", LEAVE_OUT),
    // Beam search, and fields of earlier versions.
    Unsupported { name: "best_of", is_neutral: |value| value == 1, remedy: "leave it out, or use `n`" },
    Unsupported { name: "use_beam_search", is_neutral: is_false, remedy: "leave it out or send false" },
    Unsupported { name: "beam_width", is_neutral: |value| value == 1, remedy: LEAVE_OUT },
    Unsupported { name: "length_penalty", is_neutral: |value| value.as_f64() == Some(1.0), remedy: LEAVE_OUT },
    Unsupported { name: "early_stopping", is_neutral: is_false, remedy: LEAVE_OUT },
    Unsupported { name: "logits_processors", is_neutral: is_empty, remedy: LEAVE_OUT },
    never("truncate_prompt_tokens", "leave it out and send a shorter prompt"),
    never("guided_decoding", "use `schema`, `regex` or `structured_outputs`"),
];

/// The names of these fields.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|field| field.name)
}

/// Looks whether a field is one of these: `None` if not.
pub(super) fn check(field: &Field<'_>) -> Option<Result<(), Refusal>> {
    let unsupported = FIELDS.iter().find(|unsupported| unsupported.name == field.name)?;
    Some(match field.json() {
        Ok(value) if value.is_null() || (unsupported.is_neutral)(&value) => Ok(()),
        Ok(_) => Err(Refusal::unsupported(unsupported.name, unsupported.remedy)),
        Err(error) => Err(error),
    })
}

fn is_false(value: &Value) -> bool {
    value == false
}

fn is_true(value: &Value) -> bool {
    value == true
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.is_empty()) || value.as_array().is_some_and(Vec::is_empty)
}

/// An object of zeros, which is how vLLM spells "off".
fn is_off(value: &Value) -> bool {
    const KEYS: [&str; 3] = ["max_pattern_size", "min_pattern_size", "min_count"];
    let off = |(key, value): (&String, &Value)| KEYS.contains(&key.as_str()) && value == 0;
    value.as_object().is_some_and(|object| object.iter().all(off))
}
