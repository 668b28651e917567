//! The names of all fields, and the nearest one to a name that is none.

/// What is enforced.
pub(super) const SUPPORTED: &[&str] = &[
    "prompt",
    "schema",
    "regex",
    "structured_outputs",
    "whitespace",
    "property_order",
    "formats",
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
    ("messages", "use `prompt`, with the text of the whole conversation as the model's chat template writes it"),
    ("model", "leave it out: a server has one model"),
    ("json_schema", "use `schema`"),
    ("guided_json", "use `schema`"),
    ("guided_regex", "use `regex`"),
    ("guided_choice", r#"use `"structured_outputs": {"choice": [...]}`"#),
    ("response_format", "use `schema`"),
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

/// The name that is a few slips of the hand away.
pub(super) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    /// Longer ones are no slip of the hand, and not worth the time.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let plain = name.to_ascii_lowercase().replace('-', "_");
    let distances = names.map(|known| (strsim::damerau_levenshtein(&plain, known), known));
    let (distance, near) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (near.len() / 3).clamp(1, 4)).then_some(near)
}
