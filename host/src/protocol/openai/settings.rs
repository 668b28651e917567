//! What an operator says of this API, by flags and by the model's own files.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// What an operator says of this API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The names by which requests may call the model; the first one stands in answers. At least one.
    pub names: Vec<String>,
    /// Where the model is from: a path, or its name on the hub.
    pub root: String,
    /// Whether a field that no table knows is refused, where else it is named in a header of the answer.
    pub strict_fields: bool,
    /// The most log-probabilities with each token.
    pub max_logprobs: u32,
    /// How to sample where a request does not say.
    pub defaults: Defaults,
    /// Whether every stream ends with its usage.
    pub always_usage: bool,
    /// Whether log-probabilities name tokens by id (`token_id:42`).
    pub tokens_as_ids: bool,
    /// Whether a request may bring a chat template of its own.
    pub trust_request_chat_template: bool,
    /// How long a stream may be silent. Before that, a comment goes out; `None` for any time.
    pub keep_alive: Option<Duration>,
    /// The way of writing tool calls by its name, `auto` or `none`.
    pub tool_call_parser: String,
    /// The way of marking reasoning by its name, `auto` or `none`.
    pub reasoning_parser: String,
    /// Whether the template is not told of tools that may not be called.
    pub excludes_unused_tools: bool,
    /// Under which names reasoning stands in answers.
    pub reasoning_field: ReasoningField,
    /// The role of messages in answers.
    pub response_role: String,
    created: u64,
    fingerprint: String,
}

/// Under which names reasoning stands in answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReasoningField {
    /// `reasoning_content` and `reasoning`: there are clients of either.
    #[default]
    Both,
    /// `reasoning_content`.
    ReasoningContent,
    /// `reasoning`.
    Reasoning,
    /// Nowhere: it stays in the content, with its tags.
    None,
}

/// How to sample where a request does not say, as the model's `generation_config.json` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Defaults {
    /// See [`jig_plugin_api::SamplingParams`]; so the next ones.
    pub temperature: Option<f32>,
    /// The sum of probabilities that is kept.
    pub top_p: Option<f32>,
    /// The number of tokens that is kept.
    pub top_k: Option<u32>,
    /// The share of the most likely token's probability that is kept.
    pub min_p: Option<f32>,
    /// The repetition penalty.
    pub repetition_penalty: Option<f32>,
    /// The most tokens of an answer.
    pub max_tokens: Option<u32>,
}

impl Settings {
    /// Settings without any flag, for a model from `root`.
    #[must_use]
    pub fn new(root: &str) -> Self {
        Self::with_names(root, Vec::new())
    }

    /// As [`Settings::new`], for a model that requests call by other names; none of them is `root` unless it is among them. Without a name
    /// it is called by `root`.
    #[must_use]
    pub fn with_names(root: &str, names: Vec<String>) -> Self {
        let names = if names.is_empty() { vec![root.to_owned()] } else { names };
        let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let hash = names.iter().map(String::as_str).chain([root]).flat_map(str::bytes).fold(0x811C_9DC5_u32, fnv);
        let fingerprint = format!("jig-{}-{hash:08x}", env!("CARGO_PKG_VERSION"));
        Self {
            names,
            root: root.to_owned(),
            strict_fields: false,
            max_logprobs: 20,
            defaults: Defaults::default(),
            always_usage: false,
            tokens_as_ids: false,
            trust_request_chat_template: false,
            keep_alive: None,
            tool_call_parser: "auto".to_owned(),
            reasoning_parser: "auto".to_owned(),
            excludes_unused_tools: false,
            reasoning_field: ReasoningField::default(),
            response_role: "assistant".to_owned(),
            created,
            fingerprint,
        }
    }

    /// The name of the model in answers.
    #[must_use]
    pub fn name(&self) -> &str {
        self.names.first().unwrap_or(&self.root)
    }

    /// When the model was loaded, in seconds since 1970.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.created
    }

    /// What stands in answers for program, model and names.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether a request may call the model so.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        name.is_empty() || self.names.iter().any(|own| own == name)
    }
}

/// FNV-1a of 32 bits.
fn fnv(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}

impl Defaults {
    /// Those that a `generation_config.json` names. Others of its keys are not about sampling, or, as `do_sample`, vLLM does not obey them
    /// either.
    ///
    /// # Errors
    /// A value that no request could have.
    pub fn read(config: &Value) -> Result<Self, String> {
        let object = config.as_object().ok_or("it is no JSON object")?;
        let number = |key: &str, what: &str, is_right: fn(f64) -> bool| match object.get(key).unwrap_or(&Value::Null) {
            Value::Null => Ok(None),
            value => match value.as_f64().filter(|number| is_right(*number)) {
                Some(number) => Ok(Some(number as f32)),
                None => Err(format!("`{key}` must be {what}, not {value}")),
            },
        };
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let top_k = number("top_k", "an integer", |value| value.fract() == 0.0 && value >= -1.0)?;
        let max_tokens = number("max_new_tokens", "a positive integer", |value| value.fract() == 0.0 && value >= 1.0)?;
        Ok(Self {
            temperature: number("temperature", "a number from 0 to 2", |value| (0.0..=2.0).contains(&value))?,
            top_p: number("top_p", "a number above 0 and at most 1", |value| value > 0.0 && value <= 1.0)?,
            top_k: top_k.map(|value| value.max(0.0) as u32),
            min_p: number("min_p", "a number from 0 to 1", share)?,
            repetition_penalty: number("repetition_penalty", "a number above 0", |value| value > 0.0)?,
            max_tokens: max_tokens.map(|value| value as u32),
        })
    }

    /// These, and where `other` has one, that one.
    #[must_use]
    pub fn overridden_by(self, other: Self) -> Self {
        Self {
            temperature: other.temperature.or(self.temperature),
            top_p: other.top_p.or(self.top_p),
            top_k: other.top_k.or(self.top_k),
            min_p: other.min_p.or(self.min_p),
            repetition_penalty: other.repetition_penalty.or(self.repetition_penalty),
            max_tokens: other.max_tokens.or(self.max_tokens),
        }
    }
}

/// The card of each name, as `GET /v1/models` lists them.
pub(super) fn card(settings: &Settings, name: &str, max_model_len: u32) -> Value {
    json!({
        "id": name,
        "object": "model",
        "created": settings.created,
        "owned_by": "jig",
        "root": settings.root,
        "parent": null,
        "max_model_len": max_model_len,
        "permission": [{
            "id": format!("modelperm-{}", settings.fingerprint),
            "object": "model_permission",
            "created": settings.created,
            "allow_create_engine": false,
            "allow_sampling": true,
            "allow_logprobs": true,
            "allow_search_indices": false,
            "allow_view": true,
            "allow_fine_tuning": false,
            "organization": "*",
            "group": null,
            "is_blocking": false,
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_config_gives_defaults_and_what_no_request_could_have_is_refused() {
        let config = json!({"temperature": 0.6, "top_k": 20, "top_p": 0.95, "do_sample": true, "eos_token_id": [1, 2],
                            "max_new_tokens": 2048, "min_p": null});
        let read = Defaults::read(&config).unwrap();
        let expected = Defaults {
            temperature: Some(0.6),
            top_k: Some(20),
            top_p: Some(0.95),
            max_tokens: Some(2048),
            ..Defaults::default()
        };
        assert_eq!(read, expected);
        assert_eq!(Defaults::read(&json!({"top_k": -1})).unwrap().top_k, Some(0));
        for (wrong, names) in [
            (json!({"temperature": 3}), "temperature"),
            (json!({"top_p": 0}), "top_p"),
            (json!({"top_k": "all"}), "top_k"),
            (json!({"max_new_tokens": 0.5}), "max_new_tokens"),
            (json!([]), "object"),
        ] {
            assert!(Defaults::read(&wrong).unwrap_err().contains(names), "{wrong}");
        }
    }

    #[test]
    fn an_override_wins_where_it_says_something() {
        let own = Defaults { temperature: Some(0.6), top_k: Some(20), ..Defaults::default() };
        let other = Defaults { temperature: Some(1.0), ..Defaults::default() };
        let both = own.overridden_by(other);
        assert_eq!((both.temperature, both.top_k, both.top_p), (Some(1.0), Some(20), None));
    }

    #[test]
    fn the_first_name_stands_in_answers_and_no_name_is_the_model() {
        let settings = Settings::with_names("/models/x", vec!["a".to_owned(), "b/c".to_owned()]);
        assert_eq!(settings.name(), "a");
        assert!(settings.has_name("") && settings.has_name("b/c") && !settings.has_name("/models/x"));
        assert!(Settings::new("/models/x").has_name("/models/x"));
        assert_ne!(settings.fingerprint(), Settings::new("/models/x").fingerprint());
    }
}
