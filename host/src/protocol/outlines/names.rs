//! The names of all fields, and what to do about a name that no field has.

use crate::protocol::fields::nearest;

/// What is enforced.
pub(super) const SUPPORTED: &[&str] = &[
    "prompt",
    "schema",
    "regex",
    "grammar",
    "structured_outputs",
    "whitespace",
    "property_order",
    "formats",
    "digits",
    "strict_schema",
    "forced_text",
    "stream",
    "n",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "max_tokens",
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
    "logprobs",
    "skip_special_tokens",
];

/// Names by which other servers know a field.
const ELSEWHERE: &[(&str, &str)] = &[
    ("max_new_tokens", "use `max_tokens`"),
    ("max_length", "use `max_tokens`, which counts the output alone"),
    ("max_completion_tokens", "use `max_tokens`"),
    ("num_return_sequences", "use `n`"),
    ("do_sample", "use `temperature`, where 0 always takes the most likely token"),
    ("stop_sequences", "use `stop`"),
    ("inputs", "use `prompt`"),
    ("input", "use `prompt`"),
    ("text", "use `prompt`"),
    ("messages", "use POST /v1/chat/completions, or `prompt` with the text of the whole conversation"),
    ("model", "leave it out: a server has one model"),
    ("json_schema", "use `schema`"),
    ("guided_json", "use `schema`"),
    ("guided_regex", "use `regex`"),
    ("guided_grammar", "use `grammar`"),
    ("ebnf", "use `grammar`"),
    ("guided_choice", r#"use `"structured_outputs": {"choice": [...]}`"#),
    ("response_format", "use `schema`"),
    ("format", "use `schema`"),
    ("grammar", "use `schema` or `regex`"),
    ("choice", r#"use `"structured_outputs": {"choice": [...]}`"#),
    ("choices", r#"use `"structured_outputs": {"choice": [...]}`"#),
    ("num_predict", "use `max_tokens`"),
    ("n_predict", "use `max_tokens`"),
    ("max_output_tokens", "use `max_tokens`"),
    ("echo", "leave it out: an answer begins with its prompt"),
    ("add_special_tokens", "leave it out, or give `prompt` as a list of token ids"),
    ("system", "put it into `prompt`, or use POST /v1/chat/completions"),
    ("options", "give its entries as fields of the body"),
    ("parameters", "give its entries as fields of the body"),
    ("tools", "use POST /v1/chat/completions"),
];

/// Whether a field has this name, supported or not.
pub(super) fn is_known(name: &str) -> bool {
    SUPPORTED.contains(&name) || super::unsupported::names().any(|known| known == name)
}

/// What to do about a name that no field has.
pub(super) fn remedy(name: &str) -> String {
    if let Some((_, remedy)) = ELSEWHERE.iter().find(|(other, _)| *other == name) {
        return (*remedy).to_owned();
    }
    match nearest(name, SUPPORTED.iter().copied().chain(super::unsupported::names())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the fields are {}", SUPPORTED.join(", ")),
    }
}
