//! Fields of vLLM that are not there yet, and fields that it had: accepted where they ask for nothing.

use serde_json::Value;

use crate::protocol::fields::{Field, Refusal};
use crate::protocol::neutral::{self, Neutral, is_empty, is_false, is_no_detection, is_true, never, only};

const LEAVE_OUT: &str = "leave it out";

const FIELDS: &[Neutral] = &[
    never("prompt_logprobs", LEAVE_OUT),
    never("prompt_logprob_token_ids", LEAVE_OUT),
    never("prompt_logprob_start", LEAVE_OUT),
    never("logprob_token_ids", "leave it out, or use `logprobs`"),
    only("flat_logprobs", is_false, "leave it out or send false"),
    only("detokenize", is_true, "leave it out or send true: the answer is text"),
    only("spaces_between_special_tokens", is_true, "leave it out or send true"),
    only("output_kind", |value| value == 0 || value == "CUMULATIVE", "leave it out: a stream is cumulative"),
    only("stream_interval", |value| value == 1, "leave it out or send 1"),
    // These two say how vLLM should work inside; no answer depends on them.
    only("skip_clone", Value::is_boolean, "leave it out"),
    only("skip_reading_prefix_cache", Value::is_boolean, "leave it out"),
    only("extra_args", is_empty, LEAVE_OUT),
    only("thinking_token_budget", |value| value == -1, "leave it out or send -1"),
    only("repetition_detection", is_no_detection, LEAVE_OUT),
    only("routed_experts_prompt_start", |value| value == 0, LEAVE_OUT),
    never("trace_decode_token_ids", LEAVE_OUT),
    // Beam search, and fields of earlier versions.
    only("best_of", |value| value == 1, "leave it out, or use `n`"),
    only("use_beam_search", is_false, "leave it out or send false"),
    only("beam_width", |value| value == 1, LEAVE_OUT),
    only("length_penalty", |value| value.as_f64() == Some(1.0), LEAVE_OUT),
    only("early_stopping", is_false, LEAVE_OUT),
    only("logits_processors", is_empty, LEAVE_OUT),
    never("truncate_prompt_tokens", "leave it out and send a shorter prompt"),
    never("guided_decoding", "use `schema`, `regex` or `structured_outputs`"),
];

/// The names of these fields.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|field| field.name)
}

/// Looks whether a field is one of these: `None` if not.
pub(super) fn check(field: &Field<'_>) -> Option<Result<(), Refusal>> {
    neutral::check(FIELDS, field)
}
