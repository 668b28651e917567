//! How to generate: the validated parameters of a request.

use std::borrow::Cow;

use jig_plugin_api::SamplingParams;

/// How to generate: the validated parameters of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationParams {
    /// How to draw each token (temperature, penalties, logit bias, logprobs).
    pub sampling: SamplingParams,
    /// Number of outputs, at least 1.
    pub n: u32,
    /// Seed of the random numbers: with it the output is a function of the request and the model, whatever else
    /// runs. Output `i` of `n` has its own stream of numbers.
    pub seed: Option<u64>,
    /// Strings that end the text; none is empty.
    pub stop: Vec<String>,
    /// Tokens that end the text.
    pub stop_token_ids: Vec<u32>,
    /// Whether the stop string stays in the text.
    pub include_stop_str_in_output: bool,
    /// Whether end-of-text tokens are drawn like any other (a guide has the last word).
    pub ignore_eos: bool,
    /// The most tokens of an output. `None`: to the model's limit (a guided text ends by itself). 0 is for requests that want
    /// `prompt_logprobs` alone.
    pub max_tokens: Option<u32>,
    /// Report the log-probability of each token of the prompt and of this many of the most likely ones in its place.
    pub prompt_logprobs: Option<u32>,
    /// No end-of-text token, stop token or stop string ends the text before this many tokens.
    pub min_tokens: u32,
    /// If set, no other token may be drawn.
    pub allowed_token_ids: Option<Vec<u32>>,
    /// Token sequences that may not be drawn: each bad word with and without a leading space.
    pub bad_words: Vec<Vec<u32>>,
    /// Whether text that the guide leaves no choice about is taken without asking the model.
    pub forced_text: bool,
    /// Whether special tokens are left out of the text.
    pub skip_special_tokens: bool,
    /// Special tokens that are a part of the text all the same, in rising order: those by which the model says what is no plain text.
    pub spoken_tokens: Vec<u32>,
    /// How long an output may think; `None` for as long as it likes. Only a guide ends thoughts.
    pub thoughts: Option<ThoughtLimit>,
}

/// How long an output may think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThoughtLimit {
    /// The text that begins thoughts, if it is the first one of an output.
    pub begin: Cow<'static, str>,
    /// The text that ends them.
    pub end: Cow<'static, str>,
    /// The most tokens of the thoughts; their end comes after them.
    pub most: u32,
    /// Whether the prompt has begun them.
    pub is_begun: bool,
}

impl Default for GenerationParams {
    fn default() -> Self {
        Self {
            sampling: SamplingParams::default(),
            n: 1,
            seed: None,
            stop: Vec::new(),
            stop_token_ids: Vec::new(),
            include_stop_str_in_output: false,
            ignore_eos: false,
            max_tokens: None,
            prompt_logprobs: None,
            min_tokens: 0,
            allowed_token_ids: None,
            bad_words: Vec::new(),
            forced_text: true,
            skip_special_tokens: true,
            spoken_tokens: Vec::new(),
            thoughts: None,
        }
    }
}
