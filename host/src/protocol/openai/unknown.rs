//! Fields that no table knows. A field that would constrain the output is never ignored; any other one is, and named.

use crate::protocol::fields::{Field, Refusal};

/// Names by which some client or server constrains the output, with what to use.
const CONSTRAINTS: &[(&str, &str)] = &[
    ("structured_output", "use `structured_outputs` or `response_format`"),
    ("response_schema", "use `response_format`"),
    ("format", r#"use `response_format`, such as {"type": "json_schema", ...}"#),
    ("json_object", r#"use `response_format` with {"type": "json_object"}"#),
    ("output_schema", "use `response_format`"),
    ("output_format", "use `response_format`"),
    ("output_config", "use `response_format`"),
    ("json", r#"use `structured_outputs` with {"json": {...}}"#),
    ("choice", r#"use `structured_outputs` with {"choice": [...]}"#),
    ("structural_tag", r#"use `response_format` with {"type": "structural_tag", ...}"#),
    ("extra_body", "send its members as fields of the body, as the OpenAI client does by its argument of this name"),
    ("functions", "use `tools`"),
    ("function_call", "use `tool_choice`"),
    ("max_new_tokens", "use `max_tokens`"),
    ("min_new_tokens", "use `min_tokens`"),
    ("max_output_tokens", "use `max_tokens`"),
    ("stop_sequences", "use `stop`"),
    ("stop_strings", "use `stop`"),
    ("stop_regex", "use `stop`, or `structured_outputs` with a regex"),
];

/// Names whose misspellings are no small matter: what the output is, which tools it may call, where it ends.
const GUARDED: &[&str] = &[
    "response_format",
    "structured_outputs",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "guided_json_object",
    "guided_whitespace_pattern",
    "json_schema",
    "regex",
    "grammar",
    "ebnf",
    "schema",
    "whitespace",
    "property_order",
    "formats",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tokens",
    "max_completion_tokens",
    "min_tokens",
    "stop",
    "stop_token_ids",
    "bad_words",
    "allowed_token_ids",
    "logit_bias",
    "messages",
    "prompt",
    "temperature",
    "stream",
];

/// The fields that were ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ignored(Vec<String>);

impl Ignored {
    /// What becomes of a field that no table knows; `known` are the names of those that do.
    ///
    /// # Errors
    /// One that constrains the output, one that is nearly the name of a field that matters, and with `strict` any.
    pub(super) fn take(
        &mut self,
        field: &Field<'_>,
        strict: bool,
        known: impl Iterator<Item = &'static str>,
    ) -> Result<(), Refusal> {
        /// As many as a header may hold.
        const MOST: usize = 32;
        let name = field.name.as_str();
        if field.is_null() {
            return Ok(());
        }
        if let Some((_, remedy)) = CONSTRAINTS.iter().find(|(other, _)| *other == name) {
            return Err(Refusal::unknown(name, remedy));
        }
        if name.starts_with("guided_") || name.starts_with("structured_") {
            return Err(Refusal::unknown(name, "use `response_format` or `structured_outputs`"));
        }
        if let Some(near) = GUARDED.iter().find(|guarded| is_slip(name, guarded)) {
            return Err(Refusal::unknown(name, &format!("did you mean `{near}`?")));
        }
        if strict {
            let remedy = match crate::protocol::fields::nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "leave it out: this server runs with --strict-fields".to_owned(),
            };
            return Err(Refusal::unknown(name, &remedy));
        }
        tracing::debug!("the field `{name}` is unknown and ignored");
        if self.0.len() < MOST {
            self.0.push(name.to_owned());
        }
        Ok(())
    }

    /// Their names.
    pub(super) fn names(&self) -> &[String] {
        &self.0
    }

    /// Their names, as a header lists them: characters that a header can't have are `?`.
    pub(super) fn header(&self) -> Option<String> {
        const LONGEST: usize = 64;
        let plain = |name: &String| {
            let letters = name.chars().take(LONGEST);
            letters.map(|c| if c.is_ascii_graphic() && c != ',' { c } else { '?' }).collect::<String>()
        };
        (!self.0.is_empty()).then(|| self.0.iter().map(plain).collect::<Vec<_>>().join(", "))
    }
}

/// Whether one or two slips of the hand lead from a name to the other. Short names have too many neighbours for two.
fn is_slip(name: &str, known: &str) -> bool {
    const LONGEST: usize = 40;
    let most = match known.len() {
        0..=4 => return false,
        5..=7 => 1,
        _ => 2,
    };
    name.len() <= LONGEST && strsim::damerau_levenshtein(&name.to_ascii_lowercase().replace('-', "_"), known) <= most
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    fn take(name: &str, strict: bool) -> Result<Option<String>, String> {
        let value = RawValue::from_string("1".to_owned()).unwrap();
        let mut ignored = Ignored::default();
        let field = Field { name: name.to_owned(), value: &value };
        ignored.take(&field, strict, ["top_p", "seed"].into_iter()).map_err(|error| error.message)?;
        Ok(ignored.header())
    }

    #[test]
    fn a_name_that_constrains_or_nearly_is_one_that_matters_is_refused() {
        for (name, says) in [
            ("respose_format", "response_format"),
            ("response-format", "response_format"),
            ("tool_choise", "tool_choice"),
            ("max_token", "max_tokens"),
            ("maxtokens", "max_tokens"),
            ("temprature", "temperature"),
            ("guided_decoding", "response_format"),
            ("structured_output", "structured_outputs"),
            ("functions", "tools"),
            ("stop_sequences", "stop"),
        ] {
            let error = take(name, false).unwrap_err();
            assert!(error.contains(says), "{name}: {error}");
        }
    }

    #[test]
    fn another_name_is_ignored_and_named_or_refused_where_fields_are_strict() {
        for name in ["frobnicate", "steps", "top", "stops_at", "x-y", "typical_p"] {
            assert_eq!(take(name, false).as_ref().map(Option::as_deref), Ok(Some(name)));
            assert!(take(name, true).is_err());
        }
        assert_eq!(take("a,\n\u{e9}", false), Ok(Some("a???".to_owned())));
        assert!(take("seeds", true).unwrap_err().contains("`seed`"));
    }
}
